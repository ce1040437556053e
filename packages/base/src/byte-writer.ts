import { assert } from "./assert.ts";
import { ErrorCode } from "./error-code.ts";
import { INT64_MAX, INT64_MIN } from "./int64.ts";
import { KafkaError } from "./kafka-error.ts";
import { encodeUtf8Into } from "./utf8.ts";
import type { Uuid } from "./uuid.ts";
import { uuidToBytes } from "./uuid.ts";

const TWO_32 = 0x1_0000_0000;
/** From this size on, bytes are kept by reference and leave with `writev` instead of being copied. */
const REFERENCE_BYTES = 4096;

const SLAB_BYTES = 16 * 1024;
/** With less left, a slab is not begun again. */
const LEAST_SLAB_BYTES = 512;

/**
 * Memory that writers of small things use one after the other: a piece of memory for each costs more than what is written
 * into it. Nothing is written twice, so that what has left the writers stays as it is.
 */
class Slab {
  readonly bytes = new Uint8Array(SLAB_BYTES);
  readonly view = new DataView(this.bytes.buffer);
  filled = 0;
}

let idleSlab: Slab | undefined; // nobody writes to it

/**
 * Writes Kafka's big-endian primitives into one growing buffer. Large byte fields are not copied: the result is a list of
 * chunks. A value that does not fit its type is the caller's mistake and throws KafkaError INVALID_REQUEST.
 */
export class ByteWriter {
  #bytes: Uint8Array;
  #view: DataView;
  #start = 0; // where the open chunk begins in #bytes
  #offset = 0;
  #closedLength = 0;
  readonly #closed: Uint8Array[] = [];
  #slab: Slab | undefined;

  /** @param initialCapacity "shared": in memory with others, for what does not live long */
  constructor(initialCapacity: number | "shared" = 512) {
    if (initialCapacity === "shared") {
      const idle = idleSlab;
      const slab = idle === undefined || SLAB_BYTES - idle.filled < LEAST_SLAB_BYTES ? new Slab() : idle;
      idleSlab = undefined; // one that is begun meanwhile gets another, and a writer that is given up takes it along
      this.#slab = slab;
      this.#bytes = slab.bytes;
      this.#view = slab.view;
      this.#start = this.#offset = slab.filled;
    } else {
      this.#bytes = new Uint8Array(initialCapacity);
      this.#view = new DataView(this.#bytes.buffer);
    }
  }

  /** Bytes written so far. */
  get length(): number {
    return this.#closedLength + this.#offset - this.#start;
  }

  boolean(value: boolean): void {
    const at = this.#reserve(1);
    this.#view.setInt8(at, value ? 1 : 0);
  }

  int8(value: number): void {
    checkRange(value, -0x80, 0x7f, "int8");
    const at = this.#reserve(1);
    this.#view.setInt8(at, value);
  }

  uint8(value: number): void {
    checkRange(value, 0, 0xff, "uint8");
    const at = this.#reserve(1);
    this.#view.setUint8(at, value);
  }

  int16(value: number): void {
    checkRange(value, -0x8000, 0x7fff, "int16");
    const at = this.#reserve(2);
    this.#view.setInt16(at, value);
  }

  uint16(value: number): void {
    checkRange(value, 0, 0xffff, "uint16");
    const at = this.#reserve(2);
    this.#view.setUint16(at, value);
  }

  int32(value: number): void {
    checkRange(value, -0x80000000, 0x7fffffff, "int32");
    const at = this.#reserve(4);
    this.#view.setInt32(at, value);
  }

  uint32(value: number): void {
    checkRange(value, 0, 0xffffffff, "uint32");
    const at = this.#reserve(4);
    this.#view.setUint32(at, value);
  }

  /** An exact number, or one of the extremes INT64_MIN and INT64_MAX. */
  int64(value: number): void {
    const at = this.#reserve(8);
    if (value === INT64_MAX) {
      this.#view.setInt32(at, 0x7fffffff);
      this.#view.setInt32(at + 4, -1);
      return;
    }
    if (!Number.isSafeInteger(value) && value !== INT64_MIN) throw outOfRange(value, "int64");
    this.#view.setInt32(at, Math.floor(value / TWO_32));
    this.#view.setUint32(at + 4, value >>> 0); // modulo 2^32, exact for safe integers
  }

  /** All 64 bits: for hashes, which are no quantity. */
  bigInt64(value: bigint): void {
    if (BigInt.asIntN(64, value) !== value) throw outOfRange(value, "int64");
    const at = this.#reserve(8);
    this.#view.setBigInt64(at, value);
  }

  float64(value: number): void {
    const at = this.#reserve(8);
    this.#view.setFloat64(at, value);
  }

