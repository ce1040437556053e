// Compacted topics: what the cleaner leaves is read the same by everyone, here and by Apache Kafka on a copy of the files.
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { toolArguments } from "../apache-kafka/kafka.mjs";
import { until } from "../lib/bare-client.mjs";
import { createBroker } from "../lib/brokers.mjs";
import { expect } from "../lib/harness.mjs";
import { createKafkaJs, withAdmin } from "../lib/kafkajs.mjs";
import { runProgram } from "../lib/process.mjs";

const HERE = dirname(fileURLToPath(import.meta.url));
const GOLDEN = join(HERE, "../../packages/log/fixtures/compaction/golden.json.gz");
const CODECS = ["none", "gzip", "snappy", "lz4", "zstd"];
const KEYS = 200;
const ROUNDS = 3;
const RECORDS = 1500;
const SEGMENT_MS = 700; // after which the next record begins another segment
/** Logs with transactions, some aborted; written by hand, because a transaction wants a coordinator. */
const TRANSACTIONS = "random 02";
const SETTINGS = { "log.cleaner.backoff.ms": "200" };
const COMPLAINTS = [
  /isvalid: false/,
  /Mismatches in/,
  /Found (timestamp|out of order)/,
  /Found \d+ invalid/,
  /Exception/,
];

const topicOf = (codec) => `compaction-${codec}`;
const TRANSACTIONAL = topicOf("transactions");
const TOPICS = [...CODECS.map(topicOf), TRANSACTIONAL];

/** Offset, timestamp, key and value (-1 bytes: a tombstone) of every record that is left. */
async function readWithKcat(broker, topic, isolation) {
  const from = ["-C", "-t", topic, "-p", "0", "-o", "beginning", "-e", "-q", "-X", "check.crcs=true"];
  const format = ["-X", `isolation.level=${isolation}`, "-f", "%o %T %k %S %s\\n"];
  const { stdout } = await runProgram("kcat", ["-b", broker.bootstrap, ...from, ...format]);
  return stdout.trimEnd().split("\n");
}

async function readWithConsoleConsumer(broker, topic, isolation) {
  const from = ["--bootstrap-server", broker.bootstrap, "--topic", topic, "--partition", "0", "--offset", "earliest"];
  const until = ["--isolation-level", isolation, "--timeout-ms", "3000"];
  const shown = ["print.offset=true", "print.key=true", "print.timestamp=true", "key.separator= "];
  const format = shown.flatMap((property) => ["--formatter-property", property]);
  const args = toolArguments("org.apache.kafka.tools.consumer.ConsoleConsumer", [...from, ...until, ...format]);
  const { stdout } = await runProgram("java", args, { limitMs: 60_000 });
  return stdout.trimEnd().split("\n");
}

/** Random keys with values, a tombstone every now and then; what a plain map makes of it. */
async function produceRounds(broker, topic, codec, scratch) {
  const latest = new Map();
  let state = 7;
  const random = (below) => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) % below;
  for (let round = 0; round < ROUNDS; round++) {
    const lines = Array.from({ length: RECORDS }, (_, index) => {
      const key = `key-${random(2 ** 20) % KEYS}`;
      const value = random(2 ** 20) % 9 === 0 ? "" : `${topic} round ${round} line ${index} ${"x".repeat(index % 50)}`;
      latest.set(key, value);
      return `${key}:${value}`;
    });
    const file = join(scratch, `${topic}-${round}.txt`);
    writeFileSync(file, `${lines.join("\n")}\n`);
    const options = ["-z", codec, "-K", ":", "-Z", "-X", "batch.num.messages=100", "-l", file];
    await runProgram("kcat", ["-b", broker.bootstrap, "-P", "-t", topic, "-p", "0", ...options]);
    await sleep(SEGMENT_MS + 100);
  }
  // What is newest is not compacted: this record begins the last segment.
  const last = join(scratch, `${topic}-last.txt`);
  writeFileSync(last, "last:one\n");
  await runProgram("kcat", ["-b", broker.bootstrap, "-P", "-t", topic, "-p", "0", "-K", ":", "-l", last]);
  latest.set("last", "one");
  return latest;
}

/** The files of the topic with transactions, in the place of those of an empty one; the broker is stopped. */
function plantTransactions(broker) {
  const golden = JSON.parse(gunzipSync(readFileSync(GOLDEN)).toString());
  const pass = golden.find(({ name }) => name === TRANSACTIONS).passes.at(-1);
  const folder = join(broker.dataDir, `${TRANSACTIONAL}-0`);
  emptyFolder(folder);
  for (const [name, text] of Object.entries(pass.before))
    writeFileSync(join(folder, name), Buffer.from(text, "base64"));
}

function emptyFolder(folder) {
  for (const name of readdirSync(folder)) if (name !== "partition.metadata") rmSync(join(folder, name));
}

function cleanOffsets(broker) {
  const file = join(broker.dataDir, "cleaner-offset-checkpoint");
  if (!existsSync(file)) return new Map();
  const lines = readFileSync(file, "utf8").trimEnd().split("\n").slice(2);
  return new Map(lines.map((line) => [line.split(" ")[0], Number(line.split(" ")[2])]));
}

function filesOf(broker, topic, ending) {
  const folder = join(broker.dataDir, `${topic}-0`);
  const names = readdirSync(folder).filter((name) => name.endsWith(ending));
  return names.sort().map((name) => join(folder, name));
}

