import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { MemoryShare } from "./request-memory.ts";
import { RequestMemory } from "./request-memory.ts";

test("everybody reads while there is memory", () => {
  const memory = new RequestMemory(1000);
  const [a, b] = [memory.join(() => {}), memory.join(() => {})];
  memory.hold(a, 999, true);
  assert.equal(memory.mayRead(a), true);
  assert.equal(memory.mayRead(b), true);
});

test("when it is used up one reads on until its request is whole, and the others go on in their order", () => {
  const memory = new RequestMemory(1000);
  const woken: string[] = [];
  const share = (name: string) => memory.join(() => void woken.push(name));
  const [a, b, c] = [share("a"), share("b"), share("c")];
  for (const one of [a, b, c]) memory.hold(one, 500, true);
  assert.deepEqual(
    [a, b, c].map((one) => memory.mayRead(one)),
    [true, false, false],
  );
  memory.hold(a, 700, false); // whole, and at work
  assert.deepEqual(woken, ["b"]);
  assert.deepEqual(
    [b, a].map((one) => memory.mayRead(one)),
    [true, false],
  );
  memory.leave(b); // 700 + 500 are held
  assert.deepEqual(woken, ["b", "c"]);
  memory.hold(a, 0, false);
  assert.deepEqual(woken, ["b", "c", "a"]);
  assert.equal(memory.usedBytes, 500);
});

test("who has begun no request does not take the turn of one who has", () => {
  const memory = new RequestMemory(1000);
  const [idle, a] = [memory.join(() => {}), memory.join(() => {})];
  memory.hold(a, 1000, true);
  assert.equal(memory.mayRead(idle), false);
  assert.equal(memory.mayRead(a), true);
});

test("who is woken and has nothing to read keeps nobody waiting", () => {
  const memory = new RequestMemory(1000);
  const woken: string[] = [];
  const share = (name: string) => memory.join(() => void woken.push(name));
  const [full, reader, idle, a] = [share("full"), share("reader"), share("idle"), share("a")];
  memory.hold(a, 100, true);
  memory.hold(reader, 100, true);
  memory.hold(full, 1000, false);
  assert.deepEqual(
    [reader, idle, a].map((one) => memory.mayRead(one)),
    [true, false, false],
  );
  memory.hold(full, 0, false); // answered
  assert.deepEqual(woken, ["idle", "a"]);
});

test("whatever happens, requests that have come in half are finished", () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 3000 }), { minLength: 1, maxLength: 12 });
  fc.assert(
    fc.property(sizes, fc.infiniteStream(fc.nat()), (requests, choices) => {
      const memory = new RequestMemory(1000);
      const reading = new Set<MemoryShare>();
      const missing = new Map<MemoryShare, number>();
      for (const bytes of requests) {
        const share: MemoryShare = memory.join(() => void (memory.mayRead(share) && reading.add(share)));
        missing.set(share, bytes);
        reading.add(share);
      }
      let left = requests.length;
      for (let step = 0; left > 0; step++) {
        assert.ok(step < 1000 && reading.size > 0, `${left} requests are not finished`);
        const share = [...reading][(choices.next().value ?? 0) % reading.size] as MemoryShare;
        const bytes = missing.get(share) ?? 0;
        missing.set(share, Math.max(0, bytes - 200));
        if (bytes > 200) {
          memory.hold(share, share.heldBytes + 200, true);
          if (!memory.mayRead(share)) reading.delete(share);
        } else {
          left--;
          reading.delete(share);
          memory.leave(share); // answered
        }
      }
      assert.equal(memory.usedBytes, 0);
    }),
  );
});
