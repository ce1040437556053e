import assert from "node:assert/strict";
import { test } from "node:test";
import { ByteReader, ByteWriter, ErrorCode, ZERO_UUID } from "@samsa/base";
import { API_INFO } from "@samsa/protocol";
import { ApiKey } from "@samsa/protocol";
import { ApiVersionsRequest } from "@samsa/protocol/messages/api-versions-request";
import { ApiVersionsResponse } from "@samsa/protocol/messages/api-versions-response";
import { FetchRequest } from "@samsa/protocol/messages/fetch-request";
import { MetadataRequest } from "@samsa/protocol/messages/metadata-request";
import { ProduceRequest } from "@samsa/protocol/messages/produce-request";
import { fetch, fetchRequest, produce, produceRequest, recordsOf } from "./testing/produce-and-fetch.ts";
import type { RawClient } from "./testing/raw-client.ts";
import { batchOf, startTestBroker } from "./testing/test-broker.ts";

function frame(write: (writer: ByteWriter) => void): Uint8Array {
  const writer = new ByteWriter();
  writer.int32(0);
  write(writer);
  writer.patchInt32(0, writer.length - 4);
  return writer.toBytes();
}

function header(apiKey: number, version: number): Uint8Array {
  return frame((writer) => {
    writer.int16(apiKey);
    writer.int16(version);
    writer.int32(42);
    writer.int16(-1);
  });
}

const SERVED = [
  "Produce",
  "Fetch",
  "ListOffsets",
  "Metadata",
  "FindCoordinator",
  "JoinGroup",
  "SyncGroup",
  "Heartbeat",
  "LeaveGroup",
  "DescribeGroups",
  "ListGroups",
  "DeleteGroups",
  "OffsetCommit",
  "OffsetFetch",
  "OffsetDelete",
  "ApiVersions",
  "CreateTopics",
  "DeleteTopics",
  "DeleteRecords",
  "InitProducerId",
  "OffsetForLeaderEpoch",
  "DescribeConfigs",
  "AlterReplicaLogDirs",
  "DescribeLogDirs",
  "AlterConfigs",
  "CreatePartitions",
  "IncrementalAlterConfigs",
  "DescribeCluster",
  "DescribeQuorum",
  "DescribeProducers",
  "ElectLeaders",
  "AlterPartitionReassignments",
  "ListPartitionReassignments",
  "DescribeClientQuotas",
  "AlterClientQuotas",
  "DescribeUserScramCredentials",
  "AlterUserScramCredentials",
  "UpdateFeatures",
  "UnregisterBroker",
  "ListConfigResources",
  "DescribeTopicPartitions",
  "AddPartitionsToTxn",
  "AddOffsetsToTxn",
  "EndTxn",
  "WriteTxnMarkers",
  "TxnOffsetCommit",
  "DescribeTransactions",
  "ListTransactions",
  "AddRaftVoter",
  "RemoveRaftVoter",
  "ConsumerGroupHeartbeat",
  "ConsumerGroupDescribe",
] as const;

async function apiVersions(client: RawClient, version: number, fields: Partial<ApiVersionsRequest> = {}) {
  const request = ApiVersionsRequest.create({ clientSoftwareName: "raw", clientSoftwareVersion: "1", ...fields });
  return await client.request(ApiVersionsRequest, ApiVersionsResponse, version, request);
}

for (let version = 0; version <= 5; version++) {
  test(`ApiVersions ${version} lists what is served, and only that`, async () => {
    await using broker = await startTestBroker();
    const { errorCode, apiKeys } = await apiVersions(broker.client, version);
    assert.equal(errorCode, ErrorCode.NONE);
    assert.deepEqual(
      apiKeys.map(({ apiKey }) => apiKey).sort((a, b) => a - b),
      SERVED.map((name) => ApiKey[name]).sort((a, b) => a - b),
    );
    const produceApi = apiKeys.find(({ apiKey }) => apiKey === 0);
    assert.deepEqual([produceApi?.minVersion, produceApi?.maxVersion], [0, 13]);
  });
}

