import type { Command } from "commander";
import { examples } from "./arguments.ts";
import { connecting, jsonOption, OUTCOME } from "./connecting.ts";
import type { ExitCode } from "./exit-code.ts";

type Done = (exitCode: ExitCode) => void;

const QUOTAS = `
Quotas:
  producer_byte_rate          bytes a second, for each broker
  consumer_byte_rate          bytes a second, for each broker
  request_percentage          of a thread's time; 100 is one thread
  controller_mutation_rate    topics and partitions created or deleted a second
  connection_creation_rate    new connections a second of an address (--ip)
Who:
  --user, --client            a user, a client id, or a client id of a user when both are given
  --ip                        an address
  --default-user and so on    those who have no quota of their own
`;

/** `samsa quota`: limits of users, clients and addresses. */
export function addQuota(program: Command, done: Done): void {
  const quota = program
    .command("quota")
    .alias("quotas")
    .description("list, set and unset limits of users, clients and addresses")
    .addHelpText(
      "after",
      QUOTAS +
        examples([
          "samsa quota list",
          "samsa quota set --user ada producer_byte_rate=1000000",
          "samsa quota unset --user ada",
        ]),
    );

  jsonOption(entity(connecting(quota.command("list"))))
    .alias("ls")
    .description("list quotas; of all when nobody is named")
    .addHelpText(
      "after",
      examples(["samsa quota list", "samsa quota list --user ada", "samsa quota list --default-client --json"]),
    )
    .action(async (options) => {
      const { listQuotas } = await import("./commands/quota.ts");
      done(await listQuotas(options));
    });

  jsonOption(entity(connecting(quota.command("set <quota=value...>"))), OUTCOME)
    .description("set limits and leave the others as they are")
    .option("--dry-run", "only ask whether it could be done")
    .addHelpText(
      "after",
      QUOTAS +
        examples([
          "samsa quota set --user ada producer_byte_rate=1000000 consumer_byte_rate=2000000",
          "samsa quota set --user ada --client reports request_percentage=50",
          "samsa quota set --default-client producer_byte_rate=10000000",
          "samsa quota set --ip 10.0.0.7 connection_creation_rate=5",
        ]),
    )
    .action(async (pairs: string[], options) => {
      const { setQuotas } = await import("./commands/quota.ts");
      done(await setQuotas(pairs, options));
    });

  jsonOption(entity(connecting(quota.command("unset [quota...]"))), OUTCOME)
    .description("take limits away; all of the one named when no quota is")
    .option("--dry-run", "only ask whether it could be done")
    .addHelpText(
      "after",
      examples(["samsa quota unset --user ada producer_byte_rate", "samsa quota unset --default-client"]),
    )
    .action(async (names: string[], options) => {
      const { unsetQuotas } = await import("./commands/quota.ts");
      done(await unsetQuotas(names, options));
    });
}

function entity(command: Command): Command {
  return command
    .option("-u, --user <name>", "a user")
    .option("-c, --client <id>", "a client id")
    .option("-i, --ip <address>", "an address")
    .option("--default-user", "users without a quota of their own")
    .option("--default-client", "client ids without a quota of their own")
    .option("--default-ip", "addresses without a quota of their own");
}
