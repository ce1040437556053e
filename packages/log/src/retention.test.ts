import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { MemoryDisk } from "@samsa/io";
import fc from "fast-check";
import { Cleaner } from "./cleaner.ts";
import type { LogConfig } from "./log-config.ts";
import { defaultLogConfig } from "./log-config.ts";
import { LogManager } from "./log-manager.ts";
import { defaultLogCaches } from "./load-log.ts";
import { countDeletable } from "./retention.ts";
import { TailCacheBudget } from "./tail-cache.ts";
import { copyDisk, ioError, WatchedDisk } from "./testing/disks.ts";
import { FOLDER, openLog, TOPIC_ID } from "./testing/logs.ts";
import { ManualClock, SeededRandom } from "./testing/ports.ts";
import { batchOf, NOW_MS, readAll, valuesOf } from "./testing/records.ts";
import type { UnifiedLog } from "./unified-log.ts";

const HOUR_MS = 3600 * 1000;
const turn = (): Promise<void> => new Promise(setImmediate);
const namesIn = async (disk: MemoryDisk): Promise<string[]> =>
  (await disk.list(FOLDER)).map(({ name }) => name).filter((name) => name.includes(".log"));

/** A log with a segment for each list of timestamps, two records of 10 bytes a batch; the high watermark is at the end. */
async function logOf(
  segments: readonly (readonly number[])[],
  config: Partial<LogConfig>,
  { disk, clock = new ManualClock(NOW_MS) }: { disk?: MemoryDisk; clock?: ManualClock } = {},
): Promise<UnifiedLog> {
  disk ??= new MemoryDisk({ clock });
  const log = await openLog({ disk, clock, config: { messageTimestampAfterMaxMs: Infinity, ...config } });
  for (const [index, timestamps] of segments.entries()) {
    if (index > 0) await log.roll();
    for (const timestamp of timestamps) {
      const values = [`${timestamp - NOW_MS} a`, `${timestamp - NOW_MS} b`];
      await log.appendAsLeader(batchOf(values, { timestamps: [timestamp, timestamp] }), 0).written;
    }
  }
  log.updateHighWatermark(log.logEndOffset);
  return log;
}

describe("retention counts from the oldest segment", () => {
  const segment = (endOffset: number, size: number, ageMs: number) => ({
    endOffset,
    size,
    largestTimestamp: NOW_MS - ageMs,
  });
  const segments = [segment(10, 100, 50), segment(20, 100, 30), segment(30, 100, 40), segment(40, 100, 0)];
  const all = { nowMs: NOW_MS, logStartOffset: 0, highWatermark: 40 };
  const cases: [number, string, Partial<LogConfig>, Partial<typeof all>?][] = [
    [0, "nothing is older than retention.ms allows", { retentionMs: 50 }],
    [1, "one is", { retentionMs: 49 }],
    [1, "a younger one keeps what follows it, however old", { retentionMs: 35 }],
    [3, "the active one is younger than all", { retentionMs: 1 }],
    [4, "even the active one is too old", { retentionMs: 1 }, { nowMs: NOW_MS + 2 }],
    [0, "-1 keeps for ever", { retentionMs: -1 }, { nowMs: NOW_MS * 2 }],
    [2, "the high watermark stands in the third", { retentionMs: 1 }, { highWatermark: 29 }],
    [1, "the log is larger than retention.bytes by a segment", { retentionBytes: 300 }],
    [0, "by less than a segment", { retentionBytes: 301 }],
    [4, "retention.bytes of 0 keeps nothing", { retentionBytes: 0 }],
    [2, "two end at or below the log start offset", {}, { logStartOffset: 29 }],
    [3, "the active one stays, though the log start offset is its end", {}, { logStartOffset: 40 }],
    [0, "a compacted log knows no age and no size", { cleanupPolicy: ["compact"], retentionMs: 1, retentionBytes: 1 }],
    [1, "but a log start offset", { cleanupPolicy: ["compact"], retentionMs: 1 }, { logStartOffset: 10 }],
    [1, "compacted and deleted: age counts", { cleanupPolicy: ["compact", "delete"], retentionMs: 49 }],
    [0, "no cleanup.policy keeps for ever", { cleanupPolicy: [], retentionMs: 1, retentionBytes: 1 }],
  ];
  for (const [expected, why, config, bounds] of cases) {
    test(`${expected}: ${why}`, () => {
      assert.equal(
        countDeletable(segments, defaultLogConfig({ retentionMs: -1, ...config }), { ...all, ...bounds }),
        expected,
      );
    });
  }

  test("an empty active segment stays", () => {
    const config = defaultLogConfig({ retentionMs: 1, retentionBytes: 0 });
    assert.equal(countDeletable([segment(10, 5, 50), segment(10, 0, 50)], config, all), 1);
    assert.equal(countDeletable([segment(0, 0, 50)], config, all), 0);
  });

  test("and never leaves less than retention.bytes, nor what is not below the high watermark", () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(sizes, fc.nat(300), fc.nat(9), (list, retentionBytes, highWatermark) => {
        const run = list.map((size, index) => segment(index + 1, size, 0));
        const config = defaultLogConfig({ retentionBytes });
        const count = countDeletable(run, config, { ...all, highWatermark });
        const left = list.slice(count).reduce((sum, size) => sum + size, 0);
        const total = list.reduce((sum, size) => sum + size, 0);
        assert.ok(count <= highWatermark);
        assert.ok(count === 0 || left >= retentionBytes);
        const mayGo = count < Math.min(highWatermark, list.length) ? (list[count] ?? 0) : Infinity;
        assert.ok(left - mayGo < retentionBytes, `${count} of ${total}`);
      }),
    );
  });
});

