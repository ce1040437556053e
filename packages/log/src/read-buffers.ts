const BUFFER_BYTES = 1024 * 1024; // what consumers ask of a partition unless told otherwise (max.partition.fetch.bytes)
const SMALLEST_POOLED_BYTES = 64 * 1024;
const MOST_FREE_BUFFERS = 32;

/**
 * Memory for reads from disk, used again once what was read has left. A fresh megabyte for every fetch costs more than the
 * read: its pages have to be mapped, and the garbage collector comes for it (0.6 ms against 0.2 ms a megabyte).
 *
 * One for the process. Whoever does not give a buffer back, because nobody will tell when it is free, loses nothing: it is
 * garbage like any other.
 */
class ReadBuffers {
  readonly #free: Uint8Array[] = [];
  readonly #lent = new WeakSet<ArrayBufferLike>();

  /** The memory that `take` spends on so many bytes. */
  sizeFor(length: number): number {
    return length < SMALLEST_POOLED_BYTES || length > BUFFER_BYTES ? length : BUFFER_BYTES;
  }

  /** Exactly `length` bytes, of any content. */
  take(length: number): Uint8Array {
    if (length < SMALLEST_POOLED_BYTES || length > BUFFER_BYTES) return new Uint8Array(length);
    const buffer = this.#free.pop() ?? new Uint8Array(BUFFER_BYTES);
    this.#lent.add(buffer.buffer);
    return buffer.subarray(0, length);
  }

  /** Takes back what `take` gave, or any part of it. Bytes from elsewhere, and a second time, are no matter. */
  giveBack(bytes: Uint8Array): void {
    if (!this.#lent.delete(bytes.buffer) || this.#free.length >= MOST_FREE_BUFFERS) return;
    this.#free.push(new Uint8Array(bytes.buffer));
  }
}

export const readBuffers = new ReadBuffers();
