import type { Command } from "commander";
import { collect, examples } from "./arguments.ts";
import { connecting, jsonOption } from "./connecting.ts";
import type { ExitCode } from "./exit-code.ts";

type Done = (exitCode: ExitCode) => void;

/** `samsa broker`: who the brokers are, what they serve and what lies on their disks. */
export function addBroker(program: Command, done: Done): void {
  const broker = program
    .command("broker")
    .alias("brokers")
    .description("list and describe brokers, their versions of the protocol and their directories")
    .addHelpText("after", examples(["samsa broker list", "samsa broker describe 1", "samsa broker log-dirs"]));

  jsonOption(connecting(broker.command("list")))
    .alias("ls")
    .description("list brokers, also those that are out of service")
    .addHelpText("after", examples(["samsa broker list", "samsa broker list --json | jq .nodeId"]))
    .action(async (options) => {
      const { listBrokers } = await import("./commands/broker.ts");
      done(await listBrokers(options));
    });

  jsonOption(connecting(broker.command("describe [id...]")))
    .alias("desc")
    .description("show what brokers lead, hold and use of their disks; of all when none is named")
    .addHelpText("after", examples(["samsa broker describe", "samsa broker describe 1 2 --json"]))
    .action(async (ids: string[], options) => {
      const { describeBrokers } = await import("./commands/broker.ts");
      done(await describeBrokers(ids, options));
    });

  jsonOption(connecting(broker.command("api-versions [id...]")))
    .description("show which requests brokers serve, in which versions, and which of them samsa uses")
    .addHelpText(
      "after",
      examples(["samsa broker api-versions", "samsa broker api-versions 1 --json | jq 'select(.name == \"Fetch\")'"]),
    )
    .action(async (ids: string[], options) => {
      const { brokerApiVersions } = await import("./commands/broker.ts");
      done(await brokerApiVersions(ids, options));
    });

  jsonOption(connecting(broker.command("log-dirs [id...]")))
    .description("show the data directories of brokers and how full they are")
    .option("-t, --topic <name>", "only the replicas of this topic; may be repeated", collect)
    .option("-r, --replicas", "each replica with its size and lag; a topic implies it")
    .addHelpText(
      "after",
      examples([
        "samsa broker log-dirs",
        "samsa broker log-dirs 1 --replicas",
        "samsa broker log-dirs -t orders --json | jq -s 'map(.sizeInBytes) | add'",
      ]),
    )
    .action(async (ids: string[], options) => {
      const { brokerLogDirs } = await import("./commands/broker.ts");
      done(await brokerLogDirs(ids, options));
    });
}
