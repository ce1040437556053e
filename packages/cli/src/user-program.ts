import type { Command } from "commander";
import { Option } from "commander";
import { examples, wholeNumber } from "./arguments.ts";
import { connecting, jsonOption, OUTCOME } from "./connecting.ts";
import type { ExitCode } from "./exit-code.ts";

type Done = (exitCode: ExitCode) => void;

/** `samsa user`: passwords for SCRAM, kept by the brokers. */
export function addUser(program: Command, done: Done): void {
  const user = program
    .command("user")
    .alias("users")
    .description("list, set and delete the passwords of users (SCRAM)")
    .addHelpText("after", examples(["samsa user list", "samsa user set ada", "samsa user delete ada"]));

  jsonOption(connecting(user.command("list [name...]")))
    .alias("ls")
    .description("list users with the mechanisms that they have a password for")
    .addHelpText("after", examples(["samsa user list", "samsa user list ada --json"]))
    .action(async (names: string[], options) => {
      const { listUsers } = await import("./commands/user.ts");
      done(await listUsers(names, options));
    });

  jsonOption(connecting(user.command("set <name>")), OUTCOME)
    .description("give a user a password; it is asked for, or read from stdin, and does not leave this machine")
    .addOption(mechanism())
    .option("--password <password>", "the password; others on this machine may see it")
    .option("--iterations <number>", "how dear guessing is, from 4096 to 16384", wholeNumber)
    .addHelpText(
      "after",
      examples([
        "samsa user set ada",
        "samsa user set ada -m SCRAM-SHA-256 < password.txt",
        "pass show kafka/ada | samsa user set ada",
      ]),
    )
    .action(async (name: string, options) => {
      const { setUser } = await import("./commands/user.ts");
      done(await setUser(name, options));
    });

  jsonOption(connecting(user.command("delete <name>")), OUTCOME)
    .alias("rm")
    .description("take a user's passwords away; of all mechanisms unless one is named")
    .addOption(mechanism().default(undefined))
    .addHelpText("after", examples(["samsa user delete ada", "samsa user delete ada -m SCRAM-SHA-256"]))
    .action(async (name: string, options) => {
      const { deleteUser } = await import("./commands/user.ts");
      done(await deleteUser(name, options));
    });
}

function mechanism(): Option {
  return new Option("-m, --mechanism <name>", "how the password is proved")
    .choices(["SCRAM-SHA-256", "SCRAM-SHA-512"])
    .default("SCRAM-SHA-512");
}
