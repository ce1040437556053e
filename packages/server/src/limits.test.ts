import assert from "node:assert/strict";
import { test } from "node:test";
import { ErrorCode } from "@samsa/base";
import { ApiVersionsRequest } from "@samsa/protocol/messages/api-versions-request";
import { ApiVersionsResponse } from "@samsa/protocol/messages/api-versions-response";
import { FetchRequest } from "@samsa/protocol/messages/fetch-request";
import { IncrementalAlterConfigsRequest } from "@samsa/protocol/messages/incremental-alter-configs-request";
import { IncrementalAlterConfigsResponse } from "@samsa/protocol/messages/incremental-alter-configs-response";
import { fetch, fetchRequest, produce, recordsOf } from "./testing/produce-and-fetch.ts";
import type { RawClient } from "./testing/raw-client.ts";
import type { TestBroker } from "./testing/test-broker.ts";
import { batchOf, startTestBroker } from "./testing/test-broker.ts";

async function isServed(client: RawClient): Promise<boolean> {
  const { errorCode } = await client.request(ApiVersionsRequest, ApiVersionsResponse, 0, ApiVersionsRequest.create({}));
  return errorCode === ErrorCode.NONE;
}

async function setBrokerConfig({ client }: TestBroker, name: string, value: string): Promise<void> {
  const request = IncrementalAlterConfigsRequest.create({
    resources: [{ resourceType: 4, resourceName: "", configs: [{ name, value, configOperation: 0 }] }],
  });
  const { responses } = await client.request(
    IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
    1,
    request,
  );
  assert.equal(responses[0]?.errorCode, ErrorCode.NONE);
}

