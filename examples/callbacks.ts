/** A callback in place of a promise: the fastest way to send much. `write` says when to wait, so that memory stays bounded. */
import { Kafka } from "@samsa/client";
import { brokers, temporaryTopic } from "./lib/playground.ts";

await using cluster = await brokers();
await using kafka = new Kafka({ bootstrapServers: cluster.bootstrapServers });
await using topic = await temporaryTopic(kafka, 3);

const producer = kafka.producer({ lingerMs: 20, batchSize: 65_536, bufferMemory: 1_000_000 });
let delivered = 0;
let failed = 0;
let waits = 0;

for (let i = 0; i < 50_000; i++) {
  const hasRoom = producer.write({ topic: topic.name, key: `key ${i % 100}`, value: `measurement ${i}` }, (error) => {
    if (error === undefined) delivered++;
    else failed++;
  });
  if (!hasRoom) {
    waits++;
    await producer.ready();
  }
}
await producer.flush(); // what lingers leaves now

console.log(`${delivered} delivered, ${failed} failed`);
console.log(`had to wait for room: ${waits > 0}`);

// 50000 delivered, 0 failed
// had to wait for room: true
