#!/usr/bin/env node
// Captures the golden frames of packages/protocol/test-fixtures/golden from real clients talking to Apache Kafka.
//
//   node compat/golden/capture.mjs [--from N] [--to N] [--keep]
//
// Two controllers and two brokers of Apache Kafka run here, each behind a recording proxy, so what the nodes say among
// themselves is recorded as well. In round N every client is shown versions N lower than the brokers really serve, which
// makes it speak the older ones. Needs Java (a JDK), Maven and kcat; takes ten minutes. Replaces the folder, or with --keep
// adds to it what is new.
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { programOptions } from "../../scripts/lib/options.mjs";
import {
  SERVER_VERSION,
  TOOLS_VERSION,
  classpath,
  fetchApacheKafka,
  formatStorage,
  internalTopicsOfOneReplica,
  writeProperties,
} from "../apache-kafka/kafka.mjs";
import { API_VERSIONS, APIS, requestHeaderVersion, responseHeaderVersion } from "./apis.mjs";
import { driveNodeClients } from "./node-clients.mjs";
import { startProxy } from "./proxy.mjs";

const HERE = dirname(fileURLToPath(import.meta.url));
const TARGET = join(HERE, "../../packages/protocol/test-fixtures/golden");
const METADATA = 3;
const SASL_AUTHENTICATE = 36; // carries credentials, so it is never kept
const LARGEST_BYTES = 8191;
const COMFORTABLE_BYTES = 700; // long enough to hold every field, short enough to read in a failing test

const SPEAKERS = [
  ["golden-java", `kafka-clients ${SERVER_VERSION} (Java)`],
  ["golden-streams", `kafka-streams ${TOOLS_VERSION} (Java)`],
  ["golden-kcat", "kcat (librdkafka)"],
  ["golden-kafkajs", "kafkajs"],
  ["golden-platformatic", "@platformatic/kafka"],
  ["golden-bare", "bare socket"],
];
const NODE = `apache kafka ${SERVER_VERSION} node`;

/** Nearest to a comfortable length wins: neither the empty message nor the one that fills a screen. */
function worth(frame) {
  return frame.length <= COMFORTABLE_BYTES ? frame.length : Math.max(0, COMFORTABLE_BYTES - frame.length / 16);
}

class Recorder {
  round = 0;
  samples = new Map();

  add({ kind, apiKey, version, clientId, frame }) {
    if (apiKey === SASL_AUTHENTICATE || frame.length > LARGEST_BYTES) return;
    const api = APIS.get(apiKey);
    if (apiKey === API_VERSIONS && version > 5) {
      if (kind === "request") return;
      version = 0; // an unknown version is answered at version 0
    }
    const client = SPEAKERS.find(([prefix]) => clientId.startsWith(prefix))?.[1] ?? NODE;
    const key = `${apiKey} ${version} ${kind} ${client}`;
    const held = this.samples.get(key);
    if (held !== undefined && worth(held.frame) >= worth(frame)) return;
    const headerVersion = (kind === "request" ? requestHeaderVersion : responseHeaderVersion)(apiKey, version);
    this.samples.set(key, {
      apiKey,
      apiName: api.name,
      version,
      kind,
      client,
      headerVersion,
      frame: Buffer.from(frame),
    });
  }

  lower(clientId, apiKey, min, max) {
    if (!clientId.startsWith("golden-")) return max;
    // Java's clients can do little with the oldest Metadata, so the last rounds leave that one API usable.
    const floor = apiKey === METADATA && this.round > 12 ? 4 : min;
    return Math.max(floor, max - this.round);
  }

  /** Takes up the samples of an earlier run. */
  read(folder) {
    for (const name of readdirSync(folder).filter((file) => file.endsWith(".json"))) {
      for (const { hex, ...facts } of JSON.parse(readFileSync(join(folder, name), "utf8"))) {
        const key = `${facts.apiKey} ${facts.version} ${facts.kind} ${facts.client}`;
        this.samples.set(key, { ...facts, frame: Buffer.from(hex, "hex") });
      }
    }
  }

