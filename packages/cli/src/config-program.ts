import type { Command } from "commander";
import { Argument, Option } from "commander";
import { collect, examples } from "./arguments.ts";
import { connecting, jsonOption, OUTCOME } from "./connecting.ts";
import type { ExitCode } from "./exit-code.ts";

type Done = (exitCode: ExitCode) => void;

export const CONFIG_TYPES = ["topic", "broker", "broker-logger", "group", "client-metrics"] as const;

const WHAT = `
What has a configuration:
  topic NAME           of all the keys a topic has; unset ones follow the broker
  broker ID            one broker; "broker default" is what holds for all of them
  broker-logger ID     how much a broker logs
  group NAME           groups of consumers
  client-metrics NAME  subscriptions to metrics of clients (KIP-714)
Limits of users, clients and addresses are quotas: samsa quota. Passwords of users: samsa user.
`;

/** `samsa config`: what topics, brokers, groups and subscriptions to metrics are set to. */
export function addConfig(program: Command, done: Done): void {
  const config = program
    .command("config")
    .alias("configs")
    .description("show and change the configuration of topics, brokers, groups and client metrics")
    .addHelpText(
      "after",
      WHAT +
        examples([
          "samsa config describe topic orders",
          "samsa config set topic orders retention.ms=60000",
          "samsa config unset topic orders retention.ms",
        ]),
    );

  jsonOption(connecting(config.command("list [type]")))
    .alias("ls")
    .description("list what has a configuration of its own")
    .addHelpText("after", examples(["samsa config list", "samsa config list client-metrics"]))
    .action(async (type: string | undefined, options) => {
      const { listConfigs } = await import("./commands/config.ts");
      done(await listConfigs(type, options));
    });

  jsonOption(connecting(config.command("describe")), "a JSON object a key, a line each")
    .alias("desc")
    .description("show what is set, where that comes from, and what would hold without it")
    .addArgument(typeArgument())
    .argument("<name>", 'which one; for brokers an id or "default"')
    .argument("[key...]", "only these keys, set or not")
    .option("-a, --all", "also what is not set and has its default")
    .option("--docs", "with what each key means")
    .addHelpText(
      "after",
      examples([
        "samsa config describe topic orders",
        "samsa config describe topic orders --all",
        "samsa config describe broker 1 num.io.threads log.retention.ms --docs",
        "samsa config describe topic orders -a --json | jq -r 'select(.isReadOnly | not).name'",
      ]),
    )
    .action(async (type: string, name: string, keys: string[], options) => {
      const { describeConfig } = await import("./commands/config.ts");
      done(await describeConfig(type, name, keys, options));
    });

  jsonOption(connecting(config.command("set")), OUTCOME)
    .description("set keys and leave the others as they are")
    .addArgument(typeArgument())
    .argument("<name>", 'which one; for brokers an id or "default"')
    .argument("[key=value...]", "what to set")
    .addOption(new Option("--append <key=value>", "add to a list, e.g. cleanup.policy=compact").argParser(collect))
    .addOption(new Option("--subtract <key=value>", "take from a list").argParser(collect))
    .option("--dry-run", "only ask whether it could be done")
    .addHelpText(
      "after",
      examples([
        "samsa config set topic orders retention.ms=60000 cleanup.policy=delete",
        "samsa config set topic orders --append cleanup.policy=compact",
        "samsa config set broker default log.retention.ms=3600000",
        "samsa config set client-metrics all metrics=org.apache.kafka. interval.ms=10000",
      ]),
    )
    .action(async (type: string, name: string, pairs: string[], options) => {
      const { setConfig } = await import("./commands/config.ts");
      done(await setConfig(type, name, pairs, options));
    });

  jsonOption(connecting(config.command("unset")), OUTCOME)
    .description("go back to what holds without these keys")
    .addArgument(typeArgument())
    .argument("<name>", 'which one; for brokers an id or "default"')
    .argument("<key...>", "what to unset")
    .option("--dry-run", "only ask whether it could be done")
    .addHelpText("after", examples(["samsa config unset topic orders retention.ms"]))
    .action(async (type: string, name: string, keys: string[], options) => {
      const { unsetConfig } = await import("./commands/config.ts");
      done(await unsetConfig(type, name, keys, options));
    });
}

/** Choices are completed, and checked where the plural and Kafka's names for the same are taken, too. */
function typeArgument(): Argument {
  return new Argument("<type>", CONFIG_TYPES.join(", "));
}
