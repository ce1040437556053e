import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { LeaderEpochCache } from "./leader-epoch-cache.ts";

const cacheOf = (...entries: [epoch: number, startOffset: number][]): LeaderEpochCache =>
  new LeaderEpochCache(entries.map(([epoch, startOffset]) => ({ epoch, startOffset })));
const entriesOf = (cache: LeaderEpochCache): [number, number][] =>
  cache.entries.map(({ epoch, startOffset }) => [epoch, startOffset]);

describe("the leader epoch cache", () => {
  const answers = [
    { epoch: 4, expected: [4, 100], why: "the latest epoch ends at the log end offset" },
    { epoch: 2, expected: [2, 30], why: "an earlier one where the next begins" },
    { epoch: 3, expected: [2, 30], why: "one that never led here, where the one before ends" },
    { epoch: 0, expected: [0, 10], why: "one before all we know, where the first known begins" },
    { epoch: 5, expected: [-1, -1], why: "a later one is unknown" },
    { epoch: -1, expected: [-1, -1], why: "no epoch is unknown" },
  ];
  for (const { epoch, expected, why } of answers) {
    test(`tells where epoch ${epoch} ends: ${why}`, () => {
      const { leaderEpoch, endOffset } = cacheOf([1, 10], [2, 20], [4, 30]).endOffsetFor(epoch, 100);
      assert.deepEqual([leaderEpoch, endOffset], expected);
    });
  }

  test("knows the epoch of an offset", () => {
    const cache = cacheOf([1, 10], [2, 20]);
    assert.deepEqual(
      [9, 10, 19, 20, 99].map((offset) => cache.epochForOffset(offset)),
      [undefined, 1, 1, 2, 2],
    );
  });

  test("forgets what a new entry contradicts, as after an unclean election", () => {
    const cache = cacheOf([1, 10], [2, 20], [4, 30]);
    cache.assign(5, 20);
    assert.deepEqual(entriesOf(cache), [
      [1, 10],
      [5, 20],
    ]);
    cache.assign(3, 40);
    assert.deepEqual(entriesOf(cache), [
      [1, 10],
      [3, 40],
    ]);
  });

  test("keeps the start of an epoch that goes on", () => {
    const cache = cacheOf([1, 10]);
    assert.deepEqual(cache.takeCheckpoint(), [{ epoch: 1, startOffset: 10 }]);
    cache.assign(1, 15);
    assert.deepEqual(entriesOf(cache), [[1, 10]]);
    assert.equal(cache.isDirty, false);
  });

  test("is cut at both ends", () => {
    const cache = cacheOf([1, 10], [2, 20], [4, 30]);
    cache.truncateFromStart(25);
    assert.deepEqual(entriesOf(cache), [
      [2, 25],
      [4, 30],
    ]);
    cache.truncateFromEnd(30);
    assert.deepEqual(entriesOf(cache), [[2, 25]]);
    cache.truncateFromStart(20);
    assert.deepEqual(entriesOf(cache), [[2, 25]]);
  });

  test("rises strictly in epochs and offsets, whatever is done to it", () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant("assign"), epoch: fc.nat(9), offset: fc.nat(99) }),
      fc.record({
        kind: fc.constantFrom("truncateFromStart", "truncateFromEnd"),
        epoch: fc.constant(0),
        offset: fc.nat(99),
      }),
    );
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const cache = new LeaderEpochCache();
        for (const { kind, epoch, offset } of steps) {
          if (kind === "assign") cache.assign(epoch, offset);
          if (kind === "truncateFromStart") cache.truncateFromStart(offset);
          if (kind === "truncateFromEnd") cache.truncateFromEnd(offset);
          for (const [index, entry] of cache.entries.entries()) {
            const before = cache.entries[index - 1];
            assert.ok(before === undefined || (before.epoch < entry.epoch && before.startOffset < entry.startOffset));
          }
        }
      }),
    );
  });
});
