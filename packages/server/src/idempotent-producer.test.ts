import assert from "node:assert/strict";
import { test } from "node:test";
import { ErrorCode } from "@samsa/base";
import { MemoryDisk } from "@samsa/io";
import { loadLog } from "@samsa/log";
import { ControlRecordType, endTransactionMarker } from "@samsa/protocol";
import { IncrementalAlterConfigsRequest } from "@samsa/protocol/messages/incremental-alter-configs-request";
import { IncrementalAlterConfigsResponse } from "@samsa/protocol/messages/incremental-alter-configs-response";
import { SeededRandom, VirtualClock } from "@samsa/simulation";
import { fetch, produce, recordsOf } from "./testing/produce-and-fetch.ts";
import type { TestBroker } from "./testing/test-broker.ts";
import { batchOf, startTestBroker } from "./testing/test-broker.ts";

const topic = "orders";

/** Sends values as producer 42, the first of them with this sequence; returns what a client looks at. */
async function send(
  { client, clock }: TestBroker,
  values: readonly string[],
  baseSequence: number,
  options: { readonly producerEpoch?: number; readonly version?: number } = {},
): Promise<{ errorCode: number; baseOffset: number }> {
  const { producerEpoch = 0, version = 12 } = options;
  const batch = batchOf(values, { producerId: 42, producerEpoch, baseSequence, timestamp: clock.wallMs() });
  const { errorCode, baseOffset } = await produce(client, batch, { topic, version });
  return { errorCode, baseOffset };
}

const CHECK_INTERVAL_MS = 600_000; // producer.id.expiration.check.interval.ms
const BROKER = 4; // a type of resource

async function setForBroker({ client }: TestBroker, name: string, value: string): Promise<number | undefined> {
  const configs = [{ name, configOperation: 0, value }];
  const { responses } = await client.request(
    IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
    1,
    IncrementalAlterConfigsRequest.create({ resources: [{ resourceType: BROKER, resourceName: "1", configs }] }),
  );
  return responses[0]?.errorCode;
}

const appendedAt = (baseOffset: number) => ({ errorCode: ErrorCode.NONE, baseOffset });
const refusedWith = (errorCode: number) => ({ errorCode, baseOffset: -1 });

test("a batch that is sent twice is appended once, and answered with the same offset", async () => {
  await using broker = await startTestBroker();
  await broker.createTopic(topic);
  assert.deepEqual(await send(broker, ["a", "b"], 0), appendedAt(0));
  assert.deepEqual(await send(broker, ["c"], 2), appendedAt(2));
  assert.deepEqual(await send(broker, ["a", "b"], 0), appendedAt(0));
  assert.deepEqual(recordsOf(await fetch(broker.client, { topic })), ["0:a", "1:b", "2:c"]);
});

test("two of the same that arrive together are one", async () => {
  await using broker = await startTestBroker();
  await broker.createTopic(topic);
  const answers = await Promise.all([
    send(broker, ["a"], 0),
    send({ ...broker, client: await broker.connect() }, ["a"], 0),
  ]);
  assert.deepEqual(answers, [appendedAt(0), appendedAt(0)]);
  assert.deepEqual(recordsOf(await fetch(broker.client, { topic })), ["0:a"]);
});

test("a producer is forgotten after the producer.id.expiration.ms that is set while the broker runs", async () => {
  await using broker = await startTestBroker();
  const { clock } = broker;
  await broker.createTopic(topic);
  const settle = async (): Promise<void> => {
    for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
  };
  assert.deepEqual(await send(broker, ["a"], 0), appendedAt(0));
  clock.advance(CHECK_INTERVAL_MS);
  await settle();
  assert.deepEqual(await send(broker, ["a"], 0), appendedAt(0), "a day is the default");
  assert.equal(await setForBroker(broker, "producer.id.expiration.ms", "1000"), ErrorCode.NONE);
  clock.advance(CHECK_INTERVAL_MS);
  await settle();
  assert.deepEqual(await send(broker, ["a"], 0), appendedAt(1), "nobody knows that it was there");
});

