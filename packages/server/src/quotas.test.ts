import assert from "node:assert/strict";
import { test } from "node:test";
import { ErrorCode, ZERO_UUID } from "@samsa/base";
import { MetadataRequest } from "@samsa/protocol/messages/metadata-request";
import { MetadataResponse } from "@samsa/protocol/messages/metadata-response";
import { AlterClientQuotasRequest } from "@samsa/protocol/messages/alter-client-quotas-request";
import { AlterClientQuotasResponse } from "@samsa/protocol/messages/alter-client-quotas-response";
import {
  createCreateTopicsRequestCreatableTopic,
  CreateTopicsRequest,
} from "@samsa/protocol/messages/create-topics-request";
import { CreateTopicsResponse } from "@samsa/protocol/messages/create-topics-response";
import { FetchRequest } from "@samsa/protocol/messages/fetch-request";
import { FetchResponse } from "@samsa/protocol/messages/fetch-response";
import { ProduceRequest } from "@samsa/protocol/messages/produce-request";
import { ProduceResponse } from "@samsa/protocol/messages/produce-response";
import { fetch, fetchRequest, partitionOf, produce, produceRequest, recordsOf } from "./testing/produce-and-fetch.ts";
import type { TestBroker } from "./testing/test-broker.ts";
import { batchOf, startTestBroker } from "./testing/test-broker.ts";

async function setQuota({ client }: TestBroker, type: string, key: string, value: number): Promise<void> {
  const entity = [{ entityType: type, entityName: null }];
  const request = AlterClientQuotasRequest.create({ entries: [{ entity, ops: [{ key, value, remove: false }] }] });
  const { entries } = await client.request(AlterClientQuotasRequest, AlterClientQuotasResponse, 1, request);
  assert.equal(entries[0]?.errorCode, ErrorCode.NONE, entries[0]?.errorMessage ?? "");
}

