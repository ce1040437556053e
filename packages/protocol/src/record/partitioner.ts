import { crc32 } from "node:zlib";
import { assert } from "@samsa/base";

const MULTIPLIER = 0x5bd1e995;
const SEED = 0x9747b28c;

/**
 * The 32-bit murmur2 of Kafka's `Utils`, as a signed int. The last one to three bytes are read unsigned, as Java's is.
 * @param length how many of the bytes count
 */
export function murmur2(bytes: Uint8Array, length: number = bytes.length): number {
  let hash = SEED ^ length;
  const whole = length & ~3;
  for (let at = 0; at < whole; at += 4) {
    let word = byte(bytes, at) | (byte(bytes, at + 1) << 8) | (byte(bytes, at + 2) << 16) | (byte(bytes, at + 3) << 24);
    word = Math.imul(word, MULTIPLIER);
    word ^= word >>> 24;
    hash = Math.imul(hash, MULTIPLIER) ^ Math.imul(word, MULTIPLIER);
  }
  const rest = length - whole;
  if (rest === 3) hash ^= byte(bytes, whole + 2) << 16;
  if (rest >= 2) hash ^= byte(bytes, whole + 1) << 8;
  if (rest >= 1) hash = Math.imul(hash ^ byte(bytes, whole), MULTIPLIER);
  hash = Math.imul(hash ^ (hash >>> 13), MULTIPLIER);
  return hash ^ (hash >>> 15);
}

/** Clears the sign bit: Kafka's `Utils.toPositive`, which is no absolute value. */
export function toPositive(n: number): number {
  return n & 0x7fffffff;
}

/** The partition that Kafka's default partitioner gives a key, in 0 … partitionCount - 1. */
export function partitionForKey(key: Uint8Array, partitionCount: number): number {
  assert(partitionCount > 0, "a topic has partitions");
  return toPositive(murmur2(key)) % partitionCount;
}

/**
 * The partition that librdkafka's `consistent` and `consistent_random` give a key that is not empty: CRC-32, modulo. Clients
 * that share a topic with librdkafka's default producers need it.
 */
export function consistentPartitionForKey(key: Uint8Array, partitionCount: number): number {
  assert(partitionCount > 0, "a topic has partitions");
  return crc32(key) % partitionCount;
}

function byte(bytes: Uint8Array, at: number): number {
  return bytes[at] as number;
}
