import assert from "node:assert/strict";
import { test } from "node:test";
import { ByteReader, ErrorCode } from "@samsa/base";
import { MemoryDisk } from "@samsa/io";
import { RecordBatch } from "@samsa/protocol";
import { DescribeLogDirsRequest } from "@samsa/protocol/messages/describe-log-dirs-request";
import { DescribeLogDirsResponse } from "@samsa/protocol/messages/describe-log-dirs-response";
import { ProduceRequest } from "@samsa/protocol/messages/produce-request";
import { ProduceResponse } from "@samsa/protocol/messages/produce-response";
import { fetch, produce, produceRequest, recordsOf } from "./testing/produce-and-fetch.ts";
import type { RawClient } from "./testing/raw-client.ts";
import { SlowDisk } from "./testing/slow-disk.ts";
import { batchOf, startTestBroker } from "./testing/test-broker.ts";

for (let version = 3; version <= 13; version++) {
  test(`Produce ${version} appends, and answers the offset of the first record`, async () => {
    await using broker = await startTestBroker();
    const topicId = await broker.createTopic("orders");
    const options = { topic: "orders", topicId, version };
    assert.equal((await produce(broker.client, batchOf(["a", "b"]), options)).baseOffset, 0);
    const second = await produce(broker.client, batchOf(["c"]), options);
    assert.deepEqual([second.errorCode, second.baseOffset], [ErrorCode.NONE, 2]);
    assert.deepEqual(recordsOf(await fetch(broker.client, { topic: "orders" })), ["0:a", "1:b", "2:c"]);
  });
}

const damaged = batchOf(["a"]);
damaged[damaged.length - 1] = 0x7f;
const twoBatches = new Uint8Array([...batchOf(["a"]), ...batchOf(["b"])]);
const oldMagic = batchOf(["a"]);
oldMagic[16] = 1;
const topic = "orders";
const refusals = [
  { what: "a damaged batch", records: damaged, code: ErrorCode.CORRUPT_MESSAGE },
  { what: "two batches for one partition", records: twoBatches, code: ErrorCode.INVALID_RECORD },
  { what: "no records at all", records: null, code: ErrorCode.INVALID_RECORD },
  { what: "an empty record set", records: new Uint8Array(0), code: ErrorCode.INVALID_RECORD },
  { what: "a batch of an older format", records: oldMagic, code: ErrorCode.INVALID_RECORD },
  { what: "a batch above max.message.bytes", records: batchOf(["x".repeat(2000)]), code: ErrorCode.MESSAGE_TOO_LARGE },
  { what: "a control batch", records: batchOf(["a"], { isControlBatch: true }), code: ErrorCode.INVALID_RECORD },
  { what: "acks of 2", records: batchOf(["a"]), acks: 2, code: ErrorCode.INVALID_REQUIRED_ACKS },
  { what: "an unknown topic", records: batchOf(["a"]), topic: "nowhere", code: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION },
  { what: "an unknown partition", records: batchOf(["a"]), partition: 7, code: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION },
  { what: "an unknown topic id", records: batchOf(["a"]), version: 13, code: ErrorCode.UNKNOWN_TOPIC_ID },
  {
    what: "zstd before version 7",
    records: batchOf(["a"], { compressionType: "zstd" }),
    version: 6,
    code: ErrorCode.UNSUPPORTED_COMPRESSION_TYPE,
  },
];
for (const { what, records, code, ...options } of refusals) {
  test(`${what} is refused with error ${code}, and nothing is appended`, async () => {
    await using broker = await startTestBroker();
    await broker.createTopic("orders", { configs: { "max.message.bytes": "1000" } });
    const answer = await produce(broker.client, records?.slice() ?? null, { topic, ...options });
    assert.deepEqual([answer.errorCode, answer.baseOffset], [code, -1]);
    assert.equal((await fetch(broker.client, { topic: "orders" })).highWatermark, 0);
    assert.deepEqual(
      broker.logged.filter(({ level }) => level === "error"),
      [],
    );
  });
}

