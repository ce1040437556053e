import assert from "node:assert/strict";
import { test } from "node:test";
import { ErrorCode, ZERO_UUID } from "@samsa/base";
import { BrokerMetrics, MetadataCache } from "@samsa/broker";
import { listenHttp } from "@samsa/io";
import { FindCoordinatorRequest } from "@samsa/protocol/messages/find-coordinator-request";
import { FindCoordinatorResponse } from "@samsa/protocol/messages/find-coordinator-response";
import { InitProducerIdRequest } from "@samsa/protocol/messages/init-producer-id-request";
import { InitProducerIdResponse } from "@samsa/protocol/messages/init-producer-id-response";
import { OffsetCommitRequest } from "@samsa/protocol/messages/offset-commit-request";
import { OffsetCommitResponse } from "@samsa/protocol/messages/offset-commit-response";
import type { Partition } from "@samsa/replication";
import { VirtualClock } from "@samsa/simulation";
import { Registry } from "prom-client";
import { StartError } from "../server-error.ts";
import { fetch as fetchRecords, produce } from "../testing/produce-and-fetch.ts";
import { batchOf, startTestBroker } from "../testing/test-broker.ts";
import { exposeBroker } from "./broker-exposition.ts";
import { Exposition } from "./exposition.ts";

type Test = Awaited<ReturnType<typeof startTestBroker>>;

async function get(port: number | undefined, path: string): Promise<{ status: number; type: string; body: string }> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, { headers: { connection: "close" } });
  return { status: response.status, type: response.headers.get("content-type") ?? "", body: await response.text() };
}

/** The value of a series, written as it stands on the page. */
async function scrape({ broker }: Test): Promise<(series: string) => number | undefined> {
  const { body } = await get(broker.metricsPort, "/metrics");
  const samples = new Map(body.split("\n").map((line) => [line.slice(0, line.lastIndexOf(" ")), line] as const));
  return (series) => {
    const line = samples.get(series);
    return line === undefined ? undefined : Number(line.slice(line.lastIndexOf(" ") + 1));
  };
}

test("records and bytes count by topic and as a whole, in and out", async () => {
  await using broker = await startTestBroker({ metricsPort: 0 });
  for (const name of ["orders", "users"]) await broker.createTopic(name);
  const batch = batchOf(["a", "b", "c"]);
  await produce(broker.client, batch, { topic: "orders" });
  await produce(broker.client, batchOf(["d"]), { topic: "users" });
  await fetchRecords(broker.client, { topic: "orders" });
  const value = await scrape(broker);
  assert.equal(value('kafka_server_brokertopicmetrics_messagesin_total{topic="orders"}'), 3);
  assert.equal(value('kafka_server_brokertopicmetrics_messagesin_total{topic="users"}'), 1);
  assert.equal(value("kafka_server_brokertopicmetrics_messagesin_total"), 4);
  assert.equal(value('kafka_server_brokertopicmetrics_bytesin_total{topic="orders"}'), batch.length);
  assert.equal(value('kafka_server_brokertopicmetrics_bytesout_total{topic="orders"}'), batch.length);
  assert.equal(value('kafka_server_brokertopicmetrics_bytesout_total{topic="users"}'), 0);
  assert.equal(value('kafka_server_brokertopicmetrics_totalproducerequests_total{topic="orders"}'), 1);
  assert.equal(value("kafka_server_brokertopicmetrics_failedproducerequests_total"), 0);
});

