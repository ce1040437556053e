import { CorruptRecordError } from "../record/errors.ts";
import type { BlockCodec } from "./block-codec.ts";

const HASH_BITS = 14;
const HASH_MULTIPLIER = 0x1e35a7bd;
const NO_MATCH_BYTES = 4; // shortest match
const MARGIN_BYTES = 15; // no match begins so close to the end, so four bytes can be read from wherever one is sought
const INPUT_LIMIT = 65536; // offsets of two bytes

const table = new Uint16Array(1 << HASH_BITS);
/** Scratch for one block of xerial framing (32 KiB) and more. */
let scratch = new Uint8Array(largestSnappyBlock(32768));

/** The snappy block format (google/snappy, format_description.txt) in TypeScript, for where the native one is missing. */
export const pureSnappyBlocks: BlockCodec = {
  compress(block) {
    if (scratch.length < largestSnappyBlock(block.length)) scratch = new Uint8Array(largestSnappyBlock(block.length));
    const out = scratch;
    let at = writeLength(out, block.length);
    // Larger input is compressed in pieces, each of which refers only to itself; together they are one block.
    for (let start = 0; start < block.length; start += INPUT_LIMIT) {
      at = compressPiece(block.subarray(start, start + INPUT_LIMIT), out, at);
    }
    return out.slice(0, at);
  },

  decompress(block, into, at) {
    const { length, bytes } = snappyBlockLength(block);
    if (length > into.length - at) throw new CorruptRecordError("a snappy block larger than the room for it");
    return decompressElements(block, bytes, into, at, at + length);
  },
};

/**
 * The length of its output that a block announces, and the bytes that say so. No element of three bytes makes more than 64, so a
 * larger claim is refused here, before anything is allocated.
 */
export function snappyBlockLength(block: Uint8Array): { length: number; bytes: number } {
  let length = 0;
  for (let index = 0; index < 5; index++) {
    const byte = block[index];
    if (byte === undefined) break;
    length += (byte & 0x7f) * 2 ** (7 * index);
    if (byte > 0x7f) continue;
    const bytes = index + 1;
    if (length > (block.length - bytes) * 64 || length > 0xffffffff) break;
    return { length, bytes };
  }
  throw new CorruptRecordError("a snappy block with an impossible length");
}

function largestSnappyBlock(length: number): number {
  return 32 + length + Math.ceil(length / 6);
}

function decompressElements(block: Uint8Array, start: number, into: Uint8Array, begin: number, end: number): number {
  let from = start;
  let to = begin;
  while (from < block.length) {
    const tag = byteAt(block, from++);
    if ((tag & 3) === 0) {
      let length = (tag >>> 2) + 1;
      if (length > 60) {
        const bytes = length - 60;
        if (bytes > block.length - from) throw corrupt();
        length = littleEndian(block, from, bytes) + 1;
        from += bytes;
      }
      if (length > block.length - from || length > end - to) throw corrupt();
      if (length <= 16) for (let i = 0; i < length; i++) into[to + i] = byteAt(block, from + i);
      else into.set(block.subarray(from, from + length), to);
      from += length;
      to += length;
      continue;
    }
    const offsetBytes = (tag & 3) === 3 ? 4 : tag & 3;
    if (offsetBytes > block.length - from) throw corrupt();
    let length = (tag >>> 2) + 1;
    let offset = littleEndian(block, from, offsetBytes);
    if (offsetBytes === 1) {
      length = ((tag >>> 2) & 7) + 4;
      offset += (tag >>> 5) << 8;
    }
    from += offsetBytes;
    if (offset === 0 || offset > to - begin || length > end - to) throw corrupt();
    for (let i = 0; i < length; i++) into[to + i] = byteAt(into, to + i - offset); // may overlap: byte by byte
    to += length;
  }
  if (to !== end) throw corrupt();
  return to;
}

function compressPiece(input: Uint8Array, out: Uint8Array, start: number): number {
  let at = start;
  let literalStart = 0;
  if (input.length > MARGIN_BYTES) {
    table.fill(0);
    const last = input.length - MARGIN_BYTES;
    let position = 1;
    let misses = 32;
    while (position < last) {
      const word = wordAt(input, position);
      const slot = hash(word);
      const candidate = table[slot] as number;
      table[slot] = position;
      if (candidate >= position || wordAt(input, candidate) !== word) {
        position += misses++ >>> 5; // the longer nothing matches, the longer the steps
        continue;
      }
      misses = 32;
      let length = NO_MATCH_BYTES;
      while (position + length < input.length && input[candidate + length] === input[position + length]) length++;
      at = writeLiteral(input, literalStart, position, out, at);
      at = writeCopies(position - candidate, length, out, at);
      position += length;
      literalStart = position;
    }
  }
  return writeLiteral(input, literalStart, input.length, out, at);
}

function writeLength(out: Uint8Array, length: number): number {
  let at = 0;
  let rest = length;
  for (; rest > 0x7f; rest >>>= 7) out[at++] = (rest & 0x7f) | 0x80;
  out[at++] = rest;
  return at;
}

function writeLiteral(input: Uint8Array, start: number, end: number, out: Uint8Array, position: number): number {
  let at = position;
  const length = end - start;
  if (length === 0) return at;
  if (length <= 60) {
    out[at++] = (length - 1) << 2;
  } else if (length <= 256) {
    out[at++] = 60 << 2;
    out[at++] = length - 1;
  } else {
    out[at++] = 61 << 2;
    out[at++] = length - 1;
    out[at++] = (length - 1) >>> 8;
  }
  out.set(input.subarray(start, end), at);
  return at + length;
}

function writeCopies(offset: number, matched: number, out: Uint8Array, position: number): number {
  let at = position;
  let length = matched;
  while (length > 0) {
    if (length >= 4 && length <= 11 && offset < 2048) {
      out[at++] = ((offset >>> 8) << 5) | ((length - 4) << 2) | 1;
      out[at++] = offset;
      return at;
    }
    const piece = Math.min(length, 64);
    out[at++] = ((piece - 1) << 2) | 2;
    out[at++] = offset;
    out[at++] = offset >>> 8;
    length -= piece;
  }
  return at;
}

function hash(word: number): number {
  return Math.imul(word, HASH_MULTIPLIER) >>> (32 - HASH_BITS);
}

function wordAt(bytes: Uint8Array, at: number): number {
  return (
    byteAt(bytes, at) | (byteAt(bytes, at + 1) << 8) | (byteAt(bytes, at + 2) << 16) | (byteAt(bytes, at + 3) << 24)
  );
}

function littleEndian(bytes: Uint8Array, at: number, length: number): number {
  let value = 0;
  for (let i = length - 1; i >= 0; i--) value = value * 256 + byteAt(bytes, at + i);
  return value;
}

function byteAt(bytes: Uint8Array, at: number): number {
  return bytes[at] as number;
}

function corrupt(): CorruptRecordError {
  return new CorruptRecordError("a snappy block that does not decompress");
}
