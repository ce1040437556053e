/** Where a record goes, and why. `explainPartition` sends nothing. */
import { Kafka } from "@samsa/client";
import { brokers, temporaryTopic } from "./lib/playground.ts";

await using cluster = await brokers();
await using kafka = new Kafka({ bootstrapServers: cluster.bootstrapServers });
await using topic = await temporaryTopic(kafka, 6);

const record = { topic: topic.name, key: "ada", value: "hello" };

// As Java's clients: the same key in the same partition, whoever sends it.
const byMurmur2 = kafka.producer();
// As librdkafka (kcat, Python, Go, .NET) does unless told otherwise: for topics shared with such programs.
const byCrc32 = kafka.producer({ partitioner: "crc32" });
const inTurn = kafka.producer({ partitioner: "roundRobin" });
// A function of one's own sees key, value, headers and which partitions have a leader.
const express = kafka.producer({
  partitioner: ({ headers, partitionCount }) =>
    headers.some(({ key }) => key === "urgent") ? 0 : 1 + Math.floor(Math.random() * (partitionCount - 1)),
});

const explained = [
  await byMurmur2.explainPartition(record),
  await byCrc32.explainPartition(record),
  await inTurn.explainPartition(record),
  await express.explainPartition({ ...record, headers: [{ key: "urgent", value: null }] }),
  await byMurmur2.explainPartition({ ...record, partition: 5 }),
];
for (const { rule, partition, arithmetic } of explained) console.log(`${rule}: ${partition} (${arithmetic})`);

const sent = await byMurmur2.send(record);
console.log(`sent to the partition that was foretold: ${sent.partition === explained[0]?.partition}`);

// murmur2 of the key: 5 (murmur2 = -1834195827, & 0x7fffffff = 313287821, % 6 partitions = 5)
// crc32 of the key: 0 (crc32 = 2372962152, % 6 partitions = 0)
// round-robin: 0 (record 0 % 6 available partitions: the one at 0, 0)
// custom function: 0 (the function said 0)
// partition given: 5 (the record names partition 5)
// sent to the partition that was foretold: true
