import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { TestContext } from "node:test";
import { test } from "node:test";
import { TransportError, ZERO_UUID } from "@samsa/base";
import { TcpTransport } from "@samsa/io";
import { MetadataRequest } from "@samsa/protocol/messages/metadata-request";
import { MetadataResponse } from "@samsa/protocol/messages/metadata-response";
import type { RunningBroker } from "./start-broker.ts";
import { startBroker } from "./start-broker.ts";
import { StartError } from "./server-error.ts";
import { fetch, produce, recordsOf } from "./testing/produce-and-fetch.ts";
import { RawClient } from "./testing/raw-client.ts";
import { batchOf } from "./testing/test-broker.ts";

function folder(t: TestContext): string {
  const directory = mkdtempSync(path.join(tmpdir(), "samsa-start-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return path.join(directory, "data");
}

async function connect({ host, port }: RunningBroker): Promise<RawClient> {
  return await RawClient.connect(new TcpTransport(), { host, port });
}

/** Asks for the topic, which makes it. */
async function makeTopic(client: RawClient, name: string): Promise<void> {
  const request = MetadataRequest.create({ topics: [{ name, topicId: ZERO_UUID }] });
  await client.request(MetadataRequest, MetadataResponse, 9, request);
}

test("two brokers in one process do not disturb each other", async () => {
  await using first = await startBroker({ port: 0, dataDir: "memory" });
  await using second = await startBroker({ port: 0, dataDir: "memory" });
  assert.notEqual(first.port, second.port);
  assert.notEqual(first.clusterId, second.clusterId);
  for (const [broker, value] of [
    [first, "one"],
    [second, "two"],
  ] as const) {
    const client = await connect(broker);
    await makeTopic(client, "orders");
    await produce(client, batchOf([value]), { topic: "orders" });
    assert.deepEqual(recordsOf(await fetch(client, { topic: "orders" })), [`0:${value}`]);
    client.close();
  }
});

test("bootstrapServers is what a client is given", async () => {
  await using broker = await startBroker({ port: 0 });
  assert.equal(broker.bootstrapServers, `127.0.0.1:${broker.port}`);
  assert.ok(broker.port > 0);
  assert.equal(broker.dataDir, "memory");
});

test("a temporary directory is there while the broker runs, and gone afterwards", async () => {
  const broker = await startBroker({ port: 0, dataDir: "temporary" });
  assert.ok(existsSync(path.join(broker.dataDir, "meta.properties")));
  await broker.close();
  assert.equal(existsSync(broker.dataDir), false);
  await broker.closed;
});

test("a broker that is started again has its records, its cluster id and its node id", async (t) => {
  const dataDir = folder(t);
  const first = await startBroker({ port: 0, dataDir });
  const client = await connect(first);
  await makeTopic(client, "orders");
  await produce(client, batchOf(["a", "b"]), { topic: "orders" });
  await first.close();
  await client.closed;
  assert.ok(existsSync(path.join(dataDir, ".kafka_cleanshutdown")));
  assert.match(readFileSync(path.join(dataDir, "meta.properties"), "utf8"), /^node\.id=1$/m);

  await using second = await startBroker({ port: 0, dataDir });
  assert.equal(second.clusterId, first.clusterId);
  assert.equal(existsSync(path.join(dataDir, ".kafka_cleanshutdown")), false);
  const again = await connect(second);
  assert.deepEqual(recordsOf(await fetch(again, { topic: "orders" })), ["0:a", "1:b"]);
  again.close();
});

test("a directory of another node is refused in one line, and left as it was", async (t) => {
  const dataDir = folder(t);
  await (await startBroker({ port: 0, dataDir })).close();
  const before = readFileSync(path.join(dataDir, "meta.properties"), "utf8");
  await assert.rejects(startBroker({ port: 0, dataDir, properties: { "node.id": "7" } }), (error: Error) => {
    assert.match(error.message, /node\.id/);
    return !error.message.includes("\n");
  });
  assert.equal(readFileSync(path.join(dataDir, "meta.properties"), "utf8"), before);
});

test("records without meta.properties are somebody's, and no data directory is made around them", async (t) => {
  const dataDir = folder(t);
  mkdirSync(path.join(dataDir, "orders-0"), { recursive: true });
  writeFileSync(path.join(dataDir, "orders-0", "00000000000000000000.log"), "");
  await assert.rejects(startBroker({ port: 0, dataDir }), /meta\.properties/);
  assert.equal(existsSync(path.join(dataDir, "meta.properties")), false);
});

test("a port that is taken is told as EADDRINUSE, and nothing stays open or locked", async (t) => {
  const dataDir = folder(t);
  await using holder = await startBroker({ port: 0 });
  await assert.rejects(
    startBroker({ port: holder.port, dataDir }),
    (error) => error instanceof TransportError && error.code === "EADDRINUSE",
  );
  await using broker = await startBroker({ port: 0, dataDir });
  assert.ok(broker.port > 0);
});

test("a data directory serves one broker at a time", async (t) => {
  const dataDir = folder(t);
  await using _holder = await startBroker({ port: 0, dataDir });
  await assert.rejects(startBroker({ port: 0, dataDir }), StartError);
});

test("a value that Kafka would refuse is refused before anything is touched", async (t) => {
  const dataDir = folder(t);
  await assert.rejects(startBroker({ port: 0, dataDir, properties: { "num.partitions": "many" } }), /num\.partitions/);
  assert.equal(existsSync(dataDir), false);
});

test("a broker may be asked to look for requests without sleeping", async () => {
  await using broker = await startBroker({ port: 0, properties: { "samsa.busy.poll.ms": "2" } });
  const client = await connect(broker);
  await makeTopic(client, "orders");
  await produce(client, batchOf(["one"]), { topic: "orders" });
  assert.deepEqual(recordsOf(await fetch(client, { topic: "orders" })), ["0:one"]);
  client.close();
});

for (const value of ["", "-1", "1.5", "1001", "2 ms"]) {
  test(`it does not poll for "${value}" milliseconds`, async () => {
    const properties = { "samsa.busy.poll.ms": value };
    await assert.rejects(startBroker({ port: 0, properties }), { name: "StartError", message: /from 0 to 1000/ });
  });
}

test("closing twice is as good as once", async () => {
  const broker = await startBroker({ port: 0 });
  await Promise.all([broker.close(), broker.close()]);
  await broker.close();
  await broker.closed;
});