describe("old segments", () => {
  test("go whole, are set aside under another name, and are removed after file.delete.delay.ms", async () => {
    const disk = new MemoryDisk();
    const clock = new ManualClock(NOW_MS);
    const old = NOW_MS - 2 * HOUR_MS;
    const log = await logOf(
      [[old], [old + 1], [NOW_MS]],
      { retentionMs: HOUR_MS, fileDeleteDelayMs: 500 },
      { disk, clock },
    );
    const [first, second, third] = ["00000000000000000000.log", "00000000000000000002.log", "00000000000000000004.log"];
    assert.equal(await log.deleteOldSegments(), 2);
    assert.deepEqual([log.logStartOffset, log.logEndOffset, log.segmentCount], [4, 6, 1]);
    assert.deepEqual((await namesIn(disk)).toSorted(), [`${first}.deleted`, `${second}.deleted`, third]);
    clock.advance(499);
    await turn();
    assert.equal((await namesIn(disk)).length, 3);
    clock.advance(1);
    await turn();
    assert.deepEqual(
      (await disk.list(FOLDER)).map(({ name }) => name).filter((name) => name.includes(".deleted")),
      [],
    );
    assert.deepEqual(valuesOf(await readAll(log)), ["0 a", "0 b"]);
    assert.equal(await log.deleteOldSegments(), 0);
  });

  test("include the active one: another begins at the log end offset", async () => {
    const disk = new MemoryDisk();
    const old = NOW_MS - 2 * HOUR_MS;
    const log = await logOf([[old], [old]], { retentionMs: HOUR_MS }, { disk });
    assert.equal(await log.deleteOldSegments(), 2);
    assert.deepEqual([log.logStartOffset, log.logEndOffset, log.sizeInBytes], [4, 4, 0]);
    await log.appendAsLeader(batchOf(["new"]), 0).written;
    assert.deepEqual(await readAll(log), [{ offset: 4, value: "new" }]);
    await log.close();
    const again = await openLog({ disk, hadCleanShutdown: true, recoveryPoint: 5 });
    assert.deepEqual([again.logStartOffset, again.logEndOffset], [4, 5]);
  });

  test("do not include one with a timestamp from the future", async () => {
    const old = NOW_MS - 2 * HOUR_MS;
    const log = await logOf([[old, NOW_MS + HOUR_MS], [old]], { retentionMs: HOUR_MS });
    assert.equal(await log.deleteOldSegments(), 0);
    assert.equal(log.logStartOffset, 0);
  });

  test("do not include one with a record that the high watermark has not passed", async () => {
    const old = NOW_MS - 2 * HOUR_MS;
    const log = await logOf([[old], [old], [old]], { retentionMs: HOUR_MS });
    log.updateHighWatermark(3);
    assert.equal(await log.deleteOldSegments(), 1);
    assert.equal(log.logStartOffset, 2);
  });

  test("of records without timestamps are as old as their file", async () => {
    const clock = new ManualClock(NOW_MS);
    const log = await logOf([[-1], [-1]], { retentionMs: HOUR_MS }, { clock });
    assert.equal(await log.deleteOldSegments(), 0);
    clock.advance(HOUR_MS + 1);
    assert.equal(await log.deleteOldSegments(), 2);
  });

  test("of records without timestamps become no younger by a restart", async () => {
    const clock = new ManualClock(NOW_MS);
    const disk = new MemoryDisk({ clock });
    const log = await logOf([[-1], [-1]], { retentionMs: HOUR_MS }, { disk, clock });
    clock.advance(HOUR_MS);
    await log.appendAsLeader(batchOf(["new"], { timestamps: [-1] }), 0).written;
    await log.close();
    const again = await openLog({
      disk,
      clock,
      hadCleanShutdown: true,
      recoveryPoint: 5,
      highWatermark: 5,
      config: { retentionMs: HOUR_MS },
    });
    clock.advance(1);
    assert.equal(await again.deleteOldSegments(), 1, "the active one has a record of a millisecond ago");
    assert.equal(again.logStartOffset, 2);
  });

  test("of records without timestamps become no younger by compaction", async () => {
    const clock = new ManualClock(NOW_MS);
    const disk = new MemoryDisk({ clock });
    const caches = { ...defaultLogCaches(), tail: new TailCacheBudget(0) }; // read from the files
    const config: Partial<LogConfig> = { cleanupPolicy: ["compact", "delete"], retentionMs: HOUR_MS };
    const log = await openLog({ disk, clock, caches, config });
    for (let index = 0; index < 2; index++) {
      await log.appendAsLeader(batchOf([`${index}`], { key: "k", timestamps: [-1] }), 0).written;
      await log.roll();
    }
    await log.flush();
    log.updateHighWatermark(2);
    clock.advance(HOUR_MS);
    await new Cleaner(log, { clock, random: new SeededRandom(), dedupeBufferBytes: 1 << 16 }).clean(0, 2);
    assert.deepEqual(await readAll(log), [{ offset: 1, value: "1" }]);
    assert.equal(await log.deleteOldSegments(), 0);
    clock.advance(1);
    assert.equal(await log.deleteOldSegments(), 1);
  });

  test("leave readers what they have begun to read", async () => {
    const watched = new WatchedDisk();
    const log = await openLog({ disk: watched, config: { retentionMs: 0 } });
    await log.appendAsLeader(batchOf(["a"], { timestamps: [1] }), 0).written;
    await log.roll();
    await log.close();
    const clock = new ManualClock();
    const again = await openLog({
      disk: watched,
      clock,
      hadCleanShutdown: true,
      recoveryPoint: 1,
      config: { retentionMs: 0 },
    });
    again.updateHighWatermark(1);
    const waiting: (() => void)[] = [];
    watched.before = (call) =>
      call.startsWith("read") && call.includes(".log ")
        ? new Promise<void>((resolve) => waiting.push(resolve))
        : undefined;
    const reading = again.read(0, 1 << 20);
    await turn();
    const deleting = again.deleteOldSegments();
    await turn();
    assert.ok(!watched.calls.some((call) => call.startsWith("rename") && call.includes(".deleted")));
    watched.before = () => undefined;
    for (const goOn of waiting) goOn();
    assert.equal((await reading).nextOffset, 1);
    assert.equal(await deleting, 1);
    assert.throws(() => again.read(0, 1), { name: "OffsetOutOfRangeError" });
  });

  test("may be deleted while appends go on", async () => {
    const old = NOW_MS - 2 * HOUR_MS;
    const log = await logOf([[old], [old]], { retentionMs: HOUR_MS });
    const deleting = log.deleteOldSegments();
    const written: Promise<void>[] = [];
    for (let index = 0; index < 20; index++) {
      written.push(log.appendAsLeader(batchOf([`${index}`]), 0).written);
      await Promise.resolve();
    }
    await Promise.all([deleting, ...written]);
    assert.equal(log.failure, undefined);
    assert.deepEqual(
      valuesOf(await readAll(log, Math.max(4, log.logStartOffset))),
      Array.from({ length: 20 }, (_, index) => `${index}`),
    );
  });
});

