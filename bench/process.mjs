// Whole processes under the tools people use: from the start to the first record, a gigabyte in and out.
import { setTimeout as sleep } from "node:timers/promises";
import { toolArguments } from "../compat/apache-kafka/kafka.mjs";
import { BareClient, until } from "../compat/lib/bare-client.mjs";
import { createBroker } from "../compat/lib/brokers.mjs";
import { hasProgram, runProgram } from "../compat/lib/process.mjs";
import { generate } from "./lib/generate.mjs";
import { cpuSeconds } from "./lib/measures.mjs";

const RECORD_BYTES = 1024;
const MIB = 1024 * 1024;
const SETTLE_MS = 5000;
const TOPIC = "bench";

/** Creates the directory, starts the process, and gets one record acknowledged. */
async function measureStartup({ target, dir, running }) {
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

/** A broker within a process that runs already. Apache Kafka has nothing like it. */
async function measureEmbedded({ target }) {
  if (target !== "samsa") return {};
  const { loadMs, firstMs, nextMs } = await generate({}, "embedded.mjs");
  return {
    "embedded, loading the package (ms)": loadMs,
    "embedded, first record of the first broker of a process (ms)": firstMs,
    "embedded, first record of the next one (ms)": nextMs,
  };
}

/** Writes and reads a gigabyte (or what was asked for). */
async function measureLoad({ target, dir, running, megabytes }) {
  const broker = await createBroker(target, dir);
  running.add(broker);
  try {
    await broker.start();
    const client = await BareClient.connect(broker.port);
    await until(() => client.createTopicByAsking(TOPIC), { limitMs: 20_000 });
    await until(() => client.produce(TOPIC, "warm", Date.now()), { limitMs: 20_000 });
    client.close();
    const memoryBefore = broker.memory();
    const cpuBefore = cpuSeconds(broker.pid);
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
    const cpu = cpuSeconds(broker.pid) - cpuBefore;
    return {
      ...results,
      "CPU time per GB produced and consumed (s)": cpu / (megabytes / 1000),
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

export const benchmarks = {
  startup: { rounds: 5, measure: measureStartup },
  embedded: { rounds: 5, measure: measureEmbedded },
  load: { rounds: 3, measure: measureLoad },
};
