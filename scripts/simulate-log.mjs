/**
 * Random scripts against the log on a disk that stops at any operation, checked by a plain model (packages/log,
 * testing/log-simulation.ts), for as long as one likes:
 *
 *     node scripts/simulate-log.mjs --minutes 10 [--from SEED] [--steps 60]
 *     node scripts/simulate-log.mjs --seeds 5000
 *     node scripts/simulate-log.mjs --seed 51        one, with its story
 *     node scripts/simulate-log.mjs --faults         each operation of one script fails, in each way (testing/fault-script.ts)
 *     node scripts/simulate-log.mjs --flips 2000     so many bits flip in files of every kind (testing/bit-flips.ts)
 *
 * After a build (`npm run build`). A seed that fails is printed, and fails again; the exit status is 1.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { programOptions } from "./lib/options.mjs";
import { ROOT } from "./lib/paths.mjs";

const PROGRESS_EVERY_MS = 10_000;

/** @typedef {{ run(): Promise<void>, readonly story: readonly string[], describe(): string, trace(): string[] }} Simulation */
/** @typedef {new (options: { seed: number, steps: number, tally: Map<string, number> }) => Simulation} SimulationClass */

const values = programOptions({
  seed: { type: "string" },
  seeds: { type: "string" },
  minutes: { type: "string" },
  from: { type: "string", default: "1" },
  steps: { type: "string", default: "60" },
  faults: { type: "boolean", default: false },
  flips: { type: "string" },
});

/** @typedef {(fault: object, seed: number) => Promise<{ failed: object | undefined }>} RunWithFault */
/** @typedef {(count: number, from: number) => Promise<{ fates: Map<string, number>, failures: string[] }>} FlipBits */
/** @typedef {{ FAULT_KINDS: { name: string }[], runWithFault: RunWithFault }} FaultScript */

if (values.faults) await failEachOperation();
else if (values.flips !== undefined) await flipBits(Number(values.flips));
else await simulate();

async function simulate() {
  const { LogSimulation } = /** @type {{ LogSimulation: SimulationClass }} */ (await load("log-simulation.js"));
  const tally = /** @type {Map<string, number>} */ (new Map());
  const steps = Number(values.steps);
  const startMs = Date.now();
  const endMs = values.minutes === undefined ? Infinity : startMs + Number(values.minutes) * 60_000;
  const first = Number(values.seed ?? values.from);
  const count =
    values.seed !== undefined ? 1 : Number(values.seeds ?? (values.minutes === undefined ? 1000 : Infinity));
  let failed = 0;
  let done = 0;
  let toldMs = startMs;
  for (let seed = first; seed < first + count && Date.now() < endMs; seed++) {
    const simulation = new LogSimulation({ seed, steps, tally });
    try {
      await simulation.run();
    } catch (error) {
      failed++;
      if (values.seed !== undefined) {
        console.log([...simulation.story, simulation.describe(), ...simulation.trace()].join("\n"));
      }
      console.log(messageOf(error));
    }
    done++;
    if (Date.now() - toldMs < PROGRESS_EVERY_MS) continue;
    toldMs = Date.now();
    console.log(`${done} seeds, ${failed} failed, ${secondsSince(startMs)} s`);
  }
  for (const [mark, times] of [...tally].toSorted(([one], [other]) => one.localeCompare(other))) {
    console.log(`${times} x ${mark}`);
  }
  console.log(`${done} seeds from ${first} on, ${failed} failed, ${secondsSince(startMs)} s`);
  process.exitCode = failed === 0 ? 0 : 1;
}

async function failEachOperation() {
  const script = /** @type {FaultScript} */ (await load("fault-script.js"));
  const startMs = Date.now();
  let failed = 0;
  for (const { name, ...fault } of script.FAULT_KINDS) {
    let nth = 1;
    for (; ; nth++) {
      try {
        const outcome = await script.runWithFault({ ...fault, nth }, nth);
        if (outcome.failed === undefined) break;
      } catch (error) {
        failed++;
        console.log(messageOf(error));
      }
    }
    console.log(`${name}: ${nth - 1} operations, ${failed} failures in all, ${secondsSince(startMs)} s`);
  }
  process.exitCode = failed === 0 ? 0 : 1;
}

/** @param {number} count */
async function flipBits(count) {
  const { flipBits: flip } = /** @type {{ flipBits: FlipBits }} */ (await load("bit-flips.js"));
  const { fates, failures } = await flip(count, Number(values.from));
  for (const failure of failures) console.log(failure);
  for (const [fate, times] of fates) console.log(`${times} x ${fate}`);
  console.log(`${count} flips, ${failures.length} failed`);
  process.exitCode = failures.length === 0 ? 0 : 1;
}

/** @param {string} name below packages/log/dist/testing */
async function load(name) {
  const module = join(ROOT, "packages/log/dist/testing", name);
  if (!existsSync(module)) throw new Error("not built yet: npm run build");
  return /** @type {unknown} */ (await import(pathToFileURL(module).href));
}

/** @param {unknown} error */
function messageOf(error) {
  return error instanceof Error ? error.message : String(error);
}

/** @param {number} startMs */
function secondsSince(startMs) {
  return Math.round((Date.now() - startMs) / 1000);
}
