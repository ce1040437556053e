#!/usr/bin/env node
// Kafka clients side by side: each in a process of its own, against the same broker, in turns, round by round.
//
//   node bench/client.mjs [--rounds N] [--works alone,each,each-100,produce-1k,consume,...]
//                         [--clients samsa,platformatic,kafkajs,librdkafka,java]
//                         [--broker apache|samsa] [--scale F] [--save FILE]
//
// --works    by name, or by how their names begin; see WORKS
//
// librdkafka is measured through kcat, which reads the records from a file; Java through ProducerPerformance. Both say what they
// do per second over a whole process, so they get enough records for their start not to count. One topic with one partition.
import { createWriteStream, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { fetchApacheKafka, toolArguments } from "../compat/apache-kafka/kafka.mjs";
import { BareClient, until } from "../compat/lib/bare-client.mjs";
import { createBroker } from "../compat/lib/brokers.mjs";
import { hasProgram, runProgram } from "../compat/lib/process.mjs";
import { RawClient } from "../compat/lib/raw-client.mjs";
import { programOptions } from "../scripts/lib/options.mjs";
import { printClientGoals } from "./lib/client-goals.mjs";
import { generate } from "./lib/generate.mjs";
import { quietDisk } from "./lib/quiet-machine.mjs";

const LIMIT = { limitMs: 300_000 };
const WARM_UP_MS = 5000;

/**
 * A promise for each record, and the next of a caller when it has come true: the fewer callers, the more it is the broker that is waited
 * for. Beside it what batches do that their caller has put together.
 */
function eachAwaited(lanes) {
  const callers = lanes.toLocaleString("en");
  const work = {
    title: `produce 100 bytes, a promise for each, ${callers} callers (records/s)`,
    bytes: 100,
    figure: "recordsPerSecond",
    lanes,
    of: {
      // So many that each client is at work for about as long, and V8 has compiled what it will (decision 33).
      samsa: { "": ["produce, each awaited", 1_000_000] },
      platformatic: { "": ["produce, each awaited", 50_000] },
      kafkajs: { "": ["produce, each awaited", 30_000] },
      "platformatic, batches": { platformatic: ["produce, batches", 1_000_000] },
    },
  };
  return [`each-${lanes}`, work];
}

/** What each work is to each client: how many records, and which of the client's ways. */
const WORKS = {
  "produce-100": {
    title: "produce 100 bytes, acks=all (records/s)",
    bytes: 100,
    figure: "recordsPerSecond",
    of: {
      samsa: { "": ["produce, callback", 2_000_000] },
      "samsa, sendBatch": { samsa: ["produce, batches", 2_000_000] },
      "samsa, default options": { samsa: ["produce, callback, as configured by default", 1_000_000] },
      platformatic: { "": ["produce, batches", 1_000_000] },
      kafkajs: { "": ["produce, batches", 300_000] },
      librdkafka: { "": ["", 4_000_000] },
      java: { "": ["", 2_000_000] },
    },
  },
  "produce-1k": {
    title: "produce 1 KiB, acks=all (records/s)",
    bytes: 1024,
    figure: "recordsPerSecond",
    of: {
      samsa: { "": ["produce, callback", 500_000] },
      platformatic: { "": ["produce, batches", 300_000] },
      kafkajs: { "": ["produce, batches", 100_000] },
      librdkafka: { "": ["", 700_000] },
      java: { "": ["", 300_000] },
    },
  },
  ...Object.fromEntries([eachAwaited(100), eachAwaited(1000), eachAwaited(10_000)]),
  "each-together": {
    title: "produce 100 bytes, a promise for each, 1,000 at once (records/s)",
    bytes: 100,
    figure: "recordsPerSecond",
    of: {
      samsa: { "": ["produce, a thousand at once", 1_000_000] },
      platformatic: { "": ["produce, a thousand at once", 50_000] },
      kafkajs: { "": ["produce, a thousand at once", 30_000] },
      "platformatic, batches": { platformatic: ["produce, batches", 1_000_000] },
    },
  },
  alone: {
    title: "a lone send of 100 bytes (ms)",
    bytes: 100,
    figure: "p50Ms",
    more: ["p99Ms"],
    of: {
      // So many that V8 has compiled what it will: until then its threads are what the slowest hundredth waits for (decision 33).
      samsa: { "": ["produce, alone", 20_000] },
      platformatic: { "": ["produce, alone", 20_000] },
      kafkajs: { "": ["produce, alone", 20_000] },
    },
  },
};

/** What is read was written before, the same for all; those that only know groups join one first, which is not timed. */
const READ = {
  "consume-100": {
    title: "consume 100 bytes (records/s)",
    bytes: 100,
    figure: "recordsPerSecond",
    filled: 4_600_000,
    of: {
      samsa: { "": ["consume, batches", 4_000_000] },
      "samsa, a record at a time": { samsa: ["consume, records", 4_000_000] },
      platformatic: { "": ["consume, records", 500_000] },
      kafkajs: { "": ["consume, batches", 1_000_000] },
      librdkafka: { "": ["consume", 4_600_000] },
      java: { "": ["consume", 4_600_000] },
    },
  },
  "consume-1k": {
    title: "consume 1 KiB (records/s)",
    bytes: 1024,
    figure: "recordsPerSecond",
    filled: 1_150_000,
    of: {
      samsa: { "": ["consume, batches", 1_000_000] },
      "samsa, a record at a time": { samsa: ["consume, records", 1_000_000] },
      platformatic: { "": ["consume, records", 300_000] },
      kafkajs: { "": ["consume, batches", 300_000] },
      librdkafka: { "": ["consume", 1_150_000] },
      java: { "": ["consume", 1_150_000] },
    },
  },
  memory: {
    title: "memory at its highest while 10 GB are consumed (MiB)",
    bytes: 1024,
    figure: "peakMiB",
    filled: 1_000_000,
    of: { samsa: { "": ["consume, again and again", 9_000_000] } },
  },
  idle: {
    title: "memory with 1,000 idle partitions (MiB)",
    bytes: 100,
    figure: "memoryMiB",
    partitions: 1000,
    of: { samsa: { "": ["consume, nothing", 10] } },
  },
};
Object.assign(WORKS, READ);

export const ALL_CLIENT_WORKS = Object.keys(WORKS);
/** `each` is `each-100` and the others that begin so. */
export function worksNamed(wanted) {
  const names = ALL_CLIENT_WORKS.filter((name) => name === wanted || name.startsWith(`${wanted}-`));
  if (names.length === 0) throw new Error(`no work ${wanted}; there are ${ALL_CLIENT_WORKS.join(", ")}`);
  return names;
}

export const ALL_CLIENTS = ["samsa", "platformatic", "kafkajs", "librdkafka", "java"];

const here = (name) => fileURLToPath(new URL(`client/${name}.mjs`, import.meta.url));

async function measureNode(name, job) {
  const { stdout } = await runProgram(process.execPath, [here(name), JSON.stringify(job)], LIMIT);
  return JSON.parse(stdout.trim().split("\n").at(-1));
}

async function measureLibrdkafka(job, dir) {
  const file = join(dir, `lines-${job.bytes}-${job.records}`);
  await writeLines(file, job.records, job.bytes);
  const options = ["-X", "acks=all", "-X", "enable.idempotence=true", "-X", "queue.buffering.max.messages=1000000"];
  const begun = performance.now();
  await runProgram("kcat", ["-b", job.bootstrap, "-P", "-t", job.topic, "-p", "0", ...options, "-l", file], LIMIT);
  const recordsPerSecond = job.records / ((performance.now() - begun) / 1000);
  rmSync(file);
  return { recordsPerSecond };
}

async function writeLines(file, count, bytes) {
  const block = `${"x".repeat(bytes)}\n`.repeat(1000);
  const stream = createWriteStream(file);
  for (let written = 0; written < count; written += 1000) {
    if (!stream.write(block)) await new Promise((resolve) => stream.once("drain", resolve));
  }
  await new Promise((resolve) => stream.end(resolve));
}

async function measureJava(job) {
  const { topic, records, bytes, bootstrap } = job;
  const what = [
    "--topic",
    topic,
    "--num-records",
    String(records),
    "--record-size",
    String(bytes),
    "--throughput",
    "-1",
  ];
  const how = [
    "--bootstrap-server",
    bootstrap,
    "--command-property",
    "acks=all",
    "--command-property",
    "batch.size=1000000",
  ];
  const tool = toolArguments("org.apache.kafka.tools.ProducerPerformance", [...what, ...how]);
  const { stdout } = await runProgram("java", tool, LIMIT);
  const found = /([\d.]+) records\/sec/.exec(stdout.trim().split("\n").at(-1));
  if (found === null) throw new Error(`ProducerPerformance said: ${stdout}`);
  return { recordsPerSecond: Number(found[1]) };
}

/** Its start is a part of it: it says nothing of its own speed. */
async function readWithLibrdkafka({ bootstrap, topic, records }) {
  const begun = performance.now();
  const args = ["-b", bootstrap, "-C", "-t", topic, "-p", "0", "-o", "beginning", "-e", "-q"];
  await runProgram("kcat", args, { ...LIMIT, outputFile: "/dev/null" });
  return { recordsPerSecond: records / ((performance.now() - begun) / 1000) };
}

/** What it calls fetching: without the time in which its group was formed. */
async function readWithJava({ bootstrap, topic, records }) {
  const what = ["--bootstrap-server", bootstrap, "--topic", topic, "--num-records", String(records), "--hide-header"];
  const tool = toolArguments("org.apache.kafka.tools.ConsumerPerformance", what);
  const { stdout } = await runProgram("java", tool, LIMIT);
  const rate = Number(stdout.trim().split("\n").at(-1).split(",").at(-1));
  if (Number.isNaN(rate)) throw new Error(`ConsumerPerformance said: ${stdout}`);
  return { recordsPerSecond: rate };
}

function measure(client, job, dir) {
  const isReading = job.work === "consume";
  if (client === "librdkafka") return isReading ? readWithLibrdkafka(job) : measureLibrdkafka(job, dir);
  if (client === "java") return isReading ? readWithJava(job) : measureJava(job);
  return measureNode(client, job);
}

/** The rows of a work: how each client is called, and what it is told. */
function rowsOf(work, clients, scale) {
  return Object.entries(work.of).flatMap(([label, ways]) => {
    const [[name, [way, records, lanes = work.lanes ?? 1]]] = Object.entries(ways);
    const client = name === "" ? label : name;
    if (!clients.includes(client)) return [];
    return [{ label, client, job: { work: way, records: Math.ceil(records * scale), bytes: work.bytes, lanes } }];
  });
}

/** @returns what was measured, the machine and the works with their rows */
export async function benchmarkClients({ rounds, works, clients: wanted, target, scale }) {
  const isHere = { librdkafka: () => hasProgram("kcat", ["-V"]), java: () => hasProgram("java", ["-version"]) };
  const clients = wanted.filter((client) => isHere[client]?.() ?? true);
  const dir = mkdtempSync(join(tmpdir(), "samsa-bench-"));
  mkdirSync(join(dir, target));
  const broker = await createBroker(target, join(dir, target));
  const saved = { machine: machine(), target, rounds, scale, works: {} };
  process.stdout.write(`${saved.machine}, against ${target === "apache" ? "Apache Kafka" : "Samsa"}\n`);
  const stop = () => void broker.kill().then(() => process.exit(130));
  for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, stop);
  try {
    await broker.start();
    for (const name of works) {
      const work = WORKS[name];
      const rows = rowsOf(work, clients, scale).map((row) => ({ ...row, samples: [] }));
      if (!(name in READ)) await warm(broker, name);
      if (work.filled !== undefined) await fill(broker, name, work, scale);
      if (work.partitions !== undefined) await createPartitions(broker, name, work.partitions);
      for (let round = 1; round <= rounds; round++) {
        // Whoever goes first finds another broker and another disk than whoever goes last.
        for (const row of round % 2 === 0 ? rows.toReversed() : rows) {
          process.stderr.write(`${name}, round ${round} of ${rounds}: ${row.label}\n`);
          const isRead = name in READ;
          const topic = isRead ? name : `${name}-${row.label.replaceAll(/[^a-z0-9]+/gi, "-")}-${round}`;
          if (!isRead) await createTopic(broker, topic);
          row.samples.push(await measure(row.client, { ...row.job, topic, bootstrap: broker.bootstrap }, dir));
        }
      }
      saved.works[name] = print(work, rows);
    }
  } finally {
    await broker.kill();
    rmSync(dir, { recursive: true, force: true });
  }
  printClientGoals(saved.works, target);
  return saved;
}

