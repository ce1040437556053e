#!/usr/bin/env node
// Captures the golden segments of this folder from Apache Kafka, and what Kafka's own reader sees in them (expected.json).
//
//   node packages/protocol/test-fixtures/batches/capture.mjs [PORT]
//
// Runs one broker of Apache Kafka (compat/apache-kafka, which needs a JDK and Maven) on PORT and PORT + 1, default 19192. Takes
// about a minute; replaces the files.
import { spawn, spawnSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import {
  classpath,
  fetchApacheKafka,
  formatStorage,
  serverArguments,
  singleNodeProperties,
  writeProperties,
} from "../../../../compat/apache-kafka/kafka.mjs";

const HERE = dirname(fileURLToPath(import.meta.url));
const FIRST_SEGMENT = "00000000000000000000.log";
const TOPICS = "none gzip snappy lz4 zstd idempotent transactional log-append-time compacted".split(" ");

const port = Number(process.argv[2] ?? 19192);
const folder = mkdtempSync(join(tmpdir(), "samsa-batches-"));
const data = join(folder, "data");

fetchApacheKafka();
const properties = writeProperties(
  folder,
  singleNodeProperties(folder, port, {
    "log.cleaner.backoff.ms": "500",
    // snapshots of the metadata early, so that there is one to keep
    "metadata.log.max.record.bytes.between.snapshots": "3000",
  }),
);
formatStorage(properties, ["--standalone"]);
const broker = spawn("java", serverArguments(properties), { stdio: ["ignore", "inherit", "inherit"] });
try {
  await untilListening();
  capture("produce", `127.0.0.1:${port}`);
  await sleep(2000); // the age at which the segment of the compacted topic is rolled
  capture("overwrite", `127.0.0.1:${port}`);
  const compacted = join(data, "compacted-0", FIRST_SEGMENT);
  const sizeBefore = statSync(compacted).size;
  await until(() => existsSync(compacted) && statSync(compacted).size < sizeBefore, "the cleaner");
  await until(() => snapshots().length > 1, "a metadata snapshot");
} finally {
  broker.kill("SIGTERM");
  await new Promise((resolve) => broker.once("exit", resolve));
}

for (const name of readdirSync(HERE)) if (/\.(log|checkpoint)$/.test(name)) rmSync(join(HERE, name));
for (const topic of TOPICS) writeFileSync(join(HERE, `${topic}.log`), segments(`${topic}-0`));
writeFileSync(join(HERE, "metadata.log"), segments("__cluster_metadata-0"));
const [first, second] = snapshots();
copyFileSync(first, join(HERE, "metadata-first.checkpoint"));
copyFileSync(second, join(HERE, "metadata-second.checkpoint"));
capture("old", HERE);
const files = readdirSync(HERE).filter((name) => /\.(log|checkpoint)$/.test(name) && !name.startsWith("magic-"));
writeFileSync(join(HERE, "expected.json"), capture("describe", ...files.map((name) => join(HERE, name))));
rmSync(folder, { recursive: true });
for (const name of readdirSync(HERE)) process.stdout.write(`${statSync(join(HERE, name)).size}\t${name}\n`);

/** Runs Capture.java from its source; returns what it printed. */
function capture(...args) {
  const quiet = "-Dorg.slf4j.simpleLogger.defaultLogLevel=error";
  const run = spawnSync("java", ["-Xmx256m", quiet, "-cp", classpath("server"), join(HERE, "Capture.java"), ...args], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
    maxBuffer: 2 ** 26,
  });
  if (run.status !== 0) throw new Error(`Capture.java ${args[0]} failed`);
  return run.stdout;
}

/** All segments of a partition, one after the other: a batch far in time from the one before it begins a new one. */
function segments(partition) {
  const names = readdirSync(join(data, partition)).filter((name) => name.endsWith(".log"));
  return Buffer.concat(names.toSorted().map((name) => readFileSync(join(data, partition, name))));
}

/** The finished snapshots of the metadata, oldest first. */
function snapshots() {
  const log = join(data, "__cluster_metadata-0");
  const names = readdirSync(log).filter((name) => name.endsWith(".checkpoint"));
  return names.toSorted().map((name) => join(log, name));
}

async function untilListening() {
  await until(() => {
    if (broker.exitCode !== null) throw new Error("the broker did not start");
    return new Promise((resolve) => {
      const socket = connect(port, "127.0.0.1", () => resolve(true));
      socket.on("error", () => resolve(false)).on("connect", () => socket.destroy());
    });
  }, "the broker");
}

async function until(condition, what) {
  for (let attempt = 0; attempt < 240; attempt++) {
    if (await condition()) return;
    await sleep(250);
  }
  throw new Error(`${what} did not come`);
}