  write(folder) {
    mkdirSync(folder, { recursive: true });
    for (const name of readdirSync(folder)) if (name.endsWith(".json")) rmSync(join(folder, name));
    const byApi = groupByName(this.samples.values());
    let bytes = 0;
    for (const [name, samples] of byApi) {
      samples.sort(
        (a, b) => a.version - b.version || (a.kind < b.kind ? -1 : a.kind > b.kind ? 1 : a.client < b.client ? -1 : 1),
      );
      const lines = samples.map(({ frame, ...facts }) => JSON.stringify({ ...facts, hex: frame.toString("hex") }));
      const text = `[\n${lines.join(",\n")}\n]\n`;
      bytes += text.length;
      writeFileSync(join(folder, `${name}.json`), text);
    }
    const pairs = new Set([...this.samples.values()].map((s) => `${s.apiKey} ${s.version} ${s.kind}`));
    process.stdout.write(`${this.samples.size} samples of ${pairs.size} (message, version) pairs, ${bytes} bytes\n`);
  }
}

function groupByName(samples) {
  const groups = new Map();
  for (const sample of samples) groups.set(sample.apiName, [...(groups.get(sample.apiName) ?? []), sample]);
  return groups;
}

async function freePorts(count) {
  const servers = await Promise.all(
    Array.from({ length: count }, () => {
      const server = createServer();
      return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(server)));
    }),
  );
  const ports = servers.map((server) => server.address().port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

/** One process of Apache Kafka: `roles` is "broker" or "controller". */
function nodeProperties({ id, role, dir, port, proxyPort, quorum }) {
  const shared = {
    "process.roles": role,
    "node.id": String(id),
    "controller.quorum.bootstrap.servers": quorum,
    "controller.listener.names": "CONTROLLER",
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "super.users": "User:ANONYMOUS",
    "allow.everyone.if.no.acl.found": "true",
    "controller.quorum.election.timeout.ms": "800",
    "controller.quorum.fetch.timeout.ms": "1500",
  };
  if (role === "controller") {
    return {
      ...shared,
      listeners: `CONTROLLER://127.0.0.1:${port}`,
      "advertised.listeners": `CONTROLLER://127.0.0.1:${proxyPort}`,
      "metadata.log.dir": join(dir, "metadata"),
      "log.dirs": join(dir, "metadata"),
      "metadata.log.max.record.bytes.between.snapshots": "2000",
      "controller.quorum.auto.join.enable": "true",
      "controlled.shutdown.enable": "true",
    };
  }
  return {
    ...shared,
    listeners: `PLAINTEXT://127.0.0.1:${port}`,
    "advertised.listeners": `PLAINTEXT://127.0.0.1:${proxyPort}`,
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "inter.broker.listener.name": "PLAINTEXT",
    "broker.rack": `rack-${id}`,
    "default.replication.factor": "2",
    "log.cleaner.dedupe.buffer.size": "16777216",
    "log.dirs": `${join(dir, "one")},${join(dir, "two")}`,
    "group.initial.rebalance.delay.ms": "200",
    "group.consumer.heartbeat.interval.ms": "300",
    "group.consumer.min.heartbeat.interval.ms": "300",
    "group.share.heartbeat.interval.ms": "300",
    "group.share.min.heartbeat.interval.ms": "300",
    "metric.reporters": "ClientTelemetrySink",
    "replica.selector.class": "org.apache.kafka.common.replica.RackAwareReplicaSelector",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.num.partitions": "4",
    ...internalTopicsOfOneReplica(),
  };
}

function startNode(file, classes) {
  const jvm = ["-Xmx512m", "-XX:+UseSerialGC", "-Dorg.slf4j.simpleLogger.defaultLogLevel=off"];
  const child = spawn("java", [...jvm, "-cp", `${classpath("server")}:${classes}`, "kafka.Kafka", file], {
    stdio: ["ignore", "inherit", "inherit"],
  });
  child.exited = new Promise((resolve) => child.once("exit", resolve));
  return child;
}

async function stop(child, graceMs = 12_000) {
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), graceMs);
  await child.exited;
  clearTimeout(timer);
}

/** The Java clients, as one process that plays a round for each line it is given. */
function startDriver(classes, args) {
  const paths = `${classes}:${classpath("server")}`;
  const child = spawn(
    "java",
    ["-Xmx512m", "-Dorg.slf4j.simpleLogger.defaultLogLevel=off", "-cp", paths, "Drive", ...args],
    {
      stdio: ["pipe", "pipe", "inherit"],
    },
  );
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    child,
    async round(number) {
      child.stdin.write(`round ${number}\n`);
      const { done } = await lines.next();
      if (done) throw new Error("the Java driver ended");
    },
  };
}

