import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { MemoryDisk } from "@samsa/io";
import { KafkaStorageError } from "./errors.ts";
import { copyDisk, readTree, writeFile } from "./testing/disks.ts";
import { FOLDER, openLog } from "./testing/logs.ts";
import { batchOf, readAll, valuesOf } from "./testing/records.ts";

const SIZE = batchOf(["0000"]).length;
const value = (index: number): string => String(index).padStart(4, "0");
const range = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, index) => value(from + index));
const file = (offset: number, suffix: string): string => String(offset).padStart(20, "0") + suffix;

/** Ten batches of one record in segments of four, written and never closed. */
async function crashedLog(options: { flush?: boolean } = {}): Promise<MemoryDisk> {
  const disk = new MemoryDisk();
  const log = await openLog({ disk, config: { segmentBytes: 4 * SIZE, indexIntervalBytes: SIZE } });
  for (let index = 0; index < 10; index++) await log.appendAsLeader(batchOf([value(index)]), index >> 2).written;
  if (options.flush === true) await log.flush();
  else while (log.recoveryPoint < 8) await new Promise(setImmediate); // the segments that rolled
  return copyDisk(disk, "/");
}

/** The disk with one file of the log changed. */
async function altered(
  disk: MemoryDisk,
  name: string,
  change: (bytes: Uint8Array) => Uint8Array | undefined,
): Promise<MemoryDisk> {
  const copy = await copyDisk(disk, "/");
  const bytes = change((await readTree(disk, FOLDER)).get(name)?.slice() ?? new Uint8Array(0));
  if (bytes === undefined) await copy.remove(`${FOLDER}/${name}`);
  else await writeFile(copy, `${FOLDER}/${name}`, bytes);
  return copy;
}

const flipped = (at: number) => (bytes: Uint8Array) => {
  bytes[at] = (bytes[at] ?? 0) ^ 0x10;
  return bytes;
};

