/**
 * One block of snappy or lz4 without any frame: bytes in, bytes out, no state between blocks. Each format has a native
 * implementation and one in plain TypeScript, and both pass the same tests.
 */
export interface BlockCodec {
  /** @param effort how many places to look at for a match, where the implementation can; 1 is the fast way */
  compress(block: Uint8Array, effort?: number): Uint8Array;
  /**
   * Decompresses `block` to `into` from `at` on; returns where the output ends.
   * @throws CorruptRecordError when the block is not whole, or its output does not fit
   */
  decompress(block: Uint8Array, into: Uint8Array, at: number): number;
}
