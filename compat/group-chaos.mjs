#!/usr/bin/env node
// A day's worth of chaos in minutes: the members of one group are killed, paused (SIGSTOP, within the session and beyond it) and
// restarted at random, while somebody produces.
//
//   node compat/group-chaos.mjs [--protocol classic|cooperative|consumer] [--members 10] [--partitions 20] [--seconds 120]
//                               [--rate 500] [--seed N] [--clean] [--target samsa|apache] [--bootstrap HOST:PORT]
//
// Every record must be handled at least once, and `samsa group lag` must end at zero. With `--clean` members are only asked to stop, and
// then no record may be handled twice. `--bootstrap` uses brokers that run already. Exits with 1 at the first thing wrong.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { programOptions } from "../scripts/lib/options.mjs";
import { createBroker } from "./lib/brokers.mjs";
import { CHAOS_BROKER, GroupChaos } from "./lib/group-chaos.mjs";

const values = programOptions({
  protocol: { type: "string", default: "classic" },
  members: { type: "string", default: "10" },
  partitions: { type: "string", default: "20" },
  seconds: { type: "string", default: "120" },
  rate: { type: "string", default: "500" },
  seed: { type: "string" },
  clean: { type: "boolean", default: false },
  target: { type: "string", default: "samsa" },
  bootstrap: { type: "string" },
});
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31));
const dir = mkdtempSync(join(tmpdir(), "samsa-group-chaos-"));
const broker = values.bootstrap === undefined ? await createBroker(values.target, dir, CHAOS_BROKER) : undefined;
try {
  await broker?.start();
  const chaos = new GroupChaos({
    bootstrap: values.bootstrap ?? broker.bootstrap,
    dir,
    protocol: values.protocol,
    members: Number(values.members),
    partitions: Number(values.partitions),
    seconds: Number(values.seconds),
    recordsPerSecond: Number(values.rate),
    isClean: values.clean,
    seed,
    name: `${values.protocol}-${seed}`,
  });
  const { records, duplicates, events, lagAfterMs } = await chaos.run();
  const unclean = events.kill + events["long pause"];
  const each = unclean > 0 ? ` (${(duplicates / unclean).toFixed(1)} for each unclean stop)` : "";
  const happened = Object.entries(events).map(([what, count]) => `${count} ${what}`);
  process.stdout.write(
    `${values.protocol}, seed ${seed}: ${records} records, all handled, ${duplicates} more than once${each}; ${happened.join(", ")}; no lag after ${lagAfterMs} ms\n`,
  );
  rmSync(dir, { recursive: true, force: true });
} catch (error) {
  process.stderr.write(`seed ${seed}: ${error.message}\nkept: ${dir}\n`);
  process.exitCode = 1;
} finally {
  await broker?.kill();
}
