import assert from "node:assert/strict";
import { test } from "node:test";
import { ErrorCode, ZERO_UUID } from "@samsa/base";
import { createFetchRequestFetchPartition, FetchRequest } from "@samsa/protocol/messages/fetch-request";
import { FetchResponse } from "@samsa/protocol/messages/fetch-response";
import { fetch, fetchRequest, partitionOf, produce, recordsOf } from "./testing/produce-and-fetch.ts";
import { batchOf, startTestBroker } from "./testing/test-broker.ts";

for (let version = 4; version <= 18; version++) {
  test(`Fetch ${version} reads what was produced`, async () => {
    await using broker = await startTestBroker();
    const topicId = await broker.createTopic("orders");
    await produce(broker.client, batchOf(["a", "b"]), { topic: "orders" });
    const partition = await fetch(broker.client, { topic: "orders", topicId, version });
    assert.deepEqual([partition.errorCode, partition.highWatermark], [ErrorCode.NONE, 2]);
    assert.deepEqual(recordsOf(partition), ["0:a", "1:b"]);
  });
}

test("an offset inside a batch brings the whole batch", async () => {
  await using broker = await startTestBroker();
  await broker.createTopic("orders");
  await produce(broker.client, batchOf(["a", "b", "c"]), { topic: "orders" });
  assert.deepEqual(recordsOf(await fetch(broker.client, { topic: "orders", offset: 2 })), ["0:a", "1:b", "2:c"]);
});

test("the first batch comes back whole though it is larger than every limit, and alone", async () => {
  await using broker = await startTestBroker();
  await broker.createTopic("orders");
  for (const value of ["x".repeat(500), "y"]) await produce(broker.client, batchOf([value]), { topic: "orders" });
  const partition = await fetch(broker.client, { topic: "orders", maxBytes: 10, partitionMaxBytes: 10 });
  assert.deepEqual(recordsOf(partition), [`0:${"x".repeat(500)}`]);
});

const refusals = [
  { what: "an offset beyond the end", wish: { offset: 3 }, code: ErrorCode.OFFSET_OUT_OF_RANGE },
  { what: "an offset below zero", wish: { offset: -5 }, code: ErrorCode.OFFSET_OUT_OF_RANGE },
  { what: "an unknown partition", wish: { partition: 4 }, code: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION },
  { what: "an unknown topic", wish: { topic: "nowhere" }, code: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION },
  { what: "an unknown topic id", wish: { version: 13, topicId: ZERO_UUID }, code: ErrorCode.UNKNOWN_TOPIC_ID },
  { what: "a leader epoch of the future", wish: { currentLeaderEpoch: 9 }, code: ErrorCode.UNKNOWN_LEADER_EPOCH },
];
for (const { what, wish, code } of refusals) {
  test(`${what} is refused with error ${code} at once, whatever the time left`, async () => {
    await using broker = await startTestBroker();
    await broker.createTopic("orders");
    await produce(broker.client, batchOf(["a", "b"]), { topic: "orders" });
    const partition = await fetch(broker.client, { topic: "orders", maxWaitMs: 60_000, ...wish });
    assert.deepEqual([partition.errorCode, recordsOf(partition)], [code, []]);
  });
}

test("a fetch at the end waits until something is appended", async () => {
  await using broker = await startTestBroker();
  await broker.createTopic("orders");
  const reader = await broker.connect();
  const waiting = fetch(reader, { topic: "orders", maxWaitMs: 60_000 });
  await produce(broker.client, batchOf(["a"]), { topic: "orders" });
  assert.deepEqual(recordsOf(await waiting), ["0:a"]);
});

test("a fetch that wants more bytes waits on until there are enough", async () => {
  await using broker = await startTestBroker();
  await broker.createTopic("orders");
  const reader = await broker.connect();
  const waiting = fetch(reader, { topic: "orders", maxWaitMs: 60_000, minBytes: 500 });
  for (let n = 0; n < 8; n++) await produce(broker.client, batchOf([`value ${n}`]), { topic: "orders" });
  assert.ok(recordsOf(await waiting).length >= 7); // seven batches of some 75 bytes pass 500
});