const compressions = [
  { config: { "compression.type": "gzip", "compression.gzip.level": "9" }, sentAs: "lz4", keptAs: "gzip" },
  { config: { "compression.type": "lz4", "compression.lz4.level": "17" }, sentAs: "none", keptAs: "lz4" },
  { config: { "compression.type": "zstd", "compression.zstd.level": "-7" }, sentAs: "none", keptAs: "zstd" },
  { config: { "compression.type": "snappy" }, sentAs: "gzip", keptAs: "snappy" },
  { config: { "compression.type": "uncompressed" }, sentAs: "gzip", keptAs: "none" },
  { config: { "compression.type": "producer" }, sentAs: "gzip", keptAs: "gzip" },
] as const;
for (const { config, sentAs, keptAs } of compressions) {
  test(`a topic of ${JSON.stringify(config)} keeps with ${keptAs} what comes with ${sentAs}`, async () => {
    await using broker = await startTestBroker();
    await broker.createTopic(topic, { configs: config });
    const { errorCode, baseOffset } = await produce(
      broker.client,
      batchOf(["a", "b"], { compressionType: sentAs }).slice(),
      { topic },
    );
    assert.deepEqual([errorCode, baseOffset], [ErrorCode.NONE, 0]);
    const fetched = await fetch(broker.client, { topic });
    assert.deepEqual(recordsOf(fetched), ["0:a", "1:b"]);
    assert.equal(new RecordBatch(fetched.records ?? new Uint8Array()).compressionType, keptAs);
  });
}

test("acks=0 is answered by nothing at all", async () => {
  await using broker = await startTestBroker();
  await broker.createTopic("orders");
  broker.client.send(ProduceRequest, 12, produceRequest(batchOf(["a"]), { topic: "orders", acks: 0 }));
  // The next answer on this connection is the fetch's own.
  assert.deepEqual(recordsOf(await fetch(broker.client, { topic: "orders", maxWaitMs: 1000 })), ["0:a"]);
});

test("acks=0 that fails closes the connection, as there is no other way to tell", async () => {
  await using broker = await startTestBroker();
  broker.client.send(ProduceRequest, 12, produceRequest(batchOf(["a"]), { topic: "nowhere", acks: 0 }));
  await broker.client.closed;
});

test("every acknowledged record is there after a crash, in order", async () => {
  const disk = new MemoryDisk();
  const first = await startTestBroker({ disk });
  await first.createTopic("orders");
  for (let n = 0; n < 50; n++) await produce(first.client, batchOf([`${n}`]), { topic: "orders" });
  // No close: what the disk holds is what a killed process leaves.
  await using second = await startTestBroker({ disk });
  const expected = Array.from({ length: 50 }, (_, n) => `${n}:${n}`);
  assert.deepEqual(recordsOf(await fetch(second.client, { topic: "orders" })), expected);
  assert.equal((await produce(second.client, batchOf(["next"]), { topic: "orders" })).baseOffset, 50);
});

test("with log append time the broker's clock goes into the answer", async () => {
  await using broker = await startTestBroker();
  await broker.createTopic("orders", { configs: { "message.timestamp.type": "LogAppendTime" } });
  const answer = await produce(broker.client, batchOf(["a"], { timestamp: 5 }), { topic: "orders" });
  assert.equal(answer.logAppendTimeMs, broker.clock.wallMs());
});

test("only an administrative tool writes to an internal topic", async () => {
  await using broker = await startTestBroker();
  await broker.createTopic("__consumer_offsets");
  const { errorCode } = await produce(broker.client, batchOf(["x"]), { topic: "__consumer_offsets" });
  assert.equal(errorCode, ErrorCode.INVALID_TOPIC_EXCEPTION);
});

test("records that are refused are named, together with where the log begins", async () => {
  await using broker = await startTestBroker();
  await broker.createTopic("orders", { configs: { "cleanup.policy": "compact" } });
  const answer = await produce(broker.client, batchOf(["no key"]), { topic: "orders" });
  assert.deepEqual(
    [answer.errorCode, answer.recordErrors.length, answer.logStartOffset],
    [ErrorCode.INVALID_RECORD, 1, 0],
  );
});

test("what the disk has at once is answered behind what it does not have yet, on one connection; on another it is not kept waiting", async () => {
  const disk = new SlowDisk();
  await using broker = await startTestBroker({ disk });
  for (const name of ["slow", "quick"]) {
    await broker.createTopic(name);
    await produce(broker.client, batchOf(["a"]), { topic: name });
  }
  disk.folder = "/slow-0/";
  const expected = ["slow", "quick", "slow", "quick"].map((name) =>
    broker.client.send(ProduceRequest, 9, produceRequest(batchOf(["b"]), { topic: name })),
  );
  assert.equal((await produce(await broker.connect(), batchOf(["c"]), { topic: "quick" })).errorCode, ErrorCode.NONE);
  assert.equal(broker.client.hasAnswer, false);
  disk.release();
  const answered: number[] = [];
  for (const _ of expected) answered.push(new ByteReader(await broker.client.nextFrame()).int32());
  assert.deepEqual(answered, expected);
  assert.deepEqual(recordsOf(await fetch(broker.client, { topic: "slow" })), ["0:a", "1:b", "2:b"]);
});

