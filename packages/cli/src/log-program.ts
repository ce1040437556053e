import type { Command } from "commander";
import { Option } from "commander";
import { examples, wholeNumber } from "./arguments.ts";
import type { ExitCode } from "./exit-code.ts";

type Done = (exitCode: ExitCode) => void;

/** `samsa log`: what lies in a data directory, read from its files. No broker is asked, and none is needed. */
export function addLog(program: Command, done: Done): void {
  const log = program
    .command("log")
    .alias("logs")
    .description("look into the files of a data directory: segments, records, damage")
    .addHelpText(
      "after",
      examples([
        "samsa log segments",
        "samsa log dump samsa-data/orders-0/*.log --print-data-log",
        "samsa log verify samsa-data",
      ]),
    );

  log
    .command("segments [dir] [topic]")
    .description("list partitions and their segments: offsets, sizes, times, state")
    .option("--data-dir <dir>", "the data directory (default: ./samsa-data)")
    .option("--json", "a JSON object a partition, a line each")
    .addHelpText(
      "after",
      examples([
        "samsa log segments",
        "samsa log segments orders",
        "samsa log segments --data-dir /var/lib/kafka orders-0",
        "samsa log segments /var/lib/kafka/orders-0 --json | jq '.segments[].baseOffset'",
      ]),
    )
    .action(async (dir: string | undefined, topic: string | undefined, options) => {
      const { logSegments } = await import("./commands/log-segments.ts");
      const names = [dir, topic].filter((name) => name !== undefined);
      done(await logSegments(names, options));
    });

  log
    .command("verify [dir]")
    .description("read every file of a data directory or of one partition and tell what is damaged; changes nothing")
    .option("--data-dir <dir>", "the same as the argument (default: ./samsa-data)")
    .option("--force", "also while a broker runs on it")
    .option("--json", "a JSON object a finding, a line each, and a summary")
    .addHelpText(
      "after",
      `
Findings:
  damage       records are lost or cannot be trusted
  repairable   an index, snapshot or checkpoint that the next start makes anew
  note         nothing wrong, such as what an unclean stop leaves behind
Ends with 1 where there is damage or something to repair.
${examples([
  "samsa log verify",
  "samsa log verify /var/lib/kafka",
  "samsa log verify samsa-data/orders-0",
  "samsa log verify --json | jq 'select(.severity == \"damage\")'",
])}`,
    )
    .action(async (dir: string | undefined, options) => {
      const { verifyLog } = await import("./commands/log-verify.ts");
      done(await verifyLog(dir, options));
    });

  log
    .command("dump [file...]")
    .description("print what files hold, as Kafka's DumpLogSegments does")
    .option("--files <list>", "the same, with commas between them")
    .option("--print-data-log", "keys and values, too; a decoder implies it")
    .option("--deep-iteration", "each record, not only the batches; --print-data-log implies it")
    .option("--verify-index-only", "compare indexes with their logs without printing their entries")
    .option("--index-sanity-check", "only what a broker asks of an index when it starts")
    .option("--max-bytes <size>", "of a log, read only so many bytes", wholeNumber)
    .addOption(new Option("--max-message-size <size>", "accepted for Kafka's sake").argParser(wholeNumber).hideHelp())
    .option("--offsets-decoder", "read records as those of __consumer_offsets")
    .option("--transaction-log-decoder", "read records as those of __transaction_state")
    .option("--cluster-metadata-decoder", "read records as those of __cluster_metadata")
    .option("--share-group-state-decoder", "read records as those of __share_group_state")
    .option("--skip-record-metadata", "only keys and values of the records")
    .option("--json", "a JSON object a line")
    .addHelpText(
      "after",
      `
Files:
  .log .checkpoint         batches and records
  .index .timeindex        entries, each compared with the log beside it
  .txnindex .snapshot      aborted transactions; producers
  *-checkpoint partition.metadata meta.properties quorum-state   as they are
${examples([
  "samsa log dump samsa-data/orders-0/00000000000000000000.log --print-data-log",
  "samsa log dump samsa-data/orders-0/*.index samsa-data/orders-0/*.timeindex --verify-index-only",
  "samsa log dump samsa-data/__cluster_metadata-0/*.log --cluster-metadata-decoder --skip-record-metadata",
  "samsa log dump samsa-data/orders-0/*.log --json --deep-iteration | jq 'select(.isValid == false)'",
])}`,
    )
    .action(async (files: string[], options) => {
      const { dumpLog } = await import("./commands/log-dump.ts");
      done(await dumpLog(files, options));
    });
}
