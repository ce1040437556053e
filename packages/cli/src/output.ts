import { once } from "node:events";
import process from "node:process";

/** From here on bytes go to the system in one piece. */
const CHUNK_BYTES = 64 * 1024;

/** Collects bytes for stdout and waits when the reader at the other end is slow. */
export class Output {
  #buffer = new Uint8Array(CHUNK_BYTES);
  #length = 0;
  #mustDrain = false;

  /** Adds bytes; they are copied. */
  readonly put = (bytes: Uint8Array): void => {
    if (this.#length + bytes.length > CHUNK_BYTES) this.#write();
    if (bytes.length >= CHUNK_BYTES) {
      // The bytes may be a view of something that changes, and the system takes them when it likes.
      this.#mustDrain = !process.stdout.write(bytes.slice()) || this.#mustDrain;
      return;
    }
    this.#buffer.set(bytes, this.#length);
    this.#length += bytes.length;
  };

  /** Whether to `drain` before more is put. */
  get isFull(): boolean {
    return this.#mustDrain;
  }

  /** Hands everything to the system and waits until it has taken most of it. */
  async drain(): Promise<void> {
    this.#write();
    if (!this.#mustDrain) return;
    this.#mustDrain = false;
    if (process.stdout.writableNeedDrain) await once(process.stdout, "drain");
  }

  #write(): void {
    if (this.#length === 0) return;
    const isTaken = process.stdout.write(this.#buffer.subarray(0, this.#length));
    this.#buffer = new Uint8Array(CHUNK_BYTES);
    this.#length = 0;
    this.#mustDrain = !isTaken || this.#mustDrain;
  }
}
