import type { FrameMemory } from "@samsa/protocol";

/** Smaller ones cost less than the looking. */
const SMALLEST_BYTES = 64 * 1024;
/** Sizes are rounded up to this, so that answers that differ by a little may follow each other. */
const STEP_BYTES = 64 * 1024;
/** That lies idle: one answer of many partitions, or many of one. */
const MOST_BYTES = 16 * 1024 * 1024;

/**
 * Memory of answers that is used again once nothing of them is looked at any more. Fresh memory is looked for, cleared, given page by
 * page by the system, and found to be garbage by the collector, which altogether takes several times as long as to fill it.
 */
export class RecycledFrames implements FrameMemory {
  #free: ArrayBuffer[] = []; // the youngest, which the processor may still have at hand, last
  #freeBytes = 0;

  /** That lies idle. */
  get freeBytes(): number {
    return this.#freeBytes;
  }

  take(bytes: number): Uint8Array {
    if (bytes < SMALLEST_BYTES) return new Uint8Array(bytes);
    for (let i = this.#free.length - 1; i >= 0; i--) {
      const buffer = this.#free[i] as ArrayBuffer;
      if (buffer.byteLength < bytes || buffer.byteLength > 1.5 * bytes) continue; // who keeps a frame keeps all of its memory
      this.#free.splice(i, 1);
      this.#freeBytes -= buffer.byteLength;
      return new Uint8Array(buffer, 0, bytes);
    }
    const fresh = Buffer.allocUnsafeSlow(Math.ceil(bytes / STEP_BYTES) * STEP_BYTES); // what was announced is written over it
    fresh.fill(0, bytes);
    return new Uint8Array(fresh.buffer, 0, bytes);
  }

  giveBack({ buffer }: Uint8Array): void {
    const { byteLength } = buffer;
    if (!(buffer instanceof ArrayBuffer) || byteLength < SMALLEST_BYTES || byteLength > MOST_BYTES) return;
    while (this.#freeBytes + byteLength > MOST_BYTES) this.#freeBytes -= this.#free.shift()?.byteLength ?? 0;
    this.#free.push(buffer);
    this.#freeBytes += buffer.byteLength;
  }
}

/** For the whole process: what one connection has no use for serves another. */
export const recycledFrames = new RecycledFrames();