test("a fetch that waits in vain is answered empty after its maximum wait", async () => {
  await using broker = await startTestBroker();
  await broker.createTopic("orders");
  const timersBefore = broker.clock.pendingTimers;
  const reader = await broker.connect();
  const waiting = fetch(reader, { topic: "orders", maxWaitMs: 500 });
  while (broker.clock.pendingTimers === timersBefore) await new Promise(setImmediate);
  broker.clock.advance(500);
  assert.deepEqual(recordsOf(await waiting), []);
});

for (const version of [4, 12, 16]) {
  test(`deleting the topic ends a fetch ${version} that waits on it`, async () => {
    await using broker = await startTestBroker();
    const topicId = await broker.createTopic("orders");
    const timersBefore = broker.clock.pendingTimers;
    const reader = await broker.connect();
    const waiting = fetch(reader, { topic: "orders", topicId, maxWaitMs: 60_000, version });
    while (broker.clock.pendingTimers === timersBefore) await new Promise(setImmediate);
    const [partition] = await Promise.all([waiting, broker.deleteTopic("orders")]);
    assert.equal(partition.errorCode, ErrorCode.NOT_LEADER_OR_FOLLOWER);
  });
}

test("partitions are read in the order they are asked for, until the response is full", async () => {
  await using broker = await startTestBroker();
  await broker.createTopic("orders", { partitions: 2 });
  for (const partition of [0, 1]) {
    await produce(broker.client, batchOf(["z".repeat(300)]), { topic: "orders", partition });
  }
  const [wish] = fetchRequest({ topic: "orders", maxBytes: 350 }).topics;
  const [first] = wish?.partitions ?? [];
  assert.ok(wish && first);
  const request = {
    ...fetchRequest({ topic: "orders", maxBytes: 350 }),
    topics: [{ ...wish, partitions: [{ ...first, partition: 1 }, first] }],
  };
  const response = await broker.client.request(FetchRequest, FetchResponse, 12, request);
  const sizes = response.responses[0]?.partitions.map((partition) => recordsOf(partition).length);
  assert.deepEqual(sizes, [1, 0]);
});

test("a session that the broker does not hold is refused, so that the client starts over", async () => {
  await using broker = await startTestBroker();
  await broker.createTopic("orders");
  const request = { ...fetchRequest({ topic: "orders" }), sessionId: 77, sessionEpoch: 3 };
  const response = await broker.client.request(FetchRequest, FetchResponse, 12, request);
  assert.equal(response.errorCode, ErrorCode.FETCH_SESSION_ID_NOT_FOUND);
  const opening = { ...fetchRequest({ topic: "orders" }), sessionEpoch: 0 };
  const opened = await broker.client.request(FetchRequest, FetchResponse, 12, opening);
  assert.ok(opened.sessionId > 0);
  assert.equal(partitionOf(opened).errorCode, ErrorCode.NONE);
});

test("a reader that remembers an epoch we never had is told where our log ends", async () => {
  await using broker = await startTestBroker();
  await broker.createTopic("orders");
  await produce(broker.client, batchOf(["a"]), { topic: "orders" });
  const partition = await fetch(broker.client, { topic: "orders", offset: 1, lastFetchedEpoch: 5 });
  assert.equal(partition.divergingEpoch.endOffset === 1 || partition.errorCode === ErrorCode.OFFSET_OUT_OF_RANGE, true);
});

test("a partition that is named twice is read once, with the last wish", async () => {
  await using broker = await startTestBroker();
  await broker.createTopic("orders");
  for (const value of ["a", "b"]) await produce(broker.client, batchOf([value]), { topic: "orders" });
  const wishes = [0, 1].flatMap((offset) => fetchRequest({ topic: "orders", offset }).topics);
  const partitions = wishes.flatMap((topic) => topic.partitions);
  const request = {
    ...fetchRequest({ topic: "orders" }),
    topics: [{ topic: "orders", topicId: ZERO_UUID, partitions }],
  };
  const { responses } = await broker.client.request(FetchRequest, FetchResponse, 12, request);
  assert.deepEqual(
    responses.flatMap(({ partitions }) => partitions.map((partition) => recordsOf(partition))),
    [["1:b"]],
  );
});

