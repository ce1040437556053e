#!/usr/bin/env node
// Whole brokers and transactional producers under seeds (packages/server, testing/transaction-simulation.ts), for as long as one likes.
//
//   node scripts/simulate-transactions.mjs [--seeds 200] [--minutes 5] [--from 1] [--steps 200] [--stop-at-failure]
//
// --seeds            runs, each from its own seed
// --minutes          as many seeds as there is time for
// --from             the first seed
// --steps            of each run with faults, up to 0.3 s each; then it has to come to rest
// --stop-at-failure  with the first seed that fails
//
// After a build (npm run build). A seed that fails is printed, and fails again; the exit status is 1.
import process from "node:process";
import { simulateTransactions } from "../packages/server/dist/testing/transaction-simulation.js";
import { programOptions } from "./lib/options.mjs";

const values = programOptions({
  seeds: { type: "string" },
  minutes: { type: "string" },
  from: { type: "string", default: "1" },
  steps: { type: "string", default: "200" },
  "stop-at-failure": { type: "boolean", default: false },
});

const first = Number(values.from);
const last = first + Number(values.seeds ?? (values.minutes === undefined ? 200 : Infinity));
const total = { seeds: 0, steps: 0, requests: 0, events: 0, failures: 0 };
/** @type {Map<string, number>} */
const marks = new Map();
const startedMs = performance.now();
const endMs = values.minutes === undefined ? Infinity : startedMs + Number(values.minutes) * 60_000;
// What a broker does of its own accord, nobody waits for: an assertion there ends everything.
let current = first;
process.once("uncaughtException", (error) => {
  console.log(`seed ${current}: ${error.message}`);
  process.exit(1);
});
for (let seed = first; seed < last && performance.now() < endMs; seed++) {
  total.seeds++;
  current = seed;
  try {
    const { steps, requests, events } = await simulateTransactions(seed, Number(values.steps), marks);
    total.steps += steps;
    total.requests += requests;
    total.events += events;
  } catch (error) {
    total.failures++;
    process.exitCode = 1;
    console.log(`seed ${seed}: ${error instanceof Error ? error.message : String(error)}`);
    if (values["stop-at-failure"]) break;
  }
}
const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
console.log(
  Object.entries(total)
    .map(([what, count]) => `${what} ${count}`)
    .join(", "),
  `in ${seconds} s`,
);
for (const [mark, count] of [...marks].sort(([a], [b]) => (a < b ? -1 : 1))) console.log(`  ${mark}: ${count}`);
