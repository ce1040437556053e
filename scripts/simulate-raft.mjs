#!/usr/bin/env node
// Runs quorums under seeds, with everything going wrong that may, and says what happened. See packages/simulation/src/raft.
//
//   node scripts/simulate-raft.mjs [--seeds 200] [--from 1] [--events 5000] [--voters 3,5] [--observers 2] [--mutate NAME] [--json]
//
// --seeds      quorums to run, each from its own seed
// --from       the first seed
// --events     of each quorum with faults; then it has to recover
// --voters     sizes, taken in turn
// --mutate     make this mistake on purpose, and see whether it is found
import { simulateRaft } from "../packages/simulation/dist/index.js";
import { programOptions } from "./lib/options.mjs";

const values = programOptions({
  seeds: { type: "string", default: "200" },
  from: { type: "string", default: "1" },
  events: { type: "string", default: "5000" },
  voters: { type: "string", default: "3,5" },
  observers: { type: "string", default: "2" },
  mutate: { type: "string" },
  json: { type: "boolean", default: false },
});

const sizes = values.voters.split(",").map(Number);
const first = Number(values.from);
const total = { seeds: 0, events: 0, checks: 0, sent: 0, lost: 0, duplicated: 0, leaders: 0, snapshots: 0, changes: 0 };
/** @type {Map<string, number>} */
const faults = new Map();
/** @type {string[]} */
const violations = [];
const startedMs = performance.now();

for (let seed = first; seed < first + Number(values.seeds); seed++) {
  const voters = sizes[seed % sizes.length] ?? 3;
  const mutations = values.mutate === undefined ? {} : { [values.mutate]: true };
  total.seeds++;
  try {
    const report = simulateRaft({
      seed,
      voters,
      observers: Number(values.observers),
      events: Number(values.events),
      mutations,
    });
    total.events += report.events;
    total.checks += report.checks;
    total.sent += report.messages.sent;
    total.lost += report.messages.lost;
    total.duplicated += report.messages.duplicated;
    total.leaders += report.leaders;
    total.snapshots += report.snapshotsInstalled;
    total.changes += report.voterChanges;
    for (const [fault, count] of Object.entries(report.faults)) faults.set(fault, (faults.get(fault) ?? 0) + count);
  } catch (error) {
    violations.push(`seed ${seed}, ${voters} voters: ${error instanceof Error ? error.message : String(error)}`);
    if (values.mutate !== undefined) break;
  }
}

const seconds = (performance.now() - startedMs) / 1000;
const faultCount = [...faults.values()].reduce((sum, count) => sum + count, 0);
if (values.json) {
  console.log(JSON.stringify({ ...total, seconds, faults: Object.fromEntries(faults), violations }));
} else {
  console.log(`seeds ${total.seeds}, events ${total.events}, checks ${total.checks}, ${seconds.toFixed(1)} s`);
  console.log(`messages ${total.sent}, lost ${total.lost}, twice ${total.duplicated}`);
  console.log(`leaders ${total.leaders}, snapshots installed ${total.snapshots}, changes of voters ${total.changes}`);
  console.log(`faults ${faultCount}: ${[...faults].map(([fault, count]) => `${fault} ${count}`).join(", ")}`);
  console.log(`violations ${violations.length}`);
  for (const violation of violations.slice(0, 10)) console.log(`  ${violation}`);
}
process.exitCode = violations.length > 0 ? 1 : 0;
