#!/usr/bin/env node
// Other people's clients and tools against a broker of ours.
//
//   node compat/run.mjs [--only SUITE,...] [--full] [--seed N] [--target samsa|apache|apache-VERSION] [--keep] [--lanes N]
//
// --only     the suites named, by the names of the files in compat/suites
// --full     the long form: 200,000 hostile requests, 300 kills
// --seed     for the hostile requests; printed with them, so that a failure can be played again
// --target   what the suites are run against; "apache" shows that a suite asks for nothing Apache Kafka does not do, and
//            "apache-3.9.1" or "apache-2.8.2" that our client still speaks with an older one
// --keep     leaves the working directory, with the data and the log of each broker
// --lanes    how many suites run side by side: 2, or 1 where there is one core
//
// A suite is a file in compat/suites that exports `suite`: { title, needs, run }, and `alone: true` when it looks at times. It runs
// when what it needs is here, in a process of its own. In CI (the variable CI is set) a missing program is a failure.
import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath, pathToFileURL } from "node:url";
import { programOptions } from "../scripts/lib/options.mjs";
import { fetchApacheKafka, makeClassArchives, missingForApacheKafka, OLD_VERSIONS } from "./apache-kafka/kafka.mjs";
import { freePorts } from "./lib/brokers.mjs";
import { buildCorpus } from "./lib/corpus.mjs";
import { installClients } from "./lib/npm-clients.mjs";
import { Tally, say } from "./lib/harness.mjs";
import { missingForLibrdkafka } from "./lib/librdkafka.mjs";
import { hasProgram } from "./lib/process.mjs";

const HERE = dirname(fileURLToPath(import.meta.url));
const SUITES = join(HERE, "suites");
const RUN_SUITE = join(HERE, "run-suite.mjs");
const ROOT_MODULES = join(HERE, "../node_modules");
const OWN_MODULES = join(HERE, "node_modules");

/** What a suite can need, and what is missing when it is not here. */
const NEEDS = {
  kcat: () =>
    hasProgram("kcat", ["-V"]) ? undefined : "no kcat: install it (Debian and Ubuntu: kcat; Homebrew: kcat)",
  java: () => missingForApacheKafka(),
  librdkafka: () => missingForLibrdkafka(),
  "old java": () => missingForApacheKafka(OLD_VERSIONS),
};

function chosenSuites(only) {
  const all = readdirSync(SUITES)
    .filter((name) => name.endsWith(".mjs"))
    .map((name) => name.slice(0, -".mjs".length))
    .sort();
  if (only === undefined) return all;
  const wanted = only.split(",");
  const unknown = wanted.find((name) => !all.includes(name));
  if (unknown !== undefined) throw new Error(`no suite ${unknown}; there are ${all.join(", ")}`);
  return wanted;
}

/** What was chosen and can run here; the rest is said to be missing. */
async function runnableSuites(names, tally, isCi) {
  const runnable = [];
  for (const name of names) {
    const address = pathToFileURL(join(SUITES, `${name}.mjs`)).href;
    const { suite } = await import(address);
    const missing = suite.needs.map((need) => NEEDS[need]()).find((reason) => reason !== undefined);
    if (missing !== undefined) tally.skip(suite.title, missing, isCi);
    else runnable.push({ name, address, title: suite.title, needs: suite.needs, alone: suite.alone === true });
  }
  if (runnable.some(({ needs }) => needs.includes("java"))) {
    fetchApacheKafka();
    if (isCi) await makeClassArchives(await freePorts(2));
  }
  if (runnable.some(({ needs }) => needs.includes("old java"))) fetchApacheKafka(OLD_VERSIONS);
  return runnable;
}

/** Most suites wait for JVMs and for time-outs, so two side by side take little longer than one. */
async function runSuites(suites, { lanes, ...shared }) {
  for (const suite of suites.filter(({ alone }) => alone)) await runSuite(suite, shared);
  const waiting = suites.filter(({ alone }) => !alone);
  const lane = async () => {
    for (let suite = waiting.shift(); suite !== undefined; suite = waiting.shift()) await runSuite(suite, shared);
  };
  await Promise.all(Array.from({ length: lanes }, lane));
}

async function runSuite({ name, title, address }, { tally, work, ...job }) {
  const started = performance.now();
  const child = fork(RUN_SUITE, { serialization: "advanced", env: { ...process.env, SAMSA_COMPAT_JVM: "brief" } });
  running.add(child);
  child.send({ ...job, suite: address, scratch: join(work, name) });
  let result;
  child.on("message", (message) => (result = message));
  const [code, signal] = await once(child, "exit");
  running.delete(child);
  if (result !== undefined) tally.add(result);
  else
    await tally.check(title, "the suite runs to its end", () =>
      Promise.reject(new Error(`ended with ${signal ?? code}`)),
    );
  say(`time    ${name} took ${((performance.now() - started) / 1000).toFixed(0)} s`);
}

const running = new Set();

async function main() {
  const values = programOptions({
    only: { type: "string" },
    full: { type: "boolean", default: false },
    seed: { type: "string" },
    target: { type: "string", default: "samsa" },
    keep: { type: "boolean", default: false },
    lanes: { type: "string", default: String(Math.min(2, availableParallelism())) },
  });
  const isCi = process.env.CI !== undefined && process.env.CI !== "" && process.env.CI !== "false";
  const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(values.seed);
  const lanes = Number(values.lanes);
  if (!Number.isInteger(lanes) || lanes < 1) throw new Error(`--lanes takes a number from 1, not ${values.lanes}`);
  const names = chosenSuites(values.only);
  installClients();
  if (values.target === "apache") fetchApacheKafka();
  else if (values.target.startsWith("apache-")) fetchApacheKafka([values.target.slice("apache-".length)]);
  const work = mkdtempSync(join(tmpdir(), "samsa-compat-"));
  for (const signal of ["SIGINT", "SIGTERM"]) {
    process.once(signal, () => {
      for (const child of running) child.kill("SIGTERM");
      process.exit(130);
    });
  }
  const tally = new Tally();
  try {
    const file = join(work, "corpus.txt");
    const lines = buildCorpus([OWN_MODULES, ROOT_MODULES], file);
    const corpus = { file, lines, bytes: statSync(file).size };
    say(`${lines.length} lines, ${corpus.bytes} bytes of text; target ${values.target}; node ${process.version}`);
    const suites = await runnableSuites(names, tally, isCi);
    await runSuites(suites, { tally, lanes, work, corpus, seed, target: values.target, full: values.full });
  } finally {
    if (values.keep) say(`working directory: ${work}`);
    else rmSync(work, { recursive: true, force: true, maxRetries: 10 }); // a broker whose suite has died may still write
  }
  say(tally.summary());
  process.exit(tally.failed === 0 ? 0 : 1);
}

try {
  await main();
} catch (error) {
  process.stderr.write(`compat: ${error.message}\n`);
  process.exit(1);
}
