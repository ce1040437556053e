import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { RecordBatchBuilder, recordBatches } from "@samsa/protocol";
import { MemoryDisk } from "@samsa/io";
import fc from "fast-check";
import { Cleaner } from "./cleaner.ts";
import type { LogConfig } from "./log-config.ts";
import { defaultLogCaches } from "./load-log.ts";
import { TailCacheBudget } from "./tail-cache.ts";
import { copyDisk, ioError, readTree, WatchedDisk } from "./testing/disks.ts";
import { FOLDER, openLog } from "./testing/logs.ts";
import { ManualClock, SeededRandom } from "./testing/ports.ts";
import { NOW_MS } from "./testing/records.ts";
import type { UnifiedLog } from "./unified-log.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const turn = (): Promise<void> => new Promise(setImmediate);
const CONFIG = {
  cleanupPolicy: ["compact"],
  segmentBytes: 600,
  indexIntervalBytes: 100,
  deleteRetentionMs: 0,
} as const;

/** A record of a script: key 0 to 7, without a value every now and then. */
type Write = readonly [key: number, isTombstone: boolean];
type Latest = ReadonlyMap<string, string>;

function batchOf(writes: readonly Write[], sequence: number, compress: boolean): Uint8Array {
  const builder = new RecordBatchBuilder({ compressionType: compress ? "gzip" : "none" });
  for (const [index, [key, isTombstone]] of writes.entries()) {
    const value = isTombstone ? null : encoder.encode(`${sequence + index}`);
    builder.append({ timestamp: NOW_MS + sequence + index, key: encoder.encode(`key ${key}`), value });
  }
  return builder.build().slice();
}

/** Nothing comes from memory: the disk is what is tested. */
const diskOnly = () => ({ ...defaultLogCaches(), tail: new TailCacheBudget(0) });

async function writeLog(disk: MemoryDisk, batches: readonly (readonly Write[])[]): Promise<UnifiedLog> {
  const log = await openLog({ disk, caches: diskOnly(), config: CONFIG });
  let sequence = 0;
  for (const [index, writes] of batches.entries()) {
    await log.appendAsLeader(batchOf(writes, sequence, index % 3 === 2), 0).written;
    sequence += writes.length;
  }
  await log.flush();
  log.updateHighWatermark(log.logEndOffset);
  return log;
}

/** What a consumer has at the end that keeps the latest value of each key; offsets must rise, and none may be read twice. */
async function readLatest(log: UnifiedLog, isCut = false): Promise<Latest> {
  const latest = new Map<string, string>();
  let next = log.logStartOffset;
  for (let offset = next; offset < log.logEndOffset;) {
    const result = await log.read(offset, 1000);
    if (isCut && result.nextOffset === offset) break; // a truncation may leave a gap at the end
    assert.ok(result.nextOffset > offset, `nothing to read at ${offset} of ${log.logEndOffset}`);
    for (const chunk of result.records) {
      for (const batch of recordBatches(chunk)) {
        for (const record of batch.records()) {
          assert.ok(record.offset >= next);
          next = record.offset + 1;
          const key = decoder.decode(record.key ?? undefined);
          if (record.value === null) latest.delete(key);
          else latest.set(key, decoder.decode(record.value));
        }
      }
    }
    offset = result.nextOffset;
  }
  return latest;
}

function latestOf(batches: readonly (readonly Write[])[]): Latest {
  const latest = new Map<string, string>();
  for (const [sequence, [key, isTombstone]] of batches.flat().entries()) {
    if (isTombstone) latest.delete(`key ${key}`);
    else latest.set(`key ${key}`, `${sequence}`);
  }
  return latest;
}

const sorted = (latest: Latest): [string, string][] =>
  [...latest].toSorted(([one], [other]) => one.localeCompare(other));
const activeBase = (log: UnifiedLog): number => log.segments.at(-1)?.baseOffset ?? 0;

function clean(log: UnifiedLog, from = 0, dedupeBufferBytes = 1 << 20, nowMs = NOW_MS): ReturnType<Cleaner["clean"]> {
  const cleaner = new Cleaner(log, { clock: new ManualClock(nowMs), random: new SeededRandom(), dedupeBufferBytes });
  return cleaner.clean(from, activeBase(log));
}

const write = fc.tuple(
  fc.nat(7),
  fc.integer({ min: 0, max: 9 }).map((one) => one < 2),
);
const script = fc.array(fc.array(write, { minLength: 1, maxLength: 5 }), { minLength: 5, maxLength: 40 });
/** Forty batches, eight keys: a dozen segments. */
const SCRIPT = Array.from({ length: 40 }, (_, batch): Write[] =>
  Array.from({ length: 1 + (batch % 3) }, (_, index): Write => [
    (batch * 5 + index * 3) % 8,
    (batch + index) % 7 === 0,
  ]),
);

