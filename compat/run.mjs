#!/usr/bin/env node
// Other people's clients and tools against a broker of ours.
//
//   node compat/run.mjs [--only SUITE,...] [--full] [--seed N] [--target samsa|apache|apache-VERSION] [--keep]
//
// --only     the suites named, by the names of the files in compat/suites
// --full     the long form: 200,000 hostile requests, 300 kills
// --seed     for the hostile requests; printed with them, so that a failure can be played again
// --target   what the suites are run against; "apache" shows that a suite asks for nothing Apache Kafka does not do, and
//            "apache-3.9.1" or "apache-2.8.2" that our client still speaks with an older one
// --keep     leaves the working directory, with the data and the log of each broker
//
// A suite is a file in compat/suites that exports `suite`: { title, needs, run }. It runs when what it needs is here. In CI
// (the variable CI is set) a missing program is a failure.
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { fetchApacheKafka, missingForApacheKafka, OLD_VERSIONS } from "./apache-kafka/kafka.mjs";
import { createBroker } from "./lib/brokers.mjs";
import { buildCorpus } from "./lib/corpus.mjs";
import { installClients } from "./lib/npm-clients.mjs";
import { Tally, readAllowList, say } from "./lib/harness.mjs";
import { missingForLibrdkafka } from "./lib/librdkafka.mjs";
import { hasProgram } from "./lib/process.mjs";

const HERE = dirname(fileURLToPath(import.meta.url));
const SUITES = join(HERE, "suites");
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

async function runSuite(name, { tally, target, corpus, work, full, seed, isCi }) {
  const { suite } = await import(pathToFileURL(join(SUITES, `${name}.mjs`)).href);
  const missing = suite.needs.map((need) => NEEDS[need]()).find((reason) => reason !== undefined);
  if (missing !== undefined) return tally.skip(suite.title, missing, isCi);
  const scratch = join(work, name);
  mkdirSync(scratch, { recursive: true });
  const brokers = [];
  const startBroker = async (settings, wanted = target) => {
    const dir = join(scratch, `broker-${brokers.length}`);
    mkdirSync(dir, { recursive: true });
    const broker = await createBroker(wanted, dir, settings);
    brokers.push(broker);
    running.add(broker);
    await broker.start();
    return broker;
  };
  const check = (...args) => tally.check(suite.title, ...args);
  try {
    if (suite.needs.includes("java")) fetchApacheKafka();
    if (suite.needs.includes("old java")) fetchApacheKafka(OLD_VERSIONS);
    await suite.run({ check, startBroker, corpus, scratch, full, seed, target });
    const gone = brokers.find((broker) => !broker.isRunning);
    await check("the broker still runs at the end", async () => {
      if (gone !== undefined) throw new Error(`it is gone. Its last words:\n${gone.lastWords()}`);
    });
  } catch (error) {
    await check("the suite runs to its end", () => Promise.reject(error));
  } finally {
    for (const broker of brokers) {
      await broker.kill();
      running.delete(broker);
    }
  }
}

const running = new Set();

async function main() {
  const { values } = parseArgs({
    options: {
      only: { type: "string" },
      full: { type: "boolean", default: false },
      seed: { type: "string" },
      target: { type: "string", default: "samsa" },
      keep: { type: "boolean", default: false },
    },
  });
  const isCi = process.env.CI !== undefined && process.env.CI !== "" && process.env.CI !== "false";
  const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(values.seed);
  const suites = chosenSuites(values.only);
  installClients();
  if (values.target === "apache") fetchApacheKafka();
  else if (values.target.startsWith("apache-")) fetchApacheKafka([values.target.slice("apache-".length)]);
  const work = mkdtempSync(join(tmpdir(), "samsa-compat-"));
  for (const signal of ["SIGINT", "SIGTERM"]) {
    process.once(signal, () => void Promise.all([...running].map((b) => b.kill())).then(() => process.exit(130)));
  }
  const tally = new Tally(values.target === "samsa" ? readAllowList(join(HERE, "allow-list.json")) : []);
  try {
    const file = join(work, "corpus.txt");
    const lines = buildCorpus([OWN_MODULES, ROOT_MODULES], file);
    const corpus = { file, lines, bytes: statSync(file).size };
    say(`${lines.length} lines, ${corpus.bytes} bytes of text; target ${values.target}; node ${process.version}`);
    for (const name of suites) {
      const started = performance.now();
      await runSuite(name, { tally, target: values.target, corpus, work, full: values.full, seed, isCi });
      say(`time    ${name} took ${((performance.now() - started) / 1000).toFixed(0)} s`);
    }
  } finally {
    if (values.keep) say(`working directory: ${work}`);
    else rmSync(work, { recursive: true, force: true });
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
