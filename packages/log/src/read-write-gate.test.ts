import assert from "node:assert/strict";
import { test } from "node:test";
import { ReadWriteGate } from "./read-write-gate.ts";

test("readers pass together, a writer alone, and everybody in the end", async () => {
  const gate = new ReadWriteGate();
  const events: string[] = [];
  const visit = (name: string, kind: "shared" | "exclusive"): Promise<void> =>
    gate[kind](async () => {
      events.push(`${name} in`);
      await new Promise(setImmediate);
      events.push(`${name} out`);
    });
  await Promise.all([
    visit("a", "shared"),
    visit("b", "shared"),
    visit("W", "exclusive"),
    visit("c", "shared"),
    visit("X", "exclusive"),
  ]);
  assert.deepEqual(events.slice(0, 6), ["a in", "b in", "a out", "b out", "W in", "W out"]);
  assert.deepEqual(events.slice(6).toSorted(), ["X in", "X out", "c in", "c out"]);
  const at = events.indexOf("X in");
  assert.equal(events[at + 1], "X out");
});

test("a gate opens again after what was done behind it has failed", async () => {
  const gate = new ReadWriteGate();
  await assert.rejects(
    gate.exclusive(() => Promise.reject(new Error("no"))),
    /no/,
  );
  await assert.rejects(
    gate.shared(() => Promise.reject(new Error("no"))),
    /no/,
  );
  assert.equal(await gate.exclusive(() => Promise.resolve(1)), 1);
});
