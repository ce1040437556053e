import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { logToClean } from "./log-cleaner-manager.ts";
import type { CleanableLog, CleanableSegment } from "./log-cleaner-manager.ts";

const NOW_MS = 1_000_000;
const CONFIG = { minCompactionLagMs: 0, maxCompactionLagMs: 2 ** 63, minCleanableDirtyRatio: 0.5 };

/** Segments of ten offsets and a hundred bytes, the last one active; each written within a second, the first at 100 s. */
function logOf(
  count: number,
  options: Omit<Partial<CleanableLog>, "config"> & { config?: Partial<CleanableLog["config"]> } = {},
): CleanableLog {
  const segments = Array.from({ length: count }, (_, index): CleanableSegment => {
    const firstTimestamp = 100_000 + 1000 * index;
    return { baseOffset: 10 * index, size: 100, firstTimestamp, largestTimestamp: firstTimestamp + 999 };
  });
  const end = 10 * count;
  return {
    logStartOffset: 0,
    logEndOffset: end,
    lastStableOffset: end,
    recoveryPoint: end,
    segments,
    ...options,
    config: { ...CONFIG, ...options.config },
  };
}

function rangeOf(log: CleanableLog, cleanOffset?: number): [number, number] | undefined {
  const toClean = logToClean(log, cleanOffset, NOW_MS);
  return toClean === undefined ? undefined : [toClean.firstDirtyOffset, toClean.firstUncleanableOffset];
}

describe("what may be cleaned", () => {
  const cases: [string, CleanableLog, number | undefined, [number, number] | undefined][] = [
    ["all below the active segment", logOf(4), undefined, [0, 30]],
    ["from the checkpoint on", logOf(4), 20, [20, 30]],
    ["also within a segment", logOf(4), 25, [25, 30]],
    ["nothing, where all is clean", logOf(4), 30, undefined],
    ["nothing of a log with its active segment only", logOf(1), undefined, undefined],
    ["all, where the checkpoint lies below the log start offset", logOf(4, { logStartOffset: 12 }), 5, [12, 30]],
    ["all, where the checkpoint lies above the log end offset", logOf(4), 41, [0, 30]],
    ["whole segments up to the last stable offset", logOf(4, { lastStableOffset: 29 }), undefined, [0, 20]],
    ["a segment that ends with the last stable offset", logOf(4, { lastStableOffset: 20 }), undefined, [0, 20]],
    ["whole segments up to the recovery point", logOf(4, { recoveryPoint: 15 }), undefined, [0, 10]],
    ["nothing, where the first segment is unstable", logOf(4, { lastStableOffset: 5 }), undefined, undefined],
    [
      "nothing younger than min.compaction.lag.ms, by the largest timestamp",
      logOf(4, { config: { minCompactionLagMs: NOW_MS - 101_999 } }),
      undefined,
      [0, 20],
    ],
    ["what is not stable is not dirty either", logOf(4, { lastStableOffset: 25 }), 20, undefined],
  ];
  for (const [what, log, cleanOffset, expected] of cases) {
    test(what, () => assert.deepEqual(rangeOf(log, cleanOffset), expected));
  }
});

describe("a log is due", () => {
  const cases: [boolean, string, CleanableLog, number][] = [
    [false, "when more than min.cleanable.dirty.ratio is dirty; half is not more than half", logOf(5), 20],
    [true, "when two of three segments are", logOf(4), 10],
    [false, "not with a ratio of 1", logOf(4, { config: { minCleanableDirtyRatio: 1 } }), 0],
    [
      true,
      "when a dirty record is older than max.compaction.lag.ms",
      logOf(5, { config: { maxCompactionLagMs: NOW_MS - 102_001 } }),
      20,
    ],
    [false, "not when it is as old", logOf(5, { config: { maxCompactionLagMs: NOW_MS - 102_000 } }), 20],
    [
      true,
      "also when the old record itself may not be cleaned, but something may",
      logOf(5, {
        lastStableOffset: 30,
        config: { maxCompactionLagMs: NOW_MS - 50_001 },
        segments: [1, 2, 3, 50, 4].map((second, index) => ({
          baseOffset: 10 * index,
          size: 100,
          firstTimestamp: second === 50 ? 50_000 : 100_000,
          largestTimestamp: 100_000,
        })),
      }),
      20,
    ],
  ];
  for (const [isDue, when, log, cleanOffset] of cases) {
    test(when, () => assert.equal(logToClean(log, cleanOffset, NOW_MS)?.isDue, isDue));
  }

  test("by the share of what may be cleaned in all below it", () => {
    assert.equal(logToClean(logOf(5), 30, NOW_MS)?.cleanableRatio, 0.25);
    assert.equal(logToClean(logOf(5, { lastStableOffset: 30 }), 20, NOW_MS)?.cleanableRatio, 1 / 3);
  });
});
