import { CorruptRecordError } from "../record/errors.ts";
import type { BlockCodec } from "./block-codec.ts";

const HASH_BITS = 14;
const HASH_MULTIPLIER = 0x9e3779b1;
const SHORTEST_MATCH = 4;
const LAST_LITERALS = 5; // a block ends in at least so many
const MATCH_MARGIN = 12; // and no match begins closer to the end
const FARTHEST_MATCH = 0xffff;

/** Where a hash was seen last (plus one), and for each place of the block where its hash was seen before that. */
const heads = new Int32Array(1 << HASH_BITS);
let chain = new Int32Array(64 * 1024);
let scratch = new Uint8Array(largestLz4Block(64 * 1024));

/** The lz4 block format (lz4/lz4, lz4_Block_format.md) in TypeScript, for where the native one is missing. */
export const pureLz4Blocks: BlockCodec = {
  compress(block, effort = 1) {
    if (scratch.length < largestLz4Block(block.length)) scratch = new Uint8Array(largestLz4Block(block.length));
    return scratch.slice(0, compressBlock(block, scratch, effort));
  },

  decompress(block, into, at) {
    return decompressLz4Block(block, into, at, at);
  },
};

/**
 * Decompresses to `into` from `at` on; returns where the output ends.
 * @param history where the bytes begin that matches may reach back to; `at` for a block that stands alone
 */
export function decompressLz4Block(block: Uint8Array, into: Uint8Array, at: number, history: number): number {
  let from = 0;
  let to = at;
  for (;;) {
    if (from >= block.length) throw corrupt();
    const token = byteAt(block, from++);

    let length = token >>> 4;
    if (length === 15) {
      for (let more = 255; more === 255; length += more) {
        if (from >= block.length) throw corrupt();
        more = byteAt(block, from++);
      }
    }
    if (length > block.length - from || length > into.length - to) throw corrupt();
    if (length <= 16) for (let i = 0; i < length; i++) into[to + i] = byteAt(block, from + i);
    else into.set(block.subarray(from, from + length), to);
    from += length;
    to += length;
    if (from === block.length) return to;

    if (block.length - from < 2) throw corrupt();
    const offset = byteAt(block, from) | (byteAt(block, from + 1) << 8);
    from += 2;
    length = (token & 15) + SHORTEST_MATCH;
    if ((token & 15) === 15) {
      for (let more = 255; more === 255; length += more) {
        if (from >= block.length) throw corrupt();
        more = byteAt(block, from++);
      }
    }
    if (offset === 0 || offset > to - history || length > into.length - to) throw corrupt();
    to = copyMatch(into, to, offset, length);
  }
}

/** The exact size of a block's output without making it, or Infinity once it is beyond `limit`. */
export function measureLz4Block(block: Uint8Array, limit: number): number {
  let from = 0;
  let size = 0;
  while (from < block.length) {
    const token = byteAt(block, from++);
    let length = token >>> 4;
    if (length === 15) {
      for (let more = 255; more === 255; length += more) more = byteAt(block, from++) | 0;
    }
    from += length + 2;
    size += length;
    if (from >= block.length) break;
    length = (token & 15) + SHORTEST_MATCH;
    if ((token & 15) === 15) {
      for (let more = 255; more === 255; length += more) more = byteAt(block, from++) | 0;
    }
    size += length;
    if (size > limit) return Infinity;
  }
  return size > limit ? Infinity : size;
}

function copyMatch(into: Uint8Array, to: number, offset: number, length: number): number {
  if (length <= 32) {
    for (let i = 0; i < length; i++) into[to + i] = byteAt(into, to + i - offset);
    return to + length;
  }
  // A match may reach into itself: what is there is repeated, twice as much each time.
  const start = to - offset;
  let copied = 0;
  while (copied < length) {
    const piece = Math.min(length - copied, offset + copied);
    into.copyWithin(to + copied, start, start + piece);
    copied += piece;
  }
  return to + length;
}

function largestLz4Block(length: number): number {
  return length + Math.ceil(length / 255) + 16;
}

