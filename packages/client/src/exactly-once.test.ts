import assert from "node:assert/strict";
import { test } from "node:test";
import { ErrorCode } from "@samsa/base";
import type { TxnOffsetCommitRequest } from "@samsa/protocol/messages/txn-offset-commit-request";
import { TxnOffsetCommitResponse } from "@samsa/protocol/messages/txn-offset-commit-response";
import { ConfigurationError } from "./errors.ts";
import type { ExactlyOnceOptions } from "./exactly-once.ts";
import type { Kafka } from "./kafka.ts";
import { ProducerFencedError } from "./producer/transaction-errors.ts";
import { serializers } from "./serialisers/serialisers.ts";
import { appendValues, bedOfValues } from "./testing/appended.ts";
import type { TestBed } from "./testing/client-test.ts";
import { text } from "./testing/client-test.ts";
import type { Intercepted, Received } from "./testing/fake-cluster.ts";
import { refusal } from "./testing/produced.ts";

async function bedOf(...partitions: (readonly string[])[]): Promise<TestBed> {
  const bed = await bedOfValues(...partitions);
  bed.cluster.createTopic("out", [1, 2]);
  return bed;
}

type Options = Partial<ExactlyOnceOptions<Uint8Array, string>>;

/** Writes each value with an exclamation mark. */
function pipelineOf(kafka: Kafka, options: Options = {}) {
  return kafka.exactlyOnce<Uint8Array, string>({
    from: "t",
    to: "out",
    groupId: "g",
    transactionalId: "tx",
    process: ({ value }) => ({ value: `${value}!` }),
    consumer: { valueDeserializer: serializers.string, groupProtocol: "classic", maxPollRecords: 2 },
    ...options,
  });
}

/** What a reader sees with `read_committed`. */
async function committed(bed: TestBed, kafka: Kafka): Promise<string[]> {
  const read = async (): Promise<string[]> => {
    const consumer = kafka.consumer({ isolationLevel: "read_committed" });
    await consumer.assign([{ topic: "out", offset: "earliest", endOffset: "latest" }]);
    const values: string[] = [];
    for await (const { value } of consumer) values.push(text(value) ?? "");
    await consumer.close();
    return values.toSorted((one, other) => one.localeCompare(other));
  };
  return await bed.run(read());
}

function offsetsOf(bed: TestBed): Record<string, number> {
  const { offsets } = bed.cluster.groups.get("g");
  return Object.fromEntries(Array.from(offsets, ([partition, { offset }]) => [partition, offset]));
}

test("what is read comes out once, and what was read is committed with it", async () => {
  const bed = await bedOf(["a", "b", "c"], ["d"]);
  await using kafka = bed.kafka();
  const pipeline = pipelineOf(kafka);
  await bed.clock.advance(5000);
  assert.deepEqual(await committed(bed, kafka), ["a!", "b!", "c!", "d!"]);
  assert.deepEqual(offsetsOf(bed), { "t-0": 3, "t-1": 1 });
  appendValues(bed, ["e"]);
  await bed.clock.advance(1000);
  await bed.run(pipeline.close());
  assert.deepEqual(await committed(bed, kafka), ["a!", "b!", "c!", "d!", "e!"]);
  assert.equal(pipeline.counters.recordsRead, 5);
});

test("another start goes on where the one before it stopped", async () => {
  const bed = await bedOf(["a", "b"]);
  await using kafka = bed.kafka();
  const first = pipelineOf(kafka);
  await bed.clock.advance(5000);
  await bed.run(first.close());
  appendValues(bed, ["c"]);
  const second = pipelineOf(kafka);
  await bed.clock.advance(5000);
  await bed.run(second.close());
  assert.deepEqual(await committed(bed, kafka), ["a!", "b!", "c!"]);
  assert.equal(second.counters.recordsRead, 1);
});