test("requests count by API and version, with their times", async () => {
  await using broker = await startTestBroker({ metricsPort: 0 });
  await broker.createTopic("orders");
  for (const version of [9, 9, 12]) await produce(broker.client, batchOf(["a"]), { topic: "orders", version });
  const value = await scrape(broker);
  assert.equal(value('kafka_network_requestmetrics_requests_total{request="Produce",version="9"}'), 2);
  assert.equal(value('kafka_network_requestmetrics_requests_total{request="Produce",version="12"}'), 1);
  for (const time of [
    "requestqueuetimems",
    "localtimems",
    "remotetimems",
    "throttletimems",
    "responsequeuetimems",
    "responsesendtimems",
    "totaltimems",
  ]) {
    assert.equal(value(`kafka_network_requestmetrics_${time}_count{request="Produce"}`), 3);
    assert.equal(value(`kafka_network_requestmetrics_${time}_bucket{request="Produce",le="+Inf"}`), 3);
  }
});

test("a fetch that waits is in the purgatory until it is answered", async () => {
  await using broker = await startTestBroker({ metricsPort: 0 });
  await broker.createTopic("orders");
  const consumer = await broker.connect();
  const waiting = fetchRecords(consumer, { topic: "orders", maxWaitMs: 60_000 });
  const size = 'kafka_server_delayedoperationpurgatory_purgatorysize{delayedOperation="Fetch"}';
  assert.equal((await scrape(broker))(size), 1);
  await produce(broker.client, batchOf(["a"]), { topic: "orders" });
  await waiting;
  const value = await scrape(broker);
  assert.equal(value(size), 0);
  assert.equal(value("kafka_server_socket_server_metrics_connection_count"), 2);
  assert.equal(value("kafka_server_socket_server_metrics_connection_creation_total"), 2);
});

test("logs, replicas and the process are as they are when they are asked for", async () => {
  await using broker = await startTestBroker({ metricsPort: 0 });
  await broker.createTopic("orders", { partitions: 2 });
  const batch = batchOf(["a", "b"]);
  await produce(broker.client, batch, { topic: "orders", partition: 1 });
  const value = await scrape(broker);
  const at = 'topic="orders",partition="1"';
  assert.equal(value(`kafka_log_log_size{${at}}`), batch.length);
  assert.equal(value(`kafka_log_log_logstartoffset{${at}}`), 0);
  assert.equal(value(`kafka_log_log_logendoffset{${at}}`), 2);
  assert.equal(value("kafka_server_replicamanager_partitioncount"), 2);
  assert.equal(value("kafka_server_replicamanager_leadercount"), 2);
  assert.equal(value("kafka_server_replicamanager_underreplicatedpartitions"), 0);
  assert.equal(value("kafka_controller_kafkacontroller_globaltopiccount"), 1);
  assert.equal(value("kafka_controller_kafkacontroller_offlinepartitionscount"), 0);
  assert.ok((value("process_resident_memory_bytes") ?? 0) > 1e6);
  assert.ok((value('nodejs_eventloop_lag_seconds{of="p99"}') ?? -1) >= 0);
});

test("groups and transactions count by their state", async () => {
  const properties = { "offsets.topic.num.partitions": "1", "transaction.state.log.num.partitions": "1" };
  await using broker = await startTestBroker({ metricsPort: 0, properties });
  const { client } = broker;
  for (const [keyType, key] of [
    [0, "g"],
    [1, "x"],
  ] as const) {
    const request = FindCoordinatorRequest.create({ keyType, coordinatorKeys: [key] });
    await client.request(FindCoordinatorRequest, FindCoordinatorResponse, 6, request);
  }
  const commit = OffsetCommitRequest.create({
    groupId: "g",
    topics: [
      {
        name: "t",
        topicId: ZERO_UUID,
        partitions: [{ partitionIndex: 0, committedOffset: 5, committedLeaderEpoch: -1, committedMetadata: "" }],
      },
    ],
  });
  const init = InitProducerIdRequest.create({ transactionalId: "x", transactionTimeoutMs: 60_000 });
  await broker.createTopic("t");
  // They answer once what was there before has been read.
  while ((await committed(client, commit)) === ErrorCode.COORDINATOR_LOAD_IN_PROGRESS);
  while (
    (await client.request(InitProducerIdRequest, InitProducerIdResponse, 5, init)).errorCode ===
    ErrorCode.COORDINATOR_LOAD_IN_PROGRESS
  );
  const value = await scrape(broker);
  assert.equal(value('kafka_server_group_coordinator_metrics_group_count{protocol="classic",state="Empty"}'), 1);
  assert.equal(value('kafka_server_transaction_coordinator_metrics_transaction_count{state="Empty"}'), 1);
});

