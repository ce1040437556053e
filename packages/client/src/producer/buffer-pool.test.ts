import assert from "node:assert/strict";
import { test } from "node:test";
import { BufferPool } from "./buffer-pool.ts";
import { FIRST_CAPACITY } from "./partition-queue.ts";

const BATCH_SIZE = 16_384;
const MEMORY = 64 * 1024 * 1024;

const sizes = [
  { capacity: FIRST_CAPACITY, bytes: FIRST_CAPACITY, why: "as a quiet partition begins" },
  { capacity: FIRST_CAPACITY + 1, bytes: 2 * FIRST_CAPACITY, why: "the next double" },
  { capacity: 10_000, bytes: BATCH_SIZE, why: "from half a batch on a whole one" },
  { capacity: BATCH_SIZE, bytes: BATCH_SIZE, why: "a full batch" },
  { capacity: BATCH_SIZE + 1, bytes: BATCH_SIZE + 1, why: "a record larger than a batch has its own size" },
];
for (const { capacity, bytes, why } of sizes) {
  test(`${capacity} bytes are ${bytes}: ${why}`, () => {
    assert.equal(new BufferPool(BATCH_SIZE, MEMORY).take(capacity).length, bytes);
  });
}

test("what is put back serves the next of about its size, and nobody else meanwhile", () => {
  const pool = new BufferPool(1_000_000, MEMORY);
  const first = pool.take(10_000);
  pool.put(first);
  assert.equal(pool.take(11_000), first);
  assert.notEqual(pool.take(11_000), first);
});

test("what belongs to no size is not kept", () => {
  const pool = new BufferPool(BATCH_SIZE, MEMORY);
  const large = pool.take(BATCH_SIZE + 1);
  pool.put(large);
  assert.notEqual(pool.take(BATCH_SIZE + 1), large);
});

test("no more is kept than the producer may take in all", () => {
  const pool = new BufferPool(BATCH_SIZE, 2 * BATCH_SIZE);
  const taken = [1, 2, 3].map(() => pool.take(BATCH_SIZE));
  for (const buffer of taken) pool.put(buffer);
  const again = [1, 2, 3].map(() => pool.take(BATCH_SIZE));
  assert.equal(again.filter((buffer) => taken.includes(buffer)).length, 2);
});

test("batches smaller than what a quiet partition begins with are pooled as such", () => {
  const pool = new BufferPool(100, MEMORY);
  const buffer = pool.take(FIRST_CAPACITY);
  pool.put(buffer);
  assert.equal(pool.take(FIRST_CAPACITY), buffer);
});
