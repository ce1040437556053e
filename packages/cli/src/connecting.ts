import type { Command } from "commander";
import { Option } from "commander";
import { collect } from "./arguments.ts";

const CLIENT_PROPERTY = "a client's configuration key, e.g. -X security.protocol=SSL; may be repeated";

/** What every command that talks to a broker takes. */
export function connecting(command: Command, property = CLIENT_PROPERTY): Command {
  return command
    .addOption(
      new Option(
        "-b, --bootstrap-server <host:port>",
        "a broker to begin with, several with commas (default: 127.0.0.1:9092)",
      ).env("SAMSA_BOOTSTRAP_SERVER"),
    )
    .addOption(new Option("-X, --property <key=value>", property).argParser(collect))
    .option("--command-config <file>", "a file of such keys, as Kafka's tools take it; -X and options go before it");
}

/** What `--json` says of a command that does something: to one thing, or to all that are named. */
export const OUTCOME = "what was done, and an error, as a JSON object";
export const OUTCOMES = "what was done to each, and its error, as a JSON array";

/** Whether objects, a line each, are wanted rather than a table. A command that acts answers with one value. */
export function jsonOption(command: Command, about = "a JSON object a line"): Command {
  return command.option("--json", about);
}
