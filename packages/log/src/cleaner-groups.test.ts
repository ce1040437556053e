import assert from "node:assert/strict";
import { test } from "node:test";
import { groupSizes } from "./cleaner-groups.ts";

const CONFIG = { segmentBytes: 100, segmentIndexBytes: 48 };

/** One segment for each: its size, and of its indexes where those matter. */
function groups(
  segments: readonly (number | readonly [size: number, offsetIndexSize: number, timeIndexSize: number])[],
  offsets: readonly number[] = segments.map((_, index) => index),
): number[] {
  const weighed = segments.map((segment, index) => {
    const [size, offsetIndexSize, timeIndexSize] = typeof segment === "number" ? [segment, 0, 0] : segment;
    return { baseOffset: offsets[index] ?? 0, size, offsetIndexSize, timeIndexSize };
  });
  return groupSizes(weighed, offsets[segments.length] ?? segments.length, CONFIG);
}

test("segments are grouped as long as they fit segment.bytes together", () => {
  assert.deepEqual(groups([]), []);
  assert.deepEqual(groups([50, 50, 1, 99, 100, 101, 5]), [2, 2, 1, 1, 1]);
});

test("and as long as the entries of their indexes fit one index", () => {
  const offsetEntries: [number, number, number] = [1, 24, 0];
  const timeEntries: [number, number, number] = [1, 0, 24];
  assert.deepEqual(groups([offsetEntries, offsetEntries, offsetEntries]), [2, 1]);
  assert.deepEqual(groups([timeEntries, timeEntries, timeEntries]), [2, 1]);
});

test("and as long as an index can name their offsets, which does not matter to an empty one", () => {
  assert.deepEqual(groups([1, 1, 1], [0, 10, 2 ** 31, 2 ** 31 + 5]), [2, 1]);
  assert.deepEqual(groups([1, 1], [0, 10, 2 ** 31 + 1]), [1, 1]);
  assert.deepEqual(groups([1, 1], [0, 10, 2 ** 31]), [2]);
  assert.deepEqual(groups([1, 0], [0, 10, 2 ** 33]), [2]);
});
