import assert from "node:assert/strict";
import { test } from "node:test";
import { ErrorCode, KafkaError } from "@samsa/base";
import { RecordBatch } from "@samsa/protocol";
import type { ProduceRequest } from "@samsa/protocol/messages/produce-request";
import { ProduceResponse } from "@samsa/protocol/messages/produce-response";
import fc from "fast-check";
import {
  BrokerError,
  BufferExhaustedError,
  ClosedError,
  ConfigurationError,
  RecordTooLargeError,
  TimeLimitError,
} from "../errors.ts";
import { testBed, text } from "../testing/client-test.ts";
import { refusal, valuesOf } from "../testing/produced.ts";

test("a record comes to rest where its promise says", async () => {
  const bed = await testBed();
  bed.cluster.createTopic("t", [1]);
  await using kafka = bed.kafka();
  const producer = kafka.producer();
  const headers = [
    { key: "trace", value: "abc" },
    { key: "none", value: null },
  ];
  const first = producer.send({ topic: "t", key: "k", value: "v", headers, timestamp: 17 });
  const second = producer.send({ topic: "t", value: null });
  assert.deepEqual(await bed.run(first), { topic: "t", partition: 0, offset: 0, timestamp: 17 });
  assert.equal((await bed.run(second)).offset, 1);
  const [bytes] = bed.cluster.partition("t", 0).batches;
  const cursor = new RecordBatch(bytes ?? assert.fail()).records();
  cursor.advance();
  assert.equal(text(cursor.key), "k");
  assert.deepEqual(
    cursor.headers().map(({ key, value }) => [key, text(value)]),
    [
      ["trace", "abc"],
      ["none", null],
    ],
  );
  cursor.advance();
  assert.equal(cursor.value, null);
});

test("what is sent within lingerMs travels together", async () => {
  const bed = await testBed();
  bed.cluster.createTopic("t", [1]);
  await using kafka = bed.kafka();
  const producer = kafka.producer({ lingerMs: 50 });
  await bed.run(producer.send({ topic: "t", value: "warm" }));
  const sent = Array.from({ length: 20 }, (_, index) => producer.send({ topic: "t", value: String(index) }));
  await bed.clock.advance(49);
  assert.equal(bed.cluster.requests("ProduceRequest").length, 1);
  await bed.clock.advance(1);
  assert.equal(bed.cluster.requests("ProduceRequest").length, 2);
  assert.deepEqual(
    (await bed.run(Promise.all(sent))).map(({ offset }) => offset),
    Array.from({ length: 20 }, (_, index) => index + 1),
  );
});

test("a full batch does not linger", async () => {
  const bed = await testBed();
  bed.cluster.createTopic("t", [1]);
  await using kafka = bed.kafka();
  const producer = kafka.producer({ lingerMs: 20_000, batchSize: 1000 });
  const first = producer.send({ topic: "t", value: "x".repeat(800) });
  void producer.send({ topic: "t", value: "y".repeat(800) });
  await bed.clock.advance(100);
  assert.equal((await first).offset, 0);
  assert.deepEqual(bed.cluster.partition("t", 0).batches.length, 1);
});

test("flush sends at once what lingers, also what still waits for metadata", async () => {
  const bed = await testBed();
  bed.cluster.createTopic("t", [1]);
  await using kafka = bed.kafka();
  const producer = kafka.producer({ lingerMs: 60_000, deliveryTimeoutMs: 100_000 });
  const sent = producer.send({ topic: "t", value: "1" });
  const startedMs = bed.clock.monotonicMs();
  await bed.run(producer.flush());
  assert.equal((await sent).offset, 0);
  assert.ok(bed.clock.monotonicMs() - startedMs < 1000);
});

test("keys go where Java sends them", async () => {
  const bed = await testBed();
  bed.cluster.createTopic("t", [1, 1, 1]);
  await using kafka = bed.kafka();
  const producer = kafka.producer();
  const keys = ["user100", "user108", "user110", "user123", "user456"];
  const sent = await bed.run(producer.sendBatch(keys.map((key) => ({ topic: "t", key, value: key }))));
  assert.deepEqual(
    sent.map(({ partition }) => partition),
    [2, 0, 1, 0, 2],
  );
});