  unsignedVarint(value: number): void {
    checkRange(value, 0, 0xffffffff, "uint32");
    let rest = value;
    let at = this.#reserve(unsignedVarintSize(value));
    while (rest > 0x7f) {
      this.#bytes[at++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    this.#bytes[at] = rest;
  }

  /** A zigzag-coded int32. */
  varint(value: number): void {
    checkRange(value, -0x80000000, 0x7fffffff, "int32");
    this.unsignedVarint(((value << 1) ^ (value >> 31)) >>> 0);
  }

  /** A zigzag-coded int64. */
  varlong(value: number): void {
    if (value >= -0x80000000 && value <= 0x7fffffff) return this.varint(value);
    if (!Number.isSafeInteger(value)) throw outOfRange(value, "int64");
    // Zigzag by arithmetic: below 2^54, so exact only in halves; the lowest bit is the sign.
    let low = value < 0 ? 1 : 0;
    let rest = value < 0 ? -value - 1 : value;
    low |= (rest % 64) << 1;
    rest = Math.floor(rest / 64);
    while (rest > 0) {
      this.uint8(low | 0x80);
      low = rest % 128;
      rest = Math.floor(rest / 128);
    }
    this.uint8(low);
  }

  uuid(value: Uuid): void {
    const at = this.#reserve(16);
    uuidToBytes(value, this.#bytes, at);
  }

  /** The text without a length; `length` is its `utf8Length`. */
  utf8(text: string, length: number): void {
    const at = this.#reserve(length);
    encodeUtf8Into(text, this.#bytes, at, length);
  }

  /** Copies small bytes and refers to large ones, which must not change until the result has left. */
  raw(bytes: Uint8Array): void {
    if (bytes.length < REFERENCE_BYTES) {
      const at = this.#reserve(bytes.length);
      this.#bytes.set(bytes, at);
      return;
    }
    this.#closeChunk();
    this.#closed.push(bytes);
    this.#closedLength += bytes.length;
  }

  /** Overwrites an int32 in the first chunk, such as the length that opens a frame. */
  patchInt32(position: number, value: number): void {
    checkRange(value, -0x80000000, 0x7fffffff, "int32");
    const first = this.#closed[0];
    assert(position + 4 <= (first?.length ?? this.length), "a patch lies in the first chunk");
    if (first === undefined) this.#view.setInt32(this.#start + position, value);
    else new DataView(first.buffer, first.byteOffset, first.byteLength).setInt32(position, value);
  }

  /** Everything written, in order. The writer is not used afterwards. */
  toChunks(): readonly Uint8Array[] {
    this.#closeChunk();
    this.#leaveSlab();
    return this.#closed;
  }

  /** Everything written as one array: a view while nothing was large, otherwise a copy. */
  toBytes(): Uint8Array {
    if (this.#closed.length === 0) {
      this.#leaveSlab();
      return this.#bytes.subarray(this.#start, this.#offset);
    }
    const all = new Uint8Array(this.length);
    let at = 0;
    for (const chunk of this.toChunks()) {
      all.set(chunk, at);
      at += chunk.length;
    }
    return all;
  }

  #leaveSlab(): void {
    const slab = this.#slab;
    if (slab === undefined || this.#bytes !== slab.bytes) return;
    slab.filled = this.#offset;
    idleSlab = slab;
    this.#slab = undefined; // once: others may be writing to it by now
  }

  #closeChunk(): void {
    if (this.#offset === this.#start) return;
    const chunk = this.#bytes.subarray(this.#start, this.#offset);
    this.#closed.push(chunk);
    this.#closedLength += chunk.length;
    this.#start = this.#offset;
  }

  /**
   * Makes room and returns where it is. Grows by doubling; closed chunks keep the buffer they were written to. Call it before
   * `#view` or `#bytes` are looked at, for it may replace both.
   */
  #reserve(length: number): number {
    const at = this.#offset;
    if (at + length <= this.#bytes.length) {
      this.#offset = at + length;
      return at;
    }
    const open = this.#bytes.subarray(this.#start, at);
    const grown = new Uint8Array(Math.max(2 * this.#bytes.length, open.length + length));
    grown.set(open);
    this.#bytes = grown;
    this.#view = new DataView(grown.buffer);
    this.#start = 0;
    this.#offset = open.length + length;
    return open.length;
  }
}

/** Bytes that an unsigned varint takes. */
export function unsignedVarintSize(value: number): number {
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  if (value < 0x200000) return 3;
  return value < 0x10000000 ? 4 : 5;
}

function checkRange(value: number, lowest: number, highest: number, type: string): void {
  if (!(value >= lowest && value <= highest && Number.isInteger(value))) throw outOfRange(value, type);
}

function outOfRange(value: number | bigint, type: string): KafkaError {
  return new KafkaError(ErrorCode.INVALID_REQUEST, `${value} is no ${type}`);
}