test("an unknown version of ApiVersions is answered at version 0 with our own range", async () => {
  await using broker = await startTestBroker();
  broker.client.sendBytes(header(18, 99));
  const reader = new ByteReader(await broker.client.nextFrame());
  assert.equal(reader.int32(), 42);
  const response = ApiVersionsResponse.read(reader, 0);
  assert.equal(response.errorCode, ErrorCode.UNSUPPORTED_VERSION);
  assert.deepEqual(
    response.apiKeys.map(({ apiKey, maxVersion }) => [apiKey, maxVersion]),
    [[18, 5]],
  );
});

test("a client that meant another cluster or another node is sent to bootstrap again (KIP-1242)", async () => {
  await using broker = await startTestBroker();
  const { clusterId } = broker.broker;
  const cases = [
    { target: { clusterId, nodeId: 1 }, code: ErrorCode.NONE },
    { target: { clusterId: "another", nodeId: 1 }, code: ErrorCode.REBOOTSTRAP_REQUIRED },
    { target: { clusterId, nodeId: 9 }, code: ErrorCode.REBOOTSTRAP_REQUIRED },
    { target: { clusterId }, code: ErrorCode.INVALID_REQUEST },
    { target: { nodeId: 1 }, code: ErrorCode.INVALID_REQUEST },
  ];
  for (const { target, code } of cases) {
    assert.equal((await apiVersions(broker.client, 5, target)).errorCode, code, JSON.stringify(target));
  }
});

test("a client software name that could break a log is refused", async () => {
  await using broker = await startTestBroker();
  const { errorCode } = await apiVersions(broker.client, 3, { clientSoftwareName: "evil\nname" });
  assert.equal(errorCode, ErrorCode.INVALID_REQUEST);
});

const closing = [
  { what: "an API that nobody knows", bytes: header(32_000, 0) },
  { what: "an API that is not served", bytes: header(11, 0) },
  { what: "a version below the floor", bytes: header(2, 0) },
  { what: "Produce 2, which is advertised", bytes: header(0, 2) },
  { what: "a version above the ceiling", bytes: header(3, 99) },
  { what: "a header that is cut short", bytes: Uint8Array.of(0, 0, 0, 3, 0, 18, 0) },
  { what: "a body that is cut short", bytes: header(3, 8) },
  { what: "a negative length", bytes: Uint8Array.of(255, 255, 255, 255) },
  { what: "a length beyond socket.request.max.bytes", bytes: Uint8Array.of(127, 255, 255, 255) },
  { what: "an HTTP request", bytes: new TextEncoder().encode("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n") },
];
for (const { what, bytes } of closing) {
  test(`${what} closes the connection, and no other`, async () => {
    await using broker = await startTestBroker();
    const other = await broker.connect();
    broker.client.sendBytes(bytes);
    await broker.client.closed;
    assert.equal((await apiVersions(other, 3)).errorCode, ErrorCode.NONE);
    assert.deepEqual(
      broker.logged.filter(({ level }) => level === "error"),
      [],
    );
  });
}

test("bytes behind the body are ignored, as in Kafka", async () => {
  await using broker = await startTestBroker();
  broker.client.sendBytes(frame((writer) => writer.raw(Uint8Array.of(0, 18, 0, 0, 0, 0, 0, 42, 255, 255, 9, 9))));
  assert.equal(new ByteReader(await broker.client.nextFrame()).int32(), 42);
});

for (const { what, bytes } of closing) {
  test(`what stands before ${what} is answered first`, async () => {
    await using broker = await startTestBroker();
    await broker.createTopic("orders");
    const expected = [
      broker.client.send(ProduceRequest, 9, produceRequest(batchOf(["a"]), { topic: "orders" })),
      broker.client.send(MetadataRequest, 9, MetadataRequest.create({ topics: null })),
    ];
    broker.client.sendBytes(bytes);
    const answered: number[] = [];
    for (const _ of expected) answered.push(new ByteReader(await broker.client.nextFrame()).int32());
    assert.deepEqual(answered, expected);
    await broker.client.closed;
  });
}