async function committed(client: Test["client"], commit: OffsetCommitRequest): Promise<number | undefined> {
  const { topics } = await client.request(OffsetCommitRequest, OffsetCommitResponse, 8, commit);
  return topics[0]?.partitions[0]?.errorCode;
}

test("a topic that is deleted leaves the page, and the whole keeps what it was", async () => {
  await using broker = await startTestBroker({ metricsPort: 0 });
  await broker.createTopic("orders");
  await produce(broker.client, batchOf(["a"]), { topic: "orders" });
  await broker.deleteTopic("orders");
  const value = await scrape(broker);
  assert.equal(value('kafka_server_brokertopicmetrics_messagesin_total{topic="orders"}'), undefined);
  assert.equal(value("kafka_server_brokertopicmetrics_messagesin_total"), 1);
  assert.equal(value('kafka_log_log_size{topic="orders",partition="0"}'), undefined);
});

test("a topic that is not there gets no series, however often it is asked for", async () => {
  await using broker = await startTestBroker({ metricsPort: 0, properties: { "auto.create.topics.enable": "false" } });
  await produce(broker.client, batchOf(["a"]), { topic: "nowhere" });
  await fetchRecords(broker.client, { topic: "nowhere" });
  assert.doesNotMatch((await get(broker.broker.metricsPort, "/metrics")).body, /nowhere/);
});

test("partitions beyond the bound are summed", async () => {
  const log = (partition: number) => ({
    isLeader: true,
    log: {
      topicPartition: { topic: "t", partition },
      sizeInBytes: 10,
      segmentCount: 1,
      logStartOffset: 0,
      logEndOffset: 5,
    },
  });
  const registry = new Registry();
  exposeBroker(new Exposition(registry), {
    metrics: new BrokerMetrics({ clock: new VirtualClock() }),
    metadata: () => new MetadataCache(),
    partitions: () => [log(0), log(1), log(2), log(3)] as unknown as Iterable<Partition>,
    broker: () => undefined,
    maxPartitions: 2,
  });
  const lines = (await registry.metrics()).split("\n").filter((line) => line.startsWith("kafka_log_log_"));
  assert.ok(lines.includes('kafka_log_log_size{topic="(others)",partition=""} 20'));
  assert.equal(lines.filter((line) => line.startsWith("kafka_log_log_logendoffset{")).length, 2);
});

test("a broker is live and ready while it runs, and the port is free after it", async () => {
  const { broker } = await startTestBroker({ metricsPort: 0 });
  const port = broker.metricsPort;
  assert.deepEqual(await get(port, "/health/live"), { status: 200, type: "text/plain; charset=utf-8", body: "live\n" });
  assert.equal((await get(port, "/health/ready")).status, 200);
  assert.match((await get(port, "/metrics")).type, /^text\/plain; version=0\.0\.4/);
  assert.equal((await get(port, "/")).status, 404);
  await broker.close();
  const again = await listenHttp({ host: "127.0.0.1", port: port ?? 0 }, () => undefined);
  await again.close();
});

test("a broker that nobody watches opens no other port", async () => {
  await using broker = await startTestBroker();
  assert.equal(broker.broker.metricsPort, undefined);
});

test("a port that is taken is refused in words, and nothing stays open", async () => {
  const holder = await listenHttp({ host: "127.0.0.1", port: 0 }, () => undefined);
  const { port } = holder.address;
  await assert.rejects(
    startTestBroker({ metricsPort: port }),
    (error) => error instanceof StartError && error.message.includes(`port ${port} of 127.0.0.1: it is taken`),
  );
  await holder.close();
});