async function dump(files) {
  const args = ["--deep-iteration", "--files", files.join(",")];
  const { stdout, stderr } = await runProgram("java", toolArguments("org.apache.kafka.tools.DumpLogSegments", args));
  const complaint = `${stdout}\n${stderr}`.split("\n").find((line) => COMPLAINTS.some((pattern) => pattern.test(line)));
  expect(complaint === undefined, `DumpLogSegments says: ${complaint}`);
}

function expectSame(one, other, what) {
  const at = one.findIndex((line, index) => line !== other[index]);
  expect(
    at < 0 && one.length === other.length,
    `${what}: ${one.length} and ${other.length} records; ${one[at]} and ${other[at]}`,
  );
}

async function createTopics(broker, isCompacted) {
  const configEntries = [
    { name: "cleanup.policy", value: isCompacted ? "compact" : "delete" },
    { name: "retention.ms", value: "-1" },
    { name: "segment.ms", value: String(isCompacted ? SEGMENT_MS : 3_600_000) },
    { name: "min.cleanable.dirty.ratio", value: "0.01" },
    { name: "message.timestamp.before.max.ms", value: "9223372036854775807" },
  ];
  await withAdmin(createKafkaJs(broker.bootstrap), (admin) =>
    admin.createTopics({ topics: TOPICS.map((topic) => ({ topic, numPartitions: 1, configEntries })) }),
  );
}

export const suite = {
  title: "compaction",
  needs: ["kcat", "java"],

  async run({ check, startBroker, scratch }) {
    const broker = await startBroker(SETTINGS);
    await createTopics(broker, true);
    const latest = new Map();
    await Promise.all(
      CODECS.map(async (codec) =>
        latest.set(topicOf(codec), await produceRounds(broker, topicOf(codec), codec, scratch)),
      ),
    );
    await broker.stop();
    plantTransactions(broker);
    await broker.start();
    const readAll = async (from, isolation) =>
      new Map(await Promise.all(TOPICS.map(async (topic) => [topic, await readWithKcat(from, topic, isolation)])));

    await check("the cleaner reaches the end of the last whole segment of every topic", async () => {
      const total = ROUNDS * RECORDS;
      await until(
        () => {
          const clean = cleanOffsets(broker);
          const late = TOPICS.find((topic) => !((clean.get(topic) ?? 0) >= (topic === TRANSACTIONAL ? 1 : total)));
          if (late !== undefined) throw new Error(`${late} is clean up to ${clean.get(late)}`);
        },
        { limitMs: 60_000, pauseMs: 100 },
      );
    });
    const ours = await readAll(broker, "read_committed");
    const oursUncommitted = await readAll(broker, "read_uncommitted");
    for (const codec of CODECS) {
      await check(`the latest value of every key is left, once, and nothing else (${codec})`, async () => {
        const records = ours.get(topicOf(codec)).map((line) => /^\d+ \d+ (\S+) (-?\d+) ?(.*)$/.exec(line));
        const found = new Map(records.map(([, key, size, value]) => [key, size === "-1" ? "" : value]));
        expect(records.length === found.size, `${records.length} records of ${found.size} keys`);
        const wrong = [...latest.get(topicOf(codec))].find(([key, value]) => found.get(key) !== value);
        expect(wrong === undefined, `${wrong?.[0]} is ${found.get(wrong?.[0])}, not ${wrong?.[1]}`);
      });
    }
    await broker.stop();
    for (const ending of [".log", ".index", ".timeindex", ".txnindex"]) {
      await check(`DumpLogSegments passes over every ${ending} file`, async () => {
        const files = TOPICS.flatMap((topic) => filesOf(broker, topic, ending));
        expect(files.length > 0 || ending === ".txnindex", "no such file");
        if (files.length > 0) await dump(files);
      });
    }

    const dir = join(scratch, "apache");
    mkdirSync(dir);
    const apache = await createBroker("apache", dir, SETTINGS);
    try {
      await apache.start();
      await createTopics(apache, false);
      await apache.stop();
      for (const topic of TOPICS) {
        const folder = join(apache.dataDir, `${topic}-0`);
        emptyFolder(folder);
        for (const name of readdirSync(join(broker.dataDir, `${topic}-0`))) {
          if (name !== "partition.metadata") cpSync(join(broker.dataDir, `${topic}-0`, name), join(folder, name));
        }
      }
      await apache.start();
      await check("Apache Kafka reads the same records from a copy of the files", async () => {
        const [committed, all] = [await readAll(apache, "read_committed"), await readAll(apache, "read_uncommitted")];
        for (const topic of TOPICS) {
          expectSame(ours.get(topic), committed.get(topic), `${topic}, read_committed`);
          expectSame(oursUncommitted.get(topic), all.get(topic), `${topic}, read_uncommitted`);
        }
      });
      const theirs = await readWithConsoleConsumer(apache, TRANSACTIONAL, "read_committed");
      await apache.stop();
      await broker.start();
      await check("Apache Kafka's consumer reads the same from both, read_committed", async () => {
        const own = await readWithConsoleConsumer(broker, TRANSACTIONAL, "read_committed");
        expect(own.length > 1, "no records");
        expectSame(own, theirs, TRANSACTIONAL);
      });
    } finally {
      await apache.kill();
    }
  },
};
