import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { RecycledFrames } from "./frame-memory.ts";

const MIB = 1024 * 1024;

test("memory that was given back serves the next frame of about its size", () => {
  const frames = new RecycledFrames();
  const { buffer } = frames.take(MIB);
  const isThat = (bytes: number): boolean => frames.take(bytes).buffer === buffer;
  frames.giveBack(new Uint8Array(buffer));
  assert.ok(isThat(MIB - 100));
  assert.ok(!isThat(MIB), "it is taken");
  frames.giveBack(new Uint8Array(buffer));
  assert.ok(!isThat(100_000), "who keeps the small one would keep all of the large");
  assert.ok(!isThat(2 * MIB));
  assert.ok(isThat(MIB));
});

test("small frames are not worth it", () => {
  const frames = new RecycledFrames();
  const first = frames.take(1000);
  assert.equal(first.buffer.byteLength, 1000);
  frames.giveBack(first);
  assert.ok(frames.take(1000).buffer !== first.buffer);
});

test("no memory is in use twice, every frame has the length that was asked for, and what lies idle is bounded", () => {
  const step = fc.record({ bytes: fc.integer({ min: 0, max: 6 * MIB }), givesBack: fc.nat() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const frames = new RecycledFrames();
      const used: Uint8Array[] = [];
      for (const { bytes, givesBack } of steps) {
        const frame = frames.take(bytes);
        assert.equal(frame.length, bytes);
        assert.ok(frame.buffer.byteLength <= Math.max(1.5 * bytes, bytes + 64 * 1024));
        assert.ok(used.every(({ buffer }) => buffer !== frame.buffer));
        used.push(frame);
        for (const one of used.splice(givesBack % (used.length + 1))) frames.giveBack(one);
        assert.ok(frames.freeBytes <= 16 * MIB);
      }
    }),
    { numRuns: 50 },
  );
});
