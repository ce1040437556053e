import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ErrorCode } from "@samsa/base";
import { MemoryDisk } from "@samsa/io";
import { KafkaStorageError, OffsetOutOfRangeError } from "./errors.ts";
import { IndexCache } from "./index-cache.ts";
import { defaultLogCaches } from "./load-log.ts";
import { ReadAheadBudget } from "./read-ahead.ts";
import { TailCacheBudget } from "./tail-cache.ts";
import { copyDisk, ioError, readTree, WatchedDisk, writeFile } from "./testing/disks.ts";
import { FOLDER, openLog } from "./testing/logs.ts";
import { ManualClock } from "./testing/ports.ts";
import { batchOf, NOW_MS, readAll, textRecords, valuesOf } from "./testing/records.ts";
import type { UnifiedLog } from "./unified-log.ts";

const SIZE = batchOf(["0000"]).length;
const noMemory = { tail: new TailCacheBudget(0), indexes: new IndexCache(0), readAhead: new ReadAheadBudget(0) };
const value = (index: number): string => String(index).padStart(4, "0");

/** Appends single records, each a batch, and waits until they are written. */
async function appendAll(log: UnifiedLog, from: number, to: number, epoch = 0): Promise<void> {
  const writes = [];
  for (let index = from; index < to; index++) writes.push(log.appendAsLeader(batchOf([value(index)]), epoch).written);
  await Promise.all(writes);
}

const range = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, index) => value(from + index));

describe("an append", () => {
  test("is decided at once: offsets are given, and the records can be read, before the disk has them", async () => {
    const disk = new WatchedDisk();
    const log = await openLog({ disk });
    disk.before = () => new Promise(() => undefined); // the disk takes forever
    const first = log.appendAsLeader(batchOf(["a", "b"]), 5);
    const second = log.appendAsLeader(batchOf(["c"]), 5);
    assert.deepEqual([first.info.firstOffset, first.info.lastOffset, second.info.firstOffset], [0, 1, 2]);
    assert.deepEqual([log.logEndOffset, log.writtenEndOffset, log.latestEpoch], [3, 0, 5]);
    const result = log.read(0, 1000);
    assert.ok(!(result instanceof Promise));
    assert.deepEqual(valuesOf(textRecords(result.records)), ["a", "b", "c"]);
    assert.equal(result.nextOffset, 3);
  });

  test("that is refused changes nothing", async () => {
    const log = await openLog();
    assert.throws(() => log.appendAsLeader(new Uint8Array(10), 0), { code: ErrorCode.INVALID_RECORD });
    assert.deepEqual([log.logEndOffset, log.latestEpoch, log.sizeInBytes], [0, undefined, 0]);
  });

  test("goes out with all that came while the disk was busy, in one write", async () => {
    const disk = new WatchedDisk();
    const log = await openLog({ disk });
    await appendAll(log, 0, 1);
    disk.calls.length = 0;
    let release = (): void => undefined;
    disk.before = (call) => (call.startsWith("write") ? new Promise((resolve) => (release = resolve)) : undefined);
    const written = [log.appendAsLeader(batchOf(["0001"]), 0).written];
    await new Promise(setImmediate);
    for (let index = 2; index < 100; index++) written.push(log.appendAsLeader(batchOf([value(index)]), 0).written);
    disk.before = () => undefined;
    release();
    await Promise.all(written);
    assert.deepEqual(disk.calls, [
      `write ${FOLDER}/00000000000000000000.log 1 chunks at ${SIZE}`,
      `write ${FOLDER}/00000000000000000000.log 98 chunks at ${2 * SIZE}`,
    ]);
    assert.equal(log.pendingBytes, 0);
    await log.close();
    assert.deepEqual(valuesOf(await readAll(await openLog({ disk }))), range(0, 100));
  });

  test("shares a write with those of the same turn", async () => {
    const disk = new WatchedDisk();
    const log = await openLog({ disk });
    await appendAll(log, 0, 1);
    disk.calls.length = 0;
    await appendAll(log, 1, 10);
    assert.deepEqual(disk.calls, [`write ${FOLDER}/00000000000000000000.log 9 chunks at ${SIZE}`]);
  });

  test("has the checkpoint of a new epoch written before it, durably", async () => {
    const disk = new WatchedDisk();
    const log = await openLog({ disk });
    disk.calls.length = 0;
    await appendAll(log, 0, 3, 4);
    const calls = disk.calls.map((call) => call.replaceAll(`${FOLDER}/`, "").replace(/ (at|to) .*/, ""));
    assert.deepEqual(calls, [
      "open leader-epoch-checkpoint.tmp",
      "truncate leader-epoch-checkpoint.tmp",
      "write leader-epoch-checkpoint.tmp 1 chunks",
      "sync leader-epoch-checkpoint.tmp",
      "rename leader-epoch-checkpoint.tmp leader-epoch-checkpoint",
      "sync ",
      "write 00000000000000000000.log 3 chunks",
    ]);
  });

  test("tells its owner when it is written, before its promise does", async () => {
    const log = await openLog();
    const told: string[] = [];
    log.onWritten = () => told.push(`written to ${log.writtenEndOffset}`);
    const { written } = log.appendAsLeader(batchOf(["a", "b"]), 0);
    await written.then(() => told.push("settled"));
    assert.deepEqual(told, ["written to 2", "settled"]);
  });

  test("of a follower keeps the offsets and epochs that a leader gave", async () => {
    const log = await openLog();
    const first = batchOf(["a", "b"], { baseOffset: 10, partitionLeaderEpoch: 2 });
    const second = batchOf(["c"], { baseOffset: 15, partitionLeaderEpoch: 3 });
    const { info, written } = log.appendAsFollower(Uint8Array.of(...first, ...second));
    await written;
    assert.deepEqual([info.firstOffset, info.lastOffset, info.recordCount], [10, 15, 3]);
    assert.deepEqual(
      (await readAll(log, 0)).map(({ offset }) => offset),
      [10, 11, 15],
    );
    assert.deepEqual(log.endOffsetForEpoch(2), { leaderEpoch: 2, endOffset: 15 });
    assert.throws(() => log.appendAsFollower(first), { code: ErrorCode.UNKNOWN_SERVER_ERROR });
  });
});

