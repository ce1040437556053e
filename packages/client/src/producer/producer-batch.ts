import type { KafkaError } from "@samsa/base";
import type { CompressionType, NewHeader, ProducerState } from "@samsa/protocol";
import {
  incrementSequence,
  NO_SEQUENCE,
  RECORD_BATCH_OVERHEAD,
  RecordBatch,
  RecordBatchBuilder,
} from "@samsa/protocol";
import type { Run, Waiter } from "./delivery.ts";
import { Deliveries } from "./delivery.ts";
import type { PartitionQueue } from "./partition-queue.ts";

export interface BatchOptions {
  readonly compressionType: CompressionType;
  readonly compressionLevel: number | undefined;
  readonly batchSize: number;
}

/**
 * Records of one partition that travel together, and who wants to know what became of them. Records are written into the batch
 * as they come; it is sealed when it first leaves, and the same bytes leave at every attempt.
 */
export class ProducerBatch {
  readonly queue: PartitionQueue;
  readonly createdMs: number; // monotonic
  readonly #options: BatchOptions;
  readonly #builder: RecordBatchBuilder | undefined;
  #deliveries: Deliveries;
  #sealed: Uint8Array | undefined;
  #whenDone: (() => void)[] | undefined; // few are asked
  recordCount = 0;
  /** What it takes of `bufferMemory`. */
  reservedBytes = 0;
  attempts = 0;
  retryAtMs = 0;
  lastError: KafkaError | undefined;
  /** Its request has left and is not answered. */
  isOnWire = false;
  /** Callers have been told. An answer may still come, when the time was over first. */
  isDone = false;
  producer: ProducerState | undefined;
  /** It has another sequence than when it first left. */
  hasSequenceBeenReset = false;