test("records without a key stay with a partition for a batch, and all partitions get some", async () => {
  const bed = await testBed();
  bed.cluster.createTopic("t", [1, 1, 1]);
  await using kafka = bed.kafka();
  const producer = kafka.producer({ batchSize: 500 });
  const sent = await bed.run(
    producer.sendBatch(Array.from({ length: 300 }, () => ({ topic: "t", value: "some twenty bytes ..." }))),
  );
  const moves = sent.filter(({ partition }, index) => partition !== sent[index - 1]?.partition).length;
  assert.ok(moves < 60, `${moves} moves`);
  assert.equal(new Set(sent.map(({ partition }) => partition)).size, 3);
});

for (const compressionType of ["none", "gzip", "snappy", "lz4", "zstd"] as const) {
  test(`records arrive whole with compressionType ${compressionType}`, async () => {
    const bed = await testBed();
    bed.cluster.createTopic("t", [1]);
    await using kafka = bed.kafka();
    const values = Array.from({ length: 200 }, (_, index) => `value number ${index}`);
    await bed.run(kafka.producer({ compressionType }).sendBatch(values.map((value) => ({ topic: "t", value }))));
    assert.deepEqual(valuesOf(bed, "t", 0), values);
    assert.equal(
      new RecordBatch(bed.cluster.partition("t", 0).batches[0] ?? assert.fail()).compressionType,
      compressionType,
    );
  });
}

test("with acks=0 nothing is answered, and no offset is known", async () => {
  const bed = await testBed();
  bed.cluster.createTopic("t", [1]);
  await using kafka = bed.kafka();
  const { offset } = await bed.run(kafka.producer({ acks: 0 }).send({ topic: "t", value: "1" }));
  assert.equal(offset, -1);
  await bed.clock.advance(10);
  assert.deepEqual(valuesOf(bed, "t", 0), ["1"]);
});

test("acks, timeout and id of the topic are on the wire", async () => {
  const bed = await testBed();
  const { topicId } = bed.cluster.createTopic("t", [1]);
  await using kafka = bed.kafka();
  await bed.run(kafka.producer({ acks: 1, requestTimeoutMs: 7777 }).send({ topic: "t", value: "1" }));
  const [{ request, version } = assert.fail()] = bed.cluster.requests("ProduceRequest");
  const { acks, timeoutMs, topicData } = request as ProduceRequest;
  assert.deepEqual([acks, timeoutMs, topicData[0]?.topicId, version], [1, 7777, topicId, 13]);
});

test("topics go by name where the broker is too old for ids", async () => {
  const bed = await testBed();
  bed.cluster.createTopic("t", [1]);
  bed.cluster.highestVersions.set(0, 9);
  await using kafka = bed.kafka();
  assert.equal((await bed.run(kafka.producer().send({ topic: "t", value: "1" }))).offset, 0);
});

test("a leader that moved is found by the hint of the old one, without asking for metadata", async () => {
  const bed = await testBed([1, 2]);
  bed.cluster.createTopic("t", [1]);
  await using kafka = bed.kafka();
  const producer = kafka.producer();
  await bed.run(producer.send({ topic: "t", value: "1" }));
  const before = bed.cluster.requests("MetadataRequest").length;
  bed.cluster.moveLeader("t", 0, 2);
  assert.equal((await bed.run(producer.send({ topic: "t", value: "2" }))).offset, 1);
  assert.equal(bed.cluster.requests("MetadataRequest").length, before);
  assert.deepEqual(
    bed.cluster.requests("ProduceRequest").map(({ nodeId }) => nodeId),
    [1, 1, 2],
  );
});