describe("a start after an unclean stop", () => {
  test("keeps everything that is whole", async () => {
    const log = await openLog({ disk: await crashedLog(), recoveryPoint: 8 });
    assert.deepEqual(valuesOf(await readAll(log)), range(0, 10));
    assert.deepEqual([log.recoveryPoint, log.latestEpoch], [8, 2]);
    assert.deepEqual(log.endOffsetForEpoch(1), { leaderEpoch: 1, endOffset: 8 });
  });

  for (let missing = 1; missing <= SIZE; missing++) {
    test(`cuts a last batch that lacks ${missing} of its ${SIZE} bytes`, async () => {
      const reports: string[] = [];
      const disk = await altered(await crashedLog(), file(8, ".log"), (bytes) =>
        bytes.subarray(0, bytes.length - missing),
      );
      const log = await openLog({
        disk,
        recoveryPoint: 8,
        highWatermark: 10,
        report: (path, what) => reports.push(`${path} ${what}`),
      });
      assert.deepEqual(valuesOf(await readAll(log)), range(0, 9));
      if (missing < SIZE) assert.match(reports.join(), /08\.log .* at \d+: a torn tail, cut/);
      await log.appendAsLeader(batchOf(["0009"]), 3).written;
      await log.close();
      const again = await openLog({ disk, hadCleanShutdown: true });
      assert.deepEqual(valuesOf(await readAll(again)), range(0, 10));
    });
  }

  test("cuts zeros, which a file system leaves where it had not got to the content", async () => {
    for (const zeros of [1, 11, 12, 61, 4096, 100_000]) {
      const disk = await altered(await crashedLog(), file(8, ".log"), (bytes) =>
        Uint8Array.of(...bytes, ...new Uint8Array(zeros)),
      );
      assert.deepEqual(
        valuesOf(await readAll(await openLog({ disk, recoveryPoint: 8, highWatermark: 10 }))),
        range(0, 10),
      );
    }
  });

  test("cuts a damaged batch that was never known to be safe, and what follows it", async () => {
    const disk = await altered(await crashedLog(), file(4, ".log"), flipped(SIZE + 65));
    const log = await openLog({ disk, recoveryPoint: 4, highWatermark: 4 });
    assert.deepEqual(valuesOf(await readAll(log)), range(0, 5));
    assert.equal(log.segmentCount, 2);
    assert.equal(log.latestEpoch, 1);
  });

  test("fails at a damaged batch below the recovery point: the log is never made shorter", async () => {
    const disk = await altered(await crashedLog({ flush: true }), file(8, ".log"), flipped(SIZE + 65));
    await assert.rejects(
      openLog({ disk, recoveryPoint: 10 }),
      /08\.log: no valid batch at \d+: .* below the recovery point 10/,
    );
  });

  test("fails at a damaged batch below the high watermark", async () => {
    const disk = await altered(await crashedLog(), file(8, ".log"), flipped(65));
    await assert.rejects(openLog({ disk, recoveryPoint: 8, highWatermark: 10 }), /below the high watermark 10/);
  });

  test("fails when a hole lies below the high watermark", async () => {
    const disk = await altered(await crashedLog(), file(4, ".log"), (bytes) => bytes.subarray(0, 3 * SIZE + 20));
    await assert.rejects(openLog({ disk, recoveryPoint: 4, highWatermark: 9 }), /below the high watermark 9/);
  });

  test("takes batches that vanished whole at the end of a segment for lost, unless compaction may have removed them", async () => {
    const disk = await altered(await crashedLog(), file(4, ".log"), (bytes) => bytes.subarray(0, 3 * SIZE));
    assert.deepEqual(
      valuesOf(await readAll(await openLog({ disk: await copyDisk(disk, "/"), recoveryPoint: 4 }))),
      range(0, 7),
    );
    await assert.rejects(
      openLog({ disk: await copyDisk(disk, "/"), recoveryPoint: 4, highWatermark: 9 }),
      /offsets 7 to 7 are missing/,
    );
    const compacted = await openLog({
      disk,
      recoveryPoint: 4,
      highWatermark: 9,
      config: { cleanupPolicy: ["compact"] },
    });
    assert.deepEqual(valuesOf(await readAll(compacted)), [...range(0, 7), ...range(8, 10)]);
  });

  test("removes a segment that had just begun when the end of the one before is lost", async () => {
    const crashed = await altered(await crashedLog(), file(8, ".log"), (bytes) => bytes.subarray(0, SIZE));
    await writeFile(crashed, `${FOLDER}/${file(10, ".log")}`, new Uint8Array(0));
    const log = await openLog({
      disk: crashed,
      recoveryPoint: 8,
      highWatermark: 10,
      config: { cleanupPolicy: ["compact"] },
    });
    assert.deepEqual([log.logEndOffset, valuesOf(await readAll(log)).length], [9, 9]);
  });

  test("fails when two segments have the same offsets", async () => {
    const disk = await crashedLog();
    await writeFile(disk, `${FOLDER}/${file(6, ".log")}`, batchOf(["x"], { baseOffset: 6 }));
    await assert.rejects(openLog({ disk, highWatermark: 10 }), /offset 7, where the next segment begins at 6/);
  });

  test("fails when its only log file is gone and the indexes are left", async () => {
    const disk = new MemoryDisk();
    const log = await openLog({ disk });
    await log.appendAsLeader(batchOf(["x"]), 0).written;
    await log.close();
    await disk.remove(`${FOLDER}/${file(0, ".log")}`);
    await assert.rejects(openLog({ disk, recoveryPoint: 1, hadCleanShutdown: true }), /\.log: it is missing, where/);
    await assert.rejects(openLog({ disk, recoveryPoint: 1, hadCleanShutdown: true }), /\.log: it is missing, where/);
  });

  test("fails when the log ends before its recovery point", async () => {
    const disk = await altered(await crashedLog(), file(8, ".log"), (bytes) => bytes.subarray(0, SIZE));
    await assert.rejects(openLog({ disk, recoveryPoint: 10 }), (error) => {
      assert.ok(error instanceof KafkaStorageError);
      assert.match(error.message, /ends at offset 9, but everything below 10 had been synced/);
      return true;
    });
  });

  test("does not read what lies before the recovery point", async () => {
    const disk = await altered(await crashedLog(), file(0, ".log"), flipped(65));
    const log = await openLog({ disk, recoveryPoint: 8 });
    assert.equal(log.logEndOffset, 10);
    await assert.rejects(async () => log.read(0, 100), KafkaStorageError);
  });
});

