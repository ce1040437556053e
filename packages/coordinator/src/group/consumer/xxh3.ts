import { assert } from "@samsa/base";

/*
 * XXH3 with 64 bits, no seed and the default secret (https://github.com/Cyan4973/xxHash, doc/xxhash_spec.md). Kafka 4.1 and later hash
 * the topics of a group with it, and the hash is on the disk: another one would have every group rebalance once after a move.
 * In bigint, because a topic is hashed when it changes and not more often.
 */

const PRIME32_1 = 0x9e3779b1n;
const PRIME32_2 = 0x85ebca77n;
const PRIME32_3 = 0xc2b2ae3dn;
const PRIME64_1 = 0x9e3779b185ebca87n;
const PRIME64_2 = 0xc2b2ae3d27d4eb4fn;
const PRIME64_3 = 0x165667b19e3779f9n;
const PRIME64_4 = 0x85ebca77c2b2ae63n;
const PRIME64_5 = 0x27d4eb2f165667c5n;
const PRIME_MX1 = 0x165667919e3779f9n;
const PRIME_MX2 = 0x9fb21c651e98df25n;
const MASK = 0xffff_ffff_ffff_ffffn;

const STRIPE_BYTES = 64;
const SECRET_STEP = 8;
const SECRET = bytesOf(
  "b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671fcb79e64eccc0e578825ad07dccff7221b8084674f743248ee03590e6813a264c" +
    "3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8a8fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364" +
    "eac5ac8334d3ebc3c581a0fffa1363eb170ddd51b7f0da49d316552629d4689e2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e",
);
const STRIPES_IN_BLOCK = (SECRET.length - STRIPE_BYTES) / SECRET_STEP;
const secret = new DataView(SECRET.buffer);

/** The hash, as the signed number that Java has. */
export function xxh3(input: Uint8Array): bigint {
  const view = new DataView(input.buffer, input.byteOffset, input.length);
  return BigInt.asIntN(64, hash(view));
}

function hash(input: DataView): bigint {
  const length = input.byteLength;
  if (length > 240) return hashLong(input);
  if (length > 128) return hashTo240(input);
  if (length > 16) return hashTo128(input);
  if (length > 8) return hashTo16(input);
  if (length >= 4) return hashTo8(input);
  if (length > 0) return hashTo3(input);
  return avalanche64(read64(secret, 56) ^ read64(secret, 64));
}

function hashTo3(input: DataView): bigint {
  const length = input.byteLength;
  const first = BigInt(input.getUint8(0));
  const middle = BigInt(input.getUint8(length >> 1));
  const last = BigInt(input.getUint8(length - 1));
  const combined = (first << 16n) | (middle << 24n) | last | (BigInt(length) << 8n);
  return avalanche64(combined ^ (read32(secret, 0) ^ read32(secret, 4)));
}

function hashTo8(input: DataView): bigint {
  const length = input.byteLength;
  const flip = read64(secret, 8) ^ read64(secret, 16);
  let value = (read32(input, length - 4) + (read32(input, 0) << 32n)) ^ flip;
  value ^= rotateLeft(value, 49n) ^ rotateLeft(value, 24n);
  value = (value * PRIME_MX2) & MASK;
  value ^= (value >> 35n) + BigInt(length);
  value = (value * PRIME_MX2) & MASK;
  return value ^ (value >> 28n);
}

function hashTo16(input: DataView): bigint {
  const length = input.byteLength;
  const low = read64(input, 0) ^ read64(secret, 24) ^ read64(secret, 32);
  const high = read64(input, length - 8) ^ read64(secret, 40) ^ read64(secret, 48);
  return avalanche((BigInt(length) + swapBytes(low) + high + foldedProduct(low, high)) & MASK);
}

function hashTo128(input: DataView): bigint {
  const length = input.byteLength;
  let sum = BigInt(length) * PRIME64_1;
  for (let i = (length - 1) >> 5; i >= 0; i--) {
    sum += mix16(input, 16 * i, 32 * i);
    sum += mix16(input, length - 16 * (i + 1), 32 * i + 16);
  }
  return avalanche(sum & MASK);
}

