import type { Clock } from "@samsa/base";
import { RECORD_BATCH_OVERHEAD } from "@samsa/protocol";
import { BufferPool } from "./buffer-pool.ts";
import { CompressionRatios } from "./compression-ratios.ts";
import type { Waiter } from "./delivery.ts";
import { FIRST_CAPACITY, PartitionQueue } from "./partition-queue.ts";
import type { BatchOptions } from "./producer-batch.ts";
import { ProducerBatch } from "./producer-batch.ts";
import type { Data, ProducerHeader } from "./record.ts";

export interface AccumulatorOptions extends BatchOptions {
  readonly clock: Clock;
  readonly lingerMs: number;
  readonly bufferMemory: number;
}

/** Gathers records into batches, a queue for each partition, and says which are due. It sends nothing and waits for nothing. */
export class RecordAccumulator {
  readonly #options: AccumulatorOptions;
  readonly #busy = new Set<PartitionQueue>(); // those that have batches
  readonly #pool: BufferPool;
  readonly #ratios = new CompressionRatios();
  #usedBytes = 0; // of bufferMemory

  constructor(options: AccumulatorOptions) {
    this.#options = options;
    this.#pool = new BufferPool(options.batchSize, options.bufferMemory);
  }

  /** Queues with batches. */
  get busy(): ReadonlySet<PartitionQueue> {
    return this.#busy;
  }

  /** Bytes of `bufferMemory` that are taken. */
  get usedBytes(): number {
    return this.#usedBytes;
  }

  get isFull(): boolean {
    return this.#usedBytes >= this.#options.bufferMemory;
  }

  hasRoom(sizeInBytes: number): boolean {
    // A record larger than all of the buffer may go alone.
    return this.#usedBytes + sizeInBytes <= this.#options.bufferMemory || this.#usedBytes === 0;
  }

  /** Whether the batch that gathers records takes so many bytes more, or there is none yet. */
  hasRoomInBatch(queue: PartitionQueue | undefined, sizeInBytes: number): boolean {
    const open = queue?.waiting.at(-1);
    return open === undefined || open.sizeInBytes + sizeInBytes <= this.#options.batchSize;
  }

  /**
   * Adds a record to the last batch of its partition, or begins another.
   * @param sizeInBytes the record's upper bound
   * @returns whether something may be due that was not before: a batch began or is full
   * @throws InvalidTimestampError, KafkaError
   */
  append(
    queue: PartitionQueue,
    timestamp: number,
    key: Data | null,
    value: Data | null,
    headers: readonly ProducerHeader[],
    sizeInBytes: number,
    waiter: Waiter | undefined,
    tag: number,
  ): boolean {
    const { waiting } = queue;
    const { batchSize } = this.#options;
    const last = waiting.length === 0 ? undefined : waiting[waiting.length - 1];
    if (last !== undefined && last.sizeInBytes + sizeInBytes <= batchSize) {
      this.#usedBytes += last.append(timestamp, key, value, headers, waiter, tag);
      return last.sizeInBytes >= batchSize;
    }
    if (last !== undefined) queue.capacity = Math.max(FIRST_CAPACITY, Math.min(last.reservedBytes, batchSize));
    const batch = this.#begin(queue, sizeInBytes);
    this.#usedBytes += batch.append(timestamp, key, value, headers, waiter, tag);
    waiting.push(batch);
    this.#busy.add(queue);
    return true;
  }

  /** When the first batch that never left is due (monotonic); in the past when it is full or nothing may linger. */
  lingersUntilMs(queue: PartitionQueue, isUrgent: boolean): number {
    const [first, second] = queue.waiting;
    if (first === undefined) return Number.POSITIVE_INFINITY;
    const isFull = isUrgent || second !== undefined || first.sizeInBytes >= this.#options.batchSize;
    return isFull ? 0 : first.createdMs + this.#options.lingerMs;
  }

  /** The first batch that never left is under way from now on. */
  beginFirst(queue: PartitionQueue): ProducerBatch {
    const batch = queue.waiting.shift() as ProducerBatch; // the caller has seen it
    queue.capacity = Math.max(FIRST_CAPACITY, Math.min(batch.reservedBytes, this.#options.batchSize));
    queue.underWay.push(batch);
    // To the end, so that the other partitions have their turn.
    if (this.#busy.size > 1) {
      this.#busy.delete(queue);
      this.#busy.add(queue);
    }
    return batch;
  }

  /** What came out of compression tells how much to put into the next batch. */
  noteCompression(batch: ProducerBatch): void {
    if (this.#options.compressionType !== "none") this.#ratios.observe(batch.queue.topic, batch.compressionRatio);
  }

  /** In place of a batch under way its two halves. */
  split(batch: ProducerBatch): void {
    const { underWay, topic } = batch.queue;
    this.#ratios.distrust(topic);
    underWay.splice(underWay.indexOf(batch), 1, ...batch.split());
    batch.queue.doubted = 0;
  }

  /** The batch is done with, for better or worse. @param isAnswered nobody will look at its bytes any more */
  remove(batch: ProducerBatch, isAnswered: boolean): void {
    const { queue } = batch;
    queue.remove(batch);
    this.#usedBytes -= batch.reservedBytes;
    if (isAnswered) this.#pool.put(batch.takeBuffer());
    if (queue.isEmpty) this.#busy.delete(queue);
  }

  /** Takes every batch out, as a producer does that closes without sending. */
  takeAll(): ProducerBatch[] {
    const all: ProducerBatch[] = [];
    for (const queue of this.#busy) all.push(...queue.underWay.splice(0), ...queue.waiting.splice(0));
    this.#busy.clear();
    this.#usedBytes = 0;
    return all;
  }

  #begin(queue: PartitionQueue, sizeInBytes: number): ProducerBatch {
    const capacity = Math.max(queue.capacity, RECORD_BATCH_OVERHEAD + sizeInBytes);
    const content = { buffer: this.#pool.take(capacity), compressionRatio: this.#ratios.of(queue.topic) };
    return new ProducerBatch(queue, this.#options.clock.monotonicMs(), this.#options, content);
  }
}