describe("a start after a clean stop", () => {
  async function closedLog(): Promise<MemoryDisk> {
    const disk = await crashedLog();
    const log = await openLog({ disk, config: { segmentBytes: 4 * SIZE, indexIntervalBytes: SIZE } });
    await log.close();
    return disk;
  }

  for (const suffix of [".index", ".timeindex"]) {
    for (const offset of [0, 8]) {
      const damages: [string, (bytes: Uint8Array) => Uint8Array | undefined][] = [
        ["missing", () => undefined],
        ["of an odd size", (bytes) => Uint8Array.of(...bytes, 1)],
        ["full of ones", (bytes) => bytes.fill(1)],
        ["too long", (bytes) => Uint8Array.of(...bytes, ...bytes)],
        ["full of zeros, as a crashed Kafka leaves it", () => new Uint8Array(10 * 1024 * 1024).subarray(0, 10_485_756)],
      ];
      for (const [what, change] of damages) {
        test(`makes an index anew that is ${what}: ${file(offset, suffix)}`, async () => {
          const sound = await closedLog();
          const disk = await altered(sound, file(offset, suffix), change);
          const config = { segmentBytes: 4 * SIZE, indexIntervalBytes: SIZE };
          const log = await openLog({ disk, config, hadCleanShutdown: true, recoveryPoint: 10 });
          assert.deepEqual(valuesOf(await readAll(log)), range(0, 10));
          assert.equal((await log.fetchOffsetByTimestamp(1))?.offset, 0);
          await log.close();
          const [before, after] = [await readTree(sound, FOLDER), await readTree(disk, FOLDER)];
          assert.deepEqual(after.get(file(offset, suffix)), before.get(file(offset, suffix)));
        });
      }
    }
  }

  test("takes an index for a hint: an offset index that is empty costs a scan, no record", async () => {
    const disk = await altered(await closedLog(), file(0, ".index"), () => new Uint8Array(0));
    const log = await openLog({ disk, hadCleanShutdown: true });
    assert.deepEqual(valuesOf(await readAll(log, 2, 1)), range(2, 10));
  });

  for (const [what, kept] of [
    ["empty", 0],
    ["cut between two entries", 12],
  ] as const) {
    for (const offset of [0, 8]) {
      test(`completes a time index that is ${what}, and finds records by their time: ${file(offset, ".timeindex")}`, async () => {
        const disk = new MemoryDisk();
        const config = { segmentBytes: 4 * SIZE, indexIntervalBytes: 1 };
        const log = await openLog({ disk, config });
        for (let index = 0; index < 12; index++) {
          await log.appendAsLeader(batchOf([value(index)], { timestamps: [1000 + index] }), 0).written;
        }
        await log.close();
        const whole = (await readTree(disk, FOLDER)).get(file(offset, ".timeindex"));
        const damaged = await altered(disk, file(offset, ".timeindex"), (bytes) => bytes.subarray(0, kept));
        const reports: string[] = [];
        const again = await openLog({
          disk: damaged,
          config,
          hadCleanShutdown: true,
          recoveryPoint: 12,
          report: (_path, message) => reports.push(message),
        });
        for (let index = 0; index < 12; index++) {
          assert.equal((await again.fetchOffsetByTimestamp(1000 + index))?.offset, index);
        }
        assert.equal((await again.fetchMaxTimestampOffset())?.offset, 11);
        await again.close();
        assert.deepEqual((await readTree(damaged, FOLDER)).get(file(offset, ".timeindex")), whole);
        assert.match(reports.join(), /^[^,]*\.timeindex: it is short; completed from the log$/);
      });
    }
  }

  test("reads the epochs again where their checkpoint is damaged and the segments are scanned", async () => {
    const disk = await altered(await closedLog(), "leader-epoch-checkpoint", () => Uint8Array.of(1, 2, 3));
    const log = await openLog({ disk });
    assert.deepEqual(log.endOffsetForEpoch(0), { leaderEpoch: 0, endOffset: 4 });
  });

  test("forgets epochs beyond the end of the log", async () => {
    const disk = await altered(await closedLog(), "leader-epoch-checkpoint", () =>
      new TextEncoder().encode("0\n2\n0 0\n9 10\n"),
    );
    assert.equal((await openLog({ disk, hadCleanShutdown: true })).latestEpoch, 0);
  });
});