test("more bytes than may be answered are not waited for", async () => {
  await using broker = await startTestBroker();
  await broker.createTopic("orders");
  await produce(broker.client, batchOf(["a"]), { topic: "orders" });
  const partition = await fetch(broker.client, { topic: "orders", minBytes: 5000, maxBytes: 50, maxWaitMs: 60_000 });
  assert.deepEqual(recordsOf(partition), ["0:a"]);
});

test("a fetch that is refused as a whole says so in each partition, for the versions that know no other place", async () => {
  await using broker = await startTestBroker();
  await broker.createTopic("orders");
  const request = { ...fetchRequest({ topic: "orders" }), isolationLevel: 9 };
  const response = await broker.client.request(FetchRequest, FetchResponse, 4, request);
  assert.equal(partitionOf(response).errorCode, ErrorCode.INVALID_REQUEST);
});

test("a committed read tells that no transaction was aborted", async () => {
  await using broker = await startTestBroker();
  await broker.createTopic("orders");
  const request = { ...fetchRequest({ topic: "orders" }), isolationLevel: 1 };
  const response = await broker.client.request(FetchRequest, FetchResponse, 12, request);
  assert.deepEqual(partitionOf(response).abortedTransactions, []);
});

test("a fetch that waits is woken by an append though old segments have gone meanwhile", async () => {
  await using broker = await startTestBroker();
  await broker.createTopic("orders", { configs: { "retention.bytes": "1", "segment.bytes": "1048576" } });
  const large = "x".repeat(700_000);
  for (const value of [large, large]) await produce(broker.client, batchOf([value]), { topic: "orders" });
  const waiter = await broker.connect();
  const minutes = (count: number) => count * 60_000;
  const waiting = fetch(waiter, { topic: "orders", offset: 2, maxWaitMs: minutes(60) });
  await fetch(broker.client, { topic: "orders", offset: 2 }); // by its answer the other one waits
  broker.clock.advance(minutes(10)); // the checks for retention are five minutes apart
  const { logStartOffset } = await fetch(broker.client, { topic: "orders", offset: 2 });
  assert.ok(logStartOffset > 0);
  await produce(broker.client, batchOf(["new"]), { topic: "orders" });
  assert.deepEqual(recordsOf(await waiting), ["2:new"]);
});

for (const version of [7, 12, 13, 18]) {
  test(`in a session of Fetch ${version}, the second request names nothing and is woken by an append`, async () => {
    await using broker = await startTestBroker();
    const topicId = await broker.createTopic("orders", { partitions: 2 });
    const { client } = broker;
    const first = { ...fetchRequest({ topic: "orders", topicId }), sessionEpoch: 0 };
    const { sessionId } = await client.request(FetchRequest, FetchResponse, version, first);
    assert.ok(sessionId > 0);
    const next = FetchRequest.create({ sessionId, sessionEpoch: 1, maxWaitMs: 60_000, minBytes: 1, maxBytes: 1 << 20 });
    const waiter = await broker.connect();
    const answer = waiter.request(FetchRequest, FetchResponse, version, next);
    await produce(client, batchOf(["elsewhere"]), { topic: "orders", partition: 1 });
    await produce(client, batchOf(["a"]), { topic: "orders" });
    const response = await answer;
    assert.deepEqual([response.sessionId, recordsOf(partitionOf(response))], [sessionId, ["0:a"]]);
  });
}

test("a fetch of very many unknown partitions is answered one by one", async () => {
  await using broker = await startTestBroker();
  const count = 90_000;
  const partitions = Array.from({ length: count }, (_, partition) => createFetchRequestFetchPartition({ partition }));
  const request = FetchRequest.create({ topics: [{ topic: "nowhere", topicId: ZERO_UUID, partitions }] });
  const { responses } = await broker.client.request(FetchRequest, FetchResponse, 12, request);
  const codes = responses.flatMap((topic) => topic.partitions.map(({ errorCode }) => errorCode));
  assert.equal(codes.length, count);
  assert.deepEqual([...new Set(codes)], [ErrorCode.UNKNOWN_TOPIC_OR_PARTITION]);
});
