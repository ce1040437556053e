import assert from "node:assert/strict";
import { test } from "node:test";
import { xxhash32 } from "./xxhash32.ts";

// From the reference implementation (Cyan4973/xxHash), seed 0.
const vectors = [
  { text: "", hash: 0x02cc5d05 },
  { text: "a", hash: 0x550d7456 },
  { text: "abc", hash: 0x32d153ff },
  { text: "Nobody inspects the spammish repetition", hash: 0xe2293b2f },
];
for (const { text, hash } of vectors) {
  test(`hashes ${JSON.stringify(text)}`, () => assert.equal(xxhash32(new TextEncoder().encode(text)), hash));
}

test("makes the header checksum that every lz4 frame of Java begins with", () => {
  assert.equal((xxhash32(Uint8Array.of(0x60, 0x40)) >>> 8) & 0xff, 0x82);
});
