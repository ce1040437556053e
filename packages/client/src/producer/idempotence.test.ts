import assert from "node:assert/strict";
import { test } from "node:test";
import { ErrorCode } from "@samsa/base";
import { RecordBatch } from "@samsa/protocol";
import { InitProducerIdResponse } from "@samsa/protocol/messages/init-producer-id-response";
import fc from "fast-check";
import { BrokerError, TimeLimitError } from "../errors.ts";
import type { TestBed } from "../testing/client-test.ts";
import { testBed } from "../testing/client-test.ts";
import { FAKE_APIS } from "../testing/fake-apis.ts";
import type { FakePartition } from "../testing/fake-cluster.ts";
import { refusal, valuesOf } from "../testing/produced.ts";
import { UNKNOWN_OFFSET } from "./record.ts";

/** Producer, epoch and sequence of every batch of the partition. */
function sequencesOf(bed: TestBed, partition = 0): readonly (readonly [number, number, number])[] {
  return bed.cluster.partition("t", partition).batches.map((bytes) => {
    const { producerId, producerEpoch, baseSequence } = new RecordBatch(bytes);
    return [producerId, producerEpoch, baseSequence];
  });
}

async function bedWithTopic(): Promise<TestBed> {
  const bed = await testBed([1, 2]);
  bed.cluster.createTopic("t", [1, 1]);
  return bed;
}

test("batches have the producer's id, and sequences that go on", async () => {
  const bed = await bedWithTopic();
  await using kafka = bed.kafka();
  const producer = kafka.producer();
  await bed.run(producer.sendBatch(["a", "b"].map((value) => ({ topic: "t", partition: 0, value }))));
  await bed.run(producer.send({ topic: "t", partition: 0, value: "c" }));
  await bed.run(producer.send({ topic: "t", partition: 1, value: "d" }));
  assert.deepEqual(sequencesOf(bed), [
    [4000, 0, 0],
    [4000, 0, 2],
  ]);
  assert.deepEqual(sequencesOf(bed, 1), [[4000, 0, 0]]);
});

test("no id is asked for where it would be of no use", async () => {
  const bed = await bedWithTopic();
  await using kafka = bed.kafka();
  await bed.run(kafka.producer({ acks: 1 }).send({ topic: "t", partition: 0, value: "a" }));
  await bed.run(kafka.producer({ enableIdempotence: false }).send({ topic: "t", partition: 0, value: "b" }));
  assert.equal(bed.cluster.requests("InitProducerIdRequest").length, 0);
  assert.deepEqual(
    sequencesOf(bed).map(([id]) => id),
    [-1, -1],
  );
});

test("an answer that was lost does not make a record arrive twice, and its offset is known all the same", async () => {
  const bed = await bedWithTopic();
  await using kafka = bed.kafka();
  const producer = kafka.producer();
  await bed.run(producer.send({ topic: "t", partition: 0, value: "a" }));
  bed.cluster.interceptNext("ProduceRequest", "close after");
  const { offset } = await bed.run(producer.send({ topic: "t", partition: 0, value: "b" }));
  assert.equal(offset, 1);
  assert.deepEqual(valuesOf(bed, "t", 0), ["a", "b"]);
  assert.equal(producer.counters.retries, 1);
});

test("a partition has one batch under way until its first is acknowledged, then as many as a connection may", async () => {
  const bed = await bedWithTopic();
  await using kafka = bed.kafka();
  const producer = kafka.producer({ batchSize: 0 });
  const answerAgain = bed.cluster.intercept(({ name }) => (name === "ProduceRequest" ? "no answer" : undefined));
  const records = Array.from({ length: 20 }, (_, index) => ({ topic: "t", partition: 0, value: String(index) }));
  const sent = producer.sendBatch(records);
  await bed.clock.advance(100);
  assert.equal(bed.cluster.requests("ProduceRequest").length, 1);
  answerAgain();
  await bed.run(sent);
  bed.cluster.intercept(({ name }) => (name === "ProduceRequest" ? "no answer" : undefined));
  const before = bed.cluster.requests("ProduceRequest").length;
  producer.sendBatch(records).catch(() => {});
  await bed.clock.advance(100);
  assert.equal(bed.cluster.requests("ProduceRequest").length - before, 5);
  await bed.run(producer.close({ timeoutMs: 0 }));
});

test("a batch that is refused for good costs the others of the partition nothing but a new epoch", async () => {
  const bed = await bedWithTopic();
  await using kafka = bed.kafka();
  const producer = kafka.producer({ batchSize: 0 });
  await bed.run(producer.send({ topic: "t", partition: 0, value: "0" }));
  bed.cluster.interceptNext("ProduceRequest", refusal(ErrorCode.INVALID_RECORD));
  const sent = ["1", "2", "3"].map((value) => producer.send({ topic: "t", partition: 0, value }));
  const results = await bed.run(Promise.allSettled(sent));
  assert.deepEqual(
    results.map(({ status }) => status),
    ["rejected", "fulfilled", "fulfilled"],
  );
  assert.deepEqual(valuesOf(bed, "t", 0), ["0", "2", "3"]);
  assert.equal(producer.counters.epochBumps, 1);
  assert.deepEqual(sequencesOf(bed), [
    [4000, 0, 0],
    [4000, 1, 0],
    [4000, 1, 1],
  ]);
});

