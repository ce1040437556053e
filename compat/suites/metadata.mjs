// A metadata directory that changes hands: Kafka, Samsa, Kafka, and each finds what the others left: topics with their ids, records,
// configurations of topics, brokers, groups and client metrics, quotas, SCRAM users. And what one has formatted, the other starts on.
import { createHash } from "node:crypto";
import { cpSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { Kafka } from "../../packages/client/dist/index.js";
import { createBroker } from "../lib/brokers.mjs";
import { until } from "../lib/bare-client.mjs";
import { expect } from "../lib/harness.mjs";
import { runProgram } from "../lib/process.mjs";

const CLI = fileURLToPath(new URL("../../packages/cli/bin/samsa.js", import.meta.url));
const LIMIT_MS = 120_000;
const SETTLE_MS = 10_000;
const CLUSTER_ID = "c2Ftc2EtY29tcGF0LWFrYQ";
const RESOURCES = [
  { type: "topic", name: "first" },
  { type: "topic", name: "second" },
  { type: "broker", name: "1" },
  { type: "broker", name: "" },
  { type: "group", name: "readers" },
  { type: "client_metrics", name: "basic" },
];
const SET_BY_SOMEBODY = /^(?:dynamic_.*|group_config|client_metrics_config)$/;

/** What Kafka is told first. */
async function begin(admin) {
  await admin.createTopics([
    { name: "first", numPartitions: 3, configs: { "retention.ms": "86400000", "cleanup.policy": "compact,delete" } },
    { name: "second" },
    { name: "gone" },
  ]);
  await admin.deleteTopics(["gone"]);
  await admin.incrementalAlterConfigs([
    { type: "topic", name: "second", set: { "segment.bytes": "2097152" } },
    { type: "broker", name: "1", set: { "log.cleaner.threads": "2" } },
    { type: "broker", name: "", set: { "log.retention.ms": "7200000000" } },
    { type: "group", name: "readers", set: { "consumer.session.timeout.ms": "50000" } },
    { type: "client_metrics", name: "basic", set: { metrics: "org.apache.kafka.", "interval.ms": "60000" } },
  ]);
  await admin.alterClientQuotas([
    { entity: { user: "ann" }, quotas: { producer_byte_rate: 1_000_000, request_percentage: 12.5 } },
    { entity: { user: "ann", "client-id": "laptop" }, quotas: { consumer_byte_rate: 2_000_000 } },
    { entity: { user: null }, quotas: { controller_mutation_rate: 3 } },
  ]);
  await admin.alterUserScramCredentials([
    { user: "ann", mechanism: "SCRAM-SHA-256", password: "secret", iterations: 8192 },
    { user: "bob", mechanism: "SCRAM-SHA-512", password: "secret" },
  ]);
}

/** What we are told then: something of each is new, changed, or taken away. */
async function goOn(admin) {
  await admin.createTopics([{ name: "third", numPartitions: 2, configs: { "retention.ms": "90000000" } }]);
  await admin.createPartitions([{ topic: "second", count: 2 }]);
  await admin.incrementalAlterConfigs([
    { type: "topic", name: "first", set: { "max.message.bytes": "2000000" }, delete: ["retention.ms"] },
    { type: "broker", name: "1", set: { "num.io.threads": "10" } },
    { type: "broker", name: "", set: { "num.network.threads": "4" } },
    { type: "group", name: "readers", set: { "consumer.heartbeat.interval.ms": "6000" } },
    { type: "client_metrics", name: "basic", delete: ["interval.ms"] },
  ]);
  await admin.alterClientQuotas([
    { entity: { user: "ann" }, quotas: { producer_byte_rate: null, request_percentage: 25 } },
    { entity: { "client-id": null }, quotas: { consumer_byte_rate: 5_000_000 } },
  ]);
  await admin.alterUserScramCredentials([
    { user: "bob", mechanism: "SCRAM-SHA-512", delete: true },
    { user: "cleo", mechanism: "SCRAM-SHA-256", password: "secret" },
  ]);
}

/** All that was set, and what was written, as lines. */
async function stateOf(kafka) {
  const admin = kafka.admin();
  const lines = [];
  const topics = (await admin.listTopics()).filter(({ name }) => !name.startsWith("_"));
  for (const { name, topicId } of topics) {
    const [{ partitions }] = await admin.describeTopics([name]);
    lines.push(`topic ${name} ${topicId} of ${partitions.length} partitions`);
  }
  const configs = await admin.describeConfigs(RESOURCES);
  for (const { type, name } of RESOURCES) {
    for (const { name: key, value, source } of configs.get(`${type} ${name}`)) {
      if (SET_BY_SOMEBODY.test(source)) lines.push(`${type} ${name}: ${key}=${value} (${source})`);
    }
  }
  for (const { entity, quotas } of await admin.describeClientQuotas()) {
    const sorted = (pairs) => JSON.stringify(Object.entries(pairs).sort(([a], [b]) => (a < b ? -1 : 1)));
    lines.push(`quotas of ${sorted(entity)}: ${sorted(quotas)}`);
  }
  for (const [user, credentials] of (await admin.describeUserScramCredentials()).found) {
    for (const { mechanism, iterations } of credentials) lines.push(`user ${user}: ${mechanism} ${iterations}`);
  }
  for (const { name } of topics) lines.push(`records of ${name}: ${await digestOf(kafka, name)}`);
  return lines.sort();
}

async function digestOf(kafka, topic) {
  const consumer = kafka.consumer();
  const hashes = new Map();
  let count = 0;
  await consumer.assign([{ topic, offset: "earliest", endOffset: "latest" }]);
  for await (const { partition, offset, timestamp, key, value } of consumer) {
    count++;
    const hash = hashes.get(partition) ?? createHash("sha256");
    hashes.set(partition, hash.update(`${offset} ${timestamp} ${key} ${value};`));
  }
  await consumer.close();
  return [count, ...[...hashes].sort(([a], [b]) => a - b).map(([, hash]) => hash.digest("hex").slice(0, 16))].join(" ");
}

/** Keys that come once: compaction leaves them alone. */
async function write(kafka, topic, from, count) {
  const records = Array.from({ length: count }, (_, n) => ({
    topic,
    key: `key ${from + n}`,
    value: `value ${from + n}`,
  }));
  await kafka.producer().sendBatch(records);
}

function expectSame(expected, actual) {
  const missing = expected.filter((line) => !actual.includes(line));
  const extra = actual.filter((line) => !expected.includes(line));
  const told = [...missing.map((line) => `- ${line}`), ...extra.map((line) => `+ ${line}`)];
  expect(told.length === 0, told.join("\n"));
}

export const suite = {
  title: "metadata that changes hands",
  needs: ["java"],

  async run({ check, scratch }) {
    let copies = 0;
    const newBroker = async (kind) => {
      const dir = join(scratch, `metadata-${kind}-${copies++}`);
      mkdirSync(dir);
      return createBroker(kind, dir);
    };
    /** A broker of a kind on a copy of a directory for as long as `use` takes. @returns where the copy is */
    const onCopy = async (kind, from, use) => {
      const broker = await newBroker(kind);
      rmSync(broker.dataDir, { recursive: true, force: true });
      cpSync(from, broker.dataDir, { recursive: true });
      await during(broker, use);
      return broker.dataDir;
    };

    const kafka = await newBroker("apache"); // formatted by StorageTool, not started yet
    await check(
      "we start on a directory that StorageTool formatted --standalone, and it keeps its ids",
      () =>
        onCopy("samsa", kafka.dataDir, async (client, { dataDir }) => {
          await client.admin().createTopics([{ name: "made-here" }]);
          await write(client, "made-here", 0, 10);
          const { clusterId } = await client.admin().describeCluster();
          expect(clusterId === CLUSTER_ID, `the cluster is ${clusterId}`);
          const ids = (folder) =>
            readFileSync(join(folder, "meta.properties"), "utf8").match(/^directory\.id=.*$/m)?.[0];
          expect(ids(dataDir) === ids(kafka.dataDir), `the directory is ${ids(dataDir)}`);
        }),
      LIMIT_MS,
    );

    let state;
    await check(
      "Apache Kafka is told of topics, configurations, quotas and users",
      () =>
        during(kafka, async (client) => {
          await begin(client.admin());
          await write(client, "first", 0, 200);
          await write(client, "second", 0, 50);
          state = await settled(client, "user bob");
          expect(state.length >= 17, state.join("\n"));
        }),
      LIMIT_MS,
    );
    let ours;
    await check(
      "we find all of it, and change some",
      async () => {
        ours = await onCopy("samsa", kafka.dataDir, async (client) => {
          expectSame(state, await stateOf(client));
          await goOn(client.admin());
          await write(client, "first", 200, 100);
          await write(client, "third", 0, 30);
          state = await settled(client, "user cleo");
        });
      },
      LIMIT_MS,
    );
    await check(
      "and back: Apache Kafka finds what we left",
      () => onCopy("apache", ours, async (client) => expectSame(state, await stateOf(client))),
      LIMIT_MS,
    );
    await check(
      "Apache Kafka starts on a directory that we formatted --standalone",
      async () => {
        const other = await newBroker("apache");
        rmSync(other.dataDir, { recursive: true, force: true });
        const file = join(dirname(other.dataDir), "server.properties");
        const format = ["storage", "format", "-t", CLUSTER_ID, "-c", file, "--standalone"];
        await runProgram(process.execPath, [CLI, ...format]);
        await during(other, async (client) => {
          await client.admin().createTopics([{ name: "made-there" }]);
          await write(client, "made-there", 0, 10);
          const { clusterId } = await client.admin().describeCluster();
          expect(clusterId === CLUSTER_ID, `the cluster is ${clusterId}`);
        });
      },
      LIMIT_MS,
    );
  },
};

/** What a broker tells may be a moment behind what it has acknowledged. */
async function settled(client, last) {
  const attempt = async () => {
    const lines = await stateOf(client);
    expect(
      lines.some((line) => line.startsWith(last)),
      `no ${last} yet`,
    );
    return lines;
  };
  return until(attempt, { limitMs: SETTLE_MS, pauseMs: 100 });
}

/** A broker that runs for as long as `use` takes; stopped, not killed. */
async function during(broker, use) {
  try {
    await broker.start();
    const client = new Kafka({ bootstrapServers: broker.bootstrap });
    try {
      await use(client, broker);
    } finally {
      await client.close();
    }
    await broker.stop(60_000);
  } catch (error) {
    throw new Error(`${error.message}\nthe broker said last:\n${broker.lastWords()}`, { cause: error });
  } finally {
    await broker.kill();
  }
}
