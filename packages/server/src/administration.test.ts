import assert from "node:assert/strict";
import { test } from "node:test";
import type { Uuid } from "@samsa/base";
import { ErrorCode, ZERO_UUID } from "@samsa/base";
import { AddRaftVoterRequest } from "@samsa/protocol/messages/add-raft-voter-request";
import { AddRaftVoterResponse } from "@samsa/protocol/messages/add-raft-voter-response";
import { CreatePartitionsRequest } from "@samsa/protocol/messages/create-partitions-request";
import { CreatePartitionsResponse } from "@samsa/protocol/messages/create-partitions-response";
import { CreateTopicsRequest } from "@samsa/protocol/messages/create-topics-request";
import { CreateTopicsResponse } from "@samsa/protocol/messages/create-topics-response";
import { DescribeProducersRequest } from "@samsa/protocol/messages/describe-producers-request";
import { DescribeProducersResponse } from "@samsa/protocol/messages/describe-producers-response";
import { DescribeQuorumRequest } from "@samsa/protocol/messages/describe-quorum-request";
import { DescribeQuorumResponse } from "@samsa/protocol/messages/describe-quorum-response";
import { DescribeTopicPartitionsRequest } from "@samsa/protocol/messages/describe-topic-partitions-request";
import { DescribeTopicPartitionsResponse } from "@samsa/protocol/messages/describe-topic-partitions-response";
import { IncrementalAlterConfigsRequest } from "@samsa/protocol/messages/incremental-alter-configs-request";
import { IncrementalAlterConfigsResponse } from "@samsa/protocol/messages/incremental-alter-configs-response";
import { ListConfigResourcesRequest } from "@samsa/protocol/messages/list-config-resources-request";
import { ListConfigResourcesResponse } from "@samsa/protocol/messages/list-config-resources-response";
import { RemoveRaftVoterRequest } from "@samsa/protocol/messages/remove-raft-voter-request";
import { RemoveRaftVoterResponse } from "@samsa/protocol/messages/remove-raft-voter-response";
import { UnregisterBrokerRequest } from "@samsa/protocol/messages/unregister-broker-request";
import { UnregisterBrokerResponse } from "@samsa/protocol/messages/unregister-broker-response";
import { fetch, produce } from "./testing/produce-and-fetch.ts";
import type { TestBroker } from "./testing/test-broker.ts";
import { batchOf, startTestBroker } from "./testing/test-broker.ts";

const TOPIC = 2;
const BROKER = 4;
const SET = 0;

async function alter(broker: TestBroker, resourceType: number, resourceName: string, name: string, value: string) {
  const request = IncrementalAlterConfigsRequest.create({
    resources: [{ resourceType, resourceName, configs: [{ name, value, configOperation: SET }] }],
  });
  const { responses } = await broker.client.request(
    IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
    1,
    request,
  );
  return responses[0]?.errorCode;
}

test("a partition that is added takes records at once", async () => {
  await using broker = await startTestBroker();
  await broker.createTopic("orders");
  const request = CreatePartitionsRequest.create({
    timeoutMs: 30_000,
    topics: [{ name: "orders", count: 3, assignments: null }],
  });
  const response = await broker.client.request(CreatePartitionsRequest, CreatePartitionsResponse, 3, request);
  assert.equal(response.results[0]?.errorCode, ErrorCode.NONE);
  const answer = await produce(broker.client, batchOf(["a"]), { topic: "orders", partition: 2 });
  assert.deepEqual([answer.errorCode, answer.baseOffset], [ErrorCode.NONE, 0]);
});

test("a topic's new limit counts for the next batch", async () => {
  await using broker = await startTestBroker();
  await broker.createTopic("orders");
  assert.equal(await alter(broker, TOPIC, "orders", "max.message.bytes", "50"), ErrorCode.NONE);
  const answer = await produce(broker.client, batchOf(["x".repeat(100)]), { topic: "orders" });
  assert.equal(answer.errorCode, ErrorCode.MESSAGE_TOO_LARGE);
});