test("a request may come byte by byte", async () => {
  await using broker = await startTestBroker();
  for (const byte of header(18, 0)) broker.client.sendBytes(Uint8Array.of(byte));
  assert.equal(new ByteReader(await broker.client.nextFrame()).int32(), 42);
});

test("requests sent together are answered in their order, though a long poll stands in front", async () => {
  await using broker = await startTestBroker();
  await broker.createTopic("orders");
  const timersBefore = broker.clock.pendingTimers;
  const expected = [
    broker.client.send(FetchRequest, 12, fetchRequest({ topic: "orders", maxWaitMs: 60_000 })),
    broker.client.send(MetadataRequest, 9, MetadataRequest.create({ topics: null })),
    broker.client.send(ProduceRequest, 9, produceRequest(batchOf(["b"]), { topic: "orders" })),
    broker.client.send(ProduceRequest, 9, produceRequest(batchOf(["c"]), { topic: "orders" })),
  ];
  while (broker.clock.pendingTimers === timersBefore) await new Promise(setImmediate);
  assert.equal(broker.client.hasAnswer, false);
  const other = await broker.connect();
  await produce(other, batchOf(["a"]), { topic: "orders" });
  const answered: number[] = [];
  for (const _ of expected) answered.push(new ByteReader(await broker.client.nextFrame()).int32());
  assert.deepEqual(answered, expected);
});

test("a client that leaves in the middle of a long poll leaves no timer behind", async () => {
  await using broker = await startTestBroker();
  await broker.createTopic("orders");
  const reader = await broker.connect();
  const timersBefore = broker.clock.pendingTimers;
  reader.send(FetchRequest, 12, fetchRequest({ topic: "orders", maxWaitMs: 60_000 }));
  while (broker.clock.pendingTimers === timersBefore) await new Promise(setImmediate);
  reader.close();
  while (broker.clock.pendingTimers > timersBefore) await new Promise(setImmediate);
});

test("every version of every API that is served has a schema of that version", async () => {
  await using broker = await startTestBroker();
  const { apiKeys } = await apiVersions(broker.client, 4);
  for (const { apiKey, maxVersion } of apiKeys) {
    const info = API_INFO.get(apiKey);
    assert.ok(info !== undefined && maxVersion <= info.highestVersion, `API ${apiKey}`);
  }
});

test("a stop answers the long polls that wait, and closes", async () => {
  await using broker = await startTestBroker();
  await broker.createTopic("orders");
  const timersBefore = broker.clock.pendingTimers;
  const waiting = fetch(broker.client, { topic: "orders", maxWaitMs: 60_000 });
  while (broker.clock.pendingTimers === timersBefore) await new Promise(setImmediate);
  const [partition] = await Promise.all([waiting, broker.broker.close()]);
  assert.deepEqual(recordsOf(partition), []);
  await broker.client.closed;
});

test("a client that does not take its answers is read no further, and gets them all in the end", async () => {
  await using broker = await startTestBroker({ readBytes: 1024 });
  await broker.createTopic("orders");
  await produce(broker.client, batchOf(["x".repeat(500_000)]), { topic: "orders" });
  const slow = await broker.connect();
  slow.pause();
  const sent = Array.from({ length: 50 }, () => slow.send(FetchRequest, 12, fetchRequest({ topic: "orders" })));
  for (let turn = 0; turn < 200; turn++) await new Promise(setImmediate);
  // A few answers fill what may wait for the client; the requests behind stay where they are.
  assert.ok(slow.unsentBytes > 0);
  slow.resume();
  const answered: number[] = [];
  for (const _ of sent) answered.push(new ByteReader(await slow.nextFrame()).int32());
  assert.deepEqual(answered, sent);
});

test("a request that names more than anyone asks for at once closes its connection, and the others are served", async () => {
  await using broker = await startTestBroker();
  const names = Array.from({ length: 100_001 }, () => ({ topicId: ZERO_UUID, name: "a" }));
  const greedy = await broker.connect();
  greedy.send(MetadataRequest, 9, MetadataRequest.create({ topics: names, allowAutoTopicCreation: false }));
  await greedy.closed;
  assert.equal((await apiVersions(broker.client, 3)).errorCode, ErrorCode.NONE);
});
