import assert from "node:assert/strict";
import { test } from "node:test";
import type { Uuid } from "@samsa/base";
import { ErrorCode, ZERO_UUID } from "@samsa/base";
import { compressionTypeOf, decompress } from "@samsa/protocol";
import type { GetTelemetrySubscriptionsRequest } from "@samsa/protocol/messages/get-telemetry-subscriptions-request";
import { GetTelemetrySubscriptionsResponse } from "@samsa/protocol/messages/get-telemetry-subscriptions-response";
import type { PushTelemetryRequest } from "@samsa/protocol/messages/push-telemetry-request";
import { PushTelemetryResponse } from "@samsa/protocol/messages/push-telemetry-response";
import { ConfigurationError, UnsupportedVersionError } from "../errors.ts";
import type { TestBed } from "../testing/client-test.ts";
import { testBed } from "../testing/client-test.ts";
import { NOT_SERVED } from "../testing/fake-apis.ts";
import { metricsIn } from "../testing/otlp-reader.ts";

const GET = "GetTelemetrySubscriptionsRequest";
const PUSH = "PushTelemetryRequest";
const GET_KEY = 71;
const ID = "AAAAAAAAAAAAAAAAAAAAKg" as Uuid;
const INTERVAL_MS = 10_000;

/** A cluster that wants these metrics, and answers pushes with these errors, then with none. */
async function bedThatAsks(
  wanted: Partial<GetTelemetrySubscriptionsResponse>,
  pushErrors: ErrorCode[] = [],
): Promise<TestBed> {
  const bed = await testBed();
  bed.cluster.createTopic("t", [1]);
  let subscriptionId = 6;
  bed.cluster.intercept(({ name }) => {
    if (name === PUSH) return { answer: PushTelemetryResponse.create({ errorCode: pushErrors.shift() ?? 0 }) };
    if (name !== GET) return undefined;
    const said = { clientInstanceId: ID, subscriptionId: ++subscriptionId, pushIntervalMs: INTERVAL_MS };
    const limits = { telemetryMaxBytes: 100_000, acceptedCompressionTypes: [4, 1], deltaTemporality: true };
    return { answer: GetTelemetrySubscriptionsResponse.create({ ...said, ...limits, ...wanted }) };
  });
  return bed;
}

function pushes(bed: TestBed): readonly PushTelemetryRequest[] {
  return bed.cluster.requests(PUSH).map(({ request }) => request as PushTelemetryRequest);
}

function read({ metrics, compressionType }: PushTelemetryRequest) {
  const { resource, metrics: some } = metricsIn(decompress(compressionTypeOf(compressionType), metrics));
  return { resource, values: new Map(some.map(({ name, points }) => [name.replace("org.apache.kafka.", ""), points])) };
}

test("a client asks for nothing and pushes nothing unless it is told to", async () => {
  const bed = await bedThatAsks({ requestedMetrics: ["*"] });
  await using kafka = bed.kafka();
  await bed.run(kafka.producer().send({ topic: "t", value: "x" }));
  await bed.clock.advance(1_000_000);
  assert.equal(bed.cluster.requests(GET).length + pushes(bed).length, 0);
  await assert.rejects(kafka.clientInstanceId(), ConfigurationError);
});

test("metrics are pushed once in an interval, sums of the time since the last push, and a last time at the end", async () => {
  const bed = await bedThatAsks({ requestedMetrics: ["*"] });
  const kafka = bed.kafka({ enableMetricsPush: true, clientRack: "a" });
  await bed.clock.advance(1_000_000);
  assert.equal(bed.cluster.requests(GET).length, 0, "it opens no connection of its own");
  const producer = kafka.producer();
  const send = (count: number) =>
    bed.run(producer.sendBatch(Array.from({ length: count }, () => ({ topic: "t", value: "x" }))));
  await send(3);
  await bed.clock.advance(1.5 * INTERVAL_MS);
  assert.equal(pushes(bed).length, 1);
  await send(2);
  await bed.clock.advance(INTERVAL_MS);
  await bed.clock.advance(INTERVAL_MS);
  await bed.run(kafka.close());
  const sent = pushes(bed);
  assert.deepEqual(
    sent.map(({ clientInstanceId, subscriptionId, terminating }) => [clientInstanceId, subscriptionId, terminating]),
    [...Array.from({ length: 3 }, () => [ID, 7, false]), [ID, 7, true]],
  );
  const counts = sent.map((push) => read(push).values.get("producer.record.send.total")?.[0]?.value);
  assert.deepEqual(counts, [3, 2, 0, 0]);
  const first = read(sent[0] ?? assert.fail());
  assert.deepEqual(first.resource, { client_rack: "a" });
  assert.deepEqual([...first.values.keys()].sort(), [
    "admin.client.connection.creation.rate",
    "admin.client.connection.creation.total",
    "producer.connection.creation.rate",
    "producer.connection.creation.total",
    "producer.node.request.latency.avg",
    "producer.node.request.latency.max",
    "producer.outgoing.byte.total",
    "producer.produce.throttle.time.avg",
    "producer.produce.throttle.time.max",
    "producer.record.error.total",
    "producer.record.queue.time.avg",
    "producer.record.queue.time.max",
    "producer.record.send.total",
  ]);
  assert.equal(first.values.get("producer.node.request.latency.max")?.[0]?.attributes["node_id"], "1");
});

