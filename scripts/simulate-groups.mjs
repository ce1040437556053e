/**
 * Groups under a seed, for as long as one likes (packages/coordinator, testing/):
 *
 *     node scripts/simulate-groups.mjs --minutes 10 [--from SEED] [--steps 300]
 *     node scripts/simulate-groups.mjs --seeds 1000
 *     node scripts/simulate-groups.mjs --protocol classic       only the classic protocol; consumer: members of both
 *     node scripts/simulate-groups.mjs --from 51 --seeds 1      one of them
 *
 * After a build (`npm run build`). A seed that fails is printed, and fails again; the exit status is 1.
 */
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { programOptions } from "./lib/options.mjs";
import { ROOT } from "./lib/paths.mjs";

const values = programOptions({
  seeds: { type: "string" },
  minutes: { type: "string" },
  from: { type: "string", default: "1" },
  steps: { type: "string", default: "300" },
  protocol: { type: "string", default: "both" },
});

/** @typedef {(seed: number, steps: number) => Promise<object>} Simulate */

const simulations = await Promise.all(
  [
    { protocol: "classic", file: "group-simulation.js", name: "simulateGroup" },
    { protocol: "consumer", file: "consumer-group-simulation.js", name: "simulateConsumerGroup" },
  ]
    .filter(({ protocol }) => values.protocol === "both" || values.protocol === protocol)
    .map(async ({ protocol, file, name }) => {
      const path = join(ROOT, "packages/coordinator/dist/testing", file);
      const module = /** @type {Record<string, Simulate>} */ (await import(pathToFileURL(path).href));
      return {
        protocol,
        simulate: /** @type {Simulate} */ (module[name]),
        total: /** @type {Map<string, number>} */ (new Map()),
      };
    }),
);

const startMs = Date.now();
const endMs = values.minutes === undefined ? Infinity : startMs + Number(values.minutes) * 60_000;
const first = Number(values.from);
const count = Number(values.seeds ?? (values.minutes === undefined ? 200 : Infinity));
let done = 0;
for (let seed = first; seed < first + count && Date.now() < endMs; seed++) {
  for (const { protocol, simulate, total } of simulations) {
    try {
      for (const [what, often] of Object.entries(await simulate(seed, Number(values.steps)))) {
        total.set(what, (total.get(what) ?? 0) + Number(often));
      }
    } catch (error) {
      process.exitCode = 1;
      console.error(`${protocol} seed ${seed}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  done++;
}
console.log(`${done} seeds of ${values.steps} steps in ${((Date.now() - startMs) / 1000).toFixed(0)} s`);
for (const { protocol, total } of simulations) {
  console.log(`${protocol}: ${[...total].map(([what, often]) => `${often} ${what}`).join(", ")}`);
}