function compressBlock(block: Uint8Array, out: Uint8Array, effort: number): number {
  let at = 0;
  let literalStart = 0;
  const lastMatchStart = block.length - MATCH_MARGIN;
  const matchEnd = block.length - LAST_LITERALS;
  if (lastMatchStart > 0) {
    heads.fill(0);
    if (effort > 1 && chain.length < block.length) chain = new Int32Array(block.length);
    let position = 0;
    let misses = 64;
    while (position <= lastMatchStart) {
      const found = effort === 1 ? matchAt(block, position) : bestMatchAt(block, position, matchEnd, effort);
      if (found < 0) {
        position += effort === 1 ? misses++ >>> 6 : 1; // the longer nothing matches, the longer the steps
        continue;
      }
      misses = 64;
      const length = matchLength(block, found, position, matchEnd);
      at = writeSequence(block, literalStart, position, position - found, length, out, at);
      if (effort > 1) for (let i = position + 1; i < position + length && i <= lastMatchStart; i++) remember(block, i);
      position += length;
      literalStart = position;
    }
  }
  return writeLiterals(block, literalStart, block.length, 0, out, at);
}

/** The last place with the same four bytes, or -1. */
function matchAt(block: Uint8Array, position: number): number {
  const word = wordAt(block, position);
  const slot = hash(word);
  const candidate = (heads[slot] as number) - 1;
  heads[slot] = position + 1;
  const matches = candidate >= 0 && position - candidate <= FARTHEST_MATCH && wordAt(block, candidate) === word;
  return matches ? candidate : -1;
}

/** Of the last `effort` places with the same hash the one that matches longest, or -1. */
function bestMatchAt(block: Uint8Array, position: number, end: number, effort: number): number {
  let candidate = remember(block, position);
  let best = -1;
  let bestLength = SHORTEST_MATCH - 1;
  for (let left = effort; left > 0 && candidate >= 0 && position - candidate <= FARTHEST_MATCH; left--) {
    if (block[candidate + bestLength] === block[position + bestLength]) {
      const length = matchLength(block, candidate, position, end);
      if (length > bestLength) {
        best = candidate;
        bestLength = length;
      }
    }
    candidate = chain[candidate] as number;
  }
  return best;
}

/** Puts a place at the head of its chain; returns the place that was there, or -1. */
function remember(block: Uint8Array, position: number): number {
  const slot = hash(wordAt(block, position));
  const before = (heads[slot] as number) - 1;
  heads[slot] = position + 1;
  chain[position] = before;
  return before;
}

function matchLength(block: Uint8Array, candidate: number, position: number, end: number): number {
  let length = 0;
  while (position + length < end && block[candidate + length] === block[position + length]) length++;
  return length;
}

function writeSequence(
  block: Uint8Array,
  literalStart: number,
  literalEnd: number,
  offset: number,
  matched: number,
  out: Uint8Array,
  position: number,
): number {
  const extra = matched - SHORTEST_MATCH;
  let at = writeLiterals(block, literalStart, literalEnd, Math.min(extra, 15), out, position);
  out[at++] = offset;
  out[at++] = offset >>> 8;
  return extra < 15 ? at : writeMore(extra - 15, out, at);
}

function writeLiterals(
  block: Uint8Array,
  start: number,
  end: number,
  matchNibble: number,
  out: Uint8Array,
  position: number,
): number {
  let at = position;
  const length = end - start;
  out[at++] = (Math.min(length, 15) << 4) | matchNibble;
  if (length >= 15) at = writeMore(length - 15, out, at);
  out.set(block.subarray(start, end), at);
  return at + length;
}

function writeMore(value: number, out: Uint8Array, position: number): number {
  let at = position;
  let rest = value;
  for (; rest >= 255; rest -= 255) out[at++] = 255;
  out[at++] = rest;
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

function byteAt(bytes: Uint8Array, at: number): number {
  return bytes[at] as number;
}

function corrupt(): CorruptRecordError {
  return new CorruptRecordError("an lz4 block that does not decompress");
}
