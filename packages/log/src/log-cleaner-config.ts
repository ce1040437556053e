/** Kafka's `log.cleaner.*` of a broker. */
export interface LogCleanerConfig {
  /** Whether logs are compacted (`log.cleaner.enable`); the only one that holds until the next start. */
  readonly isEnabled: boolean;
  /** So many logs are compacted at a time (`log.cleaner.threads`). They share what follows. */
  readonly threads: number;
  /** The pause when no log is dirty enough (`log.cleaner.backoff.ms`). */
  readonly backoffMs: number;
  /** Memory for the keys of the logs that are being compacted (`log.cleaner.dedupe.buffer.size`). */
  readonly dedupeBufferBytes: number;
  /** How full that memory may get (`log.cleaner.io.buffer.load.factor`). */
  readonly dedupeBufferLoadFactor: number;
  /** Memory for reading and writing, half of it a slice (`log.cleaner.io.buffer.size`). */
  readonly ioBufferBytes: number;
  /** Read and written (`log.cleaner.io.max.bytes.per.second`). */
  readonly ioMaxBytesPerSecond: number;
}

export const DEFAULT_LOG_CLEANER_CONFIG: LogCleanerConfig = {
  isEnabled: true,
  threads: 1,
  backoffMs: 15_000,
  dedupeBufferBytes: 128 * 1024 ** 2,
  dedupeBufferLoadFactor: 0.9,
  ioBufferBytes: 512 * 1024,
  ioMaxBytesPerSecond: Infinity,
};

const MOST_DEDUPE_BUFFER_BYTES = 2 ** 31 - 1;
const LEAST_SLICE_BYTES = 4 * 1024;

/** What one of the threads gets of the memory. */
export function shareOf(config: LogCleanerConfig): { readonly dedupeBufferBytes: number; readonly sliceBytes: number } {
  const threads = Math.max(1, config.threads);
  return {
    dedupeBufferBytes: Math.min(Math.floor(config.dedupeBufferBytes / threads), MOST_DEDUPE_BUFFER_BYTES),
    sliceBytes: Math.max(LEAST_SLICE_BYTES, Math.floor(config.ioBufferBytes / threads / 2)),
  };
}