test("a new limit of all brokers counts for topics that set none", async () => {
  await using broker = await startTestBroker();
  await broker.createTopic("orders");
  await broker.createTopic("large", { configs: { "max.message.bytes": "5000" } });
  assert.equal(await alter(broker, BROKER, "", "message.max.bytes", "50"), ErrorCode.NONE);
  const batch = () => batchOf(["x".repeat(100)]);
  assert.equal((await produce(broker.client, batch(), { topic: "orders" })).errorCode, ErrorCode.MESSAGE_TOO_LARGE);
  assert.equal((await produce(broker.client, batch(), { topic: "large" })).errorCode, ErrorCode.NONE);
});

test("what was altered is still so after a restart", async () => {
  const first = await startTestBroker();
  await first.createTopic("orders");
  await alter(first, TOPIC, "orders", "max.message.bytes", "50");
  await first.broker.close();
  await using second = await startTestBroker({ disk: first.disk });
  const answer = await produce(second.client, batchOf(["x".repeat(100)]), { topic: "orders" });
  assert.equal(answer.errorCode, ErrorCode.MESSAGE_TOO_LARGE);
  assert.equal((await fetch(second.client, { topic: "orders" })).highWatermark, 0);
});

// Apache Kafka checks the numbers of threads once more when it starts, against the file: what has been doubled twice is more than
// double then, and the broker comes up without any of its dynamic configuration. Here each change was checked when it was made,
// and that is all: a restart keeps what was accepted.
test("what a running broker accepted of its configuration holds after a restart, however far the steps have led", async () => {
  const first = await startTestBroker();
  const own = String(first.broker.nodeId);
  for (const threads of ["2", "4", "8"]) {
    assert.equal(await alter(first, BROKER, "", "num.recovery.threads.per.data.dir", threads), ErrorCode.NONE);
  }
  assert.equal(await alter(first, BROKER, "", "message.max.bytes", "5000"), ErrorCode.NONE);
  assert.equal(await alter(first, BROKER, own, "message.max.bytes", "50"), ErrorCode.NONE);
  await first.broker.close();

  await using second = await startTestBroker({ disk: first.disk });
  await second.createTopic("orders");
  const answer = await produce(second.client, batchOf(["x".repeat(100)]), { topic: "orders" });
  assert.equal(answer.errorCode, ErrorCode.MESSAGE_TOO_LARGE);
  // Of eight threads sixteen are no more than double, seventeen are.
  const threads = (count: string) => alter(second, BROKER, "", "num.recovery.threads.per.data.dir", count);
  assert.equal(await threads("17"), ErrorCode.INVALID_REQUEST);
  assert.equal(await threads("16"), ErrorCode.NONE);
});

test("partitions are described page by page", async () => {
  await using broker = await startTestBroker();
  await broker.createTopic("many", { partitions: 5 });
  await broker.createTopic("zero");
  const pages: string[][] = [];
  let cursor: DescribeTopicPartitionsResponse["nextCursor"] = null;
  do {
    const request = DescribeTopicPartitionsRequest.create({ topics: [], responsePartitionLimit: 2, cursor });
    const response: DescribeTopicPartitionsResponse = await broker.client.request(
      DescribeTopicPartitionsRequest,
      DescribeTopicPartitionsResponse,
      0,
      request,
    );
    pages.push(
      response.topics.flatMap(({ name, partitions }) => partitions.map((each) => `${name}-${each.partitionIndex}`)),
    );
    cursor = response.nextCursor;
  } while (cursor !== null);
  assert.deepEqual(pages, [
    ["many-0", "many-1"],
    ["many-2", "many-3"],
    ["many-4", "zero-0"],
  ]);
});

test("resources of a kind that is none cannot be listed", async () => {
  await using broker = await startTestBroker();
  const ask = (resourceTypes: number[]) =>
    broker.client.request(
      ListConfigResourcesRequest,
      ListConfigResourcesResponse,
      1,
      ListConfigResourcesRequest.create({ resourceTypes }),
    );
  assert.equal((await ask([77])).errorCode, ErrorCode.UNSUPPORTED_VERSION);
  const { configResources } = await ask([BROKER]);
  assert.deepEqual(
    configResources.map(({ resourceType, resourceName }) => [resourceType, resourceName]),
    [[BROKER, "1"]],
  );
});

