import assert from "node:assert/strict";
import { test } from "node:test";
import { ErrorCode } from "@samsa/base";
import { ListOffsetsRequest } from "@samsa/protocol/messages/list-offsets-request";
import { ListOffsetsResponse } from "@samsa/protocol/messages/list-offsets-response";
import { produce } from "./testing/produce-and-fetch.ts";
import type { RawClient } from "./testing/raw-client.ts";
import { batchOf, startTestBroker } from "./testing/test-broker.ts";

const BASE_MS = 1_700_000_000_000;

async function listOffset(client: RawClient, timestamp: number, version = 11, topic = "orders") {
  const partitions = [{ partitionIndex: 0, currentLeaderEpoch: -1, timestamp }];
  const request = ListOffsetsRequest.create({ replicaId: -1, topics: [{ name: topic, partitions }] });
  const response = await client.request(ListOffsetsRequest, ListOffsetsResponse, version, request);
  const found = response.topics[0]?.partitions[0];
  if (found === undefined) throw new Error("the response names no partition");
  return found;
}

const cases = [
  { what: "latest is the end", timestamp: -1, offset: 3, answered: -1 },
  { what: "earliest is the start", timestamp: -2, offset: 0, answered: -1 },
  { what: "the maximum timestamp is the record that has it", timestamp: -3, offset: 1, answered: BASE_MS + 20 },
  {
    what: "a time finds the first record that is not older",
    timestamp: BASE_MS + 5,
    offset: 1,
    answered: BASE_MS + 20,
  },
  { what: "a time after every record finds none", timestamp: BASE_MS + 21, offset: -1, answered: -1 },
  { what: "a time before every record finds the first", timestamp: 0, offset: 0, answered: BASE_MS },
  { what: "the local start is the start", timestamp: -4, offset: 0, answered: -1 },
  { what: "nothing is tiered", timestamp: -5, offset: -1, answered: -1 },
];
for (const { what, timestamp, offset, answered } of cases) {
  test(what, async () => {
    await using broker = await startTestBroker();
    await broker.createTopic("orders");
    for (const after of [0, 20, 10]) {
      await produce(broker.client, batchOf(["x"], { timestamp: BASE_MS + after }), { topic: "orders" });
    }
    const found = await listOffset(broker.client, timestamp);
    assert.deepEqual([found.errorCode, found.offset, found.timestamp], [ErrorCode.NONE, offset, answered]);
  });
}

test("an empty partition starts and ends at 0 and has no maximum timestamp", async () => {
  await using broker = await startTestBroker();
  await broker.createTopic("orders");
  for (const [timestamp, offset] of [
    [-1, 0],
    [-2, 0],
    [-3, -1],
  ] as const) {
    assert.equal((await listOffset(broker.client, timestamp)).offset, offset);
  }
});

test("what a version does not know yet is refused, and so is a topic that is not there", async () => {
  await using broker = await startTestBroker();
  await broker.createTopic("orders");
  assert.equal((await listOffset(broker.client, -3, 6)).errorCode, ErrorCode.UNSUPPORTED_VERSION);
  assert.equal((await listOffset(broker.client, -1, 6, "nowhere")).errorCode, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION);
});

test("a partition that is named twice is refused, and answered once", async () => {
  await using broker = await startTestBroker();
  await broker.createTopic("orders", { partitions: 2 });
  const partitions = [0, 1, 0].map((partitionIndex) => ({ partitionIndex, currentLeaderEpoch: -1, timestamp: -1 }));
  const request = ListOffsetsRequest.create({ replicaId: -1, topics: [{ name: "orders", partitions }] });
  const { topics } = await broker.client.request(ListOffsetsRequest, ListOffsetsResponse, 11, request);
  assert.deepEqual(
    topics[0]?.partitions.map(({ partitionIndex, errorCode }) => [partitionIndex, errorCode]),
    [
      [0, ErrorCode.INVALID_REQUEST],
      [1, ErrorCode.NONE],
    ],
  );
});

test("an isolation level that we do not know is not taken for a weaker one", async () => {
  await using broker = await startTestBroker();
  await broker.createTopic("orders");
  const partitions = [{ partitionIndex: 0, currentLeaderEpoch: -1, timestamp: -1 }];
  const request = ListOffsetsRequest.create({
    replicaId: -1,
    isolationLevel: 2,
    topics: [{ name: "orders", partitions }],
  });
  const { topics } = await broker.client.request(ListOffsetsRequest, ListOffsetsResponse, 11, request);
  assert.equal(topics[0]?.partitions[0]?.errorCode, ErrorCode.INVALID_REQUEST);
});