test("a record may come to many, to none, and to other topics", async () => {
  const bed = await bedOf(["a", "b", "c"]);
  bed.cluster.createTopic("other", [1]);
  await using kafka = bed.kafka();
  const pipeline = pipelineOf(kafka, {
    process: async ({ value }) => {
      if (value === "a") return undefined;
      if (value === "b") return [{ value: "b1" }, { value: "b2" }];
      return await Promise.resolve({ topic: "other", value: "c" });
    },
  });
  await bed.clock.advance(5000);
  await bed.run(pipeline.close());
  assert.deepEqual(await committed(bed, kafka), ["b1", "b2"]);
  assert.equal(bed.cluster.partition("other", 0).batches.length, 2, "a record and the marker");
  assert.deepEqual(offsetsOf(bed), { "t-0": 3 });
});

function refusedCommit(errorCode: ErrorCode): (received: Received) => Intercepted {
  return ({ request }) => ({
    answer: TxnOffsetCommitResponse.create({
      topics: (request as TxnOffsetCommitRequest).topics.map(({ name, topicId, partitions }) => ({
        name,
        topicId,
        partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode })),
      })),
    }),
  });
}

/** What has a transaction done again. */
const FAULTS: readonly { readonly what: string; readonly fail: (bed: TestBed) => void }[] = [
  {
    what: "a record is refused for its transaction",
    fail: (bed) => bed.cluster.interceptNext("ProduceRequest", refusal(ErrorCode.TRANSACTION_ABORTABLE)),
  },
  {
    what: "its offsets come from a generation that is over",
    fail: (bed) => bed.cluster.interceptNext("TxnOffsetCommitRequest", refusedCommit(ErrorCode.ILLEGAL_GENERATION)),
  },
  {
    what: "the answer to its end is lost",
    fail: (bed) => bed.cluster.interceptNext("EndTxnRequest", "close"),
  },
];

for (const { what, fail } of FAULTS) {
  test(`a transaction is done again, and all of it comes out once, when ${what}`, async () => {
    const bed = await bedOf(["a", "b", "c", "d", "e"], ["f", "g"]);
    await using kafka = bed.kafka();
    fail(bed);
    const pipeline = pipelineOf(kafka, { maxRecordsPerTransaction: 2 });
    await bed.clock.advance(20_000);
    await bed.run(pipeline.close());
    assert.deepEqual(await committed(bed, kafka), ["a!", "b!", "c!", "d!", "e!", "f!", "g!"]);
    assert.deepEqual(offsetsOf(bed), { "t-0": 5, "t-1": 2 });
  });
}

test("what is read again begins where the group stands, though batches of later were at hand", async () => {
  const bed = await bedOf(["a", "b", "c", "d"]);
  await using kafka = bed.kafka();
  const seen: string[] = [];
  const pipeline = pipelineOf(kafka, {
    process: ({ value }) => {
      seen.push(value ?? "");
      // The second transaction fails.
      if (value === "c" && !seen.slice(0, -1).includes("c")) {
        bed.cluster.interceptNext("TxnOffsetCommitRequest", refusedCommit(ErrorCode.ILLEGAL_GENERATION));
      }
      return { value: `${value}!` };
    },
    maxRecordsPerTransaction: 2,
  });
  await bed.clock.advance(20_000);
  await bed.run(pipeline.close());
  assert.deepEqual(seen, ["a", "b", "c", "d", "c", "d"]);
  assert.deepEqual(await committed(bed, kafka), ["a!", "b!", "c!", "d!"]);
});

test("what the function throws ends the pipeline, and nothing of its transaction is seen", async () => {
  const bed = await bedOf(["a", "b"], ["c"]);
  await using kafka = bed.kafka();
  const mine = new Error("mine");
  const pipeline = pipelineOf(kafka, {
    process: ({ value }) => {
      if (value === "b") throw mine;
      return { value: `${value}!` };
    },
    commitIntervalMs: 60_000,
  });
  await assert.rejects(bed.run(pipeline.done), mine);
  await assert.rejects(pipeline.close(), mine);
  assert.deepEqual(await committed(bed, kafka), []);
  assert.deepEqual(offsetsOf(bed), {});
});

