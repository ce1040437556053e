import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { crc32c, memoryForCrc32c, nativeCrc32c, pureCrc32c } from "./crc32c.ts";
import type { Crc32cImplementation } from "./crc32c.ts";
import { foldedCrc32c } from "./folded-crc32c.ts";

const implementations: [string, Crc32cImplementation][] = [
  ["the tables", pureCrc32c],
  ["the choice by size", crc32c],
];
const native = nativeCrc32c();
if (native !== undefined) implementations.push(["the native one", native]);

const folded = foldedCrc32c(pureCrc32c);
assert.ok(folded !== undefined);
implementations.push(["folding", folded]);

const ROOM_BYTES = 150_000;
const room = memoryForCrc32c(ROOM_BYTES);
assert.ok(room !== undefined);
const inRoom: Crc32cImplementation = (bytes, start, end) => {
  room.set(bytes);
  return crc32c(room, start, end);
};
implementations.push(["folding where they lie", inRoom]);

// RFC 3720, appendix B.4
const vectors = [
  { what: "32 bytes of zero", bytes: new Uint8Array(32), crc: 0x8a9136aa },
  { what: "32 bytes of ones", bytes: new Uint8Array(32).fill(0xff), crc: 0x62a8ab43 },
  { what: "32 bytes that count up", bytes: Uint8Array.from({ length: 32 }, (_, i) => i), crc: 0x46dd794e },
  { what: "32 bytes that count down", bytes: Uint8Array.from({ length: 32 }, (_, i) => 31 - i), crc: 0x113fdb5c },
  { what: "the digits 1 to 9", bytes: new TextEncoder().encode("123456789"), crc: 0xe3069283 },
  { what: "nothing", bytes: new Uint8Array(), crc: 0 },
];

for (const [name, crcOf] of implementations) {
  describe(`CRC-32C by ${name}`, () => {
    for (const { what, bytes, crc } of vectors) {
      test(`of ${what}`, () => assert.equal(crcOf(bytes, 0, bytes.length), crc));
    }

    test("is that of the plainest algorithm for every range", () => {
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 700 }), fc.nat(), fc.nat(), (bytes, a, b) => {
          const start = a % (bytes.length + 1);
          const end = start + (b % (bytes.length - start + 1));
          assert.equal(crcOf(bytes, start, end), bitByBit(bytes, start, end));
        }),
      );
    });
  });
}

test("a range is the whole array when nothing is said", () => {
  const bytes = new TextEncoder().encode("The Castle");
  assert.equal(crc32c(bytes), bitByBit(bytes, 0, bytes.length));
  assert.equal(crc32c(bytes, 4), bitByBit(bytes, 4, bytes.length));
});

describe("folding is what the tables say", () => {
  const bytes = Uint8Array.from({ length: 150_000 }, (_, index) => (index * index * 31 + (index >> 3)) & 0xff);
  const WINDOW = 5312;

  for (const length of [
    WINDOW - 1,
    WINDOW,
    WINDOW + 63,
    WINDOW + 64,
    WINDOW + 65,
    WINDOW + 32 * 1024,
    65_536,
    150_000,
  ]) {
    test(`of ${length} bytes`, () => assert.equal(folded(bytes, 0, length), pureCrc32c(bytes, 0, length)));
  }

  test("of any range, one after the other", () => {
    fc.assert(
      fc.property(fc.nat({ max: 150_000 }), fc.nat({ max: 150_000 }), (a, b) => {
        const [start, end] = [Math.min(a, b), Math.max(a, b)];
        assert.equal(folded(bytes, start, end), pureCrc32c(bytes, start, end));
      }),
      { numRuns: 300 },
    );
  });

  test("and every bit counts, wherever it is", () => {
    const length = 48 * 1024;
    const right = crc32c(bytes, 0, length);
    for (let bit = 0; bit < length * 8; bit += 811) {
      const at = bit >> 3;
      bytes[at] = (bytes[at] ?? 0) ^ (1 << (bit & 7));
      assert.notEqual(crc32c(bytes, 0, length), right);
      bytes[at] = (bytes[at] ?? 0) ^ (1 << (bit & 7));
    }
    assert.equal(crc32c(bytes, 0, length), right);
  });

  test("where they lie, of any range up to both ends of the room, which keeps its bytes", () => {
    room.set(bytes);
    const ends = [
      [0, ROOM_BYTES],
      [ROOM_BYTES - 20_000, ROOM_BYTES],
      [0, 14 * 1024],
      [3, WINDOW + 3 + 14 * 1024],
    ] as const;
    for (const [start, end] of ends) assert.equal(crc32c(room, start, end), pureCrc32c(bytes, start, end));
    fc.assert(
      fc.property(fc.nat({ max: ROOM_BYTES }), fc.nat({ max: ROOM_BYTES }), fc.nat({ max: 1000 }), (a, b, shift) => {
        const [start, end] = [Math.min(a, b), Math.max(a, b)];
        const view = room.subarray(Math.min(shift, start));
        const at = room.length - view.length;
        assert.equal(crc32c(view, start - at, end - at), pureCrc32c(bytes, start, end));
      }),
      { numRuns: 300 },
    );
    assert.deepEqual(room, bytes);
  });

  test("where they lie, every bit counts", () => {
    room.set(bytes);
    const length = 48 * 1024;
    const right = crc32c(room, 0, length);
    assert.equal(right, pureCrc32c(bytes, 0, length));
    for (let bit = 0; bit < length * 8; bit += 811) {
      const at = bit >> 3;
      room[at] = (room[at] ?? 0) ^ (1 << (bit & 7));
      assert.notEqual(crc32c(room, 0, length), right);
      room[at] = (room[at] ?? 0) ^ (1 << (bit & 7));
    }
  });

  test("in memory that is shared", () => {
    const shared = new Uint8Array(new SharedArrayBuffer(100_000));
    shared.set(bytes.subarray(0, shared.length));
    assert.equal(folded(shared, 5, 99_000), pureCrc32c(bytes, 5, 99_000));
  });
});

function bitByBit(bytes: Uint8Array, start: number, end: number): number {
  let crc = 0xffffffff;
  for (let at = start; at < end; at++) {
    crc ^= bytes[at] ?? 0;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  return ~crc >>> 0;
}