async function createTopic(broker, topic) {
  const client = await BareClient.connect(broker.port);
  try {
    await until(() => client.createTopicByAsking(topic), { limitMs: 20_000 });
    await until(() => client.produce(topic, "first", Date.now()), { limitMs: 20_000 });
  } finally {
    client.close();
  }
}

/** Sends records one by one for a while: a broker that runs on a JVM is slow until that has compiled it, and that would be the first client's. */
async function warm(broker, name) {
  const topic = `${name}-warm-up`;
  await createPartitions(broker, topic, 1);
  const job = { port: broker.port, topic, partitions: 1, inFlight: 1, batchBytes: 200, recordBytes: 100 };
  await generate({ ...job, kind: "produce", warmMs: 0, ms: WARM_UP_MS });
}

/**
 * Writes what is to be read, in batches as large as busy producers make them, and reads it once: whichever client comes first finds the
 * broker as warm and the disk as quiet as the others do.
 */
async function fill(broker, topic, { bytes, filled }, scale) {
  await createPartitions(broker, topic, 1);
  const overhead = 9 + (bytes > 127 ? 2 : 0); // of a record within a batch, at most
  const job = { port: broker.port, topic, batchBytes: 200_000, recordBytes: bytes };
  const written = filled * scale * (bytes + overhead);
  await generate({ ...job, kind: "produce", partitions: 1, warmBytes: 0, bytes: written });
  const client = await RawClient.connect(broker.port);
  const { offset } = await client.listOffset(topic, 0, -1);
  client.close();
  quietDisk();
  await generate({ ...job, kind: "fetch", endOffsets: [offset], maxBytes: 2 ** 20 });
}

