/** What a producer has done since it was made. All but the gauges only grow. */
export interface ProducerCounters {
  /** Handed over and taken. */
  records: number;
  recordsDelivered: number;
  recordsFailed: number;
  batchesDelivered: number;
  batchesFailed: number;
  /** Of batches as they went on the wire, every attempt counted. */
  bytesSent: number;
  requests: number;
  retries: number;
  /** Batches that were too large for the broker and went in halves. */
  splits: number;
  /** Times the sequence was lost and begun anew under another epoch (KIP-360). */
  epochBumps: number;
  /** Gauge: bytes of `bufferMemory` in use. */
  bufferedBytes: number;
  /** Gauge: records that wait for metadata, for an asynchronous serialiser or for room. */
  waitingRecords: number;
}

export function newProducerCounters(): ProducerCounters {
  return {
    records: 0,
    recordsDelivered: 0,
    recordsFailed: 0,
    batchesDelivered: 0,
    batchesFailed: 0,
    bytesSent: 0,
    requests: 0,
    retries: 0,
    splits: 0,
    epochBumps: 0,
    bufferedBytes: 0,
    waitingRecords: 0,
  };
}
