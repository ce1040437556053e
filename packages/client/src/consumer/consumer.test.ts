import assert from "node:assert/strict";
import { test } from "node:test";
import { ErrorCode } from "@samsa/base";
import { ControlRecordType, CorruptRecordError, endTransactionMarker, RecordBatchBuilder } from "@samsa/protocol";
import { createFetchResponsePartitionData, FetchResponse } from "@samsa/protocol/messages/fetch-response";
import type { FetchRequest } from "@samsa/protocol/messages/fetch-request";
import { BrokerError, ClosedError, ConfigurationError } from "../errors.ts";
import type { TestBed } from "../testing/client-test.ts";
import { testBed, text } from "../testing/client-test.ts";
import { appendTo } from "../testing/fake-apis.ts";
import type { Consumer } from "./consumer.ts";

const encoder = new TextEncoder();

interface BatchOptions {
  readonly partition?: number;
  readonly producerId?: number;
  readonly isTransactional?: boolean;
  readonly timestamp?: number;
}

/** Appends a batch of these values as a leader does. */
function append(bed: TestBed, values: readonly string[], options: BatchOptions = {}): void {
  const { partition = 0, producerId = -1, isTransactional = false, timestamp = 1000 } = options;
  const builder = new RecordBatchBuilder({ producerId, producerEpoch: 0, baseSequence: 0, isTransactional });
  for (const value of values) builder.append({ timestamp, value: encoder.encode(value) });
  appendTo(bed.cluster.partition("t", partition), builder.build());
  bed.cluster.appended();
}

function appendMarker(bed: TestBed, producerId: number, isCommit: boolean): void {
  const type = isCommit ? ControlRecordType.COMMIT : ControlRecordType.ABORT;
  const marker = endTransactionMarker({ type, coordinatorEpoch: 0, producerId, producerEpoch: 0, timestamp: 1000 });
  appendTo(bed.cluster.partition("t", 0), marker);
}

async function take(consumer: Consumer, count: number): Promise<string[]> {
  const values: string[] = [];
  for await (const { value } of consumer) {
    values.push(text(value) ?? "null");
    if (values.length === count) break;
  }
  return values;
}

async function bedWith(values: readonly string[], partitions = 1): Promise<TestBed> {
  const bed = await testBed([1, 2]);
  bed.cluster.createTopic(
    "t",
    Array.from({ length: partitions }, () => 1),
  );
  if (values.length > 0) append(bed, values);
  return bed;
}

test("reads from the start to the end as it is, and stops", async () => {
  const bed = await bedWith(["a", "b"]);
  append(bed, ["c"]);
  await using kafka = bed.kafka();
  const consumer = kafka.consumer();
  await bed.run(consumer.assign([{ topic: "t", offset: "earliest", endOffset: "latest" }]));
  append(bed, ["after the end"]);
  assert.deepEqual(await bed.run(take(consumer, 100)), ["a", "b", "c"]);
  assert.equal(consumer.position({ topic: "t", partition: 0 }), 3);
});

test("a record knows where it lay", async () => {
  const bed = await bedWith([]);
  const builder = new RecordBatchBuilder();
  const headers = [{ key: "h", value: encoder.encode("1") }];
  builder.append({ timestamp: 1234, key: encoder.encode("k"), value: null, headers });
  appendTo(bed.cluster.partition("t", 0), builder.build());
  await using kafka = bed.kafka();
  const consumer = kafka.consumer({ autoOffsetReset: "earliest" });
  await bed.run(consumer.assign([{ topic: "t", partition: 0 }]));
  const [record] = (await bed.run(firstOf(consumer, 1))) as [never];
  assert.deepEqual(record, {
    topic: "t",
    partition: 0,
    offset: 0,
    timestamp: 1234,
    timestampType: "create-time",
    leaderEpoch: 1,
    key: encoder.encode("k"),
    value: null,
    headers,
  });
});

async function firstOf<T>(source: AsyncIterable<T>, count: number): Promise<T[]> {
  const items: T[] = [];
  for await (const item of source) {
    items.push(item);
    if (items.length === count) break;
  }
  return items;
}