describe("reading", () => {
  for (const [where, caches] of [
    ["memory", defaultLogCaches()],
    ["the disk", noMemory],
  ] as const) {
    test(`from ${where} gives whole batches, by size and bound`, async () => {
      const log = await openLog({ caches, config: { segmentBytes: 30 * SIZE } });
      await appendAll(log, 0, 100);
      const offsets = async (...args: Parameters<UnifiedLog["read"]>): Promise<number[]> =>
        textRecords((await log.read(...args)).records).map(({ offset }) => offset);
      assert.deepEqual(await offsets(10, 3 * SIZE), [10, 11, 12]);
      assert.deepEqual(await offsets(10, 4 * SIZE - 1), [10, 11, 12]);
      assert.deepEqual(await offsets(10, 1), [10]);
      assert.deepEqual(await offsets(10, 1, { minOneMessage: false }), []);
      assert.deepEqual(await offsets(10, 0, { minOneMessage: false }), []);
      assert.deepEqual(await offsets(10, 1000 * SIZE, { upToOffset: 12 }), [10, 11]);
      assert.deepEqual(await offsets(10, 1000 * SIZE, { upToOffset: 10 }), []);
      assert.deepEqual(await offsets(100, 1000), []);
      assert.deepEqual(valuesOf(await readAll(log, 0, 1000)), range(0, 100));
      assert.deepEqual(valuesOf(await readAll(log, 37, 1)), range(37, 100));
    });

    test(`from ${where} is refused outside of the log`, async () => {
      const log = await openLog({ caches });
      await appendAll(log, 0, 5);
      log.updateHighWatermark(5);
      log.maybeIncrementLogStartOffset(2);
      for (const offset of [-1, 0, 1, 6]) assert.throws(() => log.read(offset, 100), OffsetOutOfRangeError);
      assert.deepEqual(valuesOf(await readAll(log)), range(2, 5));
    });
  }

  test("goes on where it stopped without looking at an index", async () => {
    const disk = new WatchedDisk();
    const log = await openLog({ disk, caches: noMemory });
    await appendAll(log, 0, 100);
    await log.read(0, 10 * SIZE);
    disk.calls.length = 0;
    for (let offset = 10; offset < 100; offset += 10) await log.read(offset, 10 * SIZE);
    assert.equal(disk.calls.filter((call) => call.startsWith("read")).length, 9);
  });

  test("never hands out a batch whose bytes have changed on the disk", async () => {
    const disk = new MemoryDisk();
    const log = await openLog({ disk, caches: noMemory });
    await appendAll(log, 0, 3);
    const path = `${FOLDER}/00000000000000000000.log`;
    const bytes = (await readTree(disk, FOLDER)).get("00000000000000000000.log")?.slice();
    assert.ok(bytes !== undefined);
    bytes[SIZE + 65] = (bytes[SIZE + 65] ?? 0) ^ 1;
    await writeFile(disk, path, bytes);
    await assert.rejects(async () => log.read(0, 1000), KafkaStorageError);
    assert.match(log.failure?.message ?? "", /t-0 .* is offline: .*00\.log: no valid batch at \d+: .*CRC/);
  });
});

