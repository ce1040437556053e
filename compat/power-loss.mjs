#!/usr/bin/env node
// Power cuts on a file system of its own: everything that was not synced is gone, and every acknowledged record has to be there.
// NEEDS ROOT (it mounts a loop device), Linux with ext4, and perl. Nothing outside its own folder is touched.
//
//   sudo node compat/power-loss.mjs [--cycles 40] [--target samsa|apache] [--unsynced] [--keep]
//
// A broker with log.flush.interval.messages=1 writes to a fresh ext4 image while ten idempotent producers with acks=all send in every
// codec. At a random moment, also while the broker starts, the file system is shut down without flushing its journal
// (EXT4_IOC_SHUTDOWN, NOLOGFLUSH): what a power cut leaves of it, on a disk that keeps what it was told to sync. The broker is
// killed, the image is mounted again, which replays its journal, and the broker starts on what it finds. `--unsynced` leaves
// Kafka's defaults: records are lost then, which shows that the cut is one.
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { programOptions } from "../scripts/lib/options.mjs";
import { createBroker } from "./lib/brokers.mjs";
import { KillLoop, TIGHT_SETTINGS } from "./lib/kill-loop.mjs";

const IMAGE_SIZE = "1G";
/** _IOR('X', 125, __u32) with EXT4_GOING_FLAGS_NOLOGFLUSH. */
const SHUTDOWN = 'open(my $d, "<", $ARGV[0]) or die $!; my $how = pack("L", 2); ioctl($d, 0x8004587d, $how) or die $!;';

function run(command, args) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${command} ${args.join(" ")}: ${error?.message ?? `${stdout}${stderr}`.trim()}`);
}

const values = programOptions({
  cycles: { type: "string", default: "40" },
  target: { type: "string", default: "samsa" },
  unsynced: { type: "boolean", default: false },
  keep: { type: "boolean", default: false },
});
if (process.platform !== "linux" || process.getuid() !== 0) {
  process.stderr.write("power-loss: mounting an image needs Linux and root: sudo node compat/power-loss.mjs\n");
  process.exit(2);
}
const cycles = Number(values.cycles);
const work = mkdtempSync(join(tmpdir(), "samsa-power-"));
const image = join(work, "disk.img");
const disk = join(work, "disk");
mkdirSync(disk);
run("truncate", ["-s", IMAGE_SIZE, image]);
run("mkfs.ext4", ["-q", image]);
const mount = () => run("mount", ["-o", "loop", image, disk]);
mount();

// The broker's own words and settings stay off the disk that fails.
const settings = values.unsynced ? {} : { ...TIGHT_SETTINGS, "log.flush.interval.messages": 1 };
const broker = await createBroker(values.target, work, settings, { dataDir: join(disk, "data") });
const loop = new KillLoop(broker, {
  async crash() {
    run("perl", ["-e", SHUTDOWN, disk]);
    await broker.kill();
    run("umount", [disk]);
    mount();
  },
});
const end = async () => {
  await broker.kill();
  spawnSync("umount", [disk]);
  if (!values.keep) rmSync(work, { recursive: true, force: true });
};
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => void end().then(() => process.exit(130)));

const started = performance.now();
const tell = () => {
  const seconds = Math.round((performance.now() - started) / 1000);
  const parts = `${loop.killsWhileStarting} of them while the broker started, ${loop.stops} clean stops between them`;
  process.stdout.write(
    `${loop.kills} power cuts (${parts}), ${loop.acknowledged} records acknowledged, ${seconds} s\n`,
  );
};
try {
  broker.spawn();
  await loop.createTopics();
  let told = 0;
  while (loop.kills < cycles) {
    await loop.round();
    if (loop.kills - told < 10) continue;
    told = loop.kills;
    tell();
  }
  if (!broker.isRunning) broker.spawn();
  await loop.verify({ isWhole: true });
  await broker.stop();
  tell();
  process.stdout.write("0 acknowledged records lost, none twice, none out of order\n");
} catch (error) {
  tell();
  process.stderr.write(`power-loss: ${error.message}\nThe broker said last:\n${broker.lastWords()}\n`);
  process.exitCode = 1;
} finally {
  await end();
}