describe("a crash while old segments are deleted", () => {
  const old = NOW_MS - 2 * HOUR_MS;
  const build = async (config: Partial<LogConfig>): Promise<[MemoryDisk, WatchedDisk, UnifiedLog]> => {
    const memory = new MemoryDisk();
    await (await logOf([[old], [old], [old]], config, { disk: memory })).close();
    const disk = new WatchedDisk(memory);
    const log = await openLog({
      disk,
      clock: new ManualClock(NOW_MS),
      hadCleanShutdown: true,
      recoveryPoint: 6,
      config,
    });
    log.updateHighWatermark(6);
    disk.calls.length = 0;
    return [memory, disk, log];
  };

  test("leaves a log without a gap that ends where it ended, at whatever call it comes", async () => {
    const config = { retentionMs: HOUR_MS };
    const [, counted, whole] = await build(config);
    await whole.deleteOldSegments();
    const calls = counted.calls.length;
    assert.ok(calls > 10);
    for (let last = 0; last <= calls; last++) {
      const [memory, disk, log] = await build(config);
      disk.before = () => (disk.calls.length > last ? new Promise(() => undefined) : undefined);
      void log.deleteOldSegments();
      await turn();
      const copy = await copyDisk(memory, "/data");
      const again = await openLog({ disk: copy, recoveryPoint: 6, highWatermark: 6 });
      assert.equal(again.logEndOffset, 6, `after ${last} calls`);
      const values = valuesOf(await readAll(again));
      assert.equal(values.length, 6 - again.logStartOffset, `after ${last} calls`);
      assert.ok(!(await copy.list(FOLDER)).some(({ name }) => name.endsWith(".deleted")));
    }
  });

  test("also where what was compacted a moment ago, with the same names, still waits for its removal", async () => {
    const compacted = async (): Promise<[MemoryDisk, WatchedDisk, UnifiedLog]> => {
      const memory = new MemoryDisk();
      const disk = new WatchedDisk(memory);
      const clock = new ManualClock(NOW_MS);
      const config: Partial<LogConfig> = { cleanupPolicy: ["compact", "delete"], retentionMs: HOUR_MS };
      const log = await openLog({ disk, clock, config });
      for (let index = 0; index < 3; index++) {
        await log.appendAsLeader(batchOf([`${index}`], { key: `${index % 2}`, timestamps: [old + index] }), 0).written;
        if (index < 2) await log.roll();
      }
      await log.flush();
      log.updateHighWatermark(3);
      await new Cleaner(log, { clock, random: new SeededRandom(), dedupeBufferBytes: 1 << 16 }).clean(0, 2);
      disk.calls.length = 0;
      return [memory, disk, log];
    };
    const [, counted, whole] = await compacted();
    await whole.deleteOldSegments();
    for (let last = 0; last <= counted.calls.length; last++) {
      const [memory, disk, log] = await compacted();
      disk.before = () => (disk.calls.length > last ? new Promise(() => undefined) : undefined);
      void log.deleteOldSegments();
      await turn();
      const again = await openLog({ disk: await copyDisk(memory, "/data"), recoveryPoint: 3, highWatermark: 3 });
      assert.equal(again.logEndOffset, 3, `after ${last} calls`);
    }
  });

  test("is no worse than the failure of any of its calls, which fences the log", async () => {
    const config = { retentionMs: HOUR_MS };
    const [, counted, whole] = await build(config);
    await whole.deleteOldSegments();
    const calls = counted.calls.length;
    for (let failing = 1; failing <= calls; failing++) {
      const [memory, disk, log] = await build(config);
      disk.before = () => {
        if (disk.calls.length === failing) throw ioError();
      };
      // The checkpoint of the epochs is written beside it: then the log is fenced a little later.
      await log.deleteOldSegments().catch((error: unknown) => assert.equal(error, log.failure));
      await turn();
      assert.ok(log.failure !== undefined, `after the failure of ${disk.calls[failing - 1]}`);
      await log.close().catch(() => undefined);
      const again = await openLog({ disk: await copyDisk(memory, "/data"), recoveryPoint: 6, highWatermark: 6 });
      assert.equal(again.logEndOffset, 6);
    }
  });
});