describe("a segment", () => {
  const files = async (log: UnifiedLog, disk: MemoryDisk): Promise<string[]> => {
    await log.close();
    return [...(await readTree(disk, FOLDER)).keys()].filter((name) => name.endsWith(".log")).toSorted();
  };
  const names = (...offsets: number[]): string[] => offsets.map((offset) => `${String(offset).padStart(20, "0")}.log`);

  test("ends before it is larger than segment.bytes", async () => {
    const disk = new MemoryDisk();
    const log = await openLog({ disk, config: { segmentBytes: 3 * SIZE } });
    await appendAll(log, 0, 8);
    assert.equal(log.segmentCount, 3);
    assert.equal(log.sizeInBytes, 8 * SIZE);
    assert.deepEqual(await files(log, disk), names(0, 3, 6));
  });

  test("ends when a batch is segment.ms younger than its first, by the batches' own timestamps", async () => {
    const disk = new MemoryDisk();
    const log = await openLog({ disk, config: { segmentMs: 1000 } });
    for (const timestamp of [5000, 6000, 6001, 7002, 3000])
      log.appendAsLeader(batchOf(["x"], { timestamps: [timestamp] }), 0);
    assert.deepEqual(await files(log, disk), names(0, 2, 3));
  });

  test("without timestamps ends by the clock", async () => {
    const disk = new MemoryDisk();
    const clock = new ManualClock();
    const log = await openLog({ disk, clock, config: { segmentMs: 1000 } });
    for (let index = 0; index < 4; index++) {
      log.appendAsLeader(batchOf(["x"], { timestamps: [-1] }), 0);
      clock.advance(600);
    }
    assert.deepEqual(await files(log, disk), names(0, 2));
  });

  test("ends when an index is full", async () => {
    const disk = new MemoryDisk();
    const log = await openLog({ disk, config: { segmentIndexBytes: 36, indexIntervalBytes: 0 } });
    await appendAll(log, 0, 10);
    assert.deepEqual(await files(log, disk), names(0, 5)); // four entries of 8 bytes, and the first batch has none
  });

  test("ends before an offset is too far from its first", async () => {
    const disk = new MemoryDisk();
    const log = await openLog({ disk });
    for (const baseOffset of [0, 0x7fffffff, 0x80000000]) log.appendAsFollower(batchOf(["x"], { baseOffset }));
    assert.deepEqual(await files(log, disk), names(0, 0x80000000));
  });

  test("has its names and its content synced soon after it ended", async () => {
    const disk = new WatchedDisk();
    const log = await openLog({ disk, config: { segmentBytes: 3 * SIZE } });
    await appendAll(log, 0, 4);
    while (log.recoveryPoint < 3) await new Promise(setImmediate);
    const synced = disk.calls
      .filter((call) => call.startsWith("sync"))
      .map((call) => call.slice(5 + FOLDER.length + 1));
    for (const suffix of [".log", ".index", ".timeindex"]) assert.ok(synced.includes(`00000000000000000000${suffix}`));
    assert.equal(log.recoveryPoint, 3);
  });
});

