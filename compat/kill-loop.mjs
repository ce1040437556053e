#!/usr/bin/env node
// A thousand kills: SIGKILL under producers with acks=all, then everything that was acknowledged is read back.
//
//   node compat/kill-loop.mjs [--kills 1000] [--target samsa|apache] [--settings key=value,...] [--dir FOLDER]
//
// Ten partitions in five topics, one for each codec; the first topic is synced before each answer (flush.messages=1). Segments of a
// few batches and checkpoints every 100 ms, so that a kill meets them all. One kill in seven falls while the broker starts, and
// one time in twenty it is asked to stop instead, under load. Checked after each: no acknowledged record lost, none twice,
// none out of order, no batch in part; at the end the same from the first record on. `--settings log.flush.interval.messages=1`
// syncs every topic. Exits with 1 at the first thing wrong and leaves the folder.
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { programOptions } from "../scripts/lib/options.mjs";
import { createBroker } from "./lib/brokers.mjs";
import { KillLoop, TIGHT_SETTINGS } from "./lib/kill-loop.mjs";

const values = programOptions({
  kills: { type: "string", default: "1000" },
  target: { type: "string", default: "samsa" },
  settings: { type: "string", default: "" },
  dir: { type: "string" },
});
const kills = Number(values.kills);
const dir = values.dir ?? mkdtempSync(join(tmpdir(), "samsa-kills-"));
mkdirSync(dir, { recursive: true });
const pairs = values.settings === "" ? [] : values.settings.split(",").map((pair) => pair.split(/=(.*)/s).slice(0, 2));
const broker = await createBroker(values.target, dir, { ...TIGHT_SETTINGS, ...Object.fromEntries(pairs) });
for (const signal of ["SIGINT", "SIGTERM"])
  process.once(signal, () => void broker.kill().then(() => process.exit(130)));

const started = performance.now();
const loop = new KillLoop(broker);
const tell = () => {
  const seconds = Math.round((performance.now() - started) / 1000);
  const parts = `${loop.killsWhileStarting} of them while it started, ${loop.stops} stops under load`;
  process.stdout.write(`${loop.kills} kills (${parts}), ${loop.acknowledged} records acknowledged, ${seconds} s\n`);
};
try {
  broker.spawn();
  await loop.createTopics();
  let told = 0;
  while (loop.kills < kills) {
    await loop.round();
    if (loop.kills - told < 50) continue;
    told = loop.kills;
    tell();
  }
  broker.spawn();
  await loop.verify({ isWhole: true });
  await broker.stop();
  broker.spawn();
  await loop.verify({ isWhole: true });
  await broker.stop();
  tell();
  process.stdout.write("0 acknowledged records lost, none twice, none out of order\n");
  if (values.dir === undefined) rmSync(dir, { recursive: true, force: true });
} catch (error) {
  tell();
  await broker.kill();
  process.stderr.write(`kill-loop: ${error.message}\n  the data and the log of the broker: ${dir}\n`);
  process.exitCode = 1;
}
