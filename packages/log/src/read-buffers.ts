import { memoryForCrc32c } from "@samsa/protocol";

const BUFFER_BYTES = 1024 * 1024; // what consumers ask of a partition unless told otherwise (max.partition.fetch.bytes)
const SMALLEST_POOLED_BYTES = 64 * 1024;
const MOST_FREE_BUFFERS = 32;
/** As many of them lie where a CRC is fastest: a client who reads many partitions has five of them at a time. */
const MOST_ROOMS = 8;

/**
 * Memory for reads from disk, used again once what was read has left, and for large requests, once they are answered. A fresh megabyte
 * for every fetch costs more than the read: its pages have to be mapped, and the garbage collector comes for it (0.6 ms against 0.2 ms
 * a megabyte).
 *
 * One for the process. Whoever does not give a buffer back, because nobody will tell when it is free, loses nothing: it is
 * garbage like any other.
 */
class ReadBuffers {
  readonly #free: Uint8Array[] = [];
  readonly #freeRooms: Uint8Array[] = []; // are taken first
  readonly #lent = new WeakMap<ArrayBufferLike, Uint8Array>(); // whole, by their memory
  readonly #isRoom = new WeakSet<ArrayBufferLike>();
  #rooms = 0;
  readonly #collected = new FinalizationRegistry(() => this.#rooms--);

  /** The memory that `take` spends on so many bytes. */
  sizeFor(length: number): number {
    return isPooled(length) ? BUFFER_BYTES : length;
  }

  /** Exactly `length` bytes, of any content. */
  take(length: number): Uint8Array {
    if (!isPooled(length)) return new Uint8Array(length);
    return this.takeIdle(length) ?? this.#lend(new Uint8Array(BUFFER_BYTES), length);
  }

  /** The same, from what lies idle: undefined when there is nothing, or the length is none that is pooled. */
  takeIdle(length: number): Uint8Array | undefined {
    if (!isPooled(length)) return undefined;
    const buffer = this.#freeRooms.pop() ?? this.#newRoom() ?? this.#free.pop();
    return buffer && this.#lend(buffer, length);
  }

  /** Takes back what `take` gave, or any part of it. Bytes from elsewhere, and a second time, are no matter. */
  giveBack(bytes: Uint8Array): void {
    const buffer = this.#lent.get(bytes.buffer);
    if (buffer === undefined) return;
    this.#lent.delete(bytes.buffer);
    if (this.#isRoom.has(bytes.buffer)) this.#freeRooms.push(buffer);
    else if (this.#free.length < MOST_FREE_BUFFERS) this.#free.push(buffer);
  }

  #lend(buffer: Uint8Array, length: number): Uint8Array {
    this.#lent.set(buffer.buffer, buffer);
    return buffer.subarray(0, length);
  }

  #newRoom(): Uint8Array | undefined {
    if (this.#rooms >= MOST_ROOMS) return undefined;
    const room = memoryForCrc32c(BUFFER_BYTES);
    if (room === undefined) {
      this.#rooms = Infinity; // there is none to be had, and asking takes long
      return undefined;
    }
    this.#rooms++;
    this.#isRoom.add(room.buffer);
    this.#collected.register(room.buffer, undefined);
    return room;
  }
}

function isPooled(length: number): boolean {
  return length >= SMALLEST_POOLED_BYTES && length <= BUFFER_BYTES;
}

export const readBuffers = new ReadBuffers();