test("a broker that has forgotten the producer is told a new epoch", async () => {
  const bed = await bedWithTopic();
  await using kafka = bed.kafka();
  const producer = kafka.producer();
  await bed.run(producer.send({ topic: "t", partition: 0, value: "0" }));
  const partition = bed.cluster.partition("t", 0);
  partition.producers.clear(); // as after producer.id.expiration.ms
  partition.forgetsProducers = true;
  partition.logStartOffset = 1;
  assert.equal((await bed.run(producer.send({ topic: "t", partition: 0, value: "1" }))).offset, 1);
  assert.deepEqual(sequencesOf(bed), [
    [4000, 0, 0],
    [4000, 1, 0],
  ]);
});

test("a gap in the broker's log is answered with a new epoch, and the other partition goes on", async () => {
  const bed = await bedWithTopic();
  await using kafka = bed.kafka();
  const producer = kafka.producer();
  for (const partition of [0, 1]) await bed.run(producer.send({ topic: "t", partition, value: "0" }));
  for (const partition of [0, 1]) await bed.run(producer.send({ topic: "t", partition, value: "1" }));
  const [known] = bed.cluster.partition("t", 0).producers.values();
  known?.batches.pop(); // an unclean election has lost the last batch
  await bed.run(producer.send({ topic: "t", partition: 0, value: "2" }));
  await bed.run(producer.send({ topic: "t", partition: 1, value: "2" }));
  assert.deepEqual(sequencesOf(bed).at(-1), [4000, 1, 0]);
  assert.deepEqual(sequencesOf(bed, 1).at(-1), [4000, 1, 0]);
  assert.deepEqual(valuesOf(bed, "t", 1), ["0", "1", "2"]);
});

for (const hasArrived of [true, false]) {
  test(`what comes after a batch given up on shows that it had ${hasArrived ? "" : "not "}arrived`, async () => {
    const bed = await bedWithTopic();
    await using kafka = bed.kafka();
    const producer = kafka.producer({ lingerMs: 0, requestTimeoutMs: 1000, deliveryTimeoutMs: 1000 });
    await bed.run(producer.send({ topic: "t", partition: 0, value: "0" }));
    bed.cluster.interceptNext("ProduceRequest", hasArrived ? "close after" : "close");
    const givenUp = assert.rejects(producer.send({ topic: "t", partition: 0, value: "1" }), TimeLimitError);
    await bed.clock.advance(1);
    const answerAgain = bed.cluster.intercept(({ name }) => (name === "ProduceRequest" ? "no answer" : undefined));
    await bed.clock.advance(500);
    const next = producer.send({ topic: "t", partition: 0, value: "2" });
    await bed.clock.advance(505);
    answerAgain();
    await bed.run(Promise.all([givenUp, next]));
    assert.deepEqual(valuesOf(bed, "t", 0), hasArrived ? ["0", "1", "2"] : ["0", "2"]);
  });
}

for (const { appended, lost, values, epochBumps } of [
  { appended: 5, lost: 0, values: ["0", "1", "2", "3", "4", "5"], epochBumps: 0 },
  { appended: 3, lost: 0, values: ["0", "1", "2", "3", "4", "5"], epochBumps: 0 },
  { appended: 0, lost: 0, values: ["0", "1", "2", "3", "4", "5"], epochBumps: 0 },
  { appended: 0, lost: 1, values: ["1", "2", "3", "4", "5"], epochBumps: 1 }, // a gap for certain
]) {
  test(`five batches under way, ${appended} of them in a log that lost ${lost} records and a broker that remembers its last batch alone: nothing is doubled`, async () => {
    const bed = await bedWithTopic();
    await using kafka = bed.kafka();
    const producer = kafka.producer({ lingerMs: 0, batchSize: 0 });
    const send = (index: number) => producer.send({ topic: "t", partition: 0, value: String(index) });
    if (lost > 0) await bed.run(producer.send({ topic: "t", partition: 0, value: "first" }));
    await bed.run(send(0));
    const partition = bed.cluster.partition("t", 0);
    let asked = 0;
    const intercepted = bed.cluster.intercept(({ name, apiKey, request, version, nodeId }) => {
      if (name !== "ProduceRequest") return undefined;
      if (asked++ < appended) FAKE_APIS.get(apiKey)?.answer(bed.cluster, request as never, version, nodeId);
      return asked < 5 ? "no answer" : "close";
    });
    const sent = Promise.all([1, 2, 3, 4, 5].map((index) => send(index)));
    await bed.clock.advance(1);
    assert.equal(asked, 5);
    intercepted();
    partition.forgetsBatches = true;
    if (lost > 0) forgetLastBatch(partition);
    const offsets = (await bed.run(sent)).map(({ offset }) => offset);
    assert.deepEqual(
      valuesOf(bed, "t", 0).filter((value) => value !== "first"),
      values,
    );
    assert.equal(producer.counters.epochBumps, epochBumps);
    // Where those are that were not asked about, nobody knows.
    assert.ok(offsets.every((offset, index) => offset === UNKNOWN_OFFSET || offset === index + 1));
    assert.equal(offsets.at(-1), 5);
  });
}

