import assert from "node:assert/strict";
import { test } from "node:test";
import { emptyReport, simulateConsumerGroup } from "../../testing/consumer-group-simulation.ts";

const SEEDS = 16;
const STEPS = 300;

test(`${SEEDS} groups of members of both protocols keep their promises under random faults, and all come to rest`, async () => {
  const total = emptyReport();
  for (let seed = 1; seed <= SEEDS; seed++) {
    const report = await simulateConsumerGroup(seed, STEPS).catch((error: unknown) => {
      throw new Error(`seed ${seed}`, { cause: error });
    });
    for (const key of Object.keys(total) as (keyof typeof total)[]) total[key] += report[key];
  }
  // A simulation in which nothing happens finds nothing.
  for (const [what, count] of Object.entries(total)) assert.ok(count > 2, `${what}: ${count}`);
});