test("what is asked for is pushed, in sums of all time where those are wanted, and of closed consumers too", async () => {
  const requestedMetrics = [
    "org.apache.kafka.consumer.fetch.manager.fetch.t",
    "org.apache.kafka.consumer.coordinator.",
  ];
  const bed = await bedThatAsks({ requestedMetrics, deltaTemporality: false, acceptedCompressionTypes: [] });
  const kafka = bed.kafka({ enableMetricsPush: true });
  const fetches: number[] = [];
  for (let round = 0; round < 2; round++) {
    const consumer = kafka.consumer({ autoOffsetReset: "earliest" });
    await bed.run(consumer.assign([{ topic: "t" }]));
    const next = consumer[Symbol.asyncIterator]()
      .next()
      .catch(() => {}); // it is closed under it
    await bed.clock.advance(1.5 * INTERVAL_MS);
    const { values } = read(pushes(bed).at(-1) ?? assert.fail());
    assert.deepEqual(
      [...values.keys()],
      ["consumer.fetch.manager.fetch.total", "consumer.coordinator.assigned.partitions"],
    );
    assert.equal(values.get("consumer.coordinator.assigned.partitions")?.[0]?.value, 1);
    fetches.push(values.get("consumer.fetch.manager.fetch.total")?.[0]?.value ?? 0);
    await bed.run(consumer.close());
    await bed.run(next);
  }
  const [before = 0, after = 0] = fetches;
  assert.ok(before > 0 && after > before, `${before} fetches, then ${after}`);
  assert.ok(pushes(bed).every(({ compressionType }) => compressionType === 0));
  await bed.run(kafka.close());
});

const answers = [
  { error: ErrorCode.UNKNOWN_SUBSCRIPTION_ID, asks: 2, why: "the subscriptions have changed: it asks at once" },
  { error: ErrorCode.UNSUPPORTED_COMPRESSION_TYPE, asks: 2, why: "it asks at once what may be" },
  { error: ErrorCode.TELEMETRY_TOO_LARGE, asks: 2, why: "it asks again after the interval" },
  { error: ErrorCode.INVALID_RECORD, asks: 1, why: "the next would be refused as this one was" },
];
for (const { error, asks, why } of answers) {
  test(`a push is refused with error ${error}: ${why}`, async () => {
    const bed = await bedThatAsks({ requestedMetrics: ["*"] }, [error]);
    await using kafka = bed.kafka({ enableMetricsPush: true });
    await bed.run(kafka.producer().send({ topic: "t", value: "x" }));
    await bed.clock.advance(5 * INTERVAL_MS);
    const asked = bed.cluster.requests(GET).map(({ request }) => request as GetTelemetrySubscriptionsRequest);
    assert.deepEqual(
      asked.map(({ clientInstanceId }) => clientInstanceId),
      [ZERO_UUID, ID].slice(0, asks),
    );
    assert.equal(pushes(bed).length > 1, asks > 1);
    const second = pushes(bed)[1];
    // What was not taken is told again.
    if (second) assert.equal(read(second).values.get("producer.record.send.total")?.[0]?.value, 1);
    await bed.run(kafka.close());
  });
}

test("brokers that ask for nothing are asked again after their interval", async () => {
  const bed = await bedThatAsks({ requestedMetrics: [] });
  await using kafka = bed.kafka({ enableMetricsPush: true });
  assert.equal(await bed.run(kafka.clientInstanceId()), ID);
  await bed.clock.advance(2.5 * INTERVAL_MS);
  assert.equal(pushes(bed).length, 0);
  assert.ok(bed.cluster.requests(GET).length >= 3);
  await bed.run(kafka.close());
});

test("brokers that know nothing of it are used as ever", async () => {
  const bed = await bedThatAsks({ requestedMetrics: ["*"] });
  bed.cluster.highestVersions.set(GET_KEY, NOT_SERVED);
  await using kafka = bed.kafka({ enableMetricsPush: true });
  await bed.run(kafka.producer().send({ topic: "t", value: "x" }));
  await assert.rejects(bed.run(kafka.clientInstanceId()), UnsupportedVersionError);
  await bed.clock.advance(1_000_000);
  assert.equal(bed.cluster.requests(GET).length, 0);
  await bed.run(kafka.close());
});

test("a broker that does not answer the last push holds nobody up for long", async () => {
  const bed = await bedThatAsks({ requestedMetrics: ["*"] });
  const kafka = bed.kafka({ enableMetricsPush: true });
  await bed.run(kafka.producer().send({ topic: "t", value: "x" }));
  await bed.clock.advance(INTERVAL_MS / 4);
  bed.cluster.intercept(({ name }) => (name === PUSH ? "no answer" : undefined));
  const beganMs = bed.clock.monotonicMs();
  await bed.run(kafka.close());
  assert.ok(bed.clock.monotonicMs() - beganMs <= 2000);
});
