import assert from "node:assert/strict";
import { test } from "node:test";
import { simulateGroup } from "../testing/group-simulation.ts";

const SEEDS = 60;
const STEPS = 300;

test(`${SEEDS} groups under random joins, stalls, commits and crashes keep their promises, and all come to rest`, async () => {
  const total = { crashes: 0, generations: 0, commits: 0, refusedCommits: 0, fencedMembers: 0 };
  for (let seed = 1; seed <= SEEDS; seed++) {
    const report = await simulateGroup(seed, STEPS).catch((error: unknown) => {
      throw new Error(`seed ${seed}`, { cause: error });
    });
    for (const key of ["crashes", "generations", "commits", "refusedCommits", "fencedMembers"] as const) {
      total[key] += report[key];
    }
  }
  // A simulation in which nothing happens finds nothing.
  for (const [what, count] of Object.entries(total)) assert.ok(count > 20, `${what}: ${count}`);
});