test("a leader that died is looked up again", async () => {
  const bed = await testBed([1, 2]);
  bed.cluster.createTopic("t", [1]);
  await using kafka = bed.kafka();
  const producer = kafka.producer();
  await bed.run(producer.send({ topic: "t", value: "1" }));
  await bed.cluster.stop(1);
  const sent = producer.send({ topic: "t", value: "2" });
  await bed.clock.advance(3000);
  bed.cluster.moveLeader("t", 0, 2);
  assert.equal((await bed.run(sent)).offset, 1);
});

test("one request of a partition is under way, and later records wait for it", async () => {
  const bed = await testBed();
  bed.cluster.createTopic("t", [1]);
  await using kafka = bed.kafka();
  const producer = kafka.producer({ lingerMs: 0 });
  await bed.run(producer.send({ topic: "t", value: "0" }));
  bed.cluster.interceptNext("ProduceRequest", refusal(ErrorCode.NOT_ENOUGH_REPLICAS));
  const first = producer.send({ topic: "t", value: "1" });
  await Promise.resolve();
  await Promise.resolve();
  const second = producer.send({ topic: "t", value: "2" });
  await bed.run(Promise.all([first, second]));
  assert.deepEqual(valuesOf(bed, "t", 0), ["0", "1", "2"]);
});

test("records arrive once each and in order, whatever the brokers refuse and wherever leaders go", async () => {
  const codes = [
    ErrorCode.NOT_ENOUGH_REPLICAS,
    ErrorCode.REQUEST_TIMED_OUT,
    ErrorCode.NOT_LEADER_OR_FOLLOWER,
    ErrorCode.KAFKA_STORAGE_ERROR,
  ];
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom("fine", "fine", "move", "drop", ...codes), { maxLength: 25 }),
      fc.integer({ min: 40, max: 300 }),
      async (faults, batchSize) => {
        const bed = await testBed([1, 2]);
        bed.cluster.createTopic("t", [1, 2]);
        const left = [...faults];
        bed.cluster.intercept((received) => {
          if (received.name !== "ProduceRequest") return undefined;
          const fault = left.shift();
          if (fault === undefined || fault === "fine") return undefined;
          if (fault === "drop") return "close"; // before it is written, so nothing arrives twice
          if (fault !== "move") return refusal(fault as ErrorCode)(received);
          bed.cluster.moveLeader("t", left.length % 2, 1 + (left.length % 2));
          return undefined;
        });
        const kafka = bed.kafka();
        const producer = kafka.producer({ batchSize, lingerMs: 1 });
        const sent = producer.sendBatch(
          Array.from({ length: 60 }, (_, index) => ({ topic: "t", partition: index % 2, value: String(index) })),
        );
        const results = await bed.run(sent);
        for (const partition of [0, 1]) {
          const expected = Array.from({ length: 30 }, (_, index) => String(2 * index + partition));
          assert.deepEqual(valuesOf(bed, "t", partition), expected);
          assert.deepEqual(
            results.filter((result) => result.partition === partition).map(({ offset }) => offset),
            expected.map((_, offset) => offset),
          );
        }
        await bed.run(kafka.close());
      },
    ),
    { numRuns: 25 },
  );
});

test("what no retry helps fails at once, with the broker's words", async () => {
  const bed = await testBed();
  bed.cluster.createTopic("t", [1]);
  await using kafka = bed.kafka();
  bed.cluster.interceptNext("ProduceRequest", refusal(ErrorCode.INVALID_RECORD, "no key, and the topic is compacted"));
  await assert.rejects(bed.run(kafka.producer().send({ topic: "t", value: "1" })), (error) => {
    assert.ok(error instanceof BrokerError);
    assert.equal(error.code, ErrorCode.INVALID_RECORD);
    assert.match(error.message, /Produce to t-0: no key, and the topic is compacted/);
    return true;
  });
  assert.equal(bed.cluster.requests("ProduceRequest").length, 1);
});

