import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { consistentPartitionForKey, murmur2, partitionForKey, toPositive } from "./partitioner.ts";

const lines = readFileSync(new URL("../../test-fixtures/murmur2/vectors.txt", import.meta.url), "utf8")
  .trim()
  .split("\n");
const vectors = lines.map((line) => {
  const [hex = "", hash, partition] = line.split(" ");
  return {
    key: hex === "-" ? new Uint8Array() : new Uint8Array(Buffer.from(hex, "hex")),
    hash: Number(hash),
    partition: Number(partition),
  };
});

test("there are a thousand vectors, of 0 to 40 bytes, with every byte value", () => {
  assert.equal(vectors.length, 1000);
  assert.deepEqual(
    [...new Set(vectors.map(({ key }) => key.length))],
    Array.from({ length: 41 }, (_, i) => i),
  );
  assert.equal(new Set(vectors.flatMap(({ key }) => [...key])).size, 256);
});

test("murmur2 is that of Kafka's Utils", () => {
  for (const { key, hash } of vectors) assert.equal(murmur2(key), hash, Buffer.from(key).toString("hex"));
});

test("a key goes to the partition that Kafka's producer gives it", () => {
  for (const { key, partition } of vectors) assert.equal(partitionForKey(key, 7), partition);
});

test("a hash becomes positive by losing its sign bit, not its sign", () => {
  assert.deepEqual([0, 1, -1, -0x80000000, 0x7fffffff].map(toPositive), [0, 1, 0x7fffffff, 0, 0x7fffffff]);
});

test("librdkafka's consistent partitioner is the unsigned CRC-32, modulo", () => {
  const key = new TextEncoder().encode("123456789");
  assert.equal(consistentPartitionForKey(key, 1000), 0xcbf43926 % 1000);
});

test("a hundred thousand keys have the hashes and partitions that Kafka's own class gives them", () => {
  // compat/golden/PartitionVectors.java makes the same keys, by the generator that C's rand() had, and printed this.
  const expected = "8d49dbdeac7c1e02331c26a8274003f5d863aae001b88a69882263d4be1518a5";
  const digest = createHash("sha256");
  const line = new DataView(new ArrayBuffer(8));
  let state = 1;
  for (let n = 0; n < 100_000; n++) {
    const key = new Uint8Array(n % 67);
    for (let i = 0; i < key.length; i++) {
      state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
      key[i] = state >> 16;
    }
    line.setInt32(0, murmur2(key));
    line.setInt32(4, partitionForKey(key, (n % 100) + 1));
    digest.update(new Uint8Array(line.buffer));
  }
  assert.equal(digest.digest("hex"), expected);
});