function hashTo240(input: DataView): bigint {
  const length = input.byteLength;
  let sum = BigInt(length) * PRIME64_1;
  for (let i = 0; i < 8; i++) sum += mix16(input, 16 * i, 16 * i);
  sum = avalanche(sum & MASK);
  for (let i = 8; i < length >> 4; i++) sum += mix16(input, 16 * i, 16 * (i - 8) + 3);
  sum += mix16(input, length - 16, 136 - 17);
  return avalanche(sum & MASK);
}

function hashLong(input: DataView): bigint {
  const length = input.byteLength;
  const lanes = [PRIME32_3, PRIME64_1, PRIME64_2, PRIME64_3, PRIME64_4, PRIME32_2, PRIME64_5, PRIME32_1];
  const stripes = Math.floor((length - 1) / STRIPE_BYTES);
  for (let stripe = 0; stripe < stripes; stripe++) {
    accumulate(lanes, input, stripe * STRIPE_BYTES, (stripe % STRIPES_IN_BLOCK) * SECRET_STEP);
    if (stripe % STRIPES_IN_BLOCK === STRIPES_IN_BLOCK - 1) scramble(lanes);
  }
  accumulate(lanes, input, length - STRIPE_BYTES, SECRET.length - STRIPE_BYTES - 7);
  let sum = BigInt(length) * PRIME64_1;
  for (let lane = 0; lane < 8; lane += 2) {
    const at = 11 + lane * 8;
    sum += foldedProduct(laneOf(lanes, lane) ^ read64(secret, at), laneOf(lanes, lane + 1) ^ read64(secret, at + 8));
  }
  return avalanche(sum & MASK);
}

function accumulate(lanes: bigint[], input: DataView, at: number, secretAt: number): void {
  for (let lane = 0; lane < 8; lane++) {
    const value = read64(input, at + 8 * lane);
    const keyed = value ^ read64(secret, secretAt + 8 * lane);
    lanes[lane ^ 1] = (laneOf(lanes, lane ^ 1) + value) & MASK;
    lanes[lane] = (laneOf(lanes, lane) + (keyed & 0xffff_ffffn) * (keyed >> 32n)) & MASK;
  }
}

function scramble(lanes: bigint[]): void {
  for (let lane = 0; lane < 8; lane++) {
    const value = laneOf(lanes, lane);
    const mixed = value ^ (value >> 47n) ^ read64(secret, SECRET.length - STRIPE_BYTES + 8 * lane);
    lanes[lane] = (mixed * PRIME32_1) & MASK;
  }
}

function laneOf(lanes: readonly bigint[], index: number): bigint {
  const lane = lanes[index];
  assert(lane !== undefined, "there are eight lanes");
  return lane;
}

function mix16(input: DataView, at: number, secretAt: number): bigint {
  return foldedProduct(
    read64(input, at) ^ read64(secret, secretAt),
    read64(input, at + 8) ^ read64(secret, secretAt + 8),
  );
}

/** The 128 bits of the product, folded to 64. */
function foldedProduct(a: bigint, b: bigint): bigint {
  const product = a * b;
  return (product & MASK) ^ (product >> 64n);
}

function avalanche(value: bigint): bigint {
  const mixed = ((value ^ (value >> 37n)) * PRIME_MX1) & MASK;
  return mixed ^ (mixed >> 32n);
}

/** The final mix of XXH64. */
function avalanche64(value: bigint): bigint {
  let mixed = ((value ^ (value >> 33n)) * PRIME64_2) & MASK;
  mixed = ((mixed ^ (mixed >> 29n)) * PRIME64_3) & MASK;
  return mixed ^ (mixed >> 32n);
}

function swapBytes(value: bigint): bigint {
  let swapped = 0n;
  for (let shift = 0n; shift < 64n; shift += 8n) swapped = (swapped << 8n) | ((value >> shift) & 0xffn);
  return swapped;
}

function rotateLeft(value: bigint, by: bigint): bigint {
  return ((value << by) | (value >> (64n - by))) & MASK;
}

function read32(view: DataView, at: number): bigint {
  return BigInt(view.getUint32(at, true));
}

function read64(view: DataView, at: number): bigint {
  return view.getBigUint64(at, true);
}

function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from({ length: hex.length / 2 }, (_, index) => parseInt(hex.slice(2 * index, 2 * index + 2), 16));
}
