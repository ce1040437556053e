import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { KeyHash } from "./key-hash.ts";
import { OffsetMap } from "./offset-map.ts";
import { SeededRandom } from "./testing/ports.ts";

const encoder = new TextEncoder();

describe("the offset map", () => {
  test("says of every key what a plain map says", () => {
    const keys = fc.oneof(fc.uint8Array({ maxLength: 40 }), fc.uint8Array({ maxLength: 2 }));
    fc.assert(
      fc.property(fc.array(keys, { maxLength: 300 }), fc.array(keys), (put, others) => {
        const map = new OffsetMap(1 << 20, put.length, new SeededRandom());
        const plain = new Map<string, number>();
        for (const [offset, key] of put.entries()) {
          assert.equal(map.put(key, offset), true);
          plain.set(key.join(), offset);
        }
        assert.equal(map.size, plain.size);
        for (const key of [...put, ...others]) assert.equal(map.get(key), plain.get(key.join()) ?? -1);
      }),
    );
  });

  test("does the same with keys that are staged, as many at a time as there is room for", () => {
    const map = new OffsetMap(1 << 20, 5000, new SeededRandom());
    const plain = new OffsetMap(1 << 20, 5000, new SeededRandom());
    const keys = Array.from({ length: 5000 }, (_, index) => encoder.encode(`key ${(index * 7919) % 1700}`));
    let rounds = 0;
    for (let next = 0; next < keys.length; rounds++) {
      map.clearStaged();
      const first = next;
      for (let key = keys[next]; key !== undefined && map.stage(key, 0, key.length); key = keys[next]) next++;
      map.warm();
      assert.equal(map.stagedCount, next - first);
      for (let index = first; index < next; index++) {
        const key = keys[index] as Uint8Array;
        assert.equal(map.getStaged(index - first), plain.get(key));
        assert.equal(map.putStaged(index - first, index), plain.put(key, index));
      }
    }
    assert.ok(rounds > 1);
    assert.deepEqual([map.size, map.latestOffset], [plain.size, plain.latestOffset]);
    for (const key of keys) assert.equal(map.get(key), plain.get(key));
  });

  test("is bounded: it takes no more keys than fit, but later offsets of those it has", () => {
    const map = new OffsetMap(64 * 24, 1e9, new SeededRandom());
    assert.equal(map.capacity, 54);
    for (let key = 0; key < 54; key++) assert.equal(map.put(encoder.encode(`${key}`), key), true);
    assert.equal(map.put(encoder.encode("one more"), 54), false);
    assert.equal(map.put(encoder.encode("0"), 58), true);
    assert.equal(map.get(encoder.encode("0")), 58);
    assert.equal(map.get(encoder.encode("one more")), -1);
  });

  test("takes no more memory than the keys need", () => {
    assert.equal(new OffsetMap(128 * 1024 ** 2, 100, new SeededRandom()).capacity, 101);
    assert.equal(new OffsetMap(0, 0, new SeededRandom()).capacity, 15);
  });
});

test("the hash is MurmurHash3 where all seeds are equal, and every seed counts", () => {
  const hashOf = (seeds: number[], text: string): string => {
    const hash = new KeyHash(Uint32Array.from(seeds));
    hash.update(encoder.encode(text));
    return [...hash.words].map((word) => (word >>> 0).toString(16).padStart(8, "0")).join("");
  };
  // As the reference implementation (smhasher) gives them for seed 0.
  assert.equal(hashOf([0, 0, 0, 0], ""), "00000000000000000000000000000000");
  assert.equal(
    hashOf([0, 0, 0, 0], "I will not buy this record, it is scratched."),
    "a0a9683b25ac5e40d9af2895890dddf5",
  );
  const hashes = [
    [0, 0, 0, 0],
    [1, 0, 0, 0],
    [0, 1, 0, 0],
    [0, 0, 1, 0],
    [0, 0, 0, 1],
  ].map((seeds) => hashOf(seeds, "a key"));
  assert.equal(new Set(hashes).size, 5);
});
