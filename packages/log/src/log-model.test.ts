import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { LogSimulation } from "./testing/log-simulation.ts";
import type { Tally } from "./testing/log-simulation.ts";

/**
 * A slice of what `node scripts/simulate-log.mjs` runs for as long as one likes. A seed that fails is named in the error;
 * SAMSA_LOG_SEED=<seed> performs just that one again.
 */
const SEEDS = 60;
const replayed = process.env["SAMSA_LOG_SEED"];

/** Where a run that tests what it says comes by. */
const MARKS = [
  "append",
  "retry",
  "duplicate",
  "end transaction",
  "segments deleted",
  "segments compacted",
  "truncate",
  "tail lost",
  "crash, power lost",
  "crash, power kept",
  "crash while recovering",
  "restart",
  "promise kept",
  "promise broken",
];

describe("logs on a disk that stops at any operation are what plain models of them are", { concurrency: false }, () => {
  if (replayed !== undefined) {
    test(`with seed ${replayed}`, async () => {
      const simulation = new LogSimulation({ seed: Number(replayed) });
      try {
        await simulation.run();
      } catch (error) {
        console.log([...simulation.story, simulation.describe(), ...simulation.trace()].join("\n"));
        throw error;
      }
    });
    return;
  }

  const tally: Tally = new Map<string, number>();
  test(`with the seeds 1 to ${SEEDS}`, async () => {
    for (let seed = 1; seed <= SEEDS; seed++) await new LogSimulation({ seed, tally }).run();
  });

  test("and come by everything that can happen", () => {
    assert.deepEqual(
      MARKS.filter((mark) => !tally.has(mark)),
      [],
    );
  });

  test("the same seed gives the same operations of the disk", async () => {
    const trace = async (): Promise<string[]> => {
      const simulation = new LogSimulation({ seed: 7 });
      await simulation.run();
      return simulation.trace(10_000);
    };
    assert.deepEqual(await trace(), await trace());
  });
});