const starts = [
  { offset: 2, values: ["c", "d"], why: "an offset inside a batch" },
  { offset: "latest" as const, values: ["new"], why: "the end" },
  { offset: { timestampMs: 1500 }, values: ["d", "new"], why: "the first record at or after a time" },
  { offset: { timestampMs: 9000 }, values: ["new"], why: "a time that no record has reached: what comes next" },
];
for (const { offset, values, why } of starts) {
  test(`begins at ${why}`, async () => {
    const bed = await bedWith(["a", "b", "c"]);
    append(bed, ["d"], { timestamp: 2000 });
    await using kafka = bed.kafka();
    const consumer = kafka.consumer();
    await bed.run(consumer.assign([{ topic: "t", offset }]));
    const taken = take(consumer, values.length);
    await bed.clock.advance(300);
    append(bed, ["new"]);
    assert.deepEqual(await bed.run(taken), values);
  });
}

test("an append ends the long poll, and iteration goes on where it was left", async () => {
  const bed = await bedWith(["a", "b", "c"]);
  await using kafka = bed.kafka();
  const consumer = kafka.consumer({ autoOffsetReset: "earliest", fetchMaxWaitMs: 100_000 });
  await bed.run(consumer.assign([{ topic: "t" }]));
  assert.deepEqual(await bed.run(take(consumer, 3)), ["a", "b", "c"]);
  const startedMs = bed.clock.monotonicMs();
  const taken = take(consumer, 1);
  await bed.clock.advance(1000);
  append(bed, ["d"]);
  assert.deepEqual(await bed.run(taken), ["d"]);
  assert.ok(bed.clock.monotonicMs() - startedMs < 2000);
});

test("records of a partition come in order while partitions have different leaders", async () => {
  const bed = await testBed([1, 2]);
  bed.cluster.createTopic("t", [1, 2, 1]);
  for (let index = 0; index < 30; index++) append(bed, [String(index)], { partition: index % 3 });
  await using kafka = bed.kafka();
  const consumer = kafka.consumer();
  await bed.run(consumer.assign([{ topic: "t", offset: "earliest", endOffset: "latest" }]));
  const records = await bed.run(firstOf(consumer, 100));
  assert.equal(records.length, 30);
  for (const partition of [0, 1, 2]) {
    const offsets = records.filter((record) => record.partition === partition).map(({ offset }) => offset);
    assert.deepEqual(
      offsets,
      Array.from({ length: 10 }, (_, offset) => offset),
    );
  }
});

test("seek drops what was fetched and goes on elsewhere, back and forth", async () => {
  const bed = await bedWith(["a", "b", "c"]);
  await using kafka = bed.kafka();
  const consumer = kafka.consumer({ autoOffsetReset: "earliest" });
  await bed.run(consumer.assign([{ topic: "t" }]));
  assert.deepEqual(await bed.run(take(consumer, 2)), ["a", "b"]);
  assert.deepEqual(await bed.run(take(consumer, 1)), ["c"]); // an iteration that broke off goes on where it was
  consumer.seek({ topic: "t", partition: 0 }, 1);
  assert.deepEqual(await bed.run(take(consumer, 2)), ["b", "c"]);
  consumer.seek({ topic: "t", partition: 0 }, "earliest");
  assert.deepEqual(await bed.run(take(consumer, 1)), ["a"]);
  assert.throws(() => consumer.seek({ topic: "t", partition: 9 }, 0), ConfigurationError);
});

test("a seek in the middle of an iteration counts from the next record on", async () => {
  const bed = await bedWith(["a", "b"]);
  append(bed, ["c"]);
  await using kafka = bed.kafka();
  const consumer = kafka.consumer({ autoOffsetReset: "earliest" });
  await bed.run(consumer.assign([{ topic: "t" }]));
  const seen: string[] = [];
  const read = async (): Promise<void> => {
    for await (const { value } of consumer) {
      seen.push(text(value) ?? "");
      if (seen.length === 2) consumer.seek({ topic: "t", partition: 0 }, 0);
      if (seen.length === 5) return;
    }
  };
  await bed.run(read());
  assert.deepEqual(seen, ["a", "b", "a", "b", "c"]);
});

