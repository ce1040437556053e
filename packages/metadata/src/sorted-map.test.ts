import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { SortedMap } from "./sorted-map.ts";

const operation = fc.record({ key: fc.integer({ min: 0, max: 400 }), value: fc.option(fc.nat(), { nil: undefined }) });

test("does what a Map does, in order, whatever is set and deleted", () => {
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 800 }), (operations) => {
      const model = new Map<number, number>();
      let map = SortedMap.empty<number, number>();
      for (const { key, value } of operations) {
        if (value === undefined) {
          model.delete(key);
          map = map.delete(key);
        } else {
          model.set(key, value);
          map = map.set(key, value);
        }
        assert.equal(map.get(key), value);
        assert.equal(map.has(key), value !== undefined);
        assert.equal(map.size, model.size);
      }
      assert.deepEqual(
        [...map],
        [...model].sort(([a], [b]) => a - b),
      );
    }),
    { numRuns: 50 },
  );
});

test("a derived map leaves the one it came from as it was", () => {
  let map = SortedMap.empty<string, number>();
  const versions = [map];
  for (let i = 0; i < 300; i++) versions.push((map = map.set(`topic-${i}`, i)));
  for (const [count, version] of versions.entries()) {
    assert.equal(version.size, count);
    assert.equal([...version.keys()].length, count);
  }
});

test("names that objects treat specially are ordinary keys", () => {
  const names = ["__proto__", "constructor", "toString", "hasOwnProperty"];
  let map = SortedMap.empty<string, number>();
  for (const name of names) assert.equal(map.get(name), undefined);
  for (const [index, name] of names.entries()) map = map.set(name, index);
  for (const [index, name] of names.entries()) assert.equal(map.get(name), index);
});

test("entriesFrom begins at the first key at or above the one given", () => {
  let map = SortedMap.empty<number, string>();
  for (let i = 0; i < 500; i += 2) map = map.set(i, "");
  assert.deepEqual(
    [...map.entriesFrom(101)].map(([key]) => key),
    Array.from({ length: 199 }, (_, i) => 102 + 2 * i),
  );
});