test("a write that is refused at once is told to the producer, and takes its directory offline and no other", async () => {
  const disk = new SlowDisk();
  await using broker = await startTestBroker({ disk, properties: { "log.dirs": "/a,/b" } });
  await broker.createTopic("orders", { partitions: 2 }); // one in each
  for (const partition of [0, 1]) await produce(broker.client, batchOf(["x"]), { topic: "orders", partition });
  Object.assign(disk, { folder: "/b/", mode: "refused" });
  const outcomes: (readonly [number, number])[] = [];
  for (const partition of [1, 1, 0]) {
    const { errorCode, baseOffset } = await produce(broker.client, batchOf(["y"]), { topic: "orders", partition });
    outcomes.push([errorCode, baseOffset]);
  }
  const refused = [ErrorCode.KAFKA_STORAGE_ERROR, -1] as const;
  assert.deepEqual(outcomes, [refused, refused, [ErrorCode.NONE, 1]]);
  const { results } = await broker.client.request(
    DescribeLogDirsRequest,
    DescribeLogDirsResponse,
    4,
    DescribeLogDirsRequest.create({ topics: null }),
  );
  assert.deepEqual(
    results.map(({ logDir, errorCode }) => [logDir, errorCode]),
    [
      ["/a", ErrorCode.NONE],
      ["/b", ErrorCode.KAFKA_STORAGE_ERROR],
    ],
  );
});

/** A batch of one record of so many bytes, all of them this one. */
function largeBatch(bytes: number, filling: number): Uint8Array {
  return batchOf([String.fromCharCode(filling).repeat(bytes)]).slice();
}

/** What is in the log, a batch after the other: which byte its record is made of, and how often. */
async function largeRecords(client: RawClient, count: number): Promise<readonly string[]> {
  const found: string[] = [];
  for (let offset = 0; offset < count; offset++) {
    const [record] = recordsOf(await fetch(client, { topic, offset, partitionMaxBytes: 1 }));
    const value = record?.slice(record.indexOf(":") + 1) ?? "";
    assert.equal(value, value.slice(0, 1).repeat(value.length));
    found.push(`${value.slice(0, 1)} ${value.length}`);
  }
  return found;
}

const sizes = [70_000, 300_000, 1_000_000, 100_000, 1_040_000, 500_000];
for (const acks of [-1, 0]) {
  test(`large requests with acks=${acks} are kept as they came, whatever comes to lie in their memory`, async () => {
    await using broker = await startTestBroker({ readBytes: 65_536 });
    await broker.createTopic(topic);
    const expected: string[] = [];
    for (let round = 0; round < 4; round++) {
      for (const [index, size] of sizes.entries()) {
        const filling = 65 + round * sizes.length + index;
        expected.push(`${String.fromCharCode(filling)} ${size}`);
        broker.client.send(ProduceRequest, 9, produceRequest(largeBatch(size, filling), { topic, acks }));
        // In one round the next one is there before the answer is.
        if (acks !== 0 && round !== 1) await broker.client.nextFrame();
      }
      if (acks !== 0 && round === 1) for (const _ of sizes) await broker.client.nextFrame();
    }
    assert.deepEqual(await largeRecords(broker.client, expected.length), expected);
  });
}

test("a large request whose write is late keeps its memory to itself, though it was answered", async () => {
  const disk = new SlowDisk();
  await using broker = await startTestBroker({ disk, readBytes: 65_536 });
  for (const name of [topic, "quick"]) await broker.createTopic(name);
  disk.folder = `/${topic}-0/`;
  const late = { ...produceRequest(largeBatch(300_000, 97), { topic }), timeoutMs: 0 };
  const { responses } = await broker.client.request(ProduceRequest, ProduceResponse, 9, late);
  assert.equal(responses[0]?.partitionResponses[0]?.errorCode, ErrorCode.REQUEST_TIMED_OUT);
  for (let n = 0; n < 20; n++) await produce(broker.client, largeBatch(300_000, 98), { topic: "quick" });
  disk.release();
  assert.equal((await produce(broker.client, largeBatch(300_000, 99), { topic })).baseOffset, 1);
  await broker.broker.close();
  await using again = await startTestBroker({ disk }); // which reads it from the disk
  assert.deepEqual(await largeRecords(again.client, 2), ["a 300000", "c 300000"]);
});