test("a paused partition hands nothing out until it is resumed", async () => {
  const bed = await bedWith(["a"], 2);
  append(bed, ["b"], { partition: 1 });
  await using kafka = bed.kafka();
  const consumer = kafka.consumer({ autoOffsetReset: "earliest" });
  await bed.run(consumer.assign([{ topic: "t" }]));
  consumer.pause([{ topic: "t", partition: 0 }]);
  assert.deepEqual(await bed.run(take(consumer, 1)), ["b"]);
  const taken = take(consumer, 1);
  await bed.clock.advance(2000);
  consumer.resume([{ topic: "t", partition: 0 }]);
  assert.deepEqual(await bed.run(taken), ["a"]);
});

test("what is paused with records at hand keeps them, and others pass by", async () => {
  const bed = await bedWith(["a"], 2);
  append(bed, ["b"], { partition: 1 });
  await using kafka = bed.kafka();
  const consumer = kafka.consumer({ autoOffsetReset: "earliest" });
  await bed.run(consumer.assign([{ topic: "t" }]));
  await bed.clock.advance(1000); // both are fetched
  const fetches = bed.cluster.requests("FetchRequest").length;
  consumer.pause([{ topic: "t", partition: 0 }]);
  assert.deepEqual(await bed.run(take(consumer, 1)), ["b"]);
  consumer.resume([{ topic: "t", partition: 0 }]);
  assert.deepEqual(await bed.run(take(consumer, 1)), ["a"]);
  const again = bed.cluster.requests("FetchRequest").slice(fetches);
  assert.ok(again.every(({ request }) => offsetsOf(request as FetchRequest).every((offset) => offset === 1)));
});

function offsetsOf(request: FetchRequest): number[] {
  return request.topics.flatMap(({ partitions }) => partitions.map(({ fetchOffset }) => fetchOffset));
}

test("no more is fetched ahead than maxBufferedBytes allows", async () => {
  const bed = await bedWith([]);
  for (let index = 0; index < 50; index++) append(bed, ["x".repeat(1000)]);
  await using kafka = bed.kafka();
  const consumer = kafka.consumer({
    autoOffsetReset: "earliest",
    maxBufferedBytes: 6000,
    maxPartitionFetchBytes: 2200,
  });
  await bed.run(consumer.assign([{ topic: "t" }]));
  await bed.clock.advance(5000);
  const { bufferedBytes } = consumer.counters;
  assert.ok(bufferedBytes > 3000 && bufferedBytes <= 6000, `${bufferedBytes} bytes`);
  assert.equal((await bed.run(take(consumer, 50))).length, 50);
});

test("what is paused gives its room to the others, and comes again when it is resumed", async () => {
  const bed = await bedWith([], 2);
  for (const partition of [0, 1]) {
    for (let index = 0; index < 9; index++) append(bed, [String(index).repeat(1000)], { partition });
  }
  await using kafka = bed.kafka();
  const consumer = kafka.consumer({
    autoOffsetReset: "earliest",
    maxBufferedBytes: 4400,
    maxPartitionFetchBytes: 2200,
  });
  await bed.run(consumer.assign([{ topic: "t" }]));
  await bed.clock.advance(2000);
  consumer.pause([{ topic: "t", partition: 0 }]);
  assert.equal((await bed.run(take(consumer, 9))).length, 9);
  consumer.resume([{ topic: "t", partition: 0 }]);
  assert.equal((await bed.run(take(consumer, 9))).length, 9);
});

test("a leader that moved is found by the hint of the old one", async () => {
  const bed = await bedWith(["a"]);
  await using kafka = bed.kafka();
  const consumer = kafka.consumer({ autoOffsetReset: "earliest" });
  await bed.run(consumer.assign([{ topic: "t" }]));
  await bed.run(take(consumer, 1));
  const before = bed.cluster.requests("MetadataRequest").length;
  bed.cluster.moveLeader("t", 0, 2);
  append(bed, ["b"]);
  assert.deepEqual(await bed.run(take(consumer, 1)), ["b"]);
  assert.equal(bed.cluster.requests("MetadataRequest").length, before);
});

