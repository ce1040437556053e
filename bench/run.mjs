#!/usr/bin/env node
// Whole-process benchmarks, Samsa beside Apache Kafka in one run on one machine.
//
//   node bench/run.mjs [--only startup,load] [--rounds N] [--megabytes N] [--targets samsa,apache] [--save FILE]
//
// startup   from the start of the process on an empty directory to the first acknowledged record, asked for by the same small
//           probe; once with the directory being formatted in that time (Samsa does so at its first start, Apache Kafka with a
//           tool of its own), once with that left out
// load      Java's ProducerPerformance writes 1 GB, kcat reads it back; how fast, and the memory of the broker process
//
// The targets take turns, round by round, so that a busy machine is busy for both. Prints tables, ends by itself, and ends only
// what it started. Nothing is written unless --save names a file. Needs Java, Maven the first time, and kcat for reading.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { fetchApacheKafka, missingForApacheKafka, toolArguments } from "../compat/apache-kafka/kafka.mjs";
import { BareClient, until } from "../compat/lib/bare-client.mjs";
import { createBroker } from "../compat/lib/brokers.mjs";
import { hasProgram, runProgram } from "../compat/lib/process.mjs";

const RECORD_BYTES = 1024;
const MIB = 1024 * 1024;
const SETTLE_MS = 5000;
const TOPIC = "bench";

/** Creates the directory, starts the process, and gets one record acknowledged. */
async function measureStartup(target, dir) {
  const begun = performance.now();
  const broker = await createBroker(target, dir);
  running.add(broker);
  const formatted = performance.now();
  broker.spawn();
  const stopIf = () => (broker.isRunning ? undefined : `the broker ended:\n${broker.lastWords()}`);
  const options = { limitMs: 60_000, pauseMs: 5, stopIf };
  try {
    await until(async () => {
      const client = await BareClient.connect(broker.port);
      try {
        await until(() => client.createTopicByAsking(TOPIC), { ...options, limitMs: 5000 });
        await until(() => client.produce(TOPIC, "first", Date.now()), { ...options, limitMs: 5000 });
      } finally {
        client.close();
      }
    }, options);
    const acknowledged = performance.now();
    return {
      "first record, directory formatted before (ms)": acknowledged - formatted,
      "first record, formatting included (ms)": acknowledged - begun,
      "memory then (MiB)": broker.memory() / MIB,
    };
  } finally {
    await broker.kill();
    running.delete(broker);
  }
}

/** Writes and reads a gigabyte (or what was asked for). */
async function measureLoad(target, dir, megabytes) {
  const broker = await createBroker(target, dir);
  running.add(broker);
  try {
    await broker.start();
    const client = await BareClient.connect(broker.port);
    await until(() => client.createTopicByAsking(TOPIC), { limitMs: 20_000 });
    await until(() => client.produce(TOPIC, "warm", Date.now()), { limitMs: 20_000 });
    client.close();
    const memoryBefore = broker.memory();
    const records = Math.round((megabytes * 1_000_000) / RECORD_BYTES);
    const producer = ["--bootstrap-server", broker.bootstrap, "--topic", TOPIC, "--num-records", String(records)];
    const more = ["--record-size", String(RECORD_BYTES), "--throughput", "-1", "--command-property", "acks=all"];
    const { stdout } = await runProgram(
      "java",
      toolArguments("org.apache.kafka.tools.ProducerPerformance", [...producer, ...more]),
      { limitMs: 600_000 },
    );
    const summary = stdout.trim().split("\n").at(-1);
    const found =
      /([\d.]+) records\/sec \(([\d.]+) MB\/sec\), ([\d.]+) ms avg latency, ([\d.]+) ms max.*? (\d+) ms 99th/.exec(
        summary,
      );
    if (found === null) throw new Error(`ProducerPerformance said: ${summary}`);
    const peak = broker.memory("VmHWM");
    await sleep(SETTLE_MS);
    const settled = broker.memory();
    const results = {
      "produce (MiB/s)": Number(found[2]),
      "produce, mean latency (ms)": Number(found[3]),
      "produce, 99th percentile (ms)": Number(found[5]),
    };
    if (hasProgram("kcat", ["-V"])) {
      const from = ["-C", "-t", TOPIC, "-p", "0", "-o", "beginning", "-e", "-q", "-X", "check.crcs=false"];
      const begun = performance.now();
      await runProgram("kcat", ["-b", broker.bootstrap, ...from], { outputFile: "/dev/null", limitMs: 600_000 });
      results["consume with kcat (MiB/s)"] = (records * RECORD_BYTES) / MIB / ((performance.now() - begun) / 1000);
    }
    return {
      ...results,
      "memory before (MiB)": memoryBefore / MIB,
      "memory at its highest while written (MiB)": peak / MIB,
      [`memory ${SETTLE_MS / 1000} s after ${megabytes} MB were written (MiB)`]: settled / MIB,
      "memory after they were read (MiB)": broker.memory() / MIB,
    };
  } finally {
    await broker.kill();
    running.delete(broker);
  }
}

