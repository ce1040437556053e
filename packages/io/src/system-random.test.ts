import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { SystemRandom } from "./system-random.ts";

describe("SystemRandom", () => {
  test("draws whole numbers of 32 bits, all over the range and not twice the same", () => {
    const random = new SystemRandom();
    const drawn = Array.from({ length: 5000 }, () => random.uint32());
    for (const value of drawn) assert.ok(Number.isInteger(value) && value >= 0 && value < 2 ** 32);
    assert.ok(new Set(drawn).size > 4990, "5000 draws meet in about 0.003 pairs");
    for (let bit = 0; bit < 32; bit++) {
      const ones = drawn.filter((value) => ((value >>> bit) & 1) === 1).length;
      // 15 standard deviations of a fair coin
      assert.ok(Math.abs(ones - 2500) < 530, `bit ${bit} was set ${ones} times of 5000`);
    }
  });

  test("draws other numbers than another of its kind", () => {
    const [one, two] = [new SystemRandom(), new SystemRandom()];
    const draw = (random: SystemRandom): number[] => Array.from({ length: 4 }, () => random.uint32());
    assert.notDeepEqual(draw(one), draw(two));
  });

  test("overwrites every byte it is given and no other", () => {
    const random = new SystemRandom();
    const memory = new Uint8Array(300);
    const seen = new Uint8Array(300);
    for (let i = 0; i < 20; i++) {
      random.fill(memory.subarray(100, 200));
      memory.forEach((byte, at) => {
        if (byte !== 0) seen[at] = 1;
      });
    }
    assert.deepEqual(
      [...seen],
      Array.from({ length: 300 }, (_, at) => (at >= 100 && at < 200 ? 1 : 0)),
    );
    random.fill(new Uint8Array(0));
  });
});