/** As the log of a leader that acknowledged what nobody else had. */
function forgetLastBatch(partition: FakePartition): void {
  partition.batches.pop();
  partition.endOffset--;
  for (const { batches } of partition.producers.values()) batches.splice(0, 2, { first: 0, last: 0, baseOffset: 0 });
}

test("an epoch that cannot grow any more is exchanged for another id", async () => {
  const bed = await bedWithTopic();
  await using kafka = bed.kafka();
  bed.cluster.interceptNext("InitProducerIdRequest", {
    answer: InitProducerIdResponse.create({ producerId: 77, producerEpoch: 32_766 }),
  });
  const producer = kafka.producer();
  await bed.run(producer.send({ topic: "t", partition: 0, value: "0" }));
  bed.cluster.interceptNext("ProduceRequest", refusal(ErrorCode.INVALID_RECORD));
  await assert.rejects(bed.run(producer.send({ topic: "t", partition: 0, value: "bad" })), BrokerError);
  await bed.run(producer.send({ topic: "t", partition: 0, value: "1" }));
  assert.deepEqual(sequencesOf(bed), [
    [77, 32_766, 0],
    [4000, 0, 0],
  ]);
});

test("a producer that may not write idempotently fails at once, and so do its later records", async () => {
  const bed = await bedWithTopic();
  await using kafka = bed.kafka();
  bed.cluster.interceptNext("InitProducerIdRequest", {
    answer: InitProducerIdResponse.create({ errorCode: ErrorCode.CLUSTER_AUTHORIZATION_FAILED }),
  });
  const producer = kafka.producer();
  const refused = { code: ErrorCode.CLUSTER_AUTHORIZATION_FAILED };
  await assert.rejects(bed.run(producer.send({ topic: "t", partition: 0, value: "0" })), refused);
  await assert.rejects(producer.send({ topic: "t", partition: 0, value: "1" }), refused);
});

test("an id is asked for again while the coordinator is loading", async () => {
  const bed = await bedWithTopic();
  await using kafka = bed.kafka();
  bed.cluster.interceptNext("InitProducerIdRequest", {
    answer: InitProducerIdResponse.create({ errorCode: ErrorCode.COORDINATOR_LOAD_IN_PROGRESS }),
  });
  assert.equal((await bed.run(kafka.producer().send({ topic: "t", partition: 0, value: "0" }))).offset, 0);
});

test("records arrive once each and in order through lost answers, lost requests, refusals and moving leaders", async () => {
  const faults = ["fine", "fine", "fine", "close", "close after", "move", "storage", "garbage", "silence"] as const;
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom(...faults), { maxLength: 25 }),
      fc.integer({ min: 0, max: 300 }),
      async (plan, batchSize) => {
        const bed = await bedWithTopic();
        const left = [...plan];
        bed.cluster.intercept((received) => {
          if (received.name !== "ProduceRequest") return undefined;
          const fault = left.shift();
          switch (fault) {
            case "close":
            case "close after":
              return fault;
            case "storage":
              return refusal(ErrorCode.KAFKA_STORAGE_ERROR)(received);
            case "garbage":
              return { bytes: Uint8Array.of(0, 0, 0, 6, 1, 2, 3, 4, 5, 6) };
            case "silence":
              return "no answer";
            case "move":
              bed.cluster.moveLeader("t", left.length % 2, 1 + (left.length % 2));
              return undefined;
            default:
              return undefined;
          }
        });
        const kafka = bed.kafka();
        const producer = kafka.producer({ batchSize, requestTimeoutMs: 300, deliveryTimeoutMs: 1_000_000 });
        const sent = Array.from({ length: 60 }, (_, index) =>
          producer.send({ topic: "t", partition: index % 2, value: String(index) }),
        );
        await bed.run(Promise.all(sent));
        for (const partition of [0, 1]) {
          const expected = Array.from({ length: 30 }, (_, index) => String(2 * index + partition));
          assert.deepEqual(valuesOf(bed, "t", partition), expected);
        }
        await bed.run(kafka.close());
      },
    ),
    { numRuns: 60 },
  );
});