describe("an offset by its time", () => {
  for (const [where, caches] of [
    ["memory", defaultLogCaches()],
    ["the disk", noMemory],
  ] as const) {
    test(`is that of the first record not older, with all indexes in ${where}`, async () => {
      const log = await openLog({ caches, config: { segmentBytes: 5 * SIZE, indexIntervalBytes: SIZE } });
      const timestamps = [10, 20, 15, 30, 30, 25, 40, 35, 50, 45, 60, 55];
      for (const timestamp of timestamps) log.appendAsLeader(batchOf(["0000"], { timestamps: [timestamp] }), 2);
      for (let target = 0; target <= 61; target++) {
        const expected = timestamps.findIndex((timestamp) => timestamp >= target);
        const found = await log.fetchOffsetByTimestamp(target);
        assert.equal(found?.offset ?? -1, expected, `at ${target}`);
        if (found !== undefined) assert.deepEqual([found.timestamp, found.leaderEpoch], [timestamps[expected], 2]);
      }
      assert.deepEqual(await log.fetchMaxTimestampOffset(), { timestamp: 60, offset: 10, leaderEpoch: 2 });
    });
  }

  test("is inside its batch, and not below the log start offset", async () => {
    const log = await openLog();
    await log.appendAsLeader(batchOf(["a", "b", "c"], { timestamps: [10, 30, 20] }), 0).written;
    assert.equal((await log.fetchOffsetByTimestamp(15))?.offset, 1);
    assert.deepEqual(await log.fetchMaxTimestampOffset(), { timestamp: 30, offset: 1, leaderEpoch: 0 });
    log.updateHighWatermark(3);
    log.maybeIncrementLogStartOffset(2);
    assert.equal((await log.fetchOffsetByTimestamp(15))?.offset, 2);
    assert.equal(await log.fetchOffsetByTimestamp(25), undefined);
  });

  test("is none in an empty log", async () => {
    const log = await openLog();
    assert.equal(await log.fetchOffsetByTimestamp(0), undefined);
    assert.equal(await log.fetchMaxTimestampOffset(), undefined);
    assert.deepEqual(log.latestOffset(), { timestamp: -1, offset: 0, leaderEpoch: undefined });
  });
});

describe("the offsets of a log", () => {
  test("keep the high watermark between start and end", async () => {
    const log = await openLog();
    await appendAll(log, 0, 10);
    assert.equal(log.updateHighWatermark(99), 10);
    assert.equal(log.updateHighWatermark(7), 7);
    log.maybeIncrementLogStartOffset(5);
    assert.equal(log.updateHighWatermark(3), 5);
  });

  test("refuse a log start offset above the high watermark, and ignore one that goes back", async () => {
    const log = await openLog();
    await appendAll(log, 0, 10);
    log.updateHighWatermark(7);
    assert.throws(() => log.maybeIncrementLogStartOffset(8), OffsetOutOfRangeError);
    assert.equal(log.maybeIncrementLogStartOffset(5), true);
    assert.equal(log.maybeIncrementLogStartOffset(4), false);
    assert.equal(log.logStartOffset, 5);
  });
});

describe("truncation", () => {
  test("removes everything from an offset on, for good, and appends go on there", async () => {
    for (const target of [0, 1, 6, 7, 12, 19]) {
      const disk = new MemoryDisk();
      const log = await openLog({ disk, config: { segmentBytes: 7 * SIZE, indexIntervalBytes: SIZE } });
      await appendAll(log, 0, 10, 0);
      await appendAll(log, 10, 20, 3);
      await log.flush();
      assert.equal(await log.truncateTo(target), true);
      assert.deepEqual([log.logEndOffset, log.writtenEndOffset], [target, target]);
      assert.equal(log.latestEpoch, target > 10 ? 3 : target > 0 ? 0 : undefined);
      assert.ok(log.recoveryPoint <= target);
      await appendAll(log, target, 25, 4);
      assert.deepEqual(valuesOf(await readAll(log)), range(0, 25));
      await log.close();
      const again = await openLog({ disk, hadCleanShutdown: true });
      assert.deepEqual(valuesOf(await readAll(again)), range(0, 25));
      assert.equal(again.latestEpoch, 4);
    }
  });

  test("forgets where readers had stopped in what is gone", async () => {
    const log = await openLog({ caches: noMemory });
    await appendAll(log, 0, 10);
    for (let offset = 0; offset < 10; offset++) await log.read(offset, SIZE);
    await log.truncateTo(2);
    for (let index = 2; index < 10; index++) await log.appendAsLeader(batchOf([`${value(index)} and more`]), 1).written;
    assert.equal((await readAll(log, 0, SIZE)).length, 10);
  });

  test("waits for readers, and readers for it: neither takes the other's work for a damaged disk", async () => {
    const disk = new WatchedDisk();
    disk.before = () => new Promise(setImmediate);
    const log = await openLog({ disk, caches: noMemory, config: { segmentBytes: 4 * SIZE } });
    await appendAll(log, 0, 20);
    const reads = [0, 3, 9, 15].map(async (offset) => log.read(offset, 100 * SIZE));
    const byTime = log.fetchOffsetByTimestamp(NOW_MS);
    const truncation = log.truncateTo(6);
    const late = [0, 3, 5].map(async (offset) => log.read(offset, 100 * SIZE));
    for (const result of await Promise.all([...reads, ...late])) assert.ok(result.sizeInBytes > 0);
    assert.equal((await byTime)?.offset, 0);
    await truncation;
    assert.equal(log.failure, undefined);
    assert.deepEqual(valuesOf(await readAll(log)), range(0, 6));
  });

  test("at or above the end does nothing", async () => {
    const log = await openLog();
    await appendAll(log, 0, 3);
    assert.equal(await log.truncateTo(3), false);
    assert.equal(await log.truncateTo(9), false);
    assert.equal(log.logEndOffset, 3);
  });

  test("of everything begins anew at another offset", async () => {
    const disk = new MemoryDisk();
    const log = await openLog({ disk, config: { segmentBytes: 2 * SIZE } });
    await appendAll(log, 0, 5);
    await log.truncateFullyAndStartAt(1000);
    assert.deepEqual([log.logStartOffset, log.logEndOffset, log.segmentCount], [1000, 1000, 1]);
    await appendAll(log, 1000, 1002);
    await log.close();
    assert.deepEqual(valuesOf(await readAll(await openLog({ disk }))), ["1000", "1001"]);
  });
});

