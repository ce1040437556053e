import { INT64_MAX, INT64_MIN } from "./int64.ts";
import { ProtocolError } from "./kafka-error.ts";
import { decodeUtf8 } from "./utf8.ts";
import type { Uuid } from "./uuid.ts";
import { uuidFromBytes } from "./uuid.ts";

const TWO_32 = 0x1_0000_0000;

/**
 * Reads Kafka's big-endian primitives from a range of bytes. Every read is checked against what remains and throws
 * ProtocolError past the end, so nothing is ever allocated for a length that is not there.
 */
export class ByteReader {
  readonly bytes: Uint8Array;
  readonly end: number; // exclusive
  offset: number;
  /** Elements that may still be announced, over all arrays together. An element of one byte becomes an object of a hundred. */
  elementsLeft = Infinity;
  readonly #view: DataView;

  constructor(bytes: Uint8Array, offset = 0, end = bytes.length) {
    this.bytes = bytes;
    this.offset = offset;
    this.end = end;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get remaining(): number {
    return this.end - this.offset;
  }

  boolean(): boolean {
    return this.#view.getInt8(this.#advance(1)) !== 0;
  }

  int8(): number {
    return this.#view.getInt8(this.#advance(1));
  }

  uint8(): number {
    return this.#view.getUint8(this.#advance(1));
  }

  int16(): number {
    return this.#view.getInt16(this.#advance(2));
  }

  uint16(): number {
    return this.#view.getUint16(this.#advance(2));
  }

  int32(): number {
    return this.#view.getInt32(this.#advance(4));
  }

  uint32(): number {
    return this.#view.getUint32(this.#advance(4));
  }

  /** An exact number, or one of the extremes INT64_MIN and INT64_MAX. */
  int64(): number {
    const at = this.#advance(8);
    return int64From(this.#view.getInt32(at), this.#view.getUint32(at + 4));
  }

  /** All 64 bits: for hashes, which are no quantity. */
  bigInt64(): bigint {
    return this.#view.getBigInt64(this.#advance(8));
  }

  float64(): number {
    return this.#view.getFloat64(this.#advance(8));
  }

  /** Seven bits a byte, least first, at most five bytes: the result is an uint32. */
  unsignedVarint(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.uint8();
      if (shift === 28 && byte > 0x0f) throw new ProtocolError("a varint of more than 32 bits");
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value >>> 0;
    }
    throw new ProtocolError("a varint of more than five bytes");
  }

  /** A zigzag-coded int32. */
  varint(): number {
    const raw = this.unsignedVarint();
    return (raw >>> 1) ^ -(raw & 1);
  }

  /** A zigzag-coded int64 of at most ten bytes. */
  varlong(): number {
    // 28 bits in each of low and middle, 8 in high: no bigint on the path of every record.
    let low = 0;
    let middle = 0;
    let high = 0;
    for (let index = 0; index < 10; index++) {
      const byte = this.uint8();
      const bits = byte & 0x7f;
      if (index < 4) low |= bits << (7 * index);
      else if (index < 8) middle |= bits << (7 * (index - 4));
      else high |= bits << (7 * (index - 8));
      if (index === 9 && byte > 1) throw new ProtocolError("a varlong of more than 64 bits");
      if (byte < 0x80) {
        const lowWord = (low | (middle << 28)) >>> 0;
        const highWord = ((middle >>> 4) | (high << 24)) >>> 0;
        // Undo the zigzag on the pair of words.
        const sign = -(lowWord & 1);
        return int64From((highWord >>> 1) ^ sign, (((lowWord >>> 1) | (highWord << 31)) ^ sign) >>> 0);
      }
    }
    throw new ProtocolError("a varlong of more than ten bytes");
  }

  uuid(): Uuid {
    return uuidFromBytes(this.bytes, this.#advance(16));
  }

  /** The next `length` bytes as UTF-8. */
  utf8(length: number): string {
    const start = this.#advance(length);
    return decodeUtf8(this.bytes, start, start + length);
  }

  /** The next `length` bytes, not copied: the view shares memory with what is read. */
  view(length: number): Uint8Array {
    const start = this.#advance(length);
    return this.bytes.subarray(start, start + length);
  }

  skip(length: number): void {
    this.#advance(length);
  }

  /**
   * Checks a count of elements before an array is made for them, and takes it from what is left.
   * @param minimumSize bytes that the smallest element takes, at least 1
   */
  checkCount(count: number, minimumSize = 1): number {
    if (count < 0 || count * minimumSize > this.remaining) {
      throw new ProtocolError(`${count} elements are announced where ${this.remaining} bytes remain`);
    }
    if (count > this.elementsLeft) throw new ProtocolError(`${count} elements are more than are taken`);
    this.elementsLeft -= count;
    return count;
  }

  #advance(length: number): number {
    const start = this.offset;
    if (length < 0 || length > this.end - start) {
      throw new ProtocolError(`${length} bytes are wanted where ${this.end - start} remain`);
    }
    this.offset = start + length;
    return start;
  }
}

function int64From(high: number, low: number): number {
  const value = high * TWO_32 + low;
  if (Number.isSafeInteger(value)) return value;
  if (high === 0x7fffffff && low === 0xffffffff) return INT64_MAX;
  if (high === -0x80000000 && low === 0) return INT64_MIN;
  throw new ProtocolError("an int64 outside the safe range of numbers");
}