  constructor(
    queue: PartitionQueue,
    createdMs: number,
    options: BatchOptions,
    content: { readonly buffer: Uint8Array; readonly compressionRatio: number } | SplitContent,
  ) {
    this.queue = queue;
    this.createdMs = createdMs;
    this.#options = options;
    if ("sealed" in content) {
      this.#sealed = content.sealed;
      this.#deliveries = content.deliveries;
      this.recordCount = content.recordCount;
      this.reservedBytes = content.reservedBytes;
      return;
    }
    const { compressionType, compressionLevel } = options;
    this.#deliveries = new Deliveries();
    this.#builder = new RecordBatchBuilder({
      compressionType,
      ...(compressionLevel === undefined ? {} : { compressionLevel }),
      buffer: content.buffer,
      estimatedCompressionRatio: content.compressionRatio,
    });
  }

  /** As it is likely to go on the wire; exact once it is sealed, and without compression. */
  get sizeInBytes(): number {
    return this.#sealed?.length ?? this.#builder?.estimatedSizeInBytes ?? 0;
  }

  get isSealed(): boolean {
    return this.#sealed !== undefined;
  }

  get baseSequence(): number {
    return this.producer?.baseSequence ?? NO_SEQUENCE;
  }

  /** @returns how many bytes the batch has grown by, before compression */
  append(
    timestamp: number,
    key: Uint8Array | string | null,
    value: Uint8Array | string | null,
    headers: readonly NewHeader[],
    waiter: Waiter | undefined,
    tag: number,
  ): number {
    const builder = this.#builder as RecordBatchBuilder; // only a batch that was split has none, and that is sealed
    const before = this.recordCount === 0 ? 0 : builder.uncompressedSizeInBytes;
    builder.add(timestamp, key, value, headers);
    if (waiter !== undefined) this.#deliveries.add(this.recordCount, tag, timestamp, waiter);
    this.recordCount++;
    const grown = builder.uncompressedSizeInBytes - before;
    this.reservedBytes += grown;
    return grown;
  }

  /** The bytes for the wire; from now on nothing is added. */
  seal(): Uint8Array {
    this.#sealed ??= (this.#builder as RecordBatchBuilder).build(this.producer);
    return this.#sealed;
  }

  /** Another sequence, after an epoch bump. */
  resetProducerState(state: ProducerState): void {
    this.producer = state;
    this.hasSequenceBeenReset = true;
    if (this.#sealed === undefined) return;
    // A copy: the bytes may still lie in the queue of a connection that is being closed.
    this.#sealed = this.#sealed.slice();
    new RecordBatch(this.#sealed).setProducerState(state);
  }

  /** Compressed by uncompressed size; 1 where nothing is compressed. */
  get compressionRatio(): number {
    const records = this.reservedBytes - RECORD_BATCH_OVERHEAD;
    return records <= 0 ? 1 : (this.seal().length - RECORD_BATCH_OVERHEAD) / records;
  }

  /**
   * Two halves in place of a batch that is too large for the broker. They keep its age, its sequence and who waits for it, and
   * take the place of it.
   */
  split(): readonly [ProducerBatch, ProducerBatch] {
    const first = Math.ceil(this.recordCount / 2);
    const second = this.recordCount - first;
    const { compressionType, compressionLevel } = this.#options;
    const options = { compressionType, ...(compressionLevel === undefined ? {} : { compressionLevel }) };
    const builders = [new RecordBatchBuilder(options), new RecordBatchBuilder(options)] as const;
    let index = 0;
    for (const record of new RecordBatch(this.seal()).records()) {
      const builder = index++ < first ? builders[0] : builders[1];
      builder.add(record.timestamp, record.key, record.value, record.headers());
    }
    const rest = this.#deliveries.splitAt(first);
    const producers = [this.producer, shifted(this.producer, first)] as const;
    const reservedBytes = Math.floor(this.reservedBytes / 2);
    const halves = [
      this.#half(builders[0].build(producers[0]), this.#deliveries, first, reservedBytes),
      this.#half(builders[1].build(producers[1]), rest, second, this.reservedBytes - reservedBytes),
    ] as const;
    let left = halves.length;
    const callbacks = this.#whenDone ?? [];
    for (const [at, half] of halves.entries()) {
      half.producer = producers[at];
      half.attempts = this.attempts;
      half.hasSequenceBeenReset = this.hasSequenceBeenReset;
      half.onceDone(() => {
        if (--left === 0) for (const callback of callbacks) callback();
      });
    }
    this.isDone = true;
    return halves;
  }

  /** Calls once when the batch is done with, for better or worse, and everybody has been told. */
  onceDone(callback: () => void): void {
    this.#whenDone ??= [];
    this.#whenDone.push(callback);
  }

  /** It is in the log. @returns whom to tell; `told` is to follow */
  succeed(): readonly Run[] {
    this.isDone = true;
    return this.#deliveries.take();
  }

  /** All who wait for its records have been told. */
  told(): void {
    const callbacks = this.#whenDone;
    if (callbacks === undefined) return;
    this.#whenDone = undefined;
    for (const callback of callbacks) callback();
  }

  fail(error: KafkaError): void {
    this.isDone = true;
    this.#deliveries.fail(error);
    this.told();
  }

  /** The memory behind the bytes, for another batch, when nobody looks at them any more. */
  takeBuffer(): Uint8Array | undefined {
    const { buffer } = this.#sealed ?? {};
    this.#sealed = undefined;
    return buffer === undefined ? undefined : new Uint8Array(buffer);
  }

  #half(sealed: Uint8Array, deliveries: Deliveries, recordCount: number, reservedBytes: number): ProducerBatch {
    const content = { sealed, deliveries, recordCount, reservedBytes };
    return new ProducerBatch(this.queue, this.createdMs, this.#options, content);
  }
}

interface SplitContent {
  readonly sealed: Uint8Array;
  readonly deliveries: Deliveries;
  readonly recordCount: number;
  readonly reservedBytes: number;
}

function shifted(state: ProducerState | undefined, by: number): ProducerState | undefined {
  return state && { ...state, baseSequence: incrementSequence(state.baseSequence, by) };
}
