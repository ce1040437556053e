import { CorruptRecordError } from "../record/errors.ts";

/** What a request can hold at most by default (`socket.request.max.bytes`): no batch needs to be larger when uncompressed. */
const DEFAULT_MAX_BYTES = 100 * 1024 * 1024;
/** Real records rarely shrink to a hundredth. */
const DEFAULT_MAX_RATIO = 250;
/** Below this a ratio says little: a long run of equal records shrinks without limit, and costs nothing. */
const RATIO_FREE_BYTES = 16 * 1024 * 1024;

export interface DecompressOptions {
  /** Most bytes of output. */
  readonly maxBytes?: number;
  /** Most bytes of output for one of input, where the output is larger than 16 MiB. */
  readonly maxRatio?: number;
}

/** Most bytes that `compressedBytes` may unfold to. */
export function outputLimit(compressedBytes: number, options: DecompressOptions): number {
  const { maxBytes = DEFAULT_MAX_BYTES, maxRatio = DEFAULT_MAX_RATIO } = options;
  return Math.min(maxBytes, Math.max(RATIO_FREE_BYTES, compressedBytes * maxRatio));
}

export function checkOutput(bytes: number, limit: number): void {
  if (bytes > limit) throw tooLarge(limit);
}

export function tooLarge(limit: number): CorruptRecordError {
  return new CorruptRecordError(`compressed records unfold to more than the ${limit} bytes allowed`);
}

/** The first `length` bytes, copied when a view would keep much more memory alive. */
export function trimmed(bytes: Uint8Array, length: number): Uint8Array {
  return 2 * length < bytes.length ? bytes.slice(0, length) : bytes.subarray(0, length);
}
