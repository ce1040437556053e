import { assert, ErrorCode, KafkaError } from "@samsa/base";
import type { ControlRecord } from "@samsa/protocol";
import { RECORD_BATCH_OVERHEAD, RecordBatchBuilder, recordSizeUpperBound, writeControlRecord } from "@samsa/protocol";

export interface BatchAccumulatorOptions {
  readonly epoch: number;
  /** The end of the log. */
  readonly baseOffset: number;
  readonly lingerMs: number;
  readonly maxBatchBytes: number;
  readonly maxUnwrittenBytes: number;
}

/** A batch with its offsets, ready for the log. */
export interface CompletedBatch {
  readonly bytes: Uint8Array;
  readonly baseOffset: number;
  readonly endOffset: number; // exclusive
}

/**
 * Gathers the records of a leader into batches. An offset is given at once; the batch is written when it is full, when it has
 * lingered, or when somebody asks. Records that come together stay together in one batch.
 */
export class BatchAccumulator {
  readonly #options: BatchAccumulatorOptions;
  readonly #completed: CompletedBatch[] = [];
  #current: { readonly builder: RecordBatchBuilder; readonly baseOffset: number } | undefined;
  #currentBytes = 0;
  #nextOffset: number;
  #unwrittenBytes = 0;
  #drainAtMs = Infinity;

  constructor(options: BatchAccumulatorOptions) {
    this.#options = options;
    this.#nextOffset = options.baseOffset;
  }

  /** The offset that the next record gets. */
  get nextOffset(): number {
    return this.#nextOffset;
  }

  /** When something has to be drained; Infinity while there is nothing. */
  get drainAtMs(): number {
    return this.#drainAtMs;
  }

  /**
   * @param isUrgent does not linger
   * @returns the offset of the last record
   * @throws KafkaError RECORD_LIST_TOO_LARGE when no batch can hold them, THROTTLING_QUOTA_EXCEEDED when too much waits
   */
  append(values: readonly Uint8Array[], timestampMs: number, nowMs: number, isUrgent: boolean): number {
    assert(values.length > 0, "something is appended");
    const bytes = values.reduce((sum, value) => sum + recordSizeUpperBound({ value }), 0);
    if (bytes + RECORD_BATCH_OVERHEAD > this.#options.maxBatchBytes) {
      throw new KafkaError(
        ErrorCode.RECORD_LIST_TOO_LARGE,
        `the records take ${bytes} bytes of the metadata log, more than ${this.#options.maxBatchBytes}`,
      );
    }
    if (this.#unwrittenBytes + bytes > this.#options.maxUnwrittenBytes) {
      throw new KafkaError(ErrorCode.THROTTLING_QUOTA_EXCEEDED, "too many records wait for the metadata log");
    }
    const isFull = this.#currentBytes + bytes + RECORD_BATCH_OVERHEAD > this.#options.maxBatchBytes;
    if (this.#current !== undefined && isFull) this.#complete();
    this.#current ??= this.#begin(false, bytes);
    for (const value of values) this.#current.builder.append({ timestamp: timestampMs, value });
    this.#currentBytes += bytes;
    this.#unwrittenBytes += bytes;
    this.#nextOffset += values.length;
    const drainAtMs = isUrgent ? nowMs : nowMs + this.#options.lingerMs;
    this.#drainAtMs = Math.min(this.#drainAtMs, this.#completed.length > 0 ? nowMs : drainAtMs);
    return this.#nextOffset - 1;
  }

  /** The quorum's own records: a batch of their own, at once. */
  appendControl(records: readonly ControlRecord[], timestampMs: number, nowMs: number): number {
    if (this.#current !== undefined) this.#complete();
    this.#current = this.#begin(true, 256);
    for (const record of records) {
      this.#current.builder.append({ timestamp: timestampMs, ...writeControlRecord(record) });
    }
    this.#nextOffset += records.length;
    this.#complete();
    this.#drainAtMs = nowMs;
    return this.#nextOffset - 1;
  }

  /** Everything, in order. What the disk has not taken yet after that is for the caller to bound. */
  drain(): readonly CompletedBatch[] {
    if (this.#current !== undefined) this.#complete();
    this.#drainAtMs = Infinity;
    this.#unwrittenBytes = 0;
    return this.#completed.splice(0);
  }

  #begin(isControlBatch: boolean, bytes: number): { builder: RecordBatchBuilder; baseOffset: number } {
    const baseOffset = this.#nextOffset;
    const initialCapacity = Math.min(RECORD_BATCH_OVERHEAD + bytes, 64 * 1024);
    const partitionLeaderEpoch = this.#options.epoch;
    return {
      builder: new RecordBatchBuilder({ baseOffset, partitionLeaderEpoch, isControlBatch, initialCapacity }),
      baseOffset,
    };
  }

  #complete(): void {
    const current = this.#current;
    if (current === undefined) return;
    this.#current = undefined;
    this.#currentBytes = 0;
    this.#completed.push({
      bytes: current.builder.build(),
      baseOffset: current.baseOffset,
      endOffset: this.#nextOffset,
    });
  }
}
