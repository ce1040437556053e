// One member of the chaos: reads, "handles" each record for a moment, notes what it has handled, and leaves cleanly on SIGTERM.
//
//   node group-chaos-member.mjs BOOTSTRAP TOPIC OPTIONS FILE      OPTIONS is JSON for kafka.consumer()
//
// A line of FILE is `value partition offset`; it is written before the record counts as completed, so that a kill between the two
// makes a duplicate and never a gap.
import { openSync, writeSync } from "node:fs";
import process from "node:process";
import { Kafka } from "../../packages/client/dist/index.js";

const [bootstrap, topic, options, file] = process.argv.slice(2);
const notes = openSync(file, "a");
const decoder = new TextDecoder();
const kafka = new Kafka({ bootstrapServers: bootstrap, requestTimeoutMs: 5000 });
const consumer = kafka.consumer({ autoOffsetReset: "earliest", autoCommitIntervalMs: 200, ...JSON.parse(options) });
const abort = new AbortController();
process.once("SIGTERM", () => abort.abort());
process.stdout.write("ready\n");

consumer.subscribe(topic);
await consumer.run({
  concurrency: 4,
  signal: abort.signal,
  eachRecord: async ({ value, partition, offset }) => {
    await new Promise((resolve) => setTimeout(resolve, 1 + (offset % 5)));
    writeSync(notes, `${decoder.decode(value)} ${partition} ${offset}\n`);
  },
});
await consumer.close({ timeoutMs: 10_000 });
await kafka.close();
