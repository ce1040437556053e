import type { Clock } from "@samsa/base";
import type { RecordHeader } from "@samsa/protocol";
import type { BatchOptions, DeliveryCallback } from "./producer-batch.ts";
import { FIRST_CAPACITY, ProducerBatch } from "./producer-batch.ts";

export interface AccumulatorOptions extends BatchOptions {
  readonly clock: Clock;
  readonly lingerMs: number;
}

/** The batches of one partition, oldest first. The last one takes records, those before it are full. */
export class PartitionQueue {
  readonly topic: string;
  readonly partition: number;
  readonly batches: ProducerBatch[] = [];
  /** The first batch is under way; the ones behind it wait, so the order holds across retries. */
  isInFlight = false;
  /** After a failure nothing leaves before this (monotonic). */
  retryAtMs = 0;
  /** Bytes the next batch is given to begin with: what the last one came to. */
  capacity = FIRST_CAPACITY;

  constructor(topic: string, partition: number) {
    this.topic = topic;
    this.partition = partition;
  }
}

/** Gathers records into batches, a queue for each partition, and says which are due. It sends nothing and waits for nothing. */
export class RecordAccumulator {
  readonly #options: AccumulatorOptions;
  readonly #queues = new Map<string, (PartitionQueue | undefined)[]>(); // by topic, then partition
  readonly #busy = new Set<PartitionQueue>(); // those that have batches

  constructor(options: AccumulatorOptions) {
    this.#options = options;
  }

  /** Queues with batches. */
  get busy(): ReadonlySet<PartitionQueue> {
    return this.#busy;
  }

  /**
   * Adds a record to the last batch of its partition, or begins another.
   * @param sizeInBytes the record's upper bound
   * @returns whether something may be due that was not before: a batch began or is full
   */
  append(
    topic: string,
    partition: number,
    timestamp: number,
    key: Uint8Array | null,
    value: Uint8Array | null,
    headers: readonly RecordHeader[],
    sizeInBytes: number,
    callback: DeliveryCallback | undefined,
  ): boolean {
    const queue = this.#queue(topic, partition);
    const last = queue.batches.at(-1);
    const { batchSize } = this.#options;
    const hasRoom = last !== undefined && last.attempts === 0 && last.sizeInBytes + sizeInBytes <= batchSize;
    if (hasRoom) {
      last.append(timestamp, key, value, headers, sizeInBytes, callback);
      return last.sizeInBytes >= batchSize;
    }
    if (last !== undefined) queue.capacity = Math.max(FIRST_CAPACITY, Math.min(last.sizeInBytes, batchSize));
    const batch = new ProducerBatch(topic, partition, this.#options.clock.monotonicMs(), queue.capacity, this.#options);
    batch.append(timestamp, key, value, headers, sizeInBytes, callback);
    queue.batches.push(batch);
    this.#busy.add(queue);
    return true;
  }

  /** When the first batch of the queue may leave (monotonic), if nothing holds it back; in the past when it is due. */
  dueMs(queue: PartitionQueue, isFlushing: boolean): number {
    const [first, second] = queue.batches;
    if (first === undefined || queue.isInFlight) return Number.POSITIVE_INFINITY;
    const isFull = second !== undefined || first.sizeInBytes >= this.#options.batchSize || first.attempts > 0;
    const lingersUntilMs = isFull || isFlushing ? 0 : first.createdMs + this.#options.lingerMs;
    return Math.max(lingersUntilMs, queue.retryAtMs);
  }

  /** The first batch is done with, for better or worse. */
  removeFirst(queue: PartitionQueue): void {
    queue.batches.shift();
    queue.isInFlight = false;
    if (queue.batches.length === 0) this.#busy.delete(queue);
  }

  /** Takes every batch out, as a producer does that closes without sending. */
  takeAll(): ProducerBatch[] {
    const all: ProducerBatch[] = [];
    for (const queue of this.#busy) all.push(...queue.batches.splice(0));
    this.#busy.clear();
    return all;
  }

  #queue(topic: string, partition: number): PartitionQueue {
    let queues = this.#queues.get(topic);
    if (queues === undefined) {
      queues = [];
      this.#queues.set(topic, queues);
    }
    let queue = queues[partition];
    if (queue === undefined) {
      queue = new PartitionQueue(topic, partition);
      queues[partition] = queue;
    }
    return queue;
  }
}
