/** What a consumer has done since it was made. All but the gauge only grow. */
export interface ConsumerCounters {
  fetches: number;
  /** Answers in which something was wrong, and fetches that broke. */
  fetchFailures: number;
  /** Of record batches as they came on the wire. */
  bytesFetched: number;
  batchesFetched: number;
  /** Handed out, to loops and to handlers; those that could not be decoded count when they have been skipped or are among a batch's. */
  recordsConsumed: number;
  /** Positions found anew by `autoOffsetReset` or because the log was truncated. */
  resets: number;
  /** Gauge: bytes that have come and have not been handed out. */
  bufferedBytes: number;
}

export function newConsumerCounters(): ConsumerCounters {
  return {
    fetches: 0,
    fetchFailures: 0,
    bytesFetched: 0,
    batchesFetched: 0,
    recordsConsumed: 0,
    resets: 0,
    bufferedBytes: 0,
  };
}
