const SLAB_BYTES = 16 * 1024;
/** With less left, a slab is not begun again: most batches have a record of some hundred bytes. */
const LEAST_BYTES = 512;

/**
 * Memory for small batches, which lie one behind the other: a piece of memory for each takes longer to get than to fill. Nothing is
 * written twice, so that a batch stays as it is for as long as somebody holds it.
 */
class BatchMemory {
  #free = new Uint8Array(0);

  /** To begin a batch in. One is begun at a time, and kept or given up before the next. */
  get free(): Uint8Array {
    if (this.#free.length < LEAST_BYTES) this.#free = new Uint8Array(SLAB_BYTES);
    return this.#free;
  }

  /** The batch is done; it may have moved to memory of its own. */
  keep(batch: Uint8Array): void {
    if (batch.buffer === this.#free.buffer) this.#free = this.#free.subarray(batch.length);
  }
}

/** One for the process: batches are made in a single callback each. */
export const batchMemory = new BatchMemory();
