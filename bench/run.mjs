#!/usr/bin/env node
// Benchmarks of whole processes, Samsa beside Apache Kafka in one run on one machine.
//
//   node bench/run.mjs [NAME ...] [--quick] [--rounds N] [--megabytes N] [--targets samsa,apache] [--save FILE]
//
// startup       from the start of the process on an empty directory to the first acknowledged record, asked for by the same small
//               probe; once with the directory being formatted in that time (Samsa does so at its first start, Apache Kafka with a
//               tool of its own), once with that left out
// embedded      the same of a broker within a process that runs already; of Samsa alone
// load          Java's ProducerPerformance writes 1 GB (--megabytes), kcat reads it back; how fast, and the memory and the CPU time of the
//               broker
// log-append    batches of 16 KiB (of 1 KiB and of 100 B records) and of 256 KiB, five in flight on one connection, acks=all
// log-catch-up  5 GB read from the first to the last record
// log-recovery  from SIGKILL with 1 GiB that was never synced to the first record
// log-startup   1,000 and 10,000 partitions: from the start of the process to a record in each topic
// log-compaction  a log of 1 GB (--megabytes), ten million records of a million keys, becomes a compacted one, with one cleaner
//               thread: until it is clean, and how long a small request takes meanwhile
// topics        a thousand topics: from the one request that makes them until each has taken a record
// requests      requests of one record, on one connection and on eight
// latency       requests of one record at 1,000 and 5,000 a second: to the answer; at 1,000 also to a reader at the end of the log. Once
//               paced by a thread that sleeps, as clients do, which is what the goals look at, and once by one that spins. Beside it
//               what a server takes that does nothing but answer: no broker in Node can be below
// groups        classic consumer groups: 3, 100 and 1,000 members come at once, and then one more; 1,000 members that only live; 10,000
//               groups of one member
// transactions  of 1, 100 and 10,000 records: how many a second, and how long a commit takes; beside it bare answers, as for latency
// client        (only when it is named) Kafka clients beside each other, against Apache Kafka and then Samsa; see client.mjs, which has
//               more options
//
// The log-* ones, requests and latency come from a generator in a process of its own, which sends what was built beforehand on bare
// sockets and shares nothing with either side. Each round warms up first. Apache Kafka has the heap of its own start script.
//
// The targets take turns, round by round, and in turn they are first, so that a busy machine is busy for both. --quick does a tenth of
// the work in one round: for seeing that it works, not for figures. Prints tables, the last of them what has a goal and whether it was reached. Ends by itself,
// and ends only what it started. Nothing is written unless --save names a file. Needs Java, Maven the first time, for `load` kcat as well, and 10 GB of disk.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fetchApacheKafka, missingForApacheKafka } from "../compat/apache-kafka/kafka.mjs";
import { programArguments } from "../scripts/lib/options.mjs";
import { ALL_CLIENT_WORKS, ALL_CLIENTS, benchmarkClients } from "./client.mjs";
import { printGoals } from "./lib/goals.mjs";
import { quietMachine } from "./lib/quiet-machine.mjs";
import { markdownOf, printTable, tableOf } from "./lib/table.mjs";
import { benchmarks as ofGroups } from "./groups.mjs";
import { benchmarks as ofCompaction } from "./log-compaction.mjs";
import { benchmarks as ofTheLog } from "./log.mjs";
import { benchmarks as ofProcesses } from "./process.mjs";
import { benchmarks as ofRequests } from "./requests.mjs";
import { benchmarks as ofTransactions } from "./transactions.mjs";

const BENCHMARKS = { ...ofProcesses, ...ofTheLog, ...ofCompaction, ...ofRequests, ...ofGroups, ...ofTransactions };
const CLIENT = "client";
const CLIENT_ROUNDS = 3;
const QUICK_SCALE = 0.1;
const GIB = 1024 ** 3;

async function measure(name, benchmark, { targets, rounds, ...context }) {
  const samples = Object.fromEntries(targets.map((target) => [target, []]));
  for (let round = 1; round <= rounds; round++) {
    for (const target of round % 2 === 1 ? targets : targets.toReversed()) {
      process.stderr.write(`${name}, round ${round} of ${rounds}: ${target}\n`);
      const work = mkdtempSync(join(tmpdir(), "samsa-bench-"));
      const dir = join(work, target);
      mkdirSync(dir);
      try {
        quietMachine(context);
        samples[target].push(await benchmark.measure({ ...context, target, dir }));
      } finally {
        rmSync(work, { recursive: true, force: true });
      }
    }
    if (benchmark.floor === undefined) continue;
    process.stderr.write(`${name}, round ${round} of ${rounds}: ${benchmark.floor.name}\n`);
    (samples.floor ??= []).push(await benchmark.floor.measure(context));
  }
  return tableOf(samples, targets);
}

async function main() {
  const { positionals, values } = programArguments({
    quick: { type: "boolean", default: false },
    rounds: { type: "string" },
    megabytes: { type: "string", default: "1000" },
    targets: { type: "string", default: "samsa,apache" },
    save: { type: "string" },
  });
  const names = positionals.length === 0 ? Object.keys(BENCHMARKS) : positionals;
  const unknown = names.find((name) => name !== CLIENT && BENCHMARKS[name] === undefined);
  if (unknown !== undefined)
    throw new Error(`no benchmark ${unknown}; there are ${[...Object.keys(BENCHMARKS), CLIENT].join(", ")}`);
  const targets = values.targets.split(",");
  if (targets.includes("apache") || names.includes("load")) {
    const missing = missingForApacheKafka();
    if (missing !== undefined) throw new Error(`Apache Kafka cannot run here: ${missing}`);
    fetchApacheKafka();
  }
  const running = new Set();
  for (const signal of ["SIGINT", "SIGTERM"]) {
    process.once(signal, () => void Promise.all([...running].map((b) => b.kill())).then(() => process.exit(130)));
  }
  const machine = `${availableParallelism()} cores, ${(totalmem() / GIB).toFixed(0)} GiB, node ${process.version}`;
  process.stdout.write(`${machine}\n\n`);
  const isQuick = values.quick;
  const scale = isQuick ? QUICK_SCALE : 1;
  const saved = { machine, isQuick, results: {} };
  const roundsOf = (usual) => (values.rounds === undefined ? (isQuick ? 1 : usual) : Number(values.rounds));
  for (const name of names.filter((one) => one !== CLIENT)) {
    const benchmark = BENCHMARKS[name];
    const rounds = roundsOf(benchmark.rounds);
    const context = { targets, rounds, running, isQuick, scale, megabytes: Number(values.megabytes) * scale };
    const rows = await measure(name, benchmark, context);
    printTable(name, rows, targets, rounds, benchmark.floor?.name);
    saved.results[name] = { rounds, rows };
  }
  if (Object.keys(saved.results).length > 0) {
    process.stdout.write(`${markdownOf(saved.results, targets)}\n\n`);
    printGoals(saved.results, targets);
  }
  if (names.includes(CLIENT)) {
    saved.client = [];
    for (const target of targets.toReversed()) {
      const what = { works: ALL_CLIENT_WORKS, clients: ALL_CLIENTS, target };
      saved.client.push(await benchmarkClients({ ...what, rounds: roundsOf(CLIENT_ROUNDS), scale }));
    }
  }
  if (values.save !== undefined) writeFileSync(values.save, `${JSON.stringify(saved, undefined, 2)}\n`);
}

try {
  await main();
} catch (error) {
  process.stderr.write(`bench: ${error.message}\n`);
  process.exit(1);
}