/** Lets everything happen that needs no time. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
}

test("a producer over its quota is answered at once, told how long to wait, and read no further for as long", async () => {
  await using broker = await startTestBroker();
  await broker.createTopic("orders");
  await setQuota(broker, "user", "producer_byte_rate", 1000);
  const producer = await broker.connect();
  const request = produceRequest(batchOf(["x".repeat(15_000)]), { topic: "orders" });
  const { throttleTimeMs, responses } = await producer.request(ProduceRequest, ProduceResponse, 9, request);
  assert.equal(responses[0]?.partitionResponses[0]?.errorCode, ErrorCode.NONE);
  assert.ok(throttleTimeMs > 5000 && throttleTimeMs < 6000, `${throttleTimeMs} ms`);

  const next = produce(producer, batchOf(["y"]), { topic: "orders" });
  await settle();
  broker.clock.advance(throttleTimeMs - 1);
  await settle();
  assert.equal(producer.unsentBytes > 0, true);
  broker.clock.advance(1);
  assert.equal((await next).errorCode, ErrorCode.NONE);
});

test("a producer that is not answered is held back all the same", async () => {
  await using broker = await startTestBroker();
  await broker.createTopic("orders");
  await setQuota(broker, "client-id", "producer_byte_rate", 1000);
  const producer = await broker.connect();
  producer.send(ProduceRequest, 9, produceRequest(batchOf(["x".repeat(15_000)]), { topic: "orders", acks: 0 }));
  await settle();
  producer.send(ProduceRequest, 9, produceRequest(batchOf(["y"]), { topic: "orders", acks: 0 }));
  await settle();
  assert.equal(recordsOf(await fetch(broker.client, { topic: "orders" })).length, 1);
  broker.clock.advance(6000);
  await settle();
  assert.equal(recordsOf(await fetch(broker.client, { topic: "orders" })).length, 2);
});

test("a consumer over its quota gets nothing but the time to wait, and what it did not get does not count", async () => {
  await using broker = await startTestBroker();
  await broker.createTopic("orders");
  await produce(broker.client, batchOf(["x".repeat(6000)]), { topic: "orders" });
  await setQuota(broker, "user", "consumer_byte_rate", 1000);
  const consumer = await broker.connect();
  const read = () => consumer.request(FetchRequest, FetchResponse, 12, fetchRequest({ topic: "orders" }));
  const first = await read();
  assert.equal(first.throttleTimeMs, 0);
  assert.equal(recordsOf(partitionOf(first)).length, 1);

  const second = await read();
  assert.ok(second.throttleTimeMs > 2000 && second.throttleTimeMs < 3000, `${second.throttleTimeMs} ms`);
  assert.deepEqual(second.responses, []);
  broker.clock.advance(11_000);
  const third = await read();
  assert.equal(third.throttleTimeMs, 0);
  assert.equal(recordsOf(partitionOf(third)).length, 1);
});

test("a fetch brings no more than a window of the quota may hold", async () => {
  await using broker = await startTestBroker();
  await broker.createTopic("orders");
  for (let count = 0; count < 5; count++)
    await produce(broker.client, batchOf(["x".repeat(4000)]), { topic: "orders" });
  await setQuota(broker, "user", "consumer_byte_rate", 1000);
  const response = await broker.client.request(FetchRequest, FetchResponse, 12, fetchRequest({ topic: "orders" }));
  assert.equal(response.throttleTimeMs, 0);
  assert.equal(recordsOf(partitionOf(response)).length, 2);
});

function topicsOf(names: readonly string[], numPartitions: number): CreateTopicsRequest {
  const topics = names.map((name) =>
    createCreateTopicsRequestCreatableTopic({ name, numPartitions, replicationFactor: 1 }),
  );
  return CreateTopicsRequest.create({ topics });
}

test("who makes partitions faster than the quota is refused by version 6 and held back before", async () => {
  await using broker = await startTestBroker();
  await setQuota(broker, "user", "controller_mutation_rate", 1);
  const admin = await broker.connect();
  const create = (version: number, names: readonly string[], partitions: number) =>
    admin.request(CreateTopicsRequest, CreateTopicsResponse, version, topicsOf(names, partitions));

  const burst = await create(7, ["a", "b", "c"], 8);
  assert.deepEqual(
    burst.topics.map(({ errorCode }) => errorCode),
    [ErrorCode.NONE, ErrorCode.NONE, ErrorCode.THROTTLING_QUOTA_EXCEEDED],
  );
  assert.equal(burst.topics[2]?.errorMessage, "The throttling quota has been exceeded.");
  assert.equal(burst.throttleTimeMs, 5000); // 16 of 11
  broker.clock.advance(5000);
  const older = await create(5, ["c"], 3);
  assert.deepEqual([older.topics[0]?.errorCode, older.throttleTimeMs], [ErrorCode.NONE, 3000]);
});

test("topics that are made because somebody asks for them count as well", async () => {
  await using broker = await startTestBroker({ properties: { "auto.create.topics.enable": "true" } });
  await setQuota(broker, "user", "controller_mutation_rate", 1);
  const ask = async (...names: readonly string[]) => {
    const request = MetadataRequest.create({ topics: names.map((name) => ({ name, topicId: ZERO_UUID })) });
    const { topics } = await broker.client.request(MetadataRequest, MetadataResponse, 12, request);
    return topics.map(({ errorCode }) => errorCode).sort((a, b) => a - b);
  };
  const many = Array.from({ length: 13 }, (_, index) => `topic-${index}`);
  const { NONE, UNKNOWN_TOPIC_OR_PARTITION } = ErrorCode;
  // Eleven seconds' worth may be spent at once, and the last of them may overdraw.
  assert.deepEqual(await ask(...many), [...Array<number>(12).fill(NONE), UNKNOWN_TOPIC_OR_PARTITION]);
  assert.deepEqual(await ask("later"), [UNKNOWN_TOPIC_OR_PARTITION]);
  broker.clock.advance(5000);
  assert.deepEqual(await ask("later"), [NONE]);
});
