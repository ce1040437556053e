import type { Command } from "commander";
import { collect, collectNames, examples, wholeNumber } from "./arguments.ts";
import { connecting, jsonOption, OUTCOME, OUTCOMES } from "./connecting.ts";
import type { ExitCode } from "./exit-code.ts";

/** As Kafka's coordinators call them (KIP-664). */
const STATES = [
  "Empty",
  "Ongoing",
  "PrepareCommit",
  "PrepareAbort",
  "CompleteCommit",
  "CompleteAbort",
  "PrepareEpochFence",
  "Dead",
];

type Done = (exitCode: ExitCode) => void;

/** `samsa producer`: who writes to partitions, as their leaders remember. */
export function addProducer(program: Command, done: Done): void {
  const producer = program
    .command("producer")
    .alias("producers")
    .description("list the producers that write to partitions")
    .addHelpText("after", examples(["samsa producer list orders"]));

  jsonOption(connecting(producer.command("list <topic...>")))
    .alias("ls")
    .description("list idempotent and transactional producers by partition: epoch, sequence, open transaction")
    .option("-p, --partition <number>", "only this partition; may be repeated", collect)
    .addHelpText("after", examples(["samsa producer list orders", "samsa producer list orders -p 0 --json"]))
    .action(async (topics: string[], options) => {
      const { listProducers } = await import("./commands/transaction.ts");
      done(await listProducers(topics, options));
    });
}

/** `samsa txn`: what transactions are under way, and how to end those that hang. */
export function addTransaction(program: Command, done: Done): void {
  const transaction = program
    .command("txn")
    .alias("transaction")
    .alias("transactions")
    .description("list and describe transactions, find and abort those that hang")
    .addHelpText(
      "after",
      examples([
        "samsa txn list",
        "samsa txn describe payments-1",
        "samsa txn find-hanging",
        "samsa txn fence payments-1",
      ]),
    );

  jsonOption(connecting(transaction.command("list")))
    .alias("ls")
    .description("list transactional ids and how their transactions stand")
    .option("-s, --state <name>", "only this state, e.g. Ongoing; may be repeated", collectNames(STATES))
    .option("--producer-id <id>", "only this producer; may be repeated", collect)
    .option("--older-than <ms>", "only what has been open for so many milliseconds", wholeNumber)
    .option("--pattern <regex>", "only transactional ids that match")
    .addHelpText("after", examples(["samsa txn list", "samsa txn list -s Ongoing --older-than 60000"]))
    .action(async (options) => {
      const { listTransactions } = await import("./commands/transaction.ts");
      done(await listTransactions(options));
    });

  jsonOption(connecting(transaction.command("describe <transactional-id...>")))
    .alias("desc")
    .description("show state, producer, times and partitions")
    .addHelpText("after", examples(["samsa txn describe payments-1", "samsa txn describe payments-1 --json"]))
    .action(async (ids: string[], options) => {
      const { describeTransactions } = await import("./commands/transaction.ts");
      done(await describeTransactions(ids, options));
    });

  jsonOption(connecting(transaction.command("find-hanging [topic...]")))
    .description(
      "find transactions that partitions hold open and no coordinator knows; of all topics when none is named",
    )
    .option(
      "--max-transaction-timeout <ms>",
      "what is open for less than this, and five minutes, may be fine",
      wholeNumber,
      900_000,
    )
    .addHelpText("after", examples(["samsa txn find-hanging", "samsa txn find-hanging orders --json"]))
    .action(async (topics: string[], options) => {
      const { findHanging } = await import("./commands/transaction.ts");
      done(await findHanging(topics, options));
    });

  jsonOption(connecting(transaction.command("abort <topic> <partition>")), OUTCOME)
    .description("abort the transaction that a partition holds open from an offset on")
    .requiredOption(
      "-o, --start-offset <offset>",
      "where it begins: find-hanging and producer list show it",
      wholeNumber,
    )
    .addHelpText("after", examples(["samsa txn abort orders 0 --start-offset 1234"]))
    .action(async (topic: string, partition: string, options) => {
      const { abortTransaction } = await import("./commands/transaction.ts");
      done(await abortTransaction(topic, partition, options));
    });

  jsonOption(connecting(transaction.command("fence <transactional-id...>")), OUTCOMES)
    .description("lock out whoever uses these transactional ids now, and end what they have open")
    .addHelpText("after", examples(["samsa txn fence payments-1"]))
    .action(async (ids: string[], options) => {
      const { fence } = await import("./commands/transaction.ts");
      done(await fence(ids, options));
    });
}