function median(sorted) {
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** min / median / max of every figure for each target, and the ratio of the medians (first target to second). */
function tableOf(samples, targets) {
  const names = [...new Set(targets.flatMap((target) => samples[target].flatMap((sample) => Object.keys(sample))))];
  return names.map((name) => {
    const row = { name };
    const medians = targets.map((target) => {
      const values = samples[target].map((sample) => sample[name]).filter((value) => value !== undefined);
      values.sort((a, b) => a - b);
      if (values.length === 0) return undefined;
      row[target] = { min: values[0], median: median(values), max: values.at(-1) };
      return row[target].median;
    });
    if (medians.length === 2 && medians.every((value) => value !== undefined)) row.ratio = medians[0] / medians[1];
    return row;
  });
}

function print(title, rows, targets, rounds) {
  const figure = (value) => (value >= 100 ? value.toFixed(0) : value.toFixed(1));
  const cell = (spread) =>
    spread === undefined ? "-" : `${figure(spread.min)} / ${figure(spread.median)} / ${figure(spread.max)}`;
  const head = [`${title}, ${rounds} rounds: min / median / max`, ...targets, "ratio"];
  const lines = rows.map((row) => [row.name, ...targets.map((t) => cell(row[t])), row.ratio?.toFixed(2) ?? ""]);
  const widths = head.map((_, i) => Math.max(...[head, ...lines].map((line) => line[i].length)));
  for (const line of [head, ...lines]) {
    const cells = line.map((text, i) => (i === 0 ? text.padEnd(widths[i]) : text.padStart(widths[i])));
    process.stdout.write(`${cells.join("   ")}\n`);
  }
  process.stdout.write("\n");
}

const running = new Set();

async function main() {
  const { values } = parseArgs({
    options: {
      only: { type: "string", default: "startup,load" },
      rounds: { type: "string" },
      megabytes: { type: "string", default: "1000" },
      targets: { type: "string", default: "samsa,apache" },
      save: { type: "string" },
    },
  });
  const targets = values.targets.split(",");
  const missing = missingForApacheKafka();
  if (missing !== undefined) throw new Error(`Apache Kafka and the load generator cannot run here: ${missing}`);
  fetchApacheKafka();
  const megabytes = Number(values.megabytes);
  const benchmarks = {
    startup: { rounds: 5, measure: measureStartup },
    load: { rounds: 3, measure: (target, dir) => measureLoad(target, dir, megabytes) },
  };
  for (const signal of ["SIGINT", "SIGTERM"]) {
    process.once(signal, () => void Promise.all([...running].map((b) => b.kill())).then(() => process.exit(130)));
  }
  const machine = `${availableParallelism()} cores, ${(totalmem() / 1024 / MIB).toFixed(0)} GiB, node ${process.version}`;
  process.stdout.write(`${machine}\n\n`);
  const saved = { machine, megabytes, results: {} };
  for (const name of values.only.split(",")) {
    const benchmark = benchmarks[name];
    if (benchmark === undefined)
      throw new Error(`no benchmark ${name}; there are ${Object.keys(benchmarks).join(", ")}`);
    const rounds = values.rounds === undefined ? benchmark.rounds : Number(values.rounds);
    const samples = Object.fromEntries(targets.map((target) => [target, []]));
    for (let round = 1; round <= rounds; round++) {
      for (const target of targets) {
        process.stderr.write(`${name}, round ${round} of ${rounds}: ${target}\n`);
        const work = mkdtempSync(join(tmpdir(), "samsa-bench-"));
        const dir = join(work, target);
        mkdirSync(dir);
        try {
          samples[target].push(await benchmark.measure(target, dir));
        } finally {
          rmSync(work, { recursive: true, force: true });
        }
      }
    }
    const rows = tableOf(samples, targets);
    print(name, rows, targets, rounds);
    saved.results[name] = { rounds, rows };
  }
  if (values.save !== undefined) writeFileSync(values.save, `${JSON.stringify(saved, undefined, 2)}\n`);
}

try {
  await main();
} catch (error) {
  process.stderr.write(`bench: ${error.message}\n`);
  process.exit(1);
}
