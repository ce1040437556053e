import { gunzipSync, gzipSync } from "node:zlib";
import { CorruptRecordError } from "../record/errors.ts";
import type { Codec } from "./codec.ts";
import { checkOutput, tooLarge } from "./limits.ts";

/** Header and trailer of an empty member. */
const SMALLEST_BYTES = 18;
const MANY_MEMBERS_RATIO = 16;
const SMALLEST_CHUNK = 1024;
const LARGEST_CHUNK = 1024 * 1024;

/** RFC 1952. There is one implementation, Node's own. */
export const gzip: Codec = {
  levels: { lowest: -1, highest: 9 },

  compress(records, level) {
    return gzipSync(records, { level: level ?? -1, chunkSize: chunkSize(records.length / 2) });
  },

  decompress(compressed, limit) {
    if (compressed.length < SMALLEST_BYTES) throw new CorruptRecordError(`${compressed.length} bytes are no gzip`);
    // The last four bytes say how large the output is, so an honest bomb is refused before it is unpacked.
    const announced = announcedSize(compressed);
    checkOutput(announced, limit);
    const output = gunzip(compressed, announced);
    if (output !== undefined) return output;
    // More output than announced: a lie, or several members in a row, which Java reads too and nobody writes. Whoever writes
    // them has no need for the ratio of a bomb.
    const rest = Math.min(limit, Math.max(MANY_MEMBERS_RATIO * compressed.length, LARGEST_CHUNK));
    const members = gunzip(compressed, rest);
    if (members === undefined) throw tooLarge(rest);
    return members;
  },
};

/** Undefined when the output would be larger than `maxOutputLength`. */
function gunzip(compressed: Uint8Array, maxOutputLength: number): Uint8Array | undefined {
  try {
    const size = chunkSize(Math.min(maxOutputLength + 1, 8 * compressed.length));
    return gunzipSync(compressed, { maxOutputLength: Math.max(maxOutputLength, 1), chunkSize: size });
  } catch (cause) {
    if (cause instanceof RangeError && "code" in cause && cause.code === "ERR_BUFFER_TOO_LARGE") return undefined;
    throw new CorruptRecordError("records that are no gzip", { cause });
  }
}

/** Output that is ready in one chunk is not copied. */
function chunkSize(expectedBytes: number): number {
  return Math.min(Math.max(Math.ceil(expectedBytes), SMALLEST_CHUNK), LARGEST_CHUNK);
}

function announcedSize(compressed: Uint8Array): number {
  const view = new DataView(compressed.buffer, compressed.byteOffset, compressed.length);
  return view.getUint32(compressed.length - 4, true);
}
