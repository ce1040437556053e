/** Reading partitions that one chooses: where to begin and end, seek, pause, batches, positions and lag. */
import { Kafka, serializers } from "@samsa/client";
import { brokers, temporaryTopic } from "./lib/playground.ts";

await using cluster = await brokers();
await using kafka = new Kafka({ bootstrapServers: cluster.bootstrapServers });
await using topic = await temporaryTopic(kafka, 2);

const producer = kafka.producer();
const hour = Date.UTC(2026, 0, 31, 12);
for (let i = 0; i < 6; i++) {
  await producer.send({ topic: topic.name, partition: i % 2, value: `reading ${i}`, timestamp: hour + i * 60_000 });
}

const consumer = kafka.consumer({ valueDeserializer: serializers.string });
const [first, second] = [0, 1].map((partition) => ({ topic: topic.name, partition })) as [never, never];

// Everything that is there now, and then the loop ends. Without endOffset it would wait for more.
await consumer.assign([{ topic: topic.name, offset: "earliest", endOffset: "latest" }]);
let count = 0;
for await (const record of consumer) {
  if (record.partition === 0) console.log(`${record.offset}: ${record.value}`);
  count++;
}
console.log(`${count} records, positions ${consumer.position(first)} and ${consumer.position(second)}`);

// Elsewhere: an offset, a time, the beginning.
consumer.seek(first, 2);
consumer.seek(second, { timestampMs: hour + 3 * 60_000 });
const again: string[] = [];
for await (const { value } of consumer) again.push(value ?? "");
console.log(again.toSorted().join(", "));

// A partition that is paused waits; the loop may be left anywhere and goes on where it was.
consumer.seek(first, "earliest");
consumer.seek(second, "earliest");
consumer.pause([first]);
for await (const { partition, value } of consumer) {
  console.log(`only partition ${partition}: ${value}`);
  break;
}
consumer.resume([first]);
console.log(`lag of it: ${consumer.lag(second)}`);

// Batches decode nothing until they are asked.
const batches = kafka.consumer();
await batches.assign([{ topic: topic.name, offset: "earliest", endOffset: "latest" }]);
let bytes = 0;
for await (const batch of batches.batches()) {
  for (const view of batch.views()) bytes += view.valueLength;
}
console.log(`${bytes} bytes of values`);

// 0: reading 0
// 1: reading 2
// 2: reading 4
// 6 records, positions 3 and 3
// reading 3, reading 4, reading 5
// only partition 1: reading 1
// lag of it: 2
// 54 bytes of values
