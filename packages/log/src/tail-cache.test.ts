import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { RecordBatch } from "@samsa/protocol";
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
const offsetsOf = (batches: readonly { baseOffset: number }[] | undefined): number[] | undefined =>
  batches?.map((batch) => batch.baseOffset);

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

  test("keeps a copy of a small part of a large buffer, and a large part itself", () => {
    const frame = new Uint8Array(10_000);
    frame.set(batchAt(0).bytes, 100);
    const small = new RecordBatch(frame, 100);
    const own = new TailCache(new TailCacheBudget(1 << 20));
    own.add(small);
    assert.notEqual(own.read(0, 1, true, 9)?.[0]?.bytes.buffer, frame.buffer);
    const large = batchAt(1);
    own.add(large);
    assert.equal(own.read(1, 1, true, 9)?.[0]?.bytes.buffer, large.bytes.buffer);
  });

  test("keeps small batches of all logs together in a roomy cache, and each as it was", () => {
    const budget = new TailCacheBudget(64 << 20);
    const caches = [new TailCache(budget), new TailCache(budget)];
    const sizes = [1, 2, 700, 3].flatMap((count) => Array.from({ length: 50 }, () => count));
    const added: { cache: TailCache; offset: number; bytes: Uint8Array }[] = [];
    for (const [index, count] of sizes.entries()) {
      const cache = caches[index % 2] as TailCache;
      const offset = index * 1000;
      const batch = batchAt(offset, count);
      cache.add(batch);
      added.push({ cache, offset, bytes: batch.bytes.slice() });
      batch.bytes.fill(0xff, 0, batch.sizeInBytes < 4096 ? undefined : 0); // whoever lent the small ones may use them again
    }
    const buffers = new Set<ArrayBufferLike>();
    for (const { cache, offset, bytes } of added) {
      const found = cache.read(offset, 1, true, Infinity)?.[0]?.bytes;
      assert.deepEqual(found, bytes);
      if (bytes.length < 4096) buffers.add(found.buffer);
    }
    assert.equal(buffers.size, 1);
    for (const cache of caches) cache.clear();
    assert.equal(budget.usedBytes, 0);
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

  test("counts memory that batches of several logs share once, until the last of them goes", () => {
    const frame = new Uint8Array(4 * SIZE);
    for (let index = 0; index < 3; index++) frame.set(batchAt(index).bytes, index * SIZE);
    const budget = new TailCacheBudget(1 << 20);
    const [one, two] = [new TailCache(budget), new TailCache(budget)];
    one.markWritten(99);
    one.add(new RecordBatch(frame, 0));
    two.add(new RecordBatch(frame, SIZE));
    one.add(new RecordBatch(frame, 2 * SIZE));
    assert.equal(one.read(0, 1, true, 9)?.[0]?.bytes.buffer, frame.buffer);
    assert.equal(budget.usedBytes, frame.length);
    one.evictBelow(3);
    assert.equal(budget.usedBytes, frame.length);
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