describe("after compaction", () => {
  test("the latest value of every key is what a plain map says, also after a restart and a second time", async () => {
    await fc.assert(
      fc.asyncProperty(script, async (batches) => {
        const disk = new MemoryDisk();
        const log = await writeLog(disk, batches);
        const expected = sorted(latestOf(batches));
        const endOffset = log.logEndOffset;
        const first = await clean(log);
        assert.equal(first.endOffset, activeBase(log));
        assert.deepEqual(sorted(await readLatest(log)), expected);
        await clean(log, 0, 1 << 20, NOW_MS + 10); // the delete horizons have passed
        assert.deepEqual(sorted(await readLatest(log)), expected);
        await log.close();
        const again = await openLog({ disk, caches: diskOnly(), config: CONFIG, hadCleanShutdown: true });
        assert.equal(again.logEndOffset, endOffset);
        assert.deepEqual(sorted(await readLatest(again)), expected);
      }),
      { numRuns: 60 },
    );
  });

  test("no key is twice in the part that was compacted, and tombstones go when their time has come", async () => {
    const log = await writeLog(new MemoryDisk(), SCRIPT);
    const bytesBefore = log.sizeInBytes;
    await clean(log);
    await clean(log, 0, 1 << 20, NOW_MS + 10);
    const keys: string[] = [];
    for (const segment of log.segments.slice(0, -1)) {
      for await (const { position } of segment.headers(0)) {
        for (const record of (await segment.readBatch(position)).records()) {
          assert.notEqual(record.value, null);
          keys.push(decoder.decode(record.key ?? undefined));
        }
      }
    }
    assert.equal(new Set(keys).size, keys.length);
    assert.ok(keys.length > 0);
    assert.ok(log.sizeInBytes < bytesBefore / 2, `${log.sizeInBytes} of ${bytesBefore} bytes are left`);
  });

  test("several small segments have become one, and the log ends where it did", async () => {
    const log = await writeLog(new MemoryDisk(), SCRIPT);
    const before = log.segmentCount;
    await clean(log);
    await clean(log);
    assert.ok(log.segmentCount < before, `${log.segmentCount} of ${before}`);
    const last = log.segments.at(-2);
    assert.equal(await last?.readNextOffset(), activeBase(log), "the last batch keeps its header");
  });

  test("a slow disk gets the bytes of one segment while the next one is read", async () => {
    const memory = new MemoryDisk();
    await (await writeLog(memory, SCRIPT)).close();
    const disk = new WatchedDisk(memory);
    disk.before = async (call) => {
      if (/^write .*\.cleaned/.test(call)) for (let turns = 0; turns < 20; turns++) await turn();
    };
    const log = await openLog({ disk, caches: diskOnly(), config: CONFIG, hadCleanShutdown: true });
    log.updateHighWatermark(log.logEndOffset);
    for (let round = 0; round < 3; round++) await clean(log);
    assert.deepEqual(sorted(await readLatest(log)), sorted(latestOf(SCRIPT)));
  });

  test("timestamps and offsets are found as before", async () => {
    const log = await writeLog(new MemoryDisk(), SCRIPT);
    const max = await log.fetchMaxTimestampOffset();
    await clean(log);
    assert.deepEqual(await log.fetchMaxTimestampOffset(), max);
    const found = await log.fetchOffsetByTimestamp(NOW_MS + 10);
    assert.ok(found !== undefined && found.offset >= 10 && found.timestamp >= NOW_MS + 10);
  });

  test("with too little memory for all keys, the part that was looked at is clean and the rest as it was", async () => {
    const many = Array.from({ length: 60 }, (_, index): Write[] => [[index % 40, false]]);
    const log = await writeLog(new MemoryDisk(), many);
    const ends: number[] = [];
    for (let from = 0; from < activeBase(log);) {
      const { endOffset } = await clean(log, from, 17 * 24);
      assert.ok(endOffset > from);
      assert.deepEqual(sorted(await readLatest(log)), sorted(latestOf(many)));
      ends.push(endOffset);
      from = endOffset;
    }
    assert.ok(ends.length > 2, ends.join());
  });
});

