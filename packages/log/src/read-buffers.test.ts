import assert from "node:assert/strict";
import { test } from "node:test";
import { readBuffers } from "./read-buffers.ts";

test("a large buffer that was given back is lent again, whichever part of it comes back", () => {
  const first = readBuffers.take(500_000);
  assert.equal(first.length, 500_000);
  readBuffers.giveBack(first.subarray(100, 200));
  const second = readBuffers.take(1024 * 1024);
  assert.equal(second.buffer, first.buffer);
  assert.equal(second.length, 1024 * 1024);
});

test("the first ones lie where a CRC is fastest, and others follow when these are lent", () => {
  const taken = Array.from({ length: 20 }, () => readBuffers.take(1024 * 1024));
  assert.equal(new Set(taken.map(({ buffer }) => buffer)).size, 20);
  const ofTheirOwn = taken.filter(({ buffer }) => buffer.byteLength === 1024 * 1024);
  assert.ok(ofTheirOwn.length >= 12);
  for (const [index, bytes] of taken.entries()) bytes.fill(index);
  assert.ok(taken.every((bytes, index) => bytes[0] === index && bytes.at(-1) === index));
  for (const bytes of taken) readBuffers.giveBack(bytes);
  const again = Array.from({ length: 8 }, () => readBuffers.take(100_000));
  assert.equal(again.filter(({ buffer }) => buffer.byteLength === 1024 * 1024).length, ofTheirOwn.length - 12);
  for (const bytes of again) readBuffers.giveBack(bytes);
});

test("what is lent is lent to one", () => {
  const [a, b] = [readBuffers.take(100_000), readBuffers.take(100_000)];
  assert.notEqual(a.buffer, b.buffer);
  readBuffers.giveBack(a);
  readBuffers.giveBack(a); // once too often
  const [c, d] = [readBuffers.take(100_000), readBuffers.take(100_000)];
  assert.notEqual(c.buffer, d.buffer);
});

test("bytes from elsewhere are not taken", () => {
  const foreign = new Uint8Array(1024 * 1024);
  readBuffers.giveBack(foreign);
  assert.notEqual(readBuffers.take(1024 * 1024).buffer, foreign.buffer);
});

for (const length of [0, 100, 64 * 1024 - 1, 1024 * 1024 + 1]) {
  test(`${length} bytes are a buffer of their own`, () => {
    assert.equal(readBuffers.take(length).buffer.byteLength, length);
  });
}
