import assert from "node:assert/strict";
import { test } from "node:test";
import type { Uuid } from "@samsa/base";
import { ErrorCode, ZERO_UUID } from "@samsa/base";
import { MetadataRequest } from "@samsa/protocol/messages/metadata-request";
import { MetadataResponse } from "@samsa/protocol/messages/metadata-response";
import type { RawClient } from "./testing/raw-client.ts";
import { produce } from "./testing/produce-and-fetch.ts";
import { batchOf, startTestBroker } from "./testing/test-broker.ts";

interface Wish {
  readonly name?: string | null;
  readonly topicId?: Uuid;
}

async function metadata(client: RawClient, version: number, topics: readonly Wish[] | null, create = true) {
  const request = MetadataRequest.create({
    topics: topics?.map(({ name = null, topicId = ZERO_UUID }) => ({ name, topicId })) ?? null,
    allowAutoTopicCreation: create,
  });
  return await client.request(MetadataRequest, MetadataResponse, version, request);
}

for (let version = 0; version <= 13; version++) {
  test(`Metadata ${version} names the broker, the topic and its leader`, async () => {
    await using broker = await startTestBroker();
    await broker.createTopic("orders", { partitions: 3 });
    const response = await metadata(broker.client, version, [{ name: "orders" }]);
    assert.deepEqual(
      response.brokers.map(({ nodeId, port }) => [nodeId, port]),
      [[1, broker.broker.port]],
    );
    const [topic] = response.topics;
    assert.deepEqual([topic?.name, topic?.errorCode], ["orders", ErrorCode.NONE]);
    assert.deepEqual(
      topic?.partitions.map(({ partitionIndex, leaderId }) => [partitionIndex, leaderId]),
      [
        [0, 1],
        [1, 1],
        [2, 1],
      ],
    );
  });
}

test("null asks for every topic, an empty list for none; version 0 has only the list and means every topic", async () => {
  await using broker = await startTestBroker();
  await broker.createTopic("a");
  await broker.createTopic("b");
  const names = async (version: number, topics: readonly Wish[] | null) =>
    (await metadata(broker.client, version, topics)).topics.map(({ name }) => name);
  assert.deepEqual(await names(1, null), ["a", "b"]);
  assert.deepEqual(await names(1, []), []);
  assert.deepEqual(await names(0, []), ["a", "b"]);
});

test("a topic that is asked for by name is made, and leads before it is answered", async () => {
  await using broker = await startTestBroker({ properties: { "num.partitions": "2" } });
  const [topic] = (await metadata(broker.client, 9, [{ name: "fresh" }])).topics;
  assert.deepEqual([topic?.errorCode, topic?.partitions.length], [ErrorCode.NONE, 2]);
  const answers = [0, 1].map((partition) => produce(broker.client, batchOf(["a"]), { topic: "fresh", partition }));
  for (const answer of answers) assert.equal((await answer).errorCode, ErrorCode.NONE);
});

test("many clients that ask for one new topic at once get one topic", async () => {
  await using broker = await startTestBroker();
  const clients = await Promise.all([1, 2, 3, 4].map(() => broker.connect()));
  const answers = await Promise.all(clients.map((client) => metadata(client, 12, [{ name: "fresh" }])));
  const ids = new Set(answers.map(({ topics }) => topics[0]?.topicId));
  assert.equal(ids.size, 1);
  assert.ok(!ids.has(ZERO_UUID));
});

const refusals = [
  { what: "a missing topic where the client may not create", name: "x", create: false },
  {
    what: "a missing topic where the broker may not create",
    name: "x",
    properties: { "auto.create.topics.enable": "false" },
  },
];
for (const { what, name, create, properties = {} } of refusals) {
  test(`${what} is unknown, and stays so`, async () => {
    await using broker = await startTestBroker({ properties });
    const [topic] = (await metadata(broker.client, 9, [{ name }], create ?? true)).topics;
    assert.equal(topic?.errorCode, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION);
    assert.deepEqual((await metadata(broker.client, 9, null)).topics, []);
  });
}