test("one that starts with the same transactionalId fences the other, which ends and says so", async () => {
  const bed = await bedOf(["a", "b"]);
  await using kafka = bed.kafka();
  const first = pipelineOf(kafka, { commitIntervalMs: 4000 });
  await bed.clock.advance(3500); // joined and read, not committed
  const young = kafka.producer({ transactionalId: "tx" });
  await bed.run(young.initTransactions());
  await assert.rejects(bed.run(first.done), ProducerFencedError);
  await bed.run(young.close());
  const second = pipelineOf(kafka);
  await bed.clock.advance(15_000);
  await bed.run(second.close());
  assert.deepEqual(await committed(bed, kafka), ["a!", "b!"]);
});

test("one that starts ends at once what was left open under its transactionalId, with nothing to read", async () => {
  const bed = await bedOf([]);
  await using gone = bed.kafka();
  await using kafka = bed.kafka();
  const transaction = await bed.run(gone.producer({ transactionalId: "tx" }).beginTransaction());
  await bed.run(transaction.send({ topic: "out", value: "of one that is gone", partition: 0 }));
  assert.equal(bed.cluster.partition("out", 0).batches.length, 1);
  const pipeline = pipelineOf(kafka);
  await bed.clock.advance(1000);
  assert.equal(bed.cluster.partition("out", 0).batches.length, 2, "the record and the marker");
  assert.deepEqual(await committed(bed, kafka), []);
  await bed.run(pipeline.close());
});

test("one that is closed before anybody answers it is closed", async () => {
  const bed = await bedOf(["a"]);
  await using kafka = bed.kafka();
  bed.cluster.interceptNext("InitProducerIdRequest", () => "no answer");
  const pipeline = pipelineOf(kafka);
  await bed.clock.advance(100);
  await bed.run(pipeline.close());
});

test("partitions that go to another member are committed before, and each record comes out once", async () => {
  const bed = await bedOf(["a", "b", "c"], ["d", "e", "f"]);
  await using kafka = bed.kafka();
  const first = pipelineOf(kafka, { commitIntervalMs: 60_000 });
  await bed.clock.advance(10_000);
  assert.deepEqual(offsetsOf(bed), {});
  const second = pipelineOf(kafka, { transactionalId: "tx-2" });
  await bed.clock.advance(20_000);
  appendValues(bed, ["g"], 0);
  appendValues(bed, ["h"], 1);
  await bed.clock.advance(1000);
  await bed.run(Promise.all([first.close(), second.close()]));
  assert.deepEqual(await committed(bed, kafka), ["a!", "b!", "c!", "d!", "e!", "f!", "g!", "h!"]);
  assert.deepEqual(offsetsOf(bed), { "t-0": 4, "t-1": 4 });
});

test("it needs somewhere to write to", async () => {
  const bed = await bedOf(["a"]);
  await using kafka = bed.kafka();
  const pipeline = pipelineOf(kafka, { to: undefined });
  await assert.rejects(bed.run(pipeline.done), ConfigurationError);
});

test("a client that is closed closes its pipelines first, with what they have processed", async () => {
  const bed = await bedOf(["a"]);
  const kafka = bed.kafka();
  pipelineOf(kafka, { commitIntervalMs: 60_000 });
  await bed.clock.advance(5000);
  await bed.run(kafka.close());
  await using other = bed.kafka();
  assert.deepEqual(await committed(bed, other), ["a!"]);
});

type Handler = (value: string | null, write: (value: string) => void) => void;

/** The same by `consumer.run`. */
function runOf(kafka: Kafka, handle: Handler = (value, write) => write(`${value}!`), transactionalId = "tx") {
  const producer = kafka.producer({ transactionalId });
  const consumer = kafka.consumer<Uint8Array, string>({
    groupId: "g",
    groupProtocol: "classic",
    autoOffsetReset: "earliest",
    isolationLevel: "read_committed",
    enableAutoCommit: false,
    valueDeserializer: serializers.string,
    maxPollRecords: 2,
  });
  consumer.subscribe("t");
  const stop = new AbortController();
  const done = consumer.run({
    deliveryGuarantee: "exactly-once",
    producer,
    signal: stop.signal,
    eachRecord: ({ value }, transaction) => handle(value, (made) => transaction.write({ topic: "out", value: made })),
  });
  done.catch(() => undefined);
  const close = async (): Promise<void> => {
    stop.abort();
    await done;
    await consumer.close();
    await producer.close();
  };
  return { done, close, consumer };
}

