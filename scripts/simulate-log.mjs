/**
 * Random scripts against the log on a disk that stops at any operation, checked by a plain model (packages/log,
 * testing/log-simulation.ts), for as long as one likes:
 *
 *     node scripts/simulate-log.mjs --minutes 10 [--from SEED] [--steps 60]
 *     node scripts/simulate-log.mjs --seeds 5000
 *     node scripts/simulate-log.mjs --seed 51        one, with its story
 *
 * After a build (`npm run build`). A seed that fails is printed, and fails again; the exit status is 1.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { ROOT } from "./lib/paths.mjs";

const PROGRESS_EVERY_MS = 10_000;

/** @typedef {{ run(): Promise<void>, readonly story: readonly string[], describe(): string, trace(): string[] }} Simulation */
/** @typedef {new (options: { seed: number, steps: number, tally: Map<string, number> }) => Simulation} SimulationClass */

const { values } = parseArgs({
  options: {
    seed: { type: "string" },
    seeds: { type: "string" },
    minutes: { type: "string" },
    from: { type: "string", default: "1" },
    steps: { type: "string", default: "60" },
  },
});

const module = join(ROOT, "packages/log/dist/testing/log-simulation.js");
if (!existsSync(module)) throw new Error("not built yet: npm run build");
const { LogSimulation } = /** @type {{ LogSimulation: SimulationClass }} */ (await import(pathToFileURL(module).href));

const tally = /** @type {Map<string, number>} */ (new Map());
const steps = Number(values.steps);
const startMs = Date.now();
const endMs = values.minutes === undefined ? Infinity : startMs + Number(values.minutes) * 60_000;
const first = Number(values.seed ?? values.from);
const count = values.seed !== undefined ? 1 : Number(values.seeds ?? (values.minutes === undefined ? 1000 : Infinity));
let failed = 0;
let done = 0;
let toldMs = startMs;

for (let seed = first; seed < first + count && Date.now() < endMs; seed++) {
  const simulation = new LogSimulation({ seed, steps, tally });
  try {
    await simulation.run();
  } catch (error) {
    failed++;
    if (values.seed !== undefined)
      console.log([...simulation.story, simulation.describe(), ...simulation.trace()].join("\n"));
    console.log(error instanceof Error ? error.message : error);
  }
  done++;
  if (Date.now() - toldMs < PROGRESS_EVERY_MS) continue;
  toldMs = Date.now();
  console.log(`${done} seeds, ${failed} failed, ${Math.round((toldMs - startMs) / 1000)} s`);
}

for (const [mark, times] of [...tally].toSorted(([one], [other]) => one.localeCompare(other)))
  console.log(`${times} x ${mark}`);
console.log(`${done} seeds from ${first} on, ${failed} failed, ${Math.round((Date.now() - startMs) / 1000)} s`);
process.exitCode = failed === 0 ? 0 : 1;