describe("what a crash left half done", () => {
  test("is removed, or finished, and foreign files are left alone", async () => {
    const disk = await crashedLog();
    const tree = await readTree(disk, FOLDER);
    const put = (name: string, bytes = new Uint8Array(3)): Promise<void> => writeFile(disk, `${FOLDER}/${name}`, bytes);
    await put(file(0, ".log.deleted"));
    await put(file(8, ".index.deleted"));
    await put(file(8, ".log.cleaned"));
    await put(file(8, ".log.swap")); // at or above a .cleaned: half of a split
    await put(file(77, ".timeindex")); // no log
    await put("notes.txt");
    await put(file(0, ".snapshot")); // of no producers that could be read
    // A cleaner merged the first two segments, keeping offsets 2 and 6.
    const merged = [2, 6].map((offset) =>
      batchOf([value(offset)], { baseOffset: offset, partitionLeaderEpoch: offset >> 2 }),
    );
    await put(file(0, ".log.swap"), Uint8Array.of(...(merged[0] ?? []), ...(merged[1] ?? [])));
    await put(file(0, ".index.swap"), new Uint8Array(0));
    await put(file(0, ".timeindex.swap"), new Uint8Array(0));

    const log = await openLog({ disk, recoveryPoint: 8 });
    assert.deepEqual(valuesOf(await readAll(log)), ["0002", "0006", "0008", "0009"]);
    const names = [...(await readTree(disk, FOLDER)).keys()].filter((name) => !tree.has(name)).toSorted();
    assert.deepEqual(names, [file(10, ".snapshot"), "notes.txt"]);
    assert.equal(log.segmentCount, 2);
  });

  test("of a folder that is empty is a log that begins where it is said to", async () => {
    const disk = new MemoryDisk();
    const log = await openLog({ disk, logStartOffset: 55 });
    assert.deepEqual([log.logStartOffset, log.logEndOffset], [55, 55]);
    await log.close();
    assert.deepEqual([...(await readTree(disk, FOLDER)).keys()].toSorted(), [
      file(55, ".index"),
      file(55, ".log"),
      file(55, ".timeindex"),
      "partition.metadata",
    ]);
  });

  test("of a log that ends before its start offset is removed", async () => {
    const reports: string[] = [];
    const log = await openLog({
      disk: await crashedLog(),
      logStartOffset: 40,
      report: (_path, what) => reports.push(what),
    });
    assert.deepEqual([log.logStartOffset, log.logEndOffset, log.segmentCount], [40, 40, 1]);
    assert.match(reports.join(), /ends at 10, before its start/);
  });

  test("is refused when the folder belongs to another topic", async () => {
    const disk = await crashedLog();
    await writeFile(
      disk,
      `${FOLDER}/partition.metadata`,
      new TextEncoder().encode("version: 0\ntopic_id: BcnynczvRom65cq5HE6Fiw"),
    );
    await assert.rejects(openLog({ disk }), /belongs to topic id BcnynczvRom65cq5HE6Fiw, not GcnynczvRom65cq5HE6Fiw/);
  });
});