for (const name of ["", ".", "..", "a b", "ünïcode", "x".repeat(250), "../../etc/passwd"]) {
  test(`${JSON.stringify(name.slice(0, 20))} is no name for a topic`, async () => {
    await using broker = await startTestBroker();
    const [topic] = (await metadata(broker.client, 9, [{ name }])).topics;
    assert.equal(topic?.errorCode, ErrorCode.INVALID_TOPIC_EXCEPTION);
  });
}

test("names that are properties of every object are topics like others", async () => {
  await using broker = await startTestBroker();
  for (const name of ["__proto__", "constructor", "toString"]) {
    const [topic] = (await metadata(broker.client, 9, [{ name }])).topics;
    assert.deepEqual([topic?.name, topic?.errorCode], [name, ErrorCode.NONE]);
    assert.equal((await produce(broker.client, batchOf(["a"]), { topic: name })).errorCode, ErrorCode.NONE);
  }
});

test("a topic is found by its id, and an unknown id is said to be unknown", async () => {
  await using broker = await startTestBroker();
  const topicId = await broker.createTopic("orders");
  const [found] = (await metadata(broker.client, 12, [{ topicId }])).topics;
  assert.deepEqual([found?.name, found?.errorCode], ["orders", ErrorCode.NONE]);
  await broker.deleteTopic("orders");
  const [gone] = (await metadata(broker.client, 12, [{ topicId }])).topics;
  assert.deepEqual([gone?.name, gone?.topicId, gone?.errorCode], [null, topicId, ErrorCode.UNKNOWN_TOPIC_ID]);
});

test("a topic that is deleted and made again has another id and no records", async () => {
  await using broker = await startTestBroker();
  const firstId = await broker.createTopic("orders");
  await produce(broker.client, batchOf(["a"]), { topic: "orders" });
  await broker.deleteTopic("orders");
  const secondId = await broker.createTopic("orders");
  assert.notEqual(firstId, secondId);
  assert.equal((await produce(broker.client, batchOf(["b"]), { topic: "orders" })).baseOffset, 0);
});

test("a topic that is asked for twice, by name or by id, is answered once", async () => {
  await using broker = await startTestBroker();
  const topicId = await broker.createTopic("orders");
  const twice = [{ name: "orders" }, { name: "nowhere" }, { topicId }, { name: "nowhere" }, { name: "orders" }];
  const { topics } = await metadata(broker.client, 13, twice, false);
  assert.deepEqual(topics.map(({ name }) => name ?? "").toSorted(), ["nowhere", "orders"]);
});

for (const version of [10, 11]) {
  test(`Metadata ${version} tells ids and does not ask by them`, async () => {
    await using broker = await startTestBroker();
    const topicId = await broker.createTopic("orders");
    const { topics, brokers } = await metadata(broker.client, version, [{ topicId }]);
    assert.deepEqual([topics[0]?.errorCode, brokers], [ErrorCode.INVALID_REQUEST, []]);
  });
}

test("what is made on the way counts as one request, so that its partitions are bounded", async () => {
  await using broker = await startTestBroker({ properties: { "num.partitions": "6000" } });
  const { topics } = await metadata(broker.client, 9, [{ name: "a" }, { name: "b" }]);
  assert.deepEqual(
    topics.map(({ errorCode }) => errorCode),
    [ErrorCode.POLICY_VIOLATION, ErrorCode.POLICY_VIOLATION],
  );
});

test("an internal topic is not made on the way: its coordinator makes it, in its own shape", async () => {
  await using broker = await startTestBroker();
  const [topic] = (await metadata(broker.client, 9, [{ name: "__consumer_offsets" }])).topics;
  assert.equal(topic?.errorCode, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION);
});
