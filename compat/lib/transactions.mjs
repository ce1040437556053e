// What the suite `transactions` is made of: Java's program, and logs that are cut back to what a crash would have left.
import { readdirSync, readFileSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { toolArguments } from "../apache-kafka/kafka.mjs";
import { runProgram } from "./process.mjs";

const BATCH_PREFIX = 12;

/** Runs `compat/java/Transactions.java`; the lines it says. */
export async function javaTransactions(command, broker, ...args) {
  const { stdout } = await runProgram("java", toolArguments("Transactions", [command, broker.bootstrap, ...args]), {
    limitMs: 180_000,
  });
  return stdout.trim().split("\n");
}

export async function countRecords(broker, topic, isolation) {
  return Number((await javaTransactions("count", broker, topic, isolation))[0]);
}

/** Kafka's TransactionsCommand. */
export async function transactionsCommand(broker, ...args) {
  const command = ["--bootstrap-server", broker.bootstrap, ...args];
  return (await runProgram("java", toolArguments("org.apache.kafka.tools.TransactionsCommand", command))).stdout;
}

/** The partition of a coordinator's topic that an id belongs to: Java's hash of it. */
export function partitionForKey(key, count) {
  let hash = 0;
  for (let i = 0; i < key.length; i++) hash = (Math.imul(hash, 31) + key.charCodeAt(i)) | 0;
  return Math.abs(hash) % count;
}

/** Cuts the last batch off a log of a broker that is not running, as if it had not been written when the power went. */
export function cutLastBatch(dataDir, folder) {
  const files = readdirSync(join(dataDir, folder)).filter((file) => file.endsWith(".log"));
  const file = join(dataDir, folder, files.toSorted().at(-1));
  const at = lastBatch(readFileSync(file));
  if (at === undefined) throw new Error(`there is no batch in ${file}`);
  truncateSync(file, at);
}

/** Where the last batch begins; preallocated zeros after it are none. */
function lastBatch(bytes) {
  let last;
  for (let at = 0; at + BATCH_PREFIX <= bytes.length;) {
    const size = BATCH_PREFIX + bytes.readInt32BE(at + 8);
    if (size <= BATCH_PREFIX || at + size > bytes.length) break;
    last = at;
    at += size;
  }
  return last;
}
