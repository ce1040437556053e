import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { RecordBatch, recordBatches } from "@samsa/protocol";
import { TailCache, TailCacheBudget } from "./tail-cache.ts";
import { batchOf } from "./testing/records.ts";

const batchAt = (baseOffset: number, count = 1): RecordBatch =>
  new RecordBatch(
    batchOf(
      Array.from({ length: count }, () => "x"),
      { baseOffset },
    ),
  );
const SIZE = batchAt(0).sizeInBytes;
const offsetsOf = (read: { records: Uint8Array } | undefined): number[] | undefined =>
  read && [...recordBatches(read.records)].map((batch) => batch.baseOffset);

describe("the tail of a log in memory", () => {
  const cache = new TailCache(new TailCacheBudget(1 << 20));
  for (const offset of [10, 12, 14, 20]) cache.add(batchAt(offset, 2));
  const size = batchAt(10, 2).sizeInBytes;
  const cases = [
    { offset: 9, maxBytes: 1000, min: true, upTo: 99, expected: undefined, why: "before the cache: ask the disk" },
    { offset: 10, maxBytes: 1000, min: true, upTo: 99, expected: [10, 12, 14, 20], why: "all of it" },
    { offset: 13, maxBytes: 1000, min: true, upTo: 99, expected: [12, 14, 20], why: "from inside a batch" },
    { offset: 17, maxBytes: 1000, min: true, upTo: 99, expected: [20], why: "from inside a gap" },
    { offset: 22, maxBytes: 1000, min: true, upTo: 99, expected: [], why: "at its end" },
    { offset: 10, maxBytes: 2 * size, min: true, upTo: 99, expected: [10, 12], why: "as many as fit" },
    { offset: 10, maxBytes: 2 * size - 1, min: true, upTo: 99, expected: [10], why: "whole ones only" },
    { offset: 10, maxBytes: 1, min: true, upTo: 99, expected: [10], why: "the first although it is too large" },
    { offset: 10, maxBytes: 1, min: false, upTo: 99, expected: [], why: "nothing when that is not wanted" },
    { offset: 10, maxBytes: 1000, min: true, upTo: 14, expected: [10, 12], why: "up to a bound" },
    { offset: 10, maxBytes: 1000, min: true, upTo: 13, expected: [10], why: "no batch that reaches across the bound" },
  ];
  for (const { offset, maxBytes, min, upTo, expected, why } of cases) {
    test(`reads from ${offset}: ${why}`, () => {
      assert.deepEqual(offsetsOf(cache.read(offset, maxBytes, min, upTo)), expected);
    });
  }

  test("says which offsets it has read", () => {
    const { firstBatchOffset, nextOffset } = cache.read(13, 1000, true, 99) ?? {};
    assert.deepEqual([firstBatchOffset, nextOffset], [12, 22]);
  });

  test("hands out copies: what was read stays as it was when its place is taken by others", () => {
    const own = new TailCache(new TailCacheBudget(1 << 20));
    own.markWritten(Infinity);
    own.add(batchAt(0, 100));
    const first = batchAt(0, 100).bytes;
    const { records } = own.read(0, 1, true, 999) ?? {};
    for (let index = 1; index < 5000; index++) {
      const other = new RecordBatch(first.slice());
      other.setLastOffset(100 * index + 99);
      own.add(other);
    }
    assert.notEqual(own.startOffset, 0);
    assert.deepEqual(records, first);
  });

  test("keeps the batches of all logs, small and large, each as it was while their memory is used again and again", () => {
    const budget = new TailCacheBudget(1 << 20); // slabs of 16 KiB
    const caches = [new TailCache(budget), new TailCache(budget), new TailCache(budget)];
    for (const cache of caches) cache.markWritten(Infinity);
    const added: Map<number, Uint8Array>[] = caches.map(() => new Map<number, Uint8Array>());
    const made = [1, 700, 2, 30, 1, 4000].map((count) => batchAt(0, count)); // the last is larger than a slab
    let evicted = 0;
    for (let index = 0; index < 1500; index++) {
      const which = (index * 7) % 3;
      const batch = new RecordBatch((made[index % made.length] as RecordBatch).bytes.slice());
      batch.setLastOffset(index * 10_000 + batch.lastOffsetDelta);
      caches[which]?.add(batch);
      added[which]?.set(batch.baseOffset, batch.bytes.slice());
      batch.bytes.fill(0xff); // whoever lent it may use it again
      if (index % 50 !== 49) continue;
      for (const [other, cache] of caches.entries()) {
        for (const [offset, bytes] of added[other] ?? []) {
          const found = cache.read(offset, 1, true, Infinity);
          if (found === undefined) {
            evicted++;
            added[other]?.delete(offset);
          } else assert.ok(Buffer.compare(found.records, bytes) === 0, `the batch at ${offset}`);
        }
      }
      assert.ok(budget.usedBytes <= budget.maxBytes);
    }
    assert.ok(evicted > 500);
    for (const cache of caches) cache.clear();
    assert.equal(budget.usedBytes, 0);
  });

  test("keeps a copy where there are no slabs", () => {
    const own = new TailCache(new TailCacheBudget(20_000));
    const frame = new Uint8Array(10_000);
    frame.set(batchAt(0).bytes, 100);
    own.add(new RecordBatch(frame, 100));
    frame.fill(0xff);
    assert.deepEqual(own.read(0, 1, true, 9)?.records, batchAt(0).bytes);
  });
});

