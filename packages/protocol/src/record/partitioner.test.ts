import assert from "node:assert/strict";
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
