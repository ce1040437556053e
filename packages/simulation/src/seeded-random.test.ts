import assert from "node:assert/strict";
import { test } from "node:test";
import { SeededRandom } from "./seeded-random.ts";

const numbers = (seed: number) => {
  const random = new SeededRandom(seed);
  return Array.from({ length: 5 }, () => random.uint32());
};

test("a seed gives the same numbers in every run, and another seed gives others", () => {
  assert.deepEqual(numbers(7), numbers(7));
  assert.notDeepEqual(numbers(7), numbers(8));
});

test("bytes are filled from the same source", () => {
  const [a, b] = [new Uint8Array(32), new Uint8Array(32)];
  new SeededRandom(3).fill(a);
  new SeededRandom(3).fill(b);
  assert.deepEqual(a, b);
  assert.ok(new Set(a).size > 16);
});