test("retries end with deliveryTimeoutMs, and the error says what stood in the way", async () => {
  const bed = await testBed();
  bed.cluster.createTopic("t", [1]);
  await using kafka = bed.kafka();
  const producer = kafka.producer({ deliveryTimeoutMs: 5000, requestTimeoutMs: 1000 });
  bed.cluster.interceptNext("ProduceRequest", refusal(ErrorCode.NOT_ENOUGH_REPLICAS), 1000);
  const startedMs = bed.clock.monotonicMs();
  await assert.rejects(bed.run(producer.send({ topic: "t", value: "1" })), (error) => {
    assert.ok(error instanceof TimeLimitError);
    assert.ok(error.cause instanceof KafkaError && error.cause.code === ErrorCode.NOT_ENOUGH_REPLICAS);
    return true;
  });
  const tookMs = bed.clock.monotonicMs() - startedMs;
  assert.ok(tookMs >= 5000 && tookMs < 6500, `${tookMs} ms`);
});

test("retries: 0 gives up after the first attempt", async () => {
  const bed = await testBed();
  bed.cluster.createTopic("t", [1]);
  await using kafka = bed.kafka();
  bed.cluster.interceptNext("ProduceRequest", refusal(ErrorCode.NOT_ENOUGH_REPLICAS), 2);
  await assert.rejects(bed.run(kafka.producer({ retries: 0 }).send({ topic: "t", value: "1" })), BrokerError);
  assert.equal(bed.cluster.requests("ProduceRequest").length, 1);
});

test("a broker that never answers costs the request its time, and the record is sent again", async () => {
  const bed = await testBed();
  bed.cluster.createTopic("t", [1]);
  await using kafka = bed.kafka();
  bed.cluster.interceptNext("ProduceRequest", "no answer");
  const sent = kafka.producer({ requestTimeoutMs: 2000, deliveryTimeoutMs: 10_000 }).send({ topic: "t", value: "1" });
  assert.equal((await bed.run(sent)).offset, 0);
  assert.equal(bed.cluster.requests("ProduceRequest").length, 2);
});

test("an answer that does not speak of the partition says nothing, and the record is sent again", async () => {
  const bed = await testBed();
  bed.cluster.createTopic("t", [1]);
  await using kafka = bed.kafka();
  bed.cluster.interceptNext("ProduceRequest", { answer: ProduceResponse.create() });
  assert.equal((await bed.run(kafka.producer().send({ topic: "t", value: "1" }))).offset, 0);
  assert.equal(bed.cluster.requests("ProduceRequest").length, 2);
});

test("a record too large is refused before it is sent", async () => {
  const bed = await testBed();
  await using kafka = bed.kafka();
  const producer = kafka.producer({ maxRequestSize: 1000 });
  await assert.rejects(producer.send({ topic: "t", value: "x".repeat(1000) }), RecordTooLargeError);
  assert.equal(bed.cluster.received.length, 0);
});

test("a partition the topic does not have is refused", async () => {
  const bed = await testBed();
  bed.cluster.createTopic("t", [1]);
  await using kafka = bed.kafka();
  await assert.rejects(
    bed.run(kafka.producer().send({ topic: "t", partition: 3, value: "" })),
    /has partitions 0 to 0/,
  );
});

test("a topic that does not exist is waited for as long as maxBlockMs", async () => {
  const bed = await testBed();
  await using kafka = bed.kafka();
  const producer = kafka.producer({ maxBlockMs: 2000 });
  await assert.rejects(bed.run(producer.send({ topic: "t", value: "1" })), (error) => {
    assert.ok(error instanceof TimeLimitError && error.cause instanceof BrokerError);
    assert.equal(error.cause.code, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION);
    return true;
  });
  const late = producer.send({ topic: "late", value: "1" });
  await bed.clock.advance(500);
  bed.cluster.createTopic("late", [1]);
  assert.equal((await bed.run(late)).offset, 0);
});

