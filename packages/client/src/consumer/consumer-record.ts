import type { RecordBatch, RecordHeader, RecordView, TimestampType } from "@samsa/protocol";

/** A record as it was read. Key, value and headers are views of the bytes that were fetched. */
export interface ConsumerRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly timestamp: number;
  readonly timestampType: TimestampType;
  readonly leaderEpoch: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: readonly RecordHeader[];
}

/** Records of one partition that were written together. Nothing is decoded until asked. */
export class ConsumerBatch {
  readonly topic: string;
  readonly partition: number;
  readonly highWatermark: number;
  readonly #batch: RecordBatch;
  readonly #from: number;
  readonly #until: number;

  /** @param from first offset to show; a fetch may begin inside a batch. @param until first offset not to show */
  constructor(
    topic: string,
    partition: number,
    highWatermark: number,
    batch: RecordBatch,
    from: number,
    until: number,
  ) {
    this.topic = topic;
    this.partition = partition;
    this.highWatermark = highWatermark;
    this.#batch = batch;
    this.#from = from;
    this.#until = until;
  }

  get firstOffset(): number {
    return Math.max(this.#batch.baseOffset, this.#from);
  }

  get lastOffset(): number {
    return Math.min(this.#batch.lastOffset, this.#until - 1);
  }

  /** On the wire. */
  get sizeInBytes(): number {
    return this.#batch.sizeInBytes;
  }

  get timestampType(): TimestampType {
    return this.#batch.timestampType;
  }

  get leaderEpoch(): number {
    return this.#batch.partitionLeaderEpoch;
  }

  /**
   * The records through one object that stands on each in turn: copy what is to be kept.
   * @throws InvalidRecordError, CorruptRecordError
   */
  *views(): Generator<RecordView, void> {
    for (const view of this.#batch.records()) {
      if (view.offset >= this.#until) return;
      if (view.offset >= this.#from) yield view;
    }
  }

  /** The records, an object each. @throws InvalidRecordError, CorruptRecordError */
  *records(): Generator<ConsumerRecord, void> {
    const { topic, partition, timestampType, leaderEpoch } = this;
    for (const view of this.views()) {
      const { offset, timestamp, key, value } = view;
      yield { topic, partition, offset, timestamp, timestampType, leaderEpoch, key, value, headers: view.headers() };
    }
  }
}