describe("a data directory looks for old segments", () => {
  test("30 seconds after the start, then at the interval, until it is closed", async () => {
    const disk = new MemoryDisk();
    const clock = new ManualClock(NOW_MS);
    const config = defaultLogConfig({ retentionMs: HOUR_MS });
    const options = { disk, clock, random: new SeededRandom(), directory: "/data", defaultConfig: config };
    const manager = await LogManager.open({ ...options, retentionCheckIntervalMs: 1000 });
    const log = await manager.getOrCreate({ topic: "t", partition: 0 }, TOPIC_ID);
    const append = async (): Promise<void> => {
      await log.appendAsLeader(batchOf(["x"], { timestamps: [clock.wallMs() - 2 * HOUR_MS] }), 0).written;
      log.updateHighWatermark(log.logEndOffset);
    };
    await append();
    clock.advance(29_999);
    await turn();
    assert.equal(log.logStartOffset, 0);
    clock.advance(1);
    await turn();
    assert.equal(log.logStartOffset, 1);
    await append();
    clock.advance(1000);
    await turn();
    assert.equal(log.logStartOffset, 2);
    assert.equal(await manager.close(), true);
    clock.advance(10_000);
    await turn();
    const again = await LogManager.open(options);
    assert.deepEqual([again.get("t", 0)?.logStartOffset, again.get("t", 0)?.logEndOffset], [2, 2]);
    assert.equal(again.hadCleanShutdown, true);
    assert.deepEqual(again.problems, []);
    await again.close();
  });
});