describe("the budget of all tails", () => {
  test("lets the oldest batch of any log go first", () => {
    const budget = new TailCacheBudget(3 * SIZE);
    const [one, two] = [new TailCache(budget), new TailCache(budget)];
    for (const cache of [one, two]) cache.markWritten(99);
    one.add(batchAt(0));
    two.add(batchAt(0));
    one.add(batchAt(1));
    two.add(batchAt(1));
    assert.deepEqual([one.startOffset, two.startOffset, budget.usedBytes], [1, 0, 3 * SIZE]);
    one.add(batchAt(2));
    assert.deepEqual([one.startOffset, two.startOffset, budget.usedBytes], [1, 1, 3 * SIZE]);
  });

  test("keeps what is not written yet, beyond the bound if need be, and lets the others pay", () => {
    const budget = new TailCacheBudget(2 * SIZE);
    const [stuck, fine] = [new TailCache(budget), new TailCache(budget)];
    fine.markWritten(99);
    for (const offset of [0, 1, 2]) stuck.add(batchAt(offset));
    assert.deepEqual([stuck.startOffset, budget.usedBytes], [0, 3 * SIZE]);
    for (const offset of [0, 1, 2]) fine.add(batchAt(offset));
    assert.deepEqual(offsetsOf(stuck.read(0, 1000, true, 99)), [0, 1, 2]);
    assert.ok(budget.usedBytes <= 4 * SIZE);
    stuck.markWritten(3);
    fine.add(batchAt(3));
    assert.ok(budget.usedBytes <= 2 * SIZE);
  });

  test("counts a slab that batches of several logs share once, until the last of them goes", () => {
    const budget = new TailCacheBudget(1 << 20);
    const slabBytes = 16 * 1024;
    const [one, two] = [new TailCache(budget), new TailCache(budget)];
    one.markWritten(99);
    one.add(batchAt(0));
    two.add(batchAt(1));
    one.add(batchAt(2));
    assert.equal(budget.usedBytes, slabBytes);
    one.evictBelow(3);
    assert.equal(budget.usedBytes, slabBytes);
    two.clear();
    assert.equal(budget.usedBytes, 0);
  });

  test("gets everything back from a cache that is cleared", () => {
    const budget = new TailCacheBudget(1 << 20);
    const cache = new TailCache(budget);
    for (let offset = 0; offset < 5; offset++) cache.add(batchAt(offset));
    cache.clear();
    assert.deepEqual([budget.usedBytes, cache.startOffset], [0, undefined]);
    cache.add(batchAt(9));
    assert.equal(cache.startOffset, 9);
  });

  test("stays within its bound over a long time", () => {
    const budget = new TailCacheBudget(10 * SIZE);
    const caches = Array.from({ length: 3 }, () => new TailCache(budget));
    for (let offset = 0; offset < 5000; offset++) {
      const cache = caches[(offset * 7) % 3] as TailCache;
      cache.add(batchAt(0));
      cache.markWritten(99);
      assert.ok(budget.usedBytes <= 12 * SIZE);
    }
  });
});
