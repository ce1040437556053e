/** Handlers in threads of their own, for work that would block the event loop, with the guarantees of every run. */
import { Kafka, WorkerPool } from "@samsa/client";
import { brokers, temporaryTopic } from "./lib/playground.ts";

await using cluster = await brokers();
await using kafka = new Kafka({ bootstrapServers: cluster.bootstrapServers });
await using topic = await temporaryTopic(kafka, 1);

const producer = kafka.producer();
for (let i = 0; i < 20; i++) await producer.send({ topic: topic.name, key: `${i % 5}`, value: `document ${i}` });

// The script calls handleRecords. Bytes are moved to the thread, not what was fetched around them.
await using pool = new WorkerPool(new URL("lib/checksum-worker.js", import.meta.url), { threads: 2 });

const consumer = kafka.consumer();
await consumer.assign([{ topic: topic.name, offset: "earliest", endOffset: "latest" }]);

const failed: string[] = [];
let position = 0;
await consumer.run({
  eachRecord: pool.eachRecord,
  concurrency: pool.threads,
  orderedBy: "key",
  // What a thread throws arrives here; one that dies fails the records it had.
  onFailure: ({ offset, error }) =>
    void failed.push(`offset ${offset}: ${error instanceof Error ? error.message : ""}`),
  commit: (positions) => {
    position = positions[0]?.offset ?? position;
  },
});
console.log(`done up to ${position}, in ${pool.threads} threads`);
console.log(failed.join());

// done up to 20, in 2 threads
// offset 3: told by a thread