test("records that wait for metadata keep their order with those that come after", async () => {
  const bed = await testBed();
  bed.cluster.createTopic("t", [1]);
  await using kafka = bed.kafka();
  const producer = kafka.producer();
  const sent = Array.from({ length: 10 }, (_, index) => producer.send({ topic: "t", value: String(index) }));
  for (let index = 10; index < 200; index++) {
    await Promise.resolve();
    sent.push(producer.send({ topic: "t", value: String(index) }));
  }
  await bed.run(Promise.all(sent));
  assert.deepEqual(
    valuesOf(bed, "t", 0),
    Array.from({ length: 200 }, (_, index) => String(index)),
  );
});

test("write says when the buffer is full, and ready when it is not any more", async () => {
  const bed = await testBed();
  bed.cluster.createTopic("t", [1]);
  await using kafka = bed.kafka();
  const producer = kafka.producer({ bufferMemory: 5000, batchSize: 1000 });
  await bed.run(producer.send({ topic: "t", value: "warm" }));
  const answerAgain = bed.cluster.intercept(({ name }) => (name === "ProduceRequest" ? "no answer" : undefined));
  let written = 0;
  let done = 0;
  while (producer.write({ topic: "t", value: "x".repeat(500) }, () => done++)) written++;
  assert.ok(written > 5 && written < 12, `${written} written`);
  let isReady = false;
  const ready = producer.ready().then(() => {
    isReady = true;
  });
  await bed.clock.advance(100);
  assert.equal(isReady, false);
  answerAgain();
  await bed.run(ready);
  await bed.run(producer.flush());
  assert.equal(done, written + 1);
});

test("a send for which there is no room in maxBlockMs fails, and its elders arrive", async () => {
  const bed = await testBed();
  bed.cluster.createTopic("t", [1]);
  await using kafka = bed.kafka();
  const producer = kafka.producer({ bufferMemory: 1500, maxBlockMs: 1000, requestTimeoutMs: 5000 });
  await bed.run(producer.send({ topic: "t", value: "warm" }));
  bed.cluster.interceptNext("ProduceRequest", "no answer");
  const first = producer.send({ topic: "t", value: "x".repeat(1000) });
  const second = producer.send({ topic: "t", value: "y".repeat(1000) });
  await assert.rejects(bed.run(second), BufferExhaustedError);
  assert.equal((await bed.run(first)).offset, 1);
});

test("close sends what is there, and then nothing more", async () => {
  const bed = await testBed();
  bed.cluster.createTopic("t", [1]);
  await using kafka = bed.kafka();
  const producer = kafka.producer({ lingerMs: 60_000, deliveryTimeoutMs: 100_000 });
  const sent = producer.send({ topic: "t", value: "1" });
  await bed.run(producer.close());
  assert.equal((await sent).offset, 0);
  await assert.rejects(producer.send({ topic: "t", value: "2" }), ClosedError);
});

test("close with a time limit fails what is left", async () => {
  const bed = await testBed();
  bed.cluster.createTopic("t", [1]);
  await using kafka = bed.kafka();
  const producer = kafka.producer();
  bed.cluster.interceptNext("ProduceRequest", "no answer", 10);
  const sent = producer.send({ topic: "t", value: "1" });
  const refused = assert.rejects(sent, ClosedError);
  await bed.run(producer.close({ timeoutMs: 500 }));
  await bed.run(refused);
});

test("options that cannot be are refused with the nearest that can", async () => {
  const bed = await testBed();
  const kafka = bed.kafka();
  assert.throws(() => kafka.producer({ lingerms: 5 } as never), /no option lingerms; did you mean lingerMs\?/);
  assert.throws(() => kafka.producer({ acks: 2 as never }), /acks is 2; wanted is one of 0, 1, -1, all/);
  assert.throws(() => kafka.producer({ batchSize: -1 }), ConfigurationError);
  assert.throws(() => kafka.producer({ deliveryTimeoutMs: 1000 }), /less than lingerMs \+ requestTimeoutMs/);
  assert.throws(() => bed.kafka({ "bootstrap.servers": "" } as never), /did you mean bootstrapServers\?/);
});
