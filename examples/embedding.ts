/** A broker inside a test: snapshots, a clock in your hands, errors on demand, and what was asked. */
import assert from "node:assert/strict";
import { Kafka } from "@samsa/client";
import { manualClock, startBroker } from "@samsa/server";

const clock = manualClock({ runs: true }); // time passes as always, and some of it can be skipped
await using broker = await startBroker({ port: 0, dataDir: "memory", clock, requestLog: true });
await broker.createTopic("orders", { configs: { "retention.ms": "86400000" } });

await using kafka = new Kafka({ bootstrapServers: broker.bootstrapServers });
const producer = kafka.producer();
await producer.send({ topic: "orders", value: "the fixture" });

// Every test begins with the same records; one restore takes a few milliseconds.
const fixture = await broker.snapshot();
await producer.send({ topic: "orders", value: "of one test" });
await producer.close();
await broker.restore(fixture);
console.log(`after the restore: ${await valuesOf("orders")}`);

// The broker refuses, the client tries again, and the record is there once.
const injection = broker.injectError({ api: "Produce", error: "NOT_LEADER_OR_FOLLOWER", times: 2, topic: "orders" });
broker.clearRequests();
const persistent = kafka.producer();
await persistent.send({ topic: "orders", value: "in spite of it" });
await persistent.close();
const produced = broker.requests({ api: "Produce", topic: "orders" });
console.log(`${injection.hits} refused: ${produced.map(({ errors }) => errors[0] ?? "taken").join(", ")}`);
assert.equal(await valuesOf("orders"), "the fixture, in spite of it");

// Two days later its records have gone.
await clock.advance(2 * 86_400_000);
console.log(`after two days: ${(await valuesOf("orders")) || "nothing"}`);

async function valuesOf(topic: string): Promise<string> {
  const values: string[] = [];
  const consumer = kafka.consumer();
  await consumer.assign([{ topic, partition: 0, offset: "earliest", endOffset: "latest" }]);
  for await (const { value } of consumer) values.push(new TextDecoder().decode(value ?? undefined));
  await consumer.close();
  return values.join(", ");
}

// after the restore: the fixture
// 2 refused: NOT_LEADER_OR_FOLLOWER, NOT_LEADER_OR_FOLLOWER, taken
// after two days: nothing