async function driveStreams(classes, args) {
  const java = ["-Xmx384m", "-Dorg.slf4j.simpleLogger.defaultLogLevel=off", "-cp", `${classpath("tools")}:${classes}`];
  const child = spawn("java", [...java, "DriveStreams", ...args], { stdio: ["ignore", "ignore", "inherit"] });
  const timer = setTimeout(() => child.kill("SIGKILL"), 60_000);
  await new Promise((resolve) => child.once("exit", resolve));
  clearTimeout(timer);
}

async function main() {
  const values = programOptions({
    from: { type: "string", default: "0" },
    to: { type: "string", default: "15" },
    keep: { type: "boolean" },
  });
  fetchApacheKafka();
  const work = mkdtempSync(join(tmpdir(), "golden-"));
  const classes = join(work, "classes");
  const compile = ["-nowarn", "-d", classes, "-cp", `${classpath("server")}:${classpath("tools")}`];
  const compiled = spawnSync(
    "javac",
    [...compile, ...["Drive", "DriveStreams", "ClientTelemetrySink"].map((name) => join(HERE, `${name}.java`))],
    {
      encoding: "utf8",
    },
  );
  if (compiled.status !== 0) throw new Error(`javac failed:\n${compiled.stderr}`);

  const ports = await freePorts(8);
  const nodes = [
    { id: 100, role: "controller" },
    { id: 101, role: "controller" },
    { id: 1, role: "broker" },
    { id: 2, role: "broker" },
  ].map((node, i) => ({
    ...node,
    dir: join(work, `node-${node.id}`),
    port: ports[2 * i],
    proxyPort: ports[2 * i + 1],
  }));
  const [first, second, ...brokers] = nodes;
  const quorum = `127.0.0.1:${first.proxyPort},127.0.0.1:${second.proxyPort}`;
  const bootstrap = brokers.map((node) => `127.0.0.1:${node.proxyPort}`).join(",");

  const recorder = new Recorder();
  if (values.keep) recorder.read(TARGET);
  const proxies = [];
  const running = new Map();
  for (const signal of ["SIGINT", "SIGTERM"]) {
    process.once(signal, () => {
      for (const child of running.values()) child.kill("SIGKILL");
      process.exit(130);
    });
  }
  try {
    for (const node of nodes) {
      node.file = writeProperties(node.dir, nodeProperties({ ...node, quorum }));
      formatStorage(node.file, [node === first ? "--standalone" : "--no-initial-controllers"]);
      const onFrame = (frame) => recorder.add(frame);
      const lower = (...args) => recorder.lower(...args);
      proxies.push(await startProxy({ port: node.proxyPort, target: node.port, onFrame, lower }));
    }
    for (const node of nodes) {
      running.set(node, startNode(node.file, classes));
      await sleep(node === first ? 5000 : 1000);
    }
    await sleep(12_000);
    const otherLogDir = join(brokers[0].dir, "two");
    const driver = startDriver(classes, [bootstrap, quorum, otherLogDir]);
    running.set(driver, driver.child);
    driver.child.exited = new Promise((resolve) => driver.child.once("exit", resolve));
    for (let round = Number(values.from); round <= Number(values.to); round++) {
      recorder.round = round;
      process.stderr.write(`round ${round}\n`);
      await driveNodeClients(bootstrap, `golden-kcat-${round}`, round);
      await driver.round(round);
      if (round < 3) await driveStreams(classes, [bootstrap, `golden-kcat-${round}`, String(round)]);
      recorder.write(TARGET);
    }
    driver.child.stdin.end();
    await driver.child.exited;
    await sleep(7000); // a snapshot of the metadata is due
    process.stderr.write("the leading controller stops and comes back; then a broker leaves\n");
    for (const node of [first, second]) {
      await stop(running.get(node));
      await sleep(3000);
      running.set(node, startNode(node.file, classes));
      await sleep(10_000);
    }
    await stop(running.get(brokers[1]));
    await sleep(2000);
    running.set(brokers[1], startNode(brokers[1].file, classes));
    await sleep(12_000); // it catches up and its partitions take it back into their in-sync replicas
    recorder.write(TARGET);
  } finally {
    for (const child of running.values()) if (child.exitCode === null) await stop(child, 3000);
    for (const proxy of proxies) proxy.close();
    rmSync(work, { recursive: true, force: true });
  }
  process.exit(0);
}

await main();