for (const { what, fail } of [{ what: "nothing fails", fail: () => undefined }, ...FAULTS]) {
  test(`what handlers write exactly once comes out once, when ${what}`, async () => {
    const bed = await bedOf(["a", "b", "c", "d", "e"], ["f", "g"]);
    await using kafka = bed.kafka();
    fail(bed);
    const run = runOf(kafka);
    await bed.clock.advance(20_000);
    await bed.run(run.close());
    assert.deepEqual(await committed(bed, kafka), ["a!", "b!", "c!", "d!", "e!", "f!", "g!"]);
    assert.deepEqual(offsetsOf(bed), { "t-0": 5, "t-1": 2 });
  });
}

test("what a handler throws ends the run with nothing of its batch seen, and another run begins there", async () => {
  const bed = await bedOf(["a", "b", "c", "d"]);
  await using kafka = bed.kafka();
  const mine = new Error("mine");
  const first = runOf(kafka, (value, write) => {
    write(`${value}!`);
    if (value === "d") throw mine;
  });
  await assert.rejects(bed.run(first.done), mine);
  assert.deepEqual(await committed(bed, kafka), ["a!", "b!"]);
  assert.deepEqual(offsetsOf(bed), { "t-0": 2 });
  assert.equal(first.consumer.position({ topic: "t", partition: 0 }), 2);
  await bed.run(first.consumer.close());
  const second = runOf(kafka, undefined, "tx-2");
  await bed.clock.advance(20_000);
  await bed.run(second.close());
  assert.deepEqual(await committed(bed, kafka), ["a!", "b!", "c!", "d!"]);
});

test("partitions that change hands while handlers write come out once", async () => {
  const bed = await bedOf(["a", "b", "c"], ["d", "e", "f"]);
  await using kafka = bed.kafka();
  const first = runOf(kafka);
  await bed.clock.advance(5000);
  const second = runOf(kafka, undefined, "tx-2");
  for (const value of ["g", "h", "i"]) {
    appendValues(bed, [value], 0);
    appendValues(bed, [`${value}2`], 1);
    await bed.clock.advance(2000);
  }
  await bed.clock.advance(20_000);
  await bed.run(Promise.all([first.close(), second.close()]));
  const wanted = ["a!", "b!", "c!", "d!", "e!", "f!", "g!", "g2!", "h!", "h2!", "i!", "i2!"];
  assert.deepEqual(await committed(bed, kafka), wanted);
  assert.deepEqual(offsetsOf(bed), { "t-0": 6, "t-1": 6 });
});

test("handlers write exactly once by a group that reads what is committed and commits nothing else", async () => {
  const bed = await bedOf(["a"]);
  await using kafka = bed.kafka();
  const producer = kafka.producer({ transactionalId: "tx" });
  const options = { deliveryGuarantee: "exactly-once", producer, eachRecord() {} } as const;
  await assert.rejects(kafka.consumer().run(options), ConfigurationError);
  const careless = kafka.consumer({ groupId: "g", enableAutoCommit: false });
  await assert.rejects(careless.run(options), /read_committed/u);
  const eager = kafka.consumer({ groupId: "g", isolationLevel: "read_committed" });
  await assert.rejects(eager.run(options), /enableAutoCommit false/u);
  const right = kafka.consumer({ groupId: "g", isolationLevel: "read_committed", enableAutoCommit: false });
  await assert.rejects(right.run({ ...options, eachBatch() {} }), /one of eachRecord and eachBatch/u);
  await assert.rejects(right.run({ ...options, retry: { attempts: 2 } } as never), /no option retry/u);
  await assert.rejects(right.run({ ...options, producer: undefined } as never), /producer/u);
});
