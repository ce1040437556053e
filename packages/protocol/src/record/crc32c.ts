import { optionalPackage } from "../compression/optional-package.ts";
import { crc32cRoom, foldedCrc32c } from "./folded-crc32c.ts";

/** CRC-32C (Castagnoli) of a range, continued by nothing: the whole checksum as a uint32. */
export type Crc32cImplementation = (bytes: Uint8Array, start: number, end: number) => number;

/**
 * Below this many bytes the call into the native code costs more than the tables take (measured: 130 ns a call against
 * 0.7 ns a byte; the native runs at 6 GB/s).
 */
const NATIVE_FROM_BYTES = 320;
/** From here on folding is faster than the native code: at 16 KiB they are equal. */
const FOLDED_FROM_BYTES = 24 * 1024;
/** The same for what lies in a room. */
const FOLDED_IN_ROOM_FROM_BYTES = 14 * 1024;
const SLICES = 16;
const POLYNOMIAL = 0x82f63b78; // reflected

const tables = makeTables();

/** The plain one, sixteen bytes a step. */
export const pureCrc32c: Crc32cImplementation = (bytes, start, end) => {
  const t = tables;
  let crc = -1;
  let at = start;
  for (const last = end - SLICES; at <= last; at += SLICES) {
    crc ^= at4(bytes, at);
    crc =
      slice(t, 15, crc & 0xff) ^
      slice(t, 14, (crc >>> 8) & 0xff) ^
      slice(t, 13, (crc >>> 16) & 0xff) ^
      slice(t, 12, crc >>> 24) ^
      slice(t, 11, byte(bytes, at + 4)) ^
      slice(t, 10, byte(bytes, at + 5)) ^
      slice(t, 9, byte(bytes, at + 6)) ^
      slice(t, 8, byte(bytes, at + 7)) ^
      slice(t, 7, byte(bytes, at + 8)) ^
      slice(t, 6, byte(bytes, at + 9)) ^
      slice(t, 5, byte(bytes, at + 10)) ^
      slice(t, 4, byte(bytes, at + 11)) ^
      slice(t, 3, byte(bytes, at + 12)) ^
      slice(t, 2, byte(bytes, at + 13)) ^
      slice(t, 1, byte(bytes, at + 14)) ^
      slice(t, 0, byte(bytes, at + 15));
  }
  for (; at < end; at++) crc = (crc >>> 8) ^ slice(t, 0, (crc ^ byte(bytes, at)) & 0xff);
  return ~crc >>> 0;
};

/** The prebuilt one of `@node-rs/crc32`, or undefined where none is installed for this platform. */
export function nativeCrc32c(): Crc32cImplementation | undefined {
  const native = optionalPackage("@node-rs/crc32") as { crc32c(bytes: Uint8Array): number } | undefined;
  return native && ((bytes, start, end) => native.crc32c(bytes.subarray(start, end)));
}

let large: Crc32cImplementation | undefined;
let huge: Crc32cImplementation | undefined;
const rooms = new WeakMap<ArrayBufferLike, Crc32cImplementation>(); // by their memory

/** CRC-32C of `bytes` from `start` to `end` (exclusive), as a uint32. */
export function crc32c(bytes: Uint8Array, start = 0, end: number = bytes.length): number {
  const length = end - start;
  if (length < NATIVE_FROM_BYTES) return pureCrc32c(bytes, start, end);
  if (length >= FOLDED_IN_ROOM_FROM_BYTES) {
    const inRoom = rooms.get(bytes.buffer);
    if (inRoom !== undefined) return inRoom(bytes, start, end);
  }
  large ??= loadLarge();
  if (length < FOLDED_FROM_BYTES) return large(bytes, start, end);
  huge ??= foldedCrc32c(large) ?? large;
  return huge(bytes, start, end);
}

/**
 * Memory in which `crc32c` is fastest, by a fifth to a third: what is large is not copied first. It is garbage like any other
 * when nobody has it any more, but ten gigabytes of addresses go with each: for a few buffers that are used again and again.
 *
 * @returns undefined where the platform has none
 */
export function memoryForCrc32c(sizeInBytes: number): Uint8Array | undefined {
  large ??= loadLarge();
  const room = crc32cRoom(sizeInBytes, large);
  if (room === undefined) return undefined;
  rooms.set(room.bytes.buffer, room.crc32c);
  return room.bytes;
}

/** Takes five milliseconds, which a short command never spends. */
function loadLarge(): Crc32cImplementation {
  return nativeCrc32c() ?? pureCrc32c;
}

function makeTables(): Int32Array {
  const made = new Int32Array(SLICES * 256);
  for (let i = 0; i < 256; i++) {
    let crc = i;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
    made[i] = crc;
  }
  for (let i = 256; i < made.length; i++) {
    const previous = slice(made, 0, i - 256);
    made[i] = (previous >>> 8) ^ slice(made, 0, previous & 0xff);
  }
  return made;
}

function slice(table: Int32Array, index: number, value: number): number {
  return table[(index << 8) + value] as number;
}

function byte(bytes: Uint8Array, at: number): number {
  return bytes[at] as number;
}

function at4(bytes: Uint8Array, at: number): number {
  return byte(bytes, at) | (byte(bytes, at + 1) << 8) | (byte(bytes, at + 2) << 16) | (byte(bytes, at + 3) << 24);
}