describe("the active segment of a compacted log", () => {
  const cases: [boolean, string, Partial<LogConfig>][] = [
    [true, "segment.ms has passed", { cleanupPolicy: ["compact"], segmentMs: HOUR_MS - 1 }],
    [false, "it has not", { cleanupPolicy: ["compact"], segmentMs: HOUR_MS }],
    [
      true,
      "segment.ms less its jitter has",
      { cleanupPolicy: ["compact"], segmentMs: HOUR_MS + 1, segmentJitterMs: 1e9 },
    ],
    [true, "max.compaction.lag.ms has passed", { cleanupPolicy: ["compact"], maxCompactionLagMs: HOUR_MS - 1 }],
    [false, "the log is not compacted", { segmentMs: 1, maxCompactionLagMs: 1 }],
  ];
  for (const [rolls, why, config] of cases) {
    test(`${rolls ? "is" : "is not"} rolled without an append: ${why}`, async () => {
      const clock = new ManualClock(NOW_MS);
      const log = await openLog({ clock, config });
      await log.rollOverdue();
      assert.equal(log.segmentCount, 1, "an empty segment stays");
      await log.appendAsLeader(batchOf(["a"], { key: "k" }), 0).written;
      clock.advance(HOUR_MS);
      await log.rollOverdue();
      assert.equal(log.segmentCount, rolls ? 2 : 1);
    });
  }

  test("is rolled by an append after max.compaction.lag.ms", async () => {
    const log = await openLog({ config: { cleanupPolicy: ["compact"], maxCompactionLagMs: 10 } });
    for (const [index, at] of [0, 10, 11].entries()) {
      log.appendAsLeader(batchOf([`${index}`], { key: "k", timestamps: [NOW_MS + at] }), 0);
    }
    assert.equal(log.segmentCount, 2);
  });
});
