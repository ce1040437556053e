import { FIRST_CAPACITY } from "./partition-queue.ts";

/** Kept for the next batches, of what is free. */
const MAX_POOLED_BYTES = 16 * 1024 * 1024;
const MOST_SMALL = 256;

/**
 * Memory of batches, used again: a partition that is written to all the time makes no garbage of it. There are full ones, and those
 * that a quiet partition begins with.
 */
export class BufferPool {
  readonly #bufferBytes: number;
  readonly #most: number;
  readonly #free: Uint8Array[] = [];
  readonly #small: Uint8Array[] = [];

  constructor(batchSize: number, bufferMemory: number) {
    this.#bufferBytes = batchSize;
    this.#most = batchSize === 0 ? 0 : Math.floor(Math.min(MAX_POOLED_BYTES, bufferMemory) / batchSize);
  }

  /** @param capacity bytes that are needed at least; from half a batch on, it becomes a whole one that can be used again */
  take(capacity: number): Uint8Array {
    if (capacity === FIRST_CAPACITY) return this.#small.pop() ?? new Uint8Array(capacity);
    if (capacity > this.#bufferBytes || 2 * capacity < this.#bufferBytes) return new Uint8Array(capacity);
    return this.#free.pop() ?? new Uint8Array(this.#bufferBytes);
  }

  put(buffer: Uint8Array | undefined): void {
    if (buffer?.length === FIRST_CAPACITY) {
      if (this.#small.length < MOST_SMALL) this.#small.push(buffer);
    } else if (buffer?.length === this.#bufferBytes && this.#free.length < this.#most) this.#free.push(buffer);
  }
}
