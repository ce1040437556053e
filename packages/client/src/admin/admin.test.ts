import assert from "node:assert/strict";
import { test } from "node:test";
import { ErrorCode } from "@samsa/base";
import {
  createCreateTopicsResponseCreatableTopicResult,
  CreateTopicsResponse,
} from "@samsa/protocol/messages/create-topics-response";
import type { CreateTopicsRequest } from "@samsa/protocol/messages/create-topics-request";
import type { DeleteTopicsRequest } from "@samsa/protocol/messages/delete-topics-request";
import { BrokerError, ConnectionError, SomeItemsFailedError, TimeLimitError } from "../errors.ts";
import { testBed } from "../testing/client-test.ts";

test("creates topics with counts and configurations, or the broker's defaults", async () => {
  const bed = await testBed();
  await using kafka = bed.kafka();
  const created = await bed.run(
    kafka
      .admin()
      .createTopics([
        { name: "a", numPartitions: 3, replicationFactor: 1, configs: { "retention.ms": "60000" } },
        { name: "b" },
      ]),
  );
  assert.deepEqual(
    created.map(({ name, numPartitions }) => [name, numPartitions]),
    [
      ["a", 3],
      ["b", 1],
    ],
  );
  const [{ request } = assert.fail()] = bed.cluster.requests("CreateTopicsRequest");
  const { topics } = request as CreateTopicsRequest;
  assert.deepEqual(
    topics.map((topic) => [topic.numPartitions, topic.replicationFactor]),
    [
      [3, 1],
      [-1, -1],
    ],
  );
  assert.deepEqual(
    topics[0]?.configs.map(({ name, value }) => [name, value]),
    [["retention.ms", "60000"]],
  );
});

test("one item that fails rejects with its error, several with all of theirs", async () => {
  const bed = await testBed();
  bed.cluster.createTopic("a", [1]);
  bed.cluster.createTopic("b", [1]);
  await using kafka = bed.kafka();
  const admin = kafka.admin();
  await assert.rejects(bed.run(admin.createTopics([{ name: "a" }, { name: "new" }])), (error) => {
    assert.ok(error instanceof BrokerError);
    assert.equal(error.code, ErrorCode.TOPIC_ALREADY_EXISTS);
    return true;
  });
  assert.ok(bed.cluster.topics.has("new"));
  await assert.rejects(bed.run(admin.createTopics([{ name: "a" }, { name: "b" }])), (error) => {
    assert.ok(error instanceof SomeItemsFailedError);
    assert.deepEqual([...error.errors.keys()], ["a", "b"]);
    return true;
  });
});

test("a controller that moved is asked for and asked", async () => {
  const bed = await testBed([1, 2]);
  await using kafka = bed.kafka();
  const admin = kafka.admin();
  await bed.run(admin.describeCluster());
  bed.cluster.controllerId = 2;
  bed.cluster.intercept(({ name, nodeId, request }) => {
    if (name !== "CreateTopicsRequest" || nodeId === 2) return undefined;
    const topics = (request as CreateTopicsRequest).topics.map(({ name }) =>
      createCreateTopicsResponseCreatableTopicResult({ name, errorCode: ErrorCode.NOT_CONTROLLER }),
    );
    return { answer: CreateTopicsResponse.create({ topics }) };
  });
  await bed.run(admin.createTopics([{ name: "a" }]));
  assert.deepEqual(
    bed.cluster.requests("CreateTopicsRequest").map(({ nodeId }) => nodeId),
    [1, 2],
  );
});

test("a call is tried again within defaultApiTimeoutMs, and then says what stood in its way", async () => {
  const bed = await testBed();
  await using kafka = bed.kafka({ defaultApiTimeoutMs: 5000 });
  const admin = kafka.admin();
  await bed.run(admin.describeCluster());
  bed.cluster.interceptNext("DeleteTopicsRequest", "close", 1000);
  await assert.rejects(bed.run(admin.deleteTopics(["a"])), (error) => {
    assert.ok(error instanceof TimeLimitError && error.cause instanceof ConnectionError);
    return true;
  });
  assert.ok(bed.cluster.requests("DeleteTopicsRequest").length > 3);
});

for (const version of [6, 5, 1]) {
  test(`deletes topics in version ${version} of the request`, async () => {
    const bed = await testBed();
    bed.cluster.createTopic("a", [1]);
    bed.cluster.highestVersions.set(20, version);
    await using kafka = bed.kafka();
    await bed.run(kafka.admin().deleteTopics(["a"]));
    assert.equal(bed.cluster.topics.size, 0);
    const request = bed.cluster.requests("DeleteTopicsRequest")[0]?.request as DeleteTopicsRequest;
    assert.equal(request.topics.length + request.topicNames.length, 1);
    await assert.rejects(bed.run(kafka.admin().deleteTopics(["a"])), { code: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION });
  });
}

test("lists and describes topics", async () => {
  const bed = await testBed();
  bed.cluster.createTopic("b", [1, 1]);
  bed.cluster.createTopic("a", [1]);
  await using kafka = bed.kafka();
  const admin = kafka.admin();
  assert.deepEqual(
    (await bed.run(admin.listTopics())).map(({ name }) => name),
    ["a", "b"],
  );
  const [described] = await bed.run(admin.describeTopics(["b"]));
  assert.deepEqual(
    described?.partitions.map(({ partition, leaderId }) => [partition, leaderId]),
    [
      [0, 1],
      [1, 1],
    ],
  );
  await assert.rejects(bed.run(admin.describeTopics(["b", "nosuch"])), { code: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION });
  assert.equal(bed.cluster.topics.has("nosuch"), false);
});

test("asks every leader for offsets, and again where one has moved", async () => {
  const bed = await testBed([1, 2]);
  bed.cluster.createTopic("t", [1, 2]);
  await using kafka = bed.kafka();
  const admin = kafka.admin();
  await bed.run(kafka.producer().sendBatch([0, 1, 1].map((partition) => ({ topic: "t", partition, value: "" }))));
  bed.cluster.moveLeader("t", 0, 2);
  const queries = [0, 1].map((partition) => ({ topic: "t", partition, at: "latest" as const }));
  assert.deepEqual(
    (await bed.run(admin.listOffsets(queries))).map(({ offset }) => offset),
    [1, 2],
  );
  const young = [{ topic: "t", partition: 0, at: { timestampMs: bed.clock.wallMs() + 1000 } }];
  assert.deepEqual(
    (await bed.run(admin.listOffsets(young))).map(({ offset }) => offset),
    [-1],
  );
  await assert.rejects(bed.run(admin.listOffsets([{ topic: "t", partition: 7, at: "latest" }])), /partitions 0 to 1/);
});

test("describes the cluster", async () => {
  const bed = await testBed([2, 1]);
  await using kafka = bed.kafka();
  const { clusterId, controllerId, brokers } = await bed.run(kafka.admin().describeCluster());
  assert.deepEqual([clusterId, controllerId, brokers.map(({ nodeId }) => nodeId)], ["fake", 1, [1, 2]]);
});
