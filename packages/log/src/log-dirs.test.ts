import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { MemoryDisk } from "@samsa/io";
import { defaultLogConfig } from "./log-config.ts";
import { LogDirs } from "./log-dirs.ts";
import { readFile } from "./testing/disks.ts";
import { TOPIC_ID } from "./testing/logs.ts";
import { ManualClock, SeededRandom } from "./testing/ports.ts";
import { batchOf, NOW_MS, readAll, valuesOf } from "./testing/records.ts";
import type { UnifiedLog } from "./unified-log.ts";

const topicPartition = { topic: "t", partition: 0 };
const other = { topic: "u", partition: 0 };
const config = defaultLogConfig({ cleanupPolicy: ["compact"], minCleanableDirtyRatio: 0.01 });
const decoder = new TextDecoder();

async function openTwo(
  disk = new MemoryDisk(),
): Promise<{ dirs: LogDirs; disk: MemoryDisk; clean: () => Promise<void> }> {
  const clock = new ManualClock(NOW_MS);
  const directories = ["/a", "/b"].map((path) => ({ path, directoryId: undefined }));
  const dirs = await LogDirs.open({ disk, clock, random: new SeededRandom(), defaultConfig: config, directories });
  const clean = async (): Promise<void> => {
    clock.advance(15_000); // log.cleaner.backoff.ms
    for (let turn = 0; turn < 200; turn++) await new Promise(setImmediate);
  };
  return { dirs, disk, clean };
}

/** So many records of one key in a segment of their own. */
async function addSegment(log: UnifiedLog, records: number): Promise<void> {
  for (let index = 0; index < records; index++) {
    await log.appendAsLeader(batchOf([`${log.logEndOffset}`], { key: "k" }), 0).written;
  }
  await log.roll();
  await log.flush();
  log.updateHighWatermark(log.logEndOffset);
}

/** Copies what is there, as a move does. */
async function copyTo(future: UnifiedLog, log: UnifiedLog): Promise<void> {
  while (future.logEndOffset < log.logEndOffset) {
    const { records } = await log.read(Math.max(future.logEndOffset, log.logStartOffset), 1 << 20);
    for (const batch of records) await future.appendAsFollower(batch.slice()).written;
  }
}

const checkpointIn = async (disk: MemoryDisk, path: string): Promise<string> =>
  decoder.decode(await readFile(disk, `${path}/cleaner-offset-checkpoint`));

describe("compaction with two data directories", () => {
  test("goes on in each of them, with a checkpoint of its own", async () => {
    const { dirs, disk, clean } = await openTwo();
    dirs.prefer(topicPartition, "/a");
    dirs.prefer(other, "/b");
    const [one, two] = [
      await dirs.getOrCreate(topicPartition, TOPIC_ID, config),
      await dirs.getOrCreate(other, TOPIC_ID, config),
    ];
    assert.deepEqual([dirs.directoryOf(one).path, dirs.directoryOf(two).path], ["/a", "/b"]);
    await addSegment(one, 10);
    await addSegment(two, 20);
    await clean();
    assert.deepEqual([valuesOf(await readAll(one)), valuesOf(await readAll(two))], [["9"], ["19"]]);
    assert.equal(await checkpointIn(disk, "/a"), "0\n1\nt 0 10\n");
    assert.equal(await checkpointIn(disk, "/b"), "0\n1\nu 0 20\n");
    await dirs.close();
  });

  test("is not begun anew for a log that moves: as far as it was clean at the start of the move, it is", async () => {
    const { dirs, disk, clean } = await openTwo();
    const log = await dirs.getOrCreate(topicPartition, TOPIC_ID, config);
    const from = dirs.directoryOf(log).path;
    const to = from === "/a" ? "/b" : "/a";
    await addSegment(log, 10);
    await clean();
    const future = await dirs.createFuture(topicPartition, TOPIC_ID, config, to);
    await addSegment(log, 5);
    await copyTo(future, log);
    await clean(); // what is copied already was not clean up to here
    assert.equal(await checkpointIn(disk, from), "0\n1\nt 0 15\n");
    future.updateHighWatermark(future.logEndOffset);
    await dirs.replaceCurrentWithFuture(topicPartition);
    assert.equal(await checkpointIn(disk, from), "0\n0\n");
    assert.equal(await checkpointIn(disk, to), "0\n1\nt 0 10\n");
    assert.equal(dirs.directoryOf(future).path, to);
    await future.roll();
    await future.flush();
    await clean();
    assert.deepEqual(valuesOf(await readAll(future)), ["14"]);
    assert.equal(await checkpointIn(disk, to), "0\n1\nt 0 15\n");
    await dirs.close();
  });
});