describe("while a log is compacted", () => {
  test("appends and reads go on", async () => {
    const log = await writeLog(new MemoryDisk(), SCRIPT);
    const cleaning = clean(log);
    const more: Write[][] = [];
    let sequence = SCRIPT.flat().length;
    for (let index = 0; index < 30; index++) {
      more.push([[index % 8, false]]);
      await log.appendAsLeader(batchOf([[index % 8, false]], sequence++, false), 0).written;
      await readLatest(log);
    }
    await cleaning;
    assert.deepEqual(sorted(await readLatest(log)), sorted(latestOf([...SCRIPT, ...more])));
  });

  const disturbances: [string, (log: UnifiedLog) => Promise<unknown>][] = [
    ["a truncation", (log) => log.truncateTo(5)],
    ["a truncation to nothing", (log) => log.truncateFullyAndStartAt(3)],
    [
      "the deletion of its first segments",
      (log) => {
        log.maybeIncrementLogStartOffset(activeBase(log));
        return log.deleteOldSegments();
      },
    ],
    ["the close", (log) => log.close()],
  ];
  for (const [what, disturb] of disturbances) {
    test(`${what} breaks it off, whenever it comes, and the log is none the worse`, async () => {
      for (let wait = 1; wait < 200; wait += 9) {
        const memory = new MemoryDisk();
        await (await writeLog(memory, SCRIPT)).close();
        const disk = new WatchedDisk(memory);
        const options = { caches: diskOnly(), config: CONFIG, hadCleanShutdown: true };
        const log = await openLog({ ...options, disk });
        log.updateHighWatermark(log.logEndOffset);
        let disturbing: Promise<unknown> | undefined;
        const from = disk.calls.length;
        disk.before = () => {
          if (disk.calls.length - from === wait) disturbing = disturb(log);
        };
        await clean(log).catch((error: unknown) => {
          assert.ok(error instanceof Error && /Aborted|Storage/.test(error.name), String(error));
        });
        await disturbing;
        assert.equal(log.failure, undefined);
        const [start, end] = [log.logStartOffset, log.logEndOffset];
        if (what !== "the close") await readLatest(log, true);
        await log.close();
        const again = await openLog({ ...options, disk: memory, logStartOffset: start });
        assert.equal(again.logStartOffset, start);
        // Compaction may have left nothing right before the offset that the log was cut at.
        if (what === "a truncation") assert.ok(again.logEndOffset <= end);
        else assert.equal(again.logEndOffset, end);
        await readLatest(again, true);
      }
    });
  }
});

/** Enough for two groups of segments. */
const SHORT_SCRIPT = SCRIPT.slice(0, 22);

describe("a crash while a log is compacted", () => {
  const build = async (): Promise<[MemoryDisk, WatchedDisk, UnifiedLog]> => {
    const memory = new MemoryDisk();
    await (await writeLog(memory, SHORT_SCRIPT)).close();
    const disk = new WatchedDisk(memory);
    const log = await openLog({ disk, caches: diskOnly(), config: CONFIG, hadCleanShutdown: true });
    log.updateHighWatermark(log.logEndOffset);
    disk.calls.length = 0;
    return [memory, disk, log];
  };
  const expected = sorted(latestOf(SHORT_SCRIPT));
  const endOffset = SHORT_SCRIPT.flat().length;
  const reopen = async (memory: MemoryDisk, config: Partial<LogConfig> = CONFIG): Promise<void> => {
    const disk = await copyDisk(memory, "/data");
    const options = { caches: diskOnly(), config, recoveryPoint: endOffset, highWatermark: endOffset };
    const again = await openLog({ ...options, disk });
    assert.deepEqual([again.logStartOffset, again.logEndOffset], [0, endOffset]);
    assert.deepEqual(sorted(await readLatest(again)), expected);
    const left = [...(await readTree(disk, FOLDER)).keys()].filter((name) => /\.(cleaned|swap|deleted)$/.test(name));
    assert.deepEqual(left, []);
    await clean(again);
    assert.deepEqual(sorted(await readLatest(again)), expected);
  };

  test("loses nothing, at whatever disk operation it comes", async () => {
    const [, counted, whole] = await build();
    await clean(whole);
    const operations = counted.calls.filter((call) => !call.startsWith("read")).length;
    assert.ok(operations > 50, `${operations} operations`);
    for (let last = 0; last <= operations; last++) {
      const [memory, disk, log] = await build();
      let done = 0;
      disk.before = (call) => {
        if (!call.startsWith("read") && ++done > last) return new Promise(() => undefined);
        return undefined;
      };
      void clean(log);
      for (let turns = 0; turns < 3; turns++) await turn();
      await reopen(memory);
      // The topic may be one without compaction by then: gaps are not taken for a loss.
      await reopen(memory, { ...CONFIG, cleanupPolicy: ["delete"], retentionMs: -1 });
    }
  });

  test("is no better than the failure of any operation, which fences the log", async () => {
    const [, counted, whole] = await build();
    await clean(whole);
    const calls = counted.calls.length;
    for (let failing = 1; failing <= calls; failing++) {
      const [memory, disk, log] = await build();
      disk.before = () => {
        if (disk.calls.length === failing) throw ioError();
      };
      await assert.rejects(clean(log), { name: "KafkaStorageError" });
      assert.ok(log.failure !== undefined);
      await log.close().catch(() => undefined);
      await reopen(memory);
    }
  });
});