/** Lets everything happen that needs no time. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
}

test("one connection too many of an address is closed, and one that leaves makes room", async () => {
  await using broker = await startTestBroker({ properties: { "max.connections.per.ip": "2" } });
  const second = await broker.connect();
  assert.ok(await isServed(second));
  await (
    await broker.connect()
  ).closed;
  second.close();
  await settle();
  assert.ok(await isServed(await broker.connect()));
});

test("an address may have as many connections as are written for it", async () => {
  const properties = { "max.connections.per.ip": "1", "max.connections.per.ip.overrides": "127.0.0.1:2,10.0.0.1:50" };
  await using broker = await startTestBroker({ properties });
  assert.ok(await isServed(await broker.connect()));
  await (
    await broker.connect()
  ).closed;
});

test("beyond max.connections the next one waits, and is served when another leaves", async () => {
  await using broker = await startTestBroker({ properties: { "max.connections": "2" } });
  const second = await broker.connect();
  const third = await broker.connect();
  const served = isServed(third);
  await settle();
  assert.equal(third.unsentBytes > 0, true, "nothing of it is read");
  second.close();
  assert.ok(await served);
});

test("max.connections may change while the broker runs: those that were used least lately go", async () => {
  await using broker = await startTestBroker();
  const old = await broker.connect();
  await isServed(old);
  broker.clock.advance(5000);
  await setBrokerConfig(broker, "max.connections", "1");
  broker.clock.advance(1000);
  await old.closed;
  assert.ok(await isServed(broker.client));
});

test("connections that come faster than max.connection.creation.rate wait for their turn", async () => {
  await using broker = await startTestBroker({ properties: { "max.connection.creation.rate": "1" } });
  for (let count = 1; count < 10; count++) assert.ok(await isServed(await broker.connect()));
  const late = await broker.connect();
  const served = isServed(late);
  await settle();
  assert.equal(late.hasAnswer, false);
  broker.clock.advance(1000);
  assert.ok(await served);
});

test("a connection without a request is closed after connections.max.idle.ms, one that waits for an answer is not", async () => {
  await using broker = await startTestBroker({ properties: { "connections.max.idle.ms": "10000" } });
  await broker.createTopic("orders");
  const idle = await broker.connect();
  const polling = await broker.connect();
  polling.send(FetchRequest, 12, fetchRequest({ topic: "orders", maxWaitMs: 30_000 }));
  await settle();
  broker.clock.advance(8000);
  assert.ok(await isServed(broker.client));
  broker.clock.advance(3000);
  await idle.closed;
  assert.ok(await isServed(broker.client));
  broker.clock.advance(5000);
  assert.ok(await isServed(broker.client));
  broker.clock.advance(8000);
  assert.ok(await isServed(broker.client));
  broker.clock.advance(8000);
  await polling.nextFrame();
});

test("a request that comes byte by byte is cut off, and others are served", async () => {
  await using broker = await startTestBroker();
  const dripping = await broker.connect();
  dripping.sendBytes(Uint8Array.of(0, 0, 1, 0));
  for (let second = 0; second < 40; second++) {
    dripping.sendBytes(Uint8Array.of(0));
    await settle();
    broker.clock.advance(1000);
  }
  await dripping.closed;
  assert.ok(await isServed(broker.client));
});

test("a client that does not take its answers is cut off after a while", async () => {
  await using broker = await startTestBroker();
  await broker.createTopic("orders");
  await produce(broker.client, batchOf(["x".repeat(500_000)]), { topic: "orders" });
  const deaf = await broker.connect();
  deaf.pause();
  for (let count = 0; count < 10; count++) deaf.send(FetchRequest, 12, fetchRequest({ topic: "orders" }));
  await settle();
  broker.clock.advance(25_000);
  await settle();
  const isClosed = deaf.closed.then(() => true);
  assert.equal(await Promise.race([isClosed, settle().then(() => false)]), false);
  broker.clock.advance(60_000);
  assert.equal(await isClosed, true);
});

test("a peer that has gone without a word while an answer is due is read no further, and is closed", async () => {
  await using broker = await startTestBroker({ properties: { "max.connections.per.ip": "2" }, readBytes: 1024 });
  await broker.createTopic("orders");
  const gone = await broker.connect();
  gone.send(FetchRequest, 12, fetchRequest({ topic: "orders", maxWaitMs: 30_000 }));
  await settle();
  gone.pause(); // no end of the stream tells of it, as when a cable is pulled
  await produce(broker.client, batchOf(["x".repeat(500_000)]), { topic: "orders" });
  for (let count = 0; count < 100; count++) gone.send(FetchRequest, 12, fetchRequest({ topic: "orders" }));
  await settle();
  const unreadBytes = gone.unsentBytes;
  assert.ok(unreadBytes > 0, "one answer is held for it, and what would ask for more is not read");
  const isClosed = gone.closed.then(() => true);
  broker.clock.advance(25_000);
  await settle();
  assert.equal(gone.unsentBytes, unreadBytes);
  assert.ok(await isServed(broker.client));
  assert.equal(await Promise.race([isClosed, settle().then(() => false)]), false);
  broker.clock.advance(60_000);
  assert.equal(await isClosed, true);
  await settle();
  assert.ok(await isServed(await broker.connect()), "its place is another's");
});

test("requests that fill the memory in half are finished one after the other", async () => {
  await using broker = await startTestBroker({
    properties: { "queued.max.request.bytes": "200000" },
    readBytes: 16_384,
  });
  await broker.createTopic("orders");
  const clients = await Promise.all(Array.from({ length: 8 }, () => broker.connect()));
  const value = "x".repeat(100_000);
  const produced = clients.map((client) => produce(client, batchOf([value]), { topic: "orders" }));
  for (const { errorCode } of await Promise.all(produced)) assert.equal(errorCode, ErrorCode.NONE);
  assert.equal(recordsOf(await fetch(broker.client, { topic: "orders", partitionMaxBytes: 1 << 20 })).length, 8);
});

test("a listener may have fewer connections than the broker, and more when that is changed", async () => {
  await using broker = await startTestBroker();
  await setBrokerConfig(broker, "listener.name.plaintext.max.connections", "1");
  const second = await broker.connect();
  const served = isServed(second);
  await settle();
  assert.equal(second.unsentBytes > 0, true, "nothing of it is read");
  await setBrokerConfig(broker, "listener.name.plaintext.max.connections", "2");
  broker.clock.advance(1000);
  assert.ok(await served);
});
