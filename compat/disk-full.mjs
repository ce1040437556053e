#!/usr/bin/env node
// A data directory that is full, for real: an ext4 image of 64 MB runs out of space in the middle of a write.
// NEEDS ROOT (it mounts a loop device) and Linux with ext4. Nothing outside its own folder is touched.
//
//   sudo node compat/disk-full.mjs [--cycles 6] [--dirs 2] [--keep]
//
// Ten idempotent producers with acks=all send in every codec while a file beside the data leaves less and less room. With
// `--dirs 2` the metadata log and half of the partitions are elsewhere: the broker has to go on, and to answer KAFKA_STORAGE_ERROR for
// what is on the full disk. With `--dirs 1` it has to stop with a line that says why. Then it is killed or stopped, there is
// room again, and it starts: every record that was acknowledged is there, no batch in part, and producers go on where they were.
// At the end `samsa log verify` finds nothing wrong with any file.
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { programOptions } from "../scripts/lib/options.mjs";
import { createBroker } from "./lib/brokers.mjs";
import { KillLoop, TIGHT_SETTINGS } from "./lib/kill-loop.mjs";

const CLI = join(dirname(fileURLToPath(import.meta.url)), "../packages/cli/bin/samsa.js");
const IMAGE_BYTES = 64 * 1024 ** 2;
const MOST_ROOM_BYTES = 2 * 1024 ** 2;
const RUN_MS = 3000;
const MOST_RUNS = 10;
const STOP_MS = 10_000;
/** KAFKA_STORAGE_ERROR */
const FENCED = "Produce answered 56";

function run(command, args) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${command} ${args.join(" ")}: ${error?.message ?? `${stdout}${stderr}`.trim()}`);
}

const values = programOptions({
  cycles: { type: "string", default: "6" },
  dirs: { type: "string", default: "2" },
  keep: { type: "boolean", default: false },
});
if (process.platform !== "linux" || process.getuid() !== 0) {
  process.stderr.write("disk-full: mounting an image needs Linux and root: sudo node compat/disk-full.mjs\n");
  process.exit(2);
}
const work = mkdtempSync(join(tmpdir(), "samsa-full-"));
const image = join(work, "disk.img");
const disk = join(work, "disk");
const ballast = join(disk, "ballast");
mkdirSync(disk);
run("truncate", ["-s", String(IMAGE_BYTES), image]);
run("mkfs.ext4", ["-q", "-m", "0", image]);
run("mount", ["-o", "loop", image, disk]);

const full = join(disk, "data");
const dataDirs = values.dirs === "1" ? [full] : [join(work, "data"), full];
const settings = { ...TIGHT_SETTINGS, "log.dirs": dataDirs.join(",") };
const broker = await createBroker("samsa", work, settings, { dataDir: dataDirs[0] });
const loop = new KillLoop(broker);
const end = async () => {
  await broker.kill();
  spawnSync("umount", [disk]);
  if (!values.keep) rmSync(work, { recursive: true, force: true });
};
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => void end().then(() => process.exit(130)));

/** Leaves so many bytes free. */
function fill(roomBytes) {
  const { bavail, bsize } = statfsSync(disk);
  run("fallocate", ["-l", String(Math.max(4096, bavail * bsize - roomBytes)), ballast]);
}

async function cycle(number) {
  if (!broker.isRunning) await broker.start();
  await loop.verify();
  fill(Math.floor(Math.random() * MOST_ROOM_BYTES));
  const wordsBefore = broker.lastWords(10_000);
  let errors = [];
  for (let runs = 0; errors.length === 0 && runs < MOST_RUNS; runs++) errors = await loop.produceFor(RUN_MS);
  const fenced = errors.filter((error) => error === FENCED).length;
  const other = errors.find((error) => error !== FENCED);
  if (dataDirs.length === 1) {
    for (let waited = 0; broker.isRunning && waited < STOP_MS; waited += 50) await sleep(50);
    if (broker.isRunning) throw new Error("the only directory is full, and the broker runs on");
  } else {
    if (!broker.isRunning) throw new Error("the process ended though a directory is left");
    if (other !== undefined) throw new Error(`a producer was told: ${other}`);
    if (fenced === 0) throw new Error("nobody was told KAFKA_STORAGE_ERROR");
  }
  const said = broker.lastWords(10_000).slice(wordsBefore.length);
  if (!said.includes("ENOSPC")) throw new Error("no line of the broker names ENOSPC");
  if (broker.isRunning) await (number % 2 === 0 ? broker.kill() : broker.stop());
  rmSync(ballast);
  await broker.start();
  await loop.verify({ isWhole: true });
  const again = await loop.produceFor(200);
  if (again.length > 0) throw new Error(`with room again, a producer was told: ${again[0]}`);
  process.stdout.write(
    `${number + 1}: full, ${fenced} producers told, ${errors.length - fenced} disconnected; ${loop.acknowledged} records acknowledged\n`,
  );
}

try {
  broker.spawn();
  await loop.createTopics();
  for (let number = 0; number < Number(values.cycles); number++) await cycle(number);
  await loop.verify({ isWhole: true });
  await broker.stop();
  for (const dir of dataDirs) run(process.execPath, [CLI, "log", "verify", dir]);
  process.stdout.write("0 acknowledged records lost, none twice, no batch in part; every file verified\n");
} catch (error) {
  process.stderr.write(`disk-full: ${error.message}\nThe broker said last:\n${broker.lastWords()}\n`);
  process.exitCode = 1;
} finally {
  await end();
}