test("a leader that dies is waited for, and each failure is told to onRetry", async () => {
  const bed = await bedWith(["a"]);
  const failures: string[] = [];
  await using kafka = bed.kafka({ onRetry: ({ message }) => failures.push(message) });
  const consumer = kafka.consumer({ autoOffsetReset: "earliest" });
  await bed.run(consumer.assign([{ topic: "t" }]));
  await bed.run(take(consumer, 1));
  await bed.cluster.stop(1);
  const taken = take(consumer, 1);
  await bed.clock.advance(5000);
  bed.cluster.moveLeader("t", 0, 2);
  append(bed, ["b"]);
  assert.deepEqual(await bed.run(taken), ["b"]);
  assert.ok(failures.length > 0);
});

test("an offset that is gone is found anew by autoOffsetReset", async () => {
  const bed = await bedWith(["a", "b", "c", "d"]);
  append(bed, ["e", "f"]);
  const partition = bed.cluster.partition("t", 0);
  partition.logStartOffset = 4;
  partition.batches.shift();
  await using kafka = bed.kafka();
  const consumer = kafka.consumer({ autoOffsetReset: "earliest" });
  await bed.run(consumer.assign([{ topic: "t", offset: 1 }]));
  assert.deepEqual(await bed.run(take(consumer, 2)), ["e", "f"]);
});

test("an offset that is gone ends the iteration where autoOffsetReset is none", async () => {
  const bed = await bedWith(["a"]);
  await using kafka = bed.kafka();
  const consumer = kafka.consumer({ autoOffsetReset: "none" });
  await assert.rejects(bed.run(consumer.assign([{ topic: "t" }])), ConfigurationError);
  await bed.run(consumer.assign([{ topic: "t", offset: 77 }]));
  await assert.rejects(bed.run(take(consumer, 1)), (error) => {
    assert.ok(error instanceof BrokerError);
    assert.equal(error.code, ErrorCode.OFFSET_OUT_OF_RANGE);
    assert.match(error.message, /Fetch of t-0 at offset 77/);
    return true;
  });
});

test("an error of one partition comes after the records before it", async () => {
  const bed = await bedWith(["a", "b"]);
  await using kafka = bed.kafka();
  const consumer = kafka.consumer({ autoOffsetReset: "earliest" });
  await bed.run(consumer.assign([{ topic: "t" }]));
  await bed.clock.advance(100);
  bed.cluster.interceptNext("FetchRequest", ({ request }) => {
    const [{ topic, topicId } = assert.fail()] = (request as FetchRequest).topics;
    const errorCode = ErrorCode.TOPIC_AUTHORIZATION_FAILED;
    const partitions = [createFetchResponsePartitionData({ partitionIndex: 0, errorCode })];
    return { answer: FetchResponse.create({ responses: [{ topic, topicId, partitions }] }) };
  });
  await bed.clock.advance(2000);
  assert.deepEqual(await bed.run(take(consumer, 2)), ["a", "b"]);
  await assert.rejects(bed.run(take(consumer, 1)), { code: ErrorCode.TOPIC_AUTHORIZATION_FAILED });
});

test("bytes that changed on their way are refused, unless checkCrcs is off", async () => {
  const bed = await bedWith(["abcdef"]);
  const bytes = bed.cluster.partition("t", 0).batches[0] ?? assert.fail();
  const at = bytes.length - 3;
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  await using kafka = bed.kafka();
  const consumer = kafka.consumer({ autoOffsetReset: "earliest" });
  await bed.run(consumer.assign([{ topic: "t" }]));
  await assert.rejects(bed.run(take(consumer, 1)), CorruptRecordError);
  const trusting = kafka.consumer({ autoOffsetReset: "earliest", checkCrcs: false });
  await bed.run(trusting.assign([{ topic: "t" }]));
  assert.notDeepEqual(await bed.run(take(trusting, 1)), ["abcdef"]);
});

