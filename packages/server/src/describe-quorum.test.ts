import assert from "node:assert/strict";
import { test } from "node:test";
import { ErrorCode, ZERO_UUID } from "@samsa/base";
import { DescribeQuorumRequest } from "@samsa/protocol/messages/describe-quorum-request";
import { DescribeQuorumResponse } from "@samsa/protocol/messages/describe-quorum-response";
import type { RawClient } from "./testing/raw-client.ts";
import { startTestBroker } from "./testing/test-broker.ts";

async function describe(client: RawClient, version: number, topicName = "__cluster_metadata", partitionIndex = 0) {
  const request = DescribeQuorumRequest.create({ topics: [{ topicName, partitions: [{ partitionIndex }] }] });
  const response = await client.request(DescribeQuorumRequest, DescribeQuorumResponse, version, request);
  const partition = response.topics[0]?.partitions[0];
  if (partition === undefined) throw new Error("the response names no partition");
  return { ...response, partition };
}

for (const version of [0, 1, 2]) {
  test(`version ${version}: one voter leads, and has what is committed`, async () => {
    await using broker = await startTestBroker();
    await broker.createTopic("orders");
    const { errorCode, partition, nodes } = await describe(broker.client, version);
    assert.deepEqual([errorCode, partition.errorCode, partition.leaderId, partition.leaderEpoch], [0, 0, 1, 1]);
    assert.deepEqual(partition.observers, []);
    const [voter, ...others] = partition.currentVoters;
    assert.deepEqual([voter?.replicaId, voter?.logEndOffset, others], [1, partition.highWatermark, []]);
    assert.ok(partition.highWatermark > 3);
    assert.equal((voter?.lastFetchTimestamp ?? -1) > 0, version >= 1);
    assert.equal(voter?.replicaDirectoryId !== ZERO_UUID, version >= 2);
    assert.deepEqual(
      nodes.map(({ nodeId, listeners }) => [nodeId, listeners.map(({ name }) => name)]),
      version >= 2 ? [[1, ["CONTROLLER"]]] : [],
    );
  });
}

test("there is no other quorum", async () => {
  await using broker = await startTestBroker();
  await broker.createTopic("orders");
  for (const [topic, index] of [
    ["orders", 0],
    ["__cluster_metadata", 1],
  ] as const) {
    const { partition } = await describe(broker.client, 2, topic, index);
    assert.deepEqual([partition.errorCode, partition.partitionIndex], [ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, index]);
  }
});
