import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { crc32c, nativeCrc32c, pureCrc32c } from "./crc32c.ts";
import type { Crc32cImplementation } from "./crc32c.ts";

const implementations: [string, Crc32cImplementation][] = [
  ["the tables", pureCrc32c],
  ["the choice by size", crc32c],
];
const native = nativeCrc32c();
if (native !== undefined) implementations.push(["the native one", native]);

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

function bitByBit(bytes: Uint8Array, start: number, end: number): number {
  let crc = 0xffffffff;
  for (let at = start; at < end; at++) {
    crc ^= bytes[at] ?? 0;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  return ~crc >>> 0;
}
