import type { Crc32cImplementation } from "./crc32c.ts";
import type { FoldLoop } from "./fold-loop.ts";
import { foldLoop, STEP_BYTES } from "./fold-loop.ts";

/**
 * A multiple of the polynomial of CRC-32C with four terms: x^(8·5275) + x^(8·4508) + x^(8·2751) + 1. So what stands in a message does not
 * change its CRC when it is struck out and added (XOR) 767, 2524 and 5275 bytes later instead: three additions of sixteen bytes at once
 * where a table or the instruction of the processor takes one step after the other. The last few kilobytes are left to one of these.
 *
 * Of the multiples with four terms and whole bytes it is the shortest one whose first distance is long enough for what was added to
 * have arrived in the cache by the time it is read again.
 */
const DISTANCES = [767, 2524, 5275] as const;

const LONGEST = DISTANCES[2];
/** What came before is kept so far back. */
const WINDOW_BYTES = roundUp(LONGEST);
const SHORTEST = WINDOW_BYTES + STEP_BYTES;
/** Of a room: a page, in which the system copies best. */
const ROOM_ALIGNMENT = 4096;
/** So much of the message is folded at a time; with the window it stays in the first two caches. */
const SECTION_BYTES = 32 * 1024;
/** The same where the message is not copied: it passes, and the less is written on the way the more of it stays. */
const ROOM_SECTION_BYTES = 16 * 1024;
const INITIAL_BYTES = 4; // are inverted: the register of a CRC begins as ones

/** Where things lie in the memory: first the window. */
interface Layout {
  readonly foldedAt: number; // behind it: the section as it becomes
  readonly restAt: number; // what is left in the end
  readonly endAt: number;
}

const COPYING = layoutFor(SECTION_BYTES);
const IN_PLACE = layoutFor(ROOM_SECTION_BYTES);

/**
 * CRC-32C of large pieces at twice the speed of the native code (0.1 and 0.08 ns a byte for 64 and 256 KiB, against 0.17), the
 * copy into its own memory included; docs/decisions/0031.
 *
 * @param finish does the rest, of six kilobytes at most, and all that is too short
 * @returns undefined where WebAssembly with vectors is not to be had
 */
export function foldedCrc32c(finish: Crc32cImplementation): Crc32cImplementation | undefined {
  const sectionAt = COPYING.endAt;
  const loop = foldLoop(DISTANCES, sectionAt + Math.max(SECTION_BYTES, COPYING.endAt - COPYING.restAt) + STEP_BYTES);
  if (loop === undefined) return undefined;
  return (bytes, start, end) => {
    if (end - start < SHORTEST) return finish(bytes, start, end);
    const copied = (from: number, to: number): number => {
      loop.memory.set(bytes.subarray(from, to), sectionAt);
      return sectionAt;
    };
    return foldedOf(loop, COPYING, SECTION_BYTES, copied, start, end, finish);
  };
}

/** Memory with a CRC-32C of its own, which reads what lies there without copying it. */
export interface Crc32cRoom {
  readonly bytes: Uint8Array;
  /** Of `bytes`, or of another view of its memory. */
  readonly crc32c: Crc32cImplementation;
}

/**
 * A message that another processor has just put there is fetched from it once only: to copy it first takes as long as to fold it.
 *
 * @param finish as above
 * @returns undefined where it is not to be had: WebAssembly with vectors, or room for its addresses
 */
export function crc32cRoom(sizeInBytes: number, finish: Crc32cImplementation): Crc32cRoom | undefined {
  const roomAt = Math.ceil(IN_PLACE.endAt / ROOM_ALIGNMENT) * ROOM_ALIGNMENT;
  const loop = foldLoop(DISTANCES, roomAt + sizeInBytes + STEP_BYTES);
  if (loop === undefined) return undefined;
  return {
    bytes: loop.memory.subarray(roomAt, roomAt + sizeInBytes),
    crc32c: (bytes, start, end) => {
      if (end - start < SHORTEST) return finish(bytes, start, end);
      const where = (from: number): number => bytes.byteOffset + from;
      return foldedOf(loop, IN_PLACE, ROOM_SECTION_BYTES, where, start, end, finish);
    },
  };
}

/** @param place puts a part of the message where the loop finds it, and says where that is; up to a step behind it is read, too */
function foldedOf(
  { memory, fold }: FoldLoop,
  { foldedAt, restAt }: Layout,
  sectionBytes: number,
  place: (from: number, to: number) => number,
  start: number,
  end: number,
  finish: Crc32cImplementation,
): number {
  const foldedEnd = start + Math.floor((end - start - WINDOW_BYTES) / STEP_BYTES) * STEP_BYTES; // what follows is the rest
  memory.fill(0, 0, WINDOW_BYTES);
  for (let at = start; at < foldedEnd;) {
    const size = Math.min(sectionBytes, foldedEnd - at);
    const from = place(at, at + size);
    if (at > start) fold(from, foldedAt, foldedAt, size);
    else {
      // The message itself is not ours to change, and no distance reaches into the first step.
      fold(from, foldedAt, foldedAt, STEP_BYTES);
      invert(memory, foldedAt);
      if (size > STEP_BYTES) fold(from + STEP_BYTES, foldedAt + STEP_BYTES, foldedAt + STEP_BYTES, size - STEP_BYTES);
    }
    memory.copyWithin(0, size, size + WINDOW_BYTES);
    at += size;
  }
  const rest = end - foldedEnd;
  memory.fill(0, foldedAt, foldedAt + rest + STEP_BYTES); // nothing of the rest is struck out
  fold(place(foldedEnd, end), restAt, foldedAt, roundUp(rest));
  // The beginning of the message has been inverted already, so it must not be done again.
  invert(memory, restAt);
  return finish(memory, restAt, restAt + rest);
}

function invert(memory: Uint8Array, at: number): void {
  for (let i = at; i < at + INITIAL_BYTES; i++) memory[i] = ~(memory[i] ?? 0);
}

function layoutFor(sectionBytes: number): Layout {
  const restBytes = roundUp(WINDOW_BYTES + STEP_BYTES);
  const foldedAt = WINDOW_BYTES;
  const restAt = foldedAt + Math.max(sectionBytes, restBytes) + STEP_BYTES;
  return { foldedAt, restAt, endAt: restAt + restBytes + STEP_BYTES };
}

function roundUp(bytes: number): number {
  return Math.ceil(bytes / STEP_BYTES) * STEP_BYTES;
}