test("the producers of a partition are described, with their last sequence", async () => {
  await using broker = await startTestBroker();
  await broker.createTopic("orders");
  await produce(broker.client, batchOf(["a", "b"], { producerId: 7, producerEpoch: 0, baseSequence: 0 }), {
    topic: "orders",
  });
  const request = DescribeProducersRequest.create({ topics: [{ name: "orders", partitionIndexes: [0, 5] }] });
  const { topics } = await broker.client.request(DescribeProducersRequest, DescribeProducersResponse, 0, request);
  const [known, unknown] = topics[0]?.partitions ?? [];
  const producers = known?.activeProducers.map((p) => [p.producerId, p.lastSequence, p.currentTxnStartOffset]);
  assert.deepEqual([producers, unknown?.errorCode], [[[7, 1, -1]], ErrorCode.UNKNOWN_TOPIC_OR_PARTITION]);
});

test("a running broker does not forget itself", async () => {
  await using broker = await startTestBroker();
  const ask = (brokerId: number) =>
    broker.client.request(
      UnregisterBrokerRequest,
      UnregisterBrokerResponse,
      0,
      UnregisterBrokerRequest.create({ brokerId }),
    );
  assert.equal((await ask(1)).errorCode, ErrorCode.INVALID_REQUEST);
  assert.equal((await ask(2)).errorCode, ErrorCode.BROKER_ID_NOT_REGISTERED);
});

test("a request that has no time is refused before anything is decided", async () => {
  await using broker = await startTestBroker();
  const wish = { name: "orders", numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] };
  const request = CreateTopicsRequest.create({ timeoutMs: 0, topics: [wish] });
  const { topics } = await broker.client.request(CreateTopicsRequest, CreateTopicsResponse, 7, request);
  assert.equal(topics[0]?.errorCode, ErrorCode.REQUEST_TIMED_OUT);
  assert.deepEqual(broker.broker.topics(), []);
});

const VOTERS_CASES: readonly (readonly [what: string, fields: Partial<AddRaftVoterRequest>, code: number])[] = [
  ["the only one", { voterId: 1 }, ErrorCode.DUPLICATE_VOTER],
  ["one of another cluster", { clusterId: "another" }, ErrorCode.INCONSISTENT_CLUSTER_ID],
  ["one without a directory", { voterDirectoryId: ZERO_UUID }, ErrorCode.INVALID_REQUEST],
  ["one without an address", { listeners: [] }, ErrorCode.INVALID_REQUEST],
  ["one that cannot be reached", {}, ErrorCode.REQUEST_TIMED_OUT],
];
for (const [what, fields, code] of VOTERS_CASES) {
  test(`a quorum of one does not take as a voter ${what}`, async () => {
    await using broker = await startTestBroker();
    const request = AddRaftVoterRequest.create({
      clusterId: null,
      timeoutMs: 1000,
      voterId: 7,
      voterDirectoryId: "bm8tc3VjaC10b3BpYy1pZA" as Uuid,
      listeners: [{ name: "CONTROLLER", host: "localhost", port: 1 }],
      ...fields,
    });
    const answer = await broker.client.request(AddRaftVoterRequest, AddRaftVoterResponse, 1, request);
    assert.equal(answer.errorCode, code, String(answer.errorMessage));
  });
}

test("the last voter cannot be removed", async () => {
  await using broker = await startTestBroker();
  const quorum = DescribeQuorumRequest.create({
    topics: [{ topicName: "__cluster_metadata", partitions: [{ partitionIndex: 0 }] }],
  });
  const { topics } = await broker.client.request(DescribeQuorumRequest, DescribeQuorumResponse, 2, quorum);
  const voterDirectoryId = topics[0]?.partitions[0]?.currentVoters[0]?.replicaDirectoryId ?? ZERO_UUID;
  const request = RemoveRaftVoterRequest.create({ clusterId: null, voterId: 1, voterDirectoryId });
  const answer = await broker.client.request(RemoveRaftVoterRequest, RemoveRaftVoterResponse, 0, request);
  assert.equal(answer.errorCode, ErrorCode.VOTER_NOT_FOUND);
});