for (const { what, stop } of [
  { what: "a stop", stop: (broker: TestBroker) => broker.broker.close() },
  { what: "a crash", stop: () => Promise.resolve() },
]) {
  test(`a batch is known again after ${what}, and the next one goes on`, async () => {
    const disk = new MemoryDisk();
    const first = await startTestBroker({ disk });
    await first.createTopic(topic);
    for (let sequence = 0; sequence < 7; sequence++) await send(first, [`${sequence}`], sequence);
    await stop(first);
    await using second = await startTestBroker({ disk });
    assert.deepEqual(await send(second, ["6"], 6), appendedAt(6));
    assert.deepEqual(await send(second, ["8"], 8), refusedWith(ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER));
    assert.deepEqual(await send(second, ["7"], 7), appendedAt(7));
    const records = recordsOf(await fetch(second.client, { topic }));
    assert.deepEqual(
      records,
      Array.from({ length: 8 }, (_, n) => `${n}:${n}`),
    );
  });
}

test("a gap, an old epoch and a new epoch that does not begin with 0 are refused as Kafka refuses them", async () => {
  await using broker = await startTestBroker();
  await broker.createTopic(topic);
  await send(broker, ["a"], 0);
  assert.deepEqual(await send(broker, ["c"], 2), refusedWith(ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER));
  const newer = { producerEpoch: 1 };
  assert.deepEqual(await send(broker, ["b"], 1, newer), refusedWith(ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER));
  assert.deepEqual(await send(broker, ["b"], 0, newer), appendedAt(1));
  assert.deepEqual(await send(broker, ["c"], 1), refusedWith(ErrorCode.INVALID_PRODUCER_EPOCH));
  assert.deepEqual(recordsOf(await fetch(broker.client, { topic })), ["0:a", "1:b"]);
  assert.deepEqual(
    broker.logged.filter(({ level }) => level === "error"),
    [],
  );
});

test("read_committed stops where a transaction is open, and names those that were aborted", async () => {
  const disk = new MemoryDisk();
  const first = await startTestBroker({ disk });
  await first.createTopic(topic);
  await first.broker.close();
  // What a broker that coordinates transactions has left behind.
  const log = await loadLog({
    disk,
    clock: new VirtualClock(),
    random: new SeededRandom(1),
    directory: `/data/${topic}-0`,
    topicPartition: { topic, partition: 0 },
  });
  const write = (value: string, producerId: number) =>
    log.appendAsLeader(batchOf([value], { producerId, producerEpoch: 0, baseSequence: 0, isTransactional: true }), 0);
  const end = (type: 0 | 1, producerId: number) =>
    log.appendAsLeader(
      endTransactionMarker({ type, coordinatorEpoch: 0, producerId, producerEpoch: 0, timestamp: 1_700_000_000_000 }),
      0,
      "coordinator",
    );
  write("aborted", 1);
  write("committed", 2);
  end(ControlRecordType.ABORT, 1);
  end(ControlRecordType.COMMIT, 2);
  write("open", 3);
  await log.close();

  await using second = await startTestBroker({ disk });
  const all = await fetch(second.client, { topic });
  assert.deepEqual([all.highWatermark, all.lastStableOffset, all.abortedTransactions], [5, 4, null]);
  const committed = await fetch(second.client, { topic, isolationLevel: 1 });
  const aborted = committed.abortedTransactions?.map(({ producerId, firstOffset }) => ({ producerId, firstOffset }));
  assert.deepEqual(aborted, [{ producerId: 1, firstOffset: 0 }]);
  assert.deepEqual(recordsOf(committed).slice(0, 2), ["0:aborted", "1:committed"]);
  assert.equal(recordsOf(committed).length, 4, "with both markers, and without what is open");
});
