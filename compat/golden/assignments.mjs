#!/usr/bin/env node
// Captures what Java's assignors give the members of generated groups, as digests, into
// packages/client/test-fixtures/assignments. Needs Java (a JDK) and Maven, and the packages built.
//
//   node compat/golden/assignments.mjs               all of them
//   node compat/golden/assignments.mjs --case N      one, in full, on stdout
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { assignorCase, caseAsText } from "../../packages/client/dist/testing/assignor-cases.js";
import { programOptions } from "../../scripts/lib/options.mjs";
import { classpath, fetchApacheKafka } from "../apache-kafka/kafka.mjs";

const HERE = dirname(fileURLToPath(import.meta.url));
const TARGET = join(HERE, "../../packages/client/test-fixtures/assignments");
const CASES = 1100; // so that a thousand are left without the faults that Java's sticky assignors have

const values = programOptions({ case: { type: "string" } });
const one = values.case === undefined ? undefined : Number(values.case);
const numbers = one === undefined ? Array.from({ length: CASES }, (_, i) => i) : [one];
const input = numbers.map((number) => `${caseAsText(assignorCase(number))}\n`).join("");
fetchApacheKafka();
const program = [join(HERE, "Assignments.java"), ...(one === undefined ? [] : ["in full"])];
const run = spawnSync(
  "java",
  ["-Dorg.slf4j.simpleLogger.defaultLogLevel=off", "-cp", classpath("server"), ...program],
  { input, encoding: "utf8", maxBuffer: 1e8 },
);
if (run.status !== 0) throw new Error(run.stderr);
if (one === undefined) {
  mkdirSync(TARGET, { recursive: true });
  writeFileSync(join(TARGET, "digests.txt"), run.stdout);
} else process.stdout.write(run.stdout);
