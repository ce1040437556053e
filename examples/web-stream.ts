/** A producer at the end of a pipeline of web streams. Where the brokers are slow the source is read slower. */
import { ReadableStream, TransformStream } from "node:stream/web";
import type { ProducerRecord } from "@samsa/client";
import { Kafka } from "@samsa/client";
import { brokers, temporaryTopic } from "./lib/playground.ts";

await using cluster = await brokers();
await using kafka = new Kafka({ bootstrapServers: cluster.bootstrapServers });
await using topic = await temporaryTopic(kafka, 1);

const lines = ReadableStream.from(["the first line", "", "the second line", "the third line"]);
const toRecords = new TransformStream<string, ProducerRecord>({
  transform(line, controller) {
    if (line !== "") controller.enqueue({ topic: topic.name, value: line });
  },
});

const producer = kafka.producer();
await lines.pipeThrough(toRecords).pipeTo(producer.writable()); // closing the stream flushes; the producer stays open
console.log(`delivered: ${producer.counters.recordsDelivered}`);

const consumer = kafka.consumer();
await consumer.assign([{ topic: topic.name, offset: "earliest", endOffset: "latest" }]);
const decoder = new TextDecoder();
for await (const { offset, value } of consumer) console.log(offset, value === null ? null : decoder.decode(value));

// delivered: 3
// 0 the first line
// 1 the second line
// 2 the third line
