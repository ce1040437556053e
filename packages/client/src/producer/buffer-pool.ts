/** Kept for the next batches, of what is free. */
const MAX_POOLED_BYTES = 16 * 1024 * 1024;

/** Memory of full batches, used again: a partition that is written to all the time makes no garbage of it. */
export class BufferPool {
  readonly #bufferBytes: number;
  readonly #most: number;
  readonly #free: Uint8Array[] = [];

  constructor(batchSize: number, bufferMemory: number) {
    this.#bufferBytes = batchSize;
    this.#most = batchSize === 0 ? 0 : Math.floor(Math.min(MAX_POOLED_BYTES, bufferMemory) / batchSize);
  }

  /** @param capacity bytes that are needed at least; from half a batch on, it becomes a whole one that can be used again */
  take(capacity: number): Uint8Array {
    if (capacity > this.#bufferBytes || 2 * capacity < this.#bufferBytes) return new Uint8Array(capacity);
    return this.#free.pop() ?? new Uint8Array(this.#bufferBytes);
  }

  put(buffer: Uint8Array | undefined): void {
    if (buffer?.length === this.#bufferBytes && this.#free.length < this.#most) this.#free.push(buffer);
  }
}
