import { FIRST_CAPACITY } from "./partition-queue.ts";

/** Kept for the next batches, of what is free. */
const MAX_POOLED_BYTES = 16 * 1024 * 1024;
/** Of each size below that of a full batch. */
const MOST_OF_A_SIZE = 256;

/**
 * Memory of batches, used again: a partition that is written to all the time makes no garbage of it. There are full ones, those that a
 * quiet partition begins with, and the doubles of these in between: whoever sends as many records each time needs as much each time.
 */
export class BufferPool {
  readonly #bufferBytes: number;
  readonly #mostBytes: number;
  readonly #free = new Map<number, Uint8Array[]>(); // by size
  #freeBytes = 0;

  constructor(batchSize: number, bufferMemory: number) {
    this.#bufferBytes = batchSize;
    this.#mostBytes = Math.min(MAX_POOLED_BYTES, bufferMemory);
    for (let bytes = FIRST_CAPACITY; bytes < batchSize; bytes *= 2) this.#free.set(bytes, []);
    this.#free.set(Math.max(batchSize, FIRST_CAPACITY), []);
  }

  /** @param capacity bytes that are needed at least */
  take(capacity: number): Uint8Array {
    const bytes = this.#sizeFor(capacity);
    const buffer = this.#free.get(bytes)?.pop();
    if (buffer === undefined) return new Uint8Array(bytes);
    this.#freeBytes -= bytes;
    return buffer;
  }

  put(buffer: Uint8Array | undefined): void {
    if (buffer === undefined) return;
    const { length } = buffer;
    const same = this.#free.get(length);
    if (same === undefined || this.#freeBytes + length > this.#mostBytes) return;
    if (length < this.#bufferBytes && same.length >= MOST_OF_A_SIZE) return;
    same.push(buffer);
    this.#freeBytes += length;
  }

  /** A record that is larger than a batch has one of its own size. */
  #sizeFor(capacity: number): number {
    if (capacity > this.#bufferBytes) return capacity;
    let bytes = FIRST_CAPACITY;
    while (bytes < capacity) bytes *= 2;
    return Math.max(FIRST_CAPACITY, Math.min(bytes, this.#bufferBytes));
  }
}