describe("durability", () => {
  test("of flush.messages=1 is a sync before the append is acknowledged, one for a whole group", async () => {
    const disk = new WatchedDisk();
    const log = await openLog({ disk, config: { flushMessages: 1 } });
    await appendAll(log, 0, 1);
    disk.calls.length = 0;
    let settled = 0;
    disk.before = (call) => {
      if (call === `sync ${FOLDER}/00000000000000000000.log`) assert.equal(settled, 0);
    };
    const writes = [];
    for (let index = 1; index < 50; index++) {
      writes.push(log.appendAsLeader(batchOf([value(index)]), 0).written.then(() => settled++));
    }
    await Promise.all(writes);
    assert.equal(disk.calls.filter((call) => call.endsWith(".log") && call.startsWith("sync")).length, 1);
    assert.deepEqual([settled, log.recoveryPoint], [49, 50]);
  });

  test("of flush is a sync of the log and its indexes, and moves the recovery point", async () => {
    const disk = new WatchedDisk();
    const log = await openLog({ disk });
    await appendAll(log, 0, 3);
    assert.equal(log.recoveryPoint, 0);
    await log.flush();
    assert.equal(log.recoveryPoint, 3);
    disk.calls.length = 0;
    await log.flush();
    assert.deepEqual(disk.calls, []);
  });
});