async function transactional(): Promise<TestBed> {
  const bed = await bedWith([]);
  const partition = bed.cluster.partition("t", 0);
  append(bed, ["plain"]); // 0
  append(bed, ["aborted 1"], { producerId: 7, isTransactional: true }); // 1
  append(bed, ["committed"], { producerId: 8, isTransactional: true }); // 2
  appendMarker(bed, 7, false); // 3
  append(bed, ["aborted 2"], { producerId: 7, isTransactional: true }); // 4
  appendMarker(bed, 8, true); // 5
  append(bed, ["aborted 3"], { producerId: 7, isTransactional: true }); // 6
  appendMarker(bed, 7, false); // 7
  append(bed, ["afterwards"], { producerId: 7, isTransactional: true }); // 8
  appendMarker(bed, 7, true); // 9
  partition.aborted = [
    { producerId: 7, firstOffset: 1, lastOffset: 3 },
    { producerId: 7, firstOffset: 4, lastOffset: 7 },
  ];
  return bed;
}

test("read_committed hides both aborted transactions of a producer, and what it committed later is there", async () => {
  const bed = await transactional();
  await using kafka = bed.kafka();
  const consumer = kafka.consumer({ isolationLevel: "read_committed" });
  await bed.run(consumer.assign([{ topic: "t", offset: "earliest", endOffset: "latest" }]));
  assert.deepEqual(await bed.run(take(consumer, 100)), ["plain", "committed", "afterwards"]);
  assert.equal(consumer.position({ topic: "t", partition: 0 }), 10);
});

test("read_uncommitted shows everything but the markers", async () => {
  const bed = await transactional();
  await using kafka = bed.kafka();
  const consumer = kafka.consumer();
  await bed.run(consumer.assign([{ topic: "t", offset: "earliest", endOffset: "latest" }]));
  const expected = ["plain", "aborted 1", "committed", "aborted 2", "aborted 3", "afterwards"];
  assert.deepEqual(await bed.run(take(consumer, 100)), expected);
});

test("read_committed hides aborted records in an answer that is cut before their marker", async () => {
  const bed = await transactional();
  await using kafka = bed.kafka();
  // Room for one batch: every answer ends before the marker.
  const consumer = kafka.consumer({ isolationLevel: "read_committed", maxPartitionFetchBytes: 1 });
  await bed.run(consumer.assign([{ topic: "t", offset: "earliest", endOffset: "latest" }]));
  assert.deepEqual(await bed.run(take(consumer, 100)), ["plain", "committed", "afterwards"]);
});

test("read_committed reads up to the last stable offset", async () => {
  const bed = await bedWith(["a"]);
  append(bed, ["open"], { producerId: 7, isTransactional: true });
  bed.cluster.partition("t", 0).lastStableOffset = 1;
  await using kafka = bed.kafka();
  const consumer = kafka.consumer({ isolationLevel: "read_committed" });
  await bed.run(consumer.assign([{ topic: "t", offset: "earliest", endOffset: "latest" }]));
  assert.deepEqual(await bed.run(take(consumer, 100)), ["a"]);
});

test("batches say what they hold, and decode when asked", async () => {
  const bed = await bedWith(["a", "b", "c"]);
  await using kafka = bed.kafka();
  const consumer = kafka.consumer();
  await bed.run(consumer.assign([{ topic: "t", offset: 1, endOffset: 2 }]));
  const [batch] = await bed.run(firstOf(consumer.batches(), 5));
  assert.deepEqual([batch?.firstOffset, batch?.lastOffset, batch?.highWatermark], [1, 1, 3]);
  assert.deepEqual(
    [...(batch?.records() ?? [])].map(({ offset }) => offset),
    [1],
  );
});

test("topics and partitions that do not exist are refused by assign", async () => {
  const bed = await bedWith([]);
  await using kafka = bed.kafka({ defaultApiTimeoutMs: 1000 });
  const consumer = kafka.consumer();
  await assert.rejects(bed.run(consumer.assign([{ topic: "nosuch" }])), /topic nosuch/);
  await assert.rejects(bed.run(consumer.assign([{ topic: "t", partition: 5 }])), /has partitions 0 to 0/);
  await assert.rejects(bed.run(consumer.assign([{ topic: "t" }, { topic: "t", partition: 0 }])), /named twice/);
});

test("closing ends an iteration that waits", async () => {
  const bed = await bedWith([]);
  await using kafka = bed.kafka();
  const consumer = kafka.consumer();
  await bed.run(consumer.assign([{ topic: "t" }]));
  const taken = assert.rejects(take(consumer, 1), ClosedError);
  await bed.clock.advance(100);
  await consumer.close();
  await bed.run(taken);
});
