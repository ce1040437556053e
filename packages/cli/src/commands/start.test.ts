import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { ErrorCode, KafkaError, TransportError } from "@samsa/base";
import { startBroker } from "@samsa/server";
import { UsageError } from "../exit-code.ts";
import { dataFailure, listenFailure, startSettings } from "./start.ts";

const NOTHING = { brokers: 1 };

test("a bare start listens on this machine only, keeps records beside the caller, and sets nothing else", () => {
  assert.deepEqual(startSettings(NOTHING), {
    host: "127.0.0.1",
    port: 9092,
    dataDir: path.resolve("samsa-data"),
    properties: {},
  });
});

test("metrics are served where they are asked for", () => {
  assert.equal(startSettings({ ...NOTHING, metricsPort: 9404 }).metricsPort, 9404);
});

test("memory is no folder", () => {
  assert.equal(startSettings({ ...NOTHING, dataDir: "memory" }).dataDir, "memory");
});

test("-X goes over the file, and a file that names listeners and directories is left to it", (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), "samsa-start-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const config = path.join(folder, "server.properties");
  writeFileSync(config, "listeners=PLAINTEXT://127.0.0.1:19092\nlog.dirs=/tmp/logs\nnum.partitions=2\n");
  assert.deepEqual(startSettings({ brokers: 1, config, property: ["num.partitions=5"] }), {
    properties: { listeners: "PLAINTEXT://127.0.0.1:19092", "log.dirs": "/tmp/logs", "num.partitions": "5" },
  });
  assert.throws(() => startSettings({ brokers: 1, config, port: 1 }), /listeners/);
});

test("more than one broker and a missing file are mistakes of use", () => {
  assert.throws(() => startSettings({ ...NOTHING, brokers: 3 }), UsageError);
  assert.throws(() => startSettings({ ...NOTHING, config: "/nowhere/server.properties" }), UsageError);
});

test("a port that is taken is told with what to do, also below another error", () => {
  const cause = new TransportError("EADDRINUSE", "address already in use");
  const failure = listenFailure(new Error("no listener", { cause }), "127.0.0.1", 9092);
  assert.match(failure?.message ?? "", /port 9092 of 127\.0\.0\.1 is taken/);
  assert.ok(failure?.remedies.some((line) => line.includes("--port 9093")));
  assert.ok(failure?.remedies.some((line) => line.includes("--port 0")));
});

/** The keys that are set in the config/server.properties of Apache Kafka 4.4. */
const KAFKAS_OWN = `
# Comments, blank lines and all.
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=localhost:9093
listeners=PLAINTEXT://:9092,CONTROLLER://:9093
inter.broker.listener.name=PLAINTEXT
advertised.listeners=PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL
num.network.threads=3
num.io.threads=8
socket.send.buffer.bytes=102400
socket.receive.buffer.bytes=102400
socket.request.max.bytes=104857600

log.dirs=/tmp/kraft-combined-logs
num.partitions=1
num.recovery.threads.per.data.dir=1
offsets.topic.replication.factor=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
#log.flush.interval.messages=10000
log.retention.hours=168
log.segment.bytes=1073741824
log.retention.check.interval.ms=300000
`;

test("Kafka's own server.properties is taken as it is; what has no effect is named once", async (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), "samsa-start-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const config = path.join(folder, "server.properties");
  writeFileSync(config, KAFKAS_OWN);
  const freePorts = ["listeners=PLAINTEXT://:0,CONTROLLER://:0", "advertised.listeners=PLAINTEXT://localhost:0"];
  const settings = startSettings({ brokers: 1, config, property: [...freePorts, `log.dirs=${folder}/data`] });
  const told: { facts: object; message: string }[] = [];
  const ignore = (): void => {};
  const warn = (facts: object, message: string) => void told.push({ facts, message });
  await using broker = await startBroker({ ...settings, logger: { debug: ignore, info: ignore, warn, error: ignore } });
  assert.match(broker.bootstrapServers, /^localhost:\d+$/);
  assert.deepEqual(
    told.map(({ message }) => message),
    ["configuration keys that have no effect here"],
  );
  assert.ok(
    Object.values(told[0]?.facts ?? {})
      .flat()
      .includes("num.io.threads"),
  );
});

test("files that cannot be trusted are told without advice for clients, and with what looks into them", () => {
  const damaged = new KafkaError(ErrorCode.CORRUPT_MESSAGE, "/d/quorum-state: the quorum state is damaged: no JSON");
  const failure = dataFailure(damaged, "samsa-data");
  assert.equal(failure?.message, damaged.message);
  assert.ok(failure.remedies.some((line) => line.endsWith("log verify samsa-data")));
  const foreign = new KafkaError(ErrorCode.INCONSISTENT_CLUSTER_ID, "/d belongs to another");
  assert.ok(dataFailure(foreign, "d")?.remedies.some((line) => line.endsWith("storage info --data-dir d")));
});

test("another error is left as it is", () => {
  assert.equal(listenFailure(new Error("disk full"), "127.0.0.1", 9092), undefined);
  assert.equal(dataFailure(new KafkaError(ErrorCode.INVALID_CONFIG, "x"), "d"), undefined);
});