describe("a disk that fails", () => {
  for (const [what, matches] of [
    ["a write", (call: string) => call.startsWith("write") && call.includes(".log")],
    ["the checkpoint of the epochs", (call: string) => call.startsWith("rename")],
  ] as const) {
    test(`fences the log at ${what}: everything is KAFKA_STORAGE_ERROR from then on`, async () => {
      const disk = new WatchedDisk();
      const log = await openLog({ disk });
      const failures: string[] = [];
      log.onFailure = (_log, error) => failures.push(error.message);
      disk.before = (call) => {
        if (matches(call)) throw ioError("ENOSPC");
      };
      const first = log.appendAsLeader(batchOf(["a"]), 0);
      const second = log.appendAsLeader(batchOf(["b"]), 0);
      await assert.rejects(first.written, { code: ErrorCode.KAFKA_STORAGE_ERROR });
      await assert.rejects(second.written, { code: ErrorCode.KAFKA_STORAGE_ERROR });
      disk.before = () => undefined; // the disk is well again, and nothing is tried again
      disk.calls.length = 0;
      assert.throws(() => log.appendAsLeader(batchOf(["c"]), 0), KafkaStorageError);
      assert.throws(() => log.read(0, 100), KafkaStorageError);
      await assert.rejects(log.flush(), KafkaStorageError);
      await assert.rejects(log.roll(), KafkaStorageError);
      await assert.rejects(log.fetchOffsetByTimestamp(0), KafkaStorageError);
      await assert.rejects(log.truncateTo(0), KafkaStorageError);
      await log.close();
      assert.deepEqual(disk.calls, []);
      assert.equal(log.writtenEndOffset, 0);
      assert.equal(failures.length, 1);
      assert.match(failures[0] ?? "", /ENOSPC/);
    });
  }

  test("at a sync is not asked to sync again", async () => {
    const disk = new WatchedDisk();
    const log = await openLog({ disk, config: { flushMessages: 1 } });
    disk.before = (call) => {
      if (call.startsWith("sync") && call.endsWith(".log")) throw ioError();
    };
    const { written } = log.appendAsLeader(batchOf(["a"]), 0);
    await assert.rejects(written, { code: ErrorCode.KAFKA_STORAGE_ERROR });
    await assert.rejects(log.flush(), KafkaStorageError);
    await log.close();
    assert.equal(disk.calls.filter((call) => call.startsWith("sync") && call.endsWith(".log")).length, 1);
  });

  test("when a segment rolls fences the log, and what was written before stays acknowledged", async () => {
    const disk = new WatchedDisk();
    const log = await openLog({ disk, config: { segmentBytes: 2 * SIZE } });
    await appendAll(log, 0, 2);
    disk.before = (call) => {
      if (call.startsWith("open") && call.includes("02.log")) throw ioError("EMFILE");
    };
    await assert.rejects(log.appendAsLeader(batchOf(["0002"]), 0).written, KafkaStorageError);
    assert.equal(log.writtenEndOffset, 2);
  });

  test("at a read fences the log, too", async () => {
    const disk = new WatchedDisk();
    const log = await openLog({ disk, caches: noMemory });
    await appendAll(log, 0, 2);
    disk.before = (call) => {
      if (call.startsWith("read")) throw ioError();
    };
    await assert.rejects(async () => log.read(0, 100), KafkaStorageError);
    assert.throws(() => log.appendAsLeader(batchOf(["x"]), 0), KafkaStorageError);
  });

  test("at any one call loses nothing that was acknowledged", async () => {
    const script = async (disk: WatchedDisk): Promise<number> => {
      let acknowledged = 0;
      let log: UnifiedLog | undefined;
      try {
        log = await openLog({ disk, config: { segmentBytes: 4 * SIZE, flushMessages: 3 } });
        for (let index = 0; index < 12; index++) {
          await log.appendAsLeader(batchOf([value(index)]), index >> 2).written;
          acknowledged = index + 1;
        }
        await log.close();
      } catch (error) {
        assert.match(String(error), /injected/);
        await log?.close().catch(() => undefined); // it may have been the close that failed
      }
      return acknowledged;
    };
    const whole = new WatchedDisk();
    assert.equal(await script(whole), 12);
    for (let failing = 0; failing < whole.calls.length; failing++) {
      const memory = new MemoryDisk();
      const disk = new WatchedDisk(memory);
      disk.before = () => {
        if (disk.calls.length === failing + 1) throw ioError();
      };
      const acknowledged = await script(disk);
      const recovered = await openLog({ disk: await copyDisk(memory, "/") });
      const values = valuesOf(await readAll(recovered));
      assert.ok(
        values.length >= acknowledged,
        `call ${failing} (${whole.calls[failing]}): ${values.length} of ${acknowledged}`,
      );
      assert.deepEqual(values, range(0, values.length));
    }
  });
});

describe("the end of a log", () => {
  test("waits for what was appended, and comes once", async () => {
    const disk = new MemoryDisk();
    const log = await openLog({ disk });
    const { written } = log.appendAsLeader(batchOf(["a"]), 0);
    const closed = log.close();
    assert.throws(() => log.appendAsLeader(batchOf(["b"]), 0), KafkaStorageError);
    await Promise.all([closed, log.close()]);
    await written;
    assert.throws(() => log.read(0, 1), KafkaStorageError);
    assert.throws(() => log.appendAsLeader(batchOf(["b"]), 0), KafkaStorageError);
    assert.deepEqual(valuesOf(await readAll(await openLog({ disk }))), ["a"]);
  });

  test("completes the time index with the largest timestamp", async () => {
    const disk = new MemoryDisk();
    const log = await openLog({ disk });
    await appendAll(log, 0, 2);
    await log.close();
    const index = (await readTree(disk, FOLDER)).get("00000000000000000000.timeindex");
    assert.equal(new DataView(index?.buffer as ArrayBuffer).getBigInt64(0), BigInt(NOW_MS));
    assert.equal(index?.length, 12);
  });
});
