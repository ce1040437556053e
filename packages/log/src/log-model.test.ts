import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { CompressionType } from "@samsa/protocol";
import { MemoryDisk } from "@samsa/io";
import fc from "fast-check";
import { IndexCache } from "./index-cache.ts";
import type { LogCaches } from "./log-manager.ts";
import { TailCacheBudget } from "./tail-cache.ts";
import { copyDisk, WatchedDisk } from "./testing/disks.ts";
import { FOLDER, openLog } from "./testing/logs.ts";
import { ManualClock } from "./testing/ports.ts";
import { batchOf, readAll, textRecords, valuesOf } from "./testing/records.ts";
import type { UnifiedLog } from "./unified-log.ts";

/**
 * A log against a plain model: an array of values, where the index is the offset. Scripts append, read, sync, roll, truncate,
 * stop and crash; after a crash the disk has what was synced, and of the rest as much as chance will have it, torn or zeroed.
 */

type Step =
  | { readonly kind: "append"; readonly batches: readonly (readonly [records: number, codec: CompressionType])[] }
  | { readonly kind: "read"; readonly from: number; readonly maxBytes: number; readonly upTo: number }
  | { readonly kind: "time"; readonly back: number }
  | { readonly kind: "flush" | "roll" | "restart" | "new-epoch" | "delete-records" }
  | { readonly kind: "truncate"; readonly keep: number }
  | { readonly kind: "crash"; readonly keep: number; readonly zeros: boolean };

const fraction = fc.integer({ min: 0, max: 1000 }).map((thousandths) => thousandths / 1000);
const codec = fc.constantFrom<CompressionType>("none", "none", "none", "gzip", "lz4");
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant("append"),
      batches: fc.array(fc.tuple(fc.integer({ min: 1, max: 6 }), codec), { minLength: 1, maxLength: 8 }),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("read"),
      from: fraction,
      maxBytes: fc.integer({ min: 0, max: 3000 }),
      upTo: fraction,
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("time"), back: fc.integer({ min: -2, max: 200 }) }) },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constantFrom("flush", "roll", "restart", "new-epoch", "delete-records") }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("truncate"), keep: fraction }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("crash"), keep: fraction, zeros: fc.boolean() }) },
) as fc.Arbitrary<Step>;

class Run {
  readonly #clock = new ManualClock();
  readonly #caches: LogCaches;
  #disk = new WatchedDisk(new MemoryDisk());
  #memory = new MemoryDisk();
  #log: UnifiedLog;
  #values: string[] = [];
  #timestamps: number[] = [];
  #batchEnds: number[] = [];
  #epoch = 0;
  #synced = new Map<string, number>(); // bytes of a file that were there at its last sync
  #checkpointedRecoveryPoint = 0;

  private constructor(caches: LogCaches, memory: MemoryDisk, disk: WatchedDisk, log: UnifiedLog) {
    this.#caches = caches;
    this.#memory = memory;
    this.#disk = disk;
    this.#log = log;
  }

  static async start(tailBytes: number): Promise<Run> {
    const caches = { tail: new TailCacheBudget(tailBytes), indexes: new IndexCache(100) };
    const memory = new MemoryDisk();
    const disk = new WatchedDisk(memory);
    const run = new Run(caches, memory, disk, await openLog({ disk, caches, config: CONFIG }));
    run.#watch();
    return run;
  }

