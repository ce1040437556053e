/** One compression of records: the whole of a batch's records in, the whole out. */
export interface Codec {
  /** The levels of Kafka's `compression.*.level`, both inclusive; undefined where there are none. */
  readonly levels: { readonly lowest: number; readonly highest: number } | undefined;
  compress(records: Uint8Array, level: number | undefined): Uint8Array;
  /**
   * @param limit most bytes of output; sizes that the input announces are checked against it before anything is allocated
   * @throws CorruptRecordError for anything that cannot be decompressed within the limit
   */
  decompress(compressed: Uint8Array, limit: number): Uint8Array;
}
