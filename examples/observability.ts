/** What happens inside: counters, channels of node:diagnostics_channel, traces of OpenTelemetry. None costs anything unwatched. */
import { subscribe } from "node:diagnostics_channel";
import type { OpenTelemetryApi } from "@samsa/client";
import { Kafka, traceContextOf } from "@samsa/client";
import { brokers, temporaryTopic } from "./lib/playground.ts";

// In an application: import * as openTelemetry from "@opentelemetry/api". This stands for it, to do without the dependency.
const openTelemetry: OpenTelemetryApi = {
  context: { active: () => "4bf92f3577b34da6a3ce929d0e0e4736", with: (_context, work) => work() },
  propagation: {
    inject(context, carrier) {
      carrier["traceparent"] = `00-${String(context)}-00f067aa0ba902b7-01`;
    },
    extract: (_context, carrier) => carrier["traceparent"]?.split("-")[1],
  },
};

await using cluster = await brokers();
await using kafka = new Kafka({ bootstrapServers: cluster.bootstrapServers, openTelemetry });
await using topic = await temporaryTopic(kafka, 1);

subscribe("samsa:producer:batch:delivered", (message) => {
  const { recordCount, attempts } = message as { readonly recordCount: number; readonly attempts: number };
  console.log(`channel: a batch of ${recordCount} at attempt ${attempts}`);
});

const producer = kafka.producer();
await producer.sendBatch([
  { topic: topic.name, value: "one" },
  { topic: topic.name, value: "two" },
]);

const { recordsDelivered, recordsFailed, retries } = producer.counters;
console.log(`counters: ${recordsDelivered} delivered, ${recordsFailed} failed, ${retries} retries`);

const consumer = kafka.consumer();
await consumer.assign([{ topic: topic.name, offset: "earliest", endOffset: "latest" }]);
for await (const { offset, headers } of consumer) {
  console.log(`trace of offset ${offset}: ${String(traceContextOf(openTelemetry, headers))}`);
}

// channel: a batch of 2 at attempt 1
// counters: 2 delivered, 0 failed, 0 retries
// trace of offset 0: 4bf92f3577b34da6a3ce929d0e0e4736
// trace of offset 1: 4bf92f3577b34da6a3ce929d0e0e4736
