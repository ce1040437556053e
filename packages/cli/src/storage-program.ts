import type { Command } from "commander";
import { collect, examples, wholeNumber } from "./arguments.ts";
import type { ExitCode } from "./exit-code.ts";

type Done = (exitCode: ExitCode) => void;

/** `samsa storage`: data directories before a broker runs on them, with the options of kafka-storage.sh. */
export function addStorage(program: Command, done: Done): void {
  const storage = program
    .command("storage")
    .description("format data directories and tell whose they are, as Kafka's kafka-storage does")
    .addHelpText(
      "after",
      examples([
        "samsa storage format --data-dir samsa-data",
        "samsa storage info -c server.properties",
        "samsa storage random-uuid",
      ]),
    );

  storage
    .command("format")
    .description("make data directories those of a new cluster; samsa start does so by itself with an empty one")
    .option("-t, --cluster-id <id>", "the id of the cluster (default: a random one)")
    .option("-c, --config <file>", "a server.properties file with node.id, log.dirs and listeners")
    .option("--data-dir <dir>", "instead of a file: this directory, for samsa start (default: ./samsa-data)")
    .option("--node-id <id>", "with --data-dir: the id of the node (default: 1)", wholeNumber)
    .option("-s, --standalone", "this node is the only controller at first; the default with --data-dir")
    .option("-I, --initial-controllers <list>", "the controllers at first, as id@host:port:directory, with commas")
    .option("-N, --no-initial-controllers", "no controllers yet: this node will join those of a cluster")
    .option("-g, --ignore-formatted", "pass over directories that are formatted")
    .option("-r, --release-version <version>", "the features of this release of Kafka, e.g. 4.0 (default: 4.4-IV2)")
    .option("-f, --feature <feature=level>", "the level of a feature, e.g. group.version=1; may be repeated", collect)
    .option(
      "-S, --add-scram <credential>",
      "a user with a password, e.g. SCRAM-SHA-512=[name=ada,password=secret]; may be repeated",
      collect,
    )
    .option("--json", "a JSON object")
    .addHelpText(
      "after",
      examples([
        "samsa storage format",
        "samsa storage format -S 'SCRAM-SHA-512=[name=admin,password=secret]'",
        "samsa storage format -t $(samsa storage random-uuid) -c server.properties --standalone",
        "samsa storage format --data-dir /var/lib/samsa --node-id 7 -f share.version=1",
      ]),
    )
    .action(async (options) => {
      const { formatCommand } = await import("./commands/storage.ts");
      done(await formatCommand(options));
    });

  storage
    .command("info")
    .description("tell whose the data directories are; ends with 1 where something is wrong")
    .option("-c, --config <file>", "a server.properties file with log.dirs")
    .option("--data-dir <dir>", "instead of a file: this directory (default: ./samsa-data)")
    .option("--json", "a JSON object")
    .addHelpText("after", examples(["samsa storage info", "samsa storage info -c server.properties --json"]))
    .action(async (options) => {
      const { infoCommand } = await import("./commands/storage.ts");
      done(await infoCommand(options));
    });

  storage
    .command("random-uuid")
    .description("print a random id, as clusters and directories have")
    .option("--json", "a JSON object")
    .addHelpText("after", examples(["samsa storage random-uuid"]))
    .action(async (options) => {
      const { randomUuidCommand } = await import("./commands/storage.ts");
      done(randomUuidCommand(options));
    });
}
