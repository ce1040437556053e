/**
 * A promise for each record. Records that are sent while others are under way share their requests, so the fast way is to send
 * first and to wait afterwards.
 */
import { Kafka } from "@samsa/client";
import { brokers, temporaryTopic } from "./lib/playground.ts";

await using cluster = await brokers();
await using kafka = new Kafka({ bootstrapServers: cluster.bootstrapServers });
await using topic = await temporaryTopic(kafka, 1);

const producer = kafka.producer({ compressionType: "gzip" });

const { partition, offset } = await producer.send({ topic: topic.name, key: "ada", value: "hello" });
console.log(`one record: partition ${partition}, offset ${offset}`);

const results = await Promise.all(
  Array.from({ length: 1000 }, (_, i) => producer.send({ topic: topic.name, value: `record ${i}` })),
);
console.log(`a thousand promises: offsets ${results[0]?.offset} to ${results.at(-1)?.offset}`);

const batch = await producer.sendBatch([
  { topic: topic.name, key: "ada", value: "a list of them", headers: [{ key: "lang", value: "en" }] },
  { topic: topic.name, key: "ada", value: null }, // a tombstone
]);
console.log(`one promise for ${batch.length} records: offsets ${batch.map((one) => one.offset).join(" and ")}`);

const { requests, recordsDelivered } = producer.counters;
console.log(`${recordsDelivered} records in fewer than ten requests: ${requests < 10}`);

// one record: partition 0, offset 0
// a thousand promises: offsets 1 to 1000
// one promise for 2 records: offsets 1001 and 1002
// 1003 records in fewer than ten requests: true
