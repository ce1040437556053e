import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { InvariantError } from "./assert.ts";
import { KafkaError } from "./kafka-error.ts";
import type { Random } from "./ports.ts";
import { decodeUtf8, encodeUtf8Into, utf8Length } from "./utf8.ts";
import type { Uuid } from "./uuid.ts";
import { METADATA_TOPIC_ID, parseUuid, randomUuid, uuidFromBytes, uuidToBytes, ZERO_UUID } from "./uuid.ts";

// Any UTF-16, lone surrogates included, about the length where short texts are treated apart.
const text = fc.oneof(
  fc.string({ unit: "binary", maxLength: 80 }),
  fc.string({ unit: "binary-ascii", maxLength: 80 }),
  fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 40 }).map((units) => String.fromCharCode(...units)),
);

test("writes text as Node does, a lone surrogate as the replacement character", () => {
  fc.assert(
    fc.property(text, (text) => {
      const expected = Buffer.from(text);
      assert.equal(utf8Length(text), expected.length);
      const bytes = new Uint8Array(expected.length + 2).fill(0xee);
      encodeUtf8Into(text, bytes, 1, expected.length);
      assert.deepEqual([...bytes], [0xee, ...expected, 0xee]);
    }),
  );
});

test("reads whatever the bytes are, as Node does", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), fc.nat(5), (bytes, start) => {
      const from = Math.min(start, bytes.length);
      assert.equal(decodeUtf8(bytes, from, bytes.length), Buffer.from(bytes.subarray(from)).toString());
    }),
  );
});

test("reads short text as Node does, however often and among whatever else it was read before", () => {
  const short = fc.string({ unit: fc.constantFrom("a", "b", "c"), maxLength: 6 });
  fc.assert(
    fc.property(fc.array(short, { maxLength: 200 }), (texts) => {
      const bytes = new TextEncoder().encode(texts.join(""));
      let at = 0;
      const read = texts.map((text) => decodeUtf8(bytes, at, (at += text.length)));
      assert.deepEqual(read, texts);
    }),
  );
  // More names than are kept: one takes the place of another.
  const names = Array.from({ length: 5000 }, (_, n) => `name-${n}`);
  for (const name of [...names, ...names]) assert.equal(decodeUtf8(Buffer.from(name), 0, name.length), name);
});

test("a byte order mark is text like any other", () => {
  const bytes = new Uint8Array([0xef, 0xbb, 0xbf, 0x61]);
  assert.equal(decodeUtf8(bytes, 0, 4), "\u{feff}a");
});

test("UUIDs are read as they are, whichever were read before", () => {
  // Bytes of few values: many that differ in one bit, and many that are read again.
  const bytes = fc.array(fc.constantFrom(0, 1, 128, 255), { minLength: 16, maxLength: 16 });
  fc.assert(
    fc.property(fc.array(bytes, { minLength: 1, maxLength: 50 }), (all) => {
      for (const one of [...all, ...all.toReversed()]) {
        assert.equal(uuidFromBytes(new Uint8Array(one)), Buffer.from(one).toString("base64url"));
      }
    }),
  );
});

test("a UUID is URL-safe base64 without padding, both ways", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (bytes) => {
      const uuid = uuidFromBytes(new Uint8Array([0, ...bytes]), 1);
      assert.equal(uuid, Buffer.from(bytes).toString("base64url"));
      assert.equal(parseUuid(uuid), uuid);
      const back = new Uint8Array(18);
      uuidToBytes(uuid, back, 1);
      assert.deepEqual([...back], [0, ...bytes, 0]);
    }),
  );
});

test("the reserved ids are 0 and 1", () => {
  assert.equal(uuidFromBytes(new Uint8Array(16)), ZERO_UUID);
  assert.equal(uuidFromBytes(new Uint8Array(16).fill(1, 15)), METADATA_TOPIC_ID);
});

for (const { text, why } of [
  { text: "", why: "empty" },
  { text: "AAAAAAAAAAAAAAAAAAAAA", why: "one character short" },
  { text: "AAAAAAAAAAAAAAAAAAAAAAA", why: "one character long" },
  { text: "AAAAAAAAAAAAAAAAAAAAAB", why: "bits beyond the sixteenth byte" },
  { text: "AAAAAAAAAAAAAAAAAAAA+A", why: "the alphabet of plain base64" },
  { text: "00000000-0000-0000-0000-000000000000", why: "the usual form" },
]) {
  test(`refuses "${text}" as a UUID: ${why}`, () => assert.throws(() => parseUuid(text), KafkaError));
}

test("what is no UUID at all is a mistake of ours", () => {
  assert.throws(() => uuidToBytes("?".repeat(22) as Uuid, new Uint8Array(16)), InvariantError);
});

test("a random UUID has version 4, and does not begin like an option", () => {
  const fills = [new Uint8Array(16).fill(0xfb), new Uint8Array(16).fill(0x11)]; // 0xfb makes "-"
  const random: Random = {
    uint32: () => 0,
    fill: (bytes) => bytes.set(fills.shift() ?? new Uint8Array(16)),
  };
  const bytes = new Uint8Array(16);
  uuidToBytes(randomUuid(random), bytes);
  assert.equal((bytes[6] ?? 0) >> 4, 4);
  assert.equal((bytes[8] ?? 0) >> 6, 2);
  assert.equal(bytes[0], 0x11);
});