  async perform(step: Step): Promise<void> {
    switch (step.kind) {
      case "append":
        return await this.#append(step.batches);
      case "read":
        return await this.#read(step.from, step.maxBytes, step.upTo);
      case "time":
        return await this.#findByTime(step.back);
      case "flush":
        await this.#log.flush();
        this.#checkpointedRecoveryPoint = this.#log.recoveryPoint;
        return;
      case "roll":
        return await this.#log.roll();
      case "new-epoch":
        return void this.#epoch++;
      case "delete-records":
        this.#log.updateHighWatermark(this.#log.logEndOffset);
        return void this.#log.maybeIncrementLogStartOffset(
          Math.floor((this.#log.logStartOffset + this.#values.length) / 2),
        );
      case "restart":
        await this.#log.close();
        return await this.#open(this.#memory, { hadCleanShutdown: true, recoveryPoint: this.#values.length });
      case "truncate":
        return await this.#truncate(step.keep);
      case "crash":
        return await this.#crash(step.keep, step.zeros);
    }
  }

  async checkAll(): Promise<void> {
    const { logStartOffset, logEndOffset } = this.#log;
    assert.equal(logEndOffset, this.#values.length);
    if (logStartOffset < logEndOffset)
      assert.deepEqual(valuesOf(await readAll(this.#log)), this.#values.slice(logStartOffset));
  }

  async #append(batches: readonly (readonly [number, CompressionType])[]): Promise<void> {
    const writes: Promise<void>[] = [];
    for (const [count, compressionType] of batches) {
      this.#clock.advance(3);
      const values = Array.from(
        { length: count },
        (_, index) => `${this.#values.length + index} in epoch ${this.#epoch}`,
      );
      const timestamps = values.map((_, index) => this.#clock.wallMs() - index);
      const batch = batchOf(values, { compressionType, timestamps });
      const { info, written } = this.#log.appendAsLeader(batch, this.#epoch);
      assert.equal(info.firstOffset, this.#values.length);
      this.#values.push(...values);
      this.#timestamps.push(...timestamps);
      this.#batchEnds.push(this.#values.length);
      writes.push(written);
    }
    await Promise.all(writes);
    assert.equal(this.#log.writtenEndOffset, this.#values.length);
  }

  async #read(fromPart: number, maxBytes: number, upToPart: number): Promise<void> {
    const start = this.#log.logStartOffset;
    const length = this.#values.length - start;
    const from = start + Math.floor(fromPart * length);
    const upToOffset = start + Math.floor(upToPart * length);
    const result = await this.#log.read(from, maxBytes, { upToOffset });
    const records = textRecords(result.records);
    for (const { offset, value } of records) assert.equal(value, this.#values[offset]);
    for (const [index, { offset }] of records.entries()) assert.equal(offset, (records[0]?.offset ?? 0) + index);
    assert.ok(result.nextOffset <= Math.max(upToOffset, from));
    if (records.length > 0) assert.ok((records[0]?.offset ?? 0) <= from && result.nextOffset > from);
    if (upToOffset === this.#values.length && from < upToOffset) assert.ok(records.length > 0);
  }

  async #findByTime(back: number): Promise<void> {
    const target = this.#clock.wallMs() - back;
    const start = this.#log.logStartOffset;
    const found = await this.#log.fetchOffsetByTimestamp(target);
    // Kafka looks at one segment: the first whose largest timestamp is late enough, which may be due to deleted records.
    if (found === undefined && start > 0) return;
    const expected = this.#timestamps.findIndex((timestamp, offset) => timestamp >= target && offset >= start);
    assert.equal(found?.offset ?? -1, expected);
  }

  /** To the end of a batch, as a follower does: Kafka's log would keep a gap before an offset inside one. */
  async #truncate(part: number): Promise<void> {
    const ends = [this.#log.logStartOffset, ...this.#batchEnds].filter((end) => end >= this.#log.logStartOffset);
    const end = ends[Math.floor(part * (ends.length - 1))] ?? 0;
    // The start may lie inside the batch that would be the last: then nothing is left.
    if (end === this.#log.logStartOffset && end > 0) await this.#log.truncateFullyAndStartAt(end);
    else await this.#log.truncateTo(end);
    this.#forget(end);
  }

  async #crash(part: number, zeros: boolean): Promise<void> {
    const synced = this.#log.recoveryPoint;
    const start = this.#log.logStartOffset;
    this.#disk.before = () => new Promise(() => undefined); // what has not begun will never be done
    await new Promise(setImmediate);
    const torn = await copyDisk(this.#memory, "/", (path, bytes) => {
      if (!/\.(log|index|timeindex)$/.test(path)) return bytes;
      const safe = Math.min(bytes.length, this.#synced.get(`/${path}`) ?? 0);
      const kept = safe + Math.floor(part * (bytes.length - safe));
      const rest = bytes.slice();
      if (zeros) rest.fill(0, kept);
      return zeros ? rest : bytes.subarray(0, kept);
    });
    await this.#open(torn, { recoveryPoint: this.#checkpointedRecoveryPoint, logStartOffset: Math.min(start, synced) });
    const end = this.#log.logEndOffset;
    assert.ok(end >= synced, `${end} is left of ${synced} that were synced`);
    assert.ok(end <= this.#values.length);
    this.#forget(end);
    await this.checkAll();
  }

  async #open(memory: MemoryDisk, options: Parameters<typeof openLog>[0]): Promise<void> {
    const logStartOffset = Math.min(this.#log.logStartOffset, options?.logStartOffset ?? Infinity);
    this.#memory = memory;
    this.#disk = new WatchedDisk(memory);
    this.#synced = new Map();
    for (const { name } of await memory.list(FOLDER)) {
      this.#synced.set(`${FOLDER}/${name}`, (await memory.fileSize(`${FOLDER}/${name}`)) ?? 0);
    }
    const caches = this.#caches;
    this.#log = await openLog({
      ...options,
      disk: this.#disk,
      clock: this.#clock,
      caches,
      config: CONFIG,
      logStartOffset,
    });
    this.#watch();
  }

  /** What a sync makes safe is what had been written when it was called. */
  #watch(): void {
    this.#disk.before = async (call) => {
      const path = /^sync (.*[^/])$/.exec(call)?.[1];
      if (path !== undefined) this.#synced.set(path, (await this.#memory.fileSize(path)) ?? 0);
      const cut = /^truncate (.*) to (\d+)$/.exec(call);
      if (cut?.[1] !== undefined) this.#synced.set(cut[1], Math.min(this.#synced.get(cut[1]) ?? 0, Number(cut[2])));
    };
  }

  #forget(end: number): void {
    this.#values.length = end;
    this.#timestamps.length = end;
    this.#batchEnds = this.#batchEnds.filter((batchEnd) => batchEnd <= end);
    this.#checkpointedRecoveryPoint = Math.min(this.#checkpointedRecoveryPoint, end);
  }
}

const CONFIG = { segmentBytes: 1500, indexIntervalBytes: 200 };

describe("a log is what a plain model of it is", () => {
  for (const [what, tailBytes] of [
    ["with a large tail in memory", 1 << 20],
    ["with a small one", 700],
    ["with none", 0],
  ] as const) {
    test(what, async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 60, size: "max" }), async (steps) => {
          const run = await Run.start(tailBytes);
          for (const step of steps) await run.perform(step);
          await run.checkAll();
        }),
        { numRuns: 100 },
      );
    });
  }
});