async function createPartitions(broker, name, partitions) {
  const client = await RawClient.connect(broker.port);
  await client.createTopics([{ name, partitions }]);
  client.close();
}

function machine() {
  const memory = (totalmem() / 2 ** 30).toFixed(0);
  return `${availableParallelism()} cores, ${memory} GiB, node ${process.version}`;
}

/** Prints least, median and most of each client, and how many times the others' median the first one's is. */
function print(work, rows) {
  const figures = [work.figure, ...(work.more ?? [])];
  const lines = [];
  for (const figure of figures) {
    const title = figures.length > 1 ? `${work.title}, ${figure.replace("Ms", "")}` : work.title;
    const head = [title, "min", "median", "max", "ratio of ours", "cpu µs/record"];
    const spreads = rows.map(({ samples }) => spreadOf(samples.map((sample) => sample[figure])));
    const ours = spreads[0]?.median;
    const table = rows.map(({ label, samples }, i) => {
      const { min, median, max } = spreads[i];
      const cpu = spreadOf(samples.map(({ cpuMicrosPerRecord }) => cpuMicrosPerRecord)).median;
      return [label, format(min), format(median), format(max), (ours / median).toFixed(2), cpu?.toFixed(2) ?? ""];
    });
    const widths = head.map((_, column) => Math.max(...[head, ...table].map((row) => row[column].length)));
    for (const row of [head, ...table]) {
      const cells = row.map((text, i) => (i === 0 ? text.padEnd(widths[i]) : text.padStart(widths[i])));
      process.stdout.write(`${cells.join("   ")}\n`);
    }
    process.stdout.write("\n");
    lines.push(...rows.map(({ label }, i) => ({ label, figure, ...spreads[i] })));
  }
  return lines;
}

function spreadOf(values) {
  const sorted = values.filter((value) => value !== undefined).toSorted((a, b) => a - b);
  return { min: sorted[0], median: sorted[sorted.length >> 1], max: sorted.at(-1) };
}

function format(value) {
  if (value === undefined) return "-";
  return value >= 1000 ? Math.round(value).toLocaleString("en") : value.toPrecision(3);
}

async function main() {
  const values = programOptions({
    rounds: { type: "string", default: "3" },
    works: { type: "string", default: ALL_CLIENT_WORKS.join(",") },
    clients: { type: "string", default: ALL_CLIENTS.join(",") },
    broker: { type: "string", default: "apache" },
    scale: { type: "string", default: "1" },
    save: { type: "string" },
  });
  fetchApacheKafka();
  const saved = await benchmarkClients({
    rounds: Number(values.rounds),
    works: values.works.split(",").flatMap(worksNamed),
    clients: values.clients.split(","),
    target: values.broker,
    scale: Number(values.scale),
  });
  if (values.save !== undefined) writeFileSync(values.save, `${JSON.stringify(saved, undefined, 2)}\n`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    await main();
  } catch (error) {
    process.stderr.write(`bench: ${error.message}\n`);
    process.exit(1);
  }
}
