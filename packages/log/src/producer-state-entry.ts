import { incrementSequence, NO_PRODUCER_EPOCH, NO_SEQUENCE, NO_TIMESTAMP } from "@samsa/protocol";
import { Written } from "./written.ts";

/** A producer has at most so many requests in flight (`max.in.flight.requests.per.connection`), so no older one comes again. */
export const NUM_BATCHES_TO_RETAIN = 5;
export const NO_COORDINATOR_EPOCH = -1;
/** No transaction is open. */
export const NO_TRANSACTION = -1;
export const NO_DATA_OFFSET = -1;

/** What is remembered of a batch, so that it is known when it comes again. */
export interface BatchMetadata {
  readonly lastSequence: number;
  readonly lastOffset: number;
  readonly offsetDelta: number; // last offset minus first
  readonly timestamp: number; // the largest of the batch
  readonly written: Written;
}

/** What a snapshot keeps of a producer; of its batches only the last. */
export interface ProducerStateFields {
  readonly producerId: number;
  readonly epoch: number;
  readonly lastSequence: number;
  readonly lastOffset: number; // NO_DATA_OFFSET when no batch is known
  readonly offsetDelta: number;
  readonly timestamp: number;
  readonly coordinatorEpoch: number;
  readonly currentTxnFirstOffset: number;
}

/** One producer in one partition: its epoch, its last five batches, and the transaction it has open (ProducerStateEntry). */
export class ProducerStateEntry {
  readonly producerId: number;
  #producerEpoch = NO_PRODUCER_EPOCH;
  #batches: BatchMetadata[] = []; // the latest last
  #coordinatorEpoch = NO_COORDINATOR_EPOCH;
  #lastTimestamp = NO_TIMESTAMP;
  #currentTxnFirstOffset = NO_TRANSACTION;

  constructor(producerId: number) {
    this.producerId = producerId;
  }

  static from(fields: ProducerStateFields): ProducerStateEntry {
    const entry = new ProducerStateEntry(fields.producerId);
    entry.#producerEpoch = fields.epoch;
    entry.#lastTimestamp = fields.timestamp;
    entry.#coordinatorEpoch = fields.coordinatorEpoch;
    entry.#currentTxnFirstOffset = fields.currentTxnFirstOffset < 0 ? NO_TRANSACTION : fields.currentTxnFirstOffset;
    if (fields.lastOffset < 0) return entry;
    const { lastSequence, lastOffset, offsetDelta, timestamp } = fields;
    entry.#batches.push({ lastSequence, lastOffset, offsetDelta, timestamp, written: Written.ALREADY });
    return entry;
  }

  get producerEpoch(): number {
    return this.#producerEpoch;
  }

  get lastSequence(): number {
    return this.#batches.at(-1)?.lastSequence ?? NO_SEQUENCE;
  }

  get lastDataOffset(): number {
    return this.#batches.at(-1)?.lastOffset ?? NO_DATA_OFFSET;
  }

  get coordinatorEpoch(): number {
    return this.#coordinatorEpoch;
  }

  get lastTimestamp(): number {
    return this.#lastTimestamp;
  }

  get currentTxnFirstOffset(): number {
    return this.#currentTxnFirstOffset;
  }

  /** The batch of this epoch that has just these sequences, if it is one of the last five. */
  findDuplicate(producerEpoch: number, baseSequence: number, lastSequence: number): BatchMetadata | undefined {
    if (producerEpoch !== this.#producerEpoch) return undefined;
    for (const batch of this.#batches) {
      const isSame =
        batch.lastSequence === lastSequence && incrementSequence(baseSequence, batch.offsetDelta) === lastSequence;
      if (isSame) return batch;
    }
    return undefined;
  }

  addBatch(producerEpoch: number, batch: BatchMetadata): void {
    this.#updateEpoch(producerEpoch);
    if (this.#batches.length === NUM_BATCHES_TO_RETAIN) this.#batches.shift();
    this.#batches.push(batch);
    this.#lastTimestamp = batch.timestamp;
  }

  beginTransaction(firstOffset: number): void {
    this.#currentTxnFirstOffset = firstOffset;
  }

  endTransaction(producerEpoch: number, coordinatorEpoch: number, timestamp: number): void {
    this.#updateEpoch(producerEpoch);
    this.#coordinatorEpoch = coordinatorEpoch;
    this.#lastTimestamp = timestamp;
    this.#currentTxnFirstOffset = NO_TRANSACTION;
  }

  toFields(): ProducerStateFields {
    const last = this.#batches.at(-1);
    return {
      producerId: this.producerId,
      epoch: this.#producerEpoch,
      lastSequence: this.lastSequence,
      lastOffset: this.lastDataOffset,
      offsetDelta: last?.offsetDelta ?? 0,
      timestamp: this.#lastTimestamp,
      coordinatorEpoch: this.#coordinatorEpoch,
      currentTxnFirstOffset: this.#currentTxnFirstOffset,
    };
  }

  /** Sequences begin anew with each epoch. */
  #updateEpoch(producerEpoch: number): void {
    if (producerEpoch === this.#producerEpoch) return;
    this.#producerEpoch = producerEpoch;
    this.#batches = [];
  }
}
