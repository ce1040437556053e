/** What has arrived of a frame that comes in several chunks. */
export interface FrameParts {
  /** @param announced bytes of the whole frame */
  add(bytes: Uint8Array, announced: number): void;
  /** The frame, which is complete; the next bytes are of another. */
  take(): Uint8Array;
}

/** Where the memory of frames comes from, that may be used again. */
export interface FrameMemory {
  /** Of exactly so many bytes, whatever is in them: all of them are written. */
  take(bytes: number): Uint8Array;
  /** Nobody looks at what came from `take` any more. */
  giveBack(memory: Uint8Array): void;
}

const FRESH: FrameMemory = { take: (bytes) => new Uint8Array(bytes), giveBack() {} };
const NONE = new Uint8Array(0);

/** Chunks smaller than this are put together at once: a list of them would take more memory than what is in them. */
const SMALL_CHUNK_BYTES = 4096;
/** How many times what has arrived may be taken for a frame, and that it may be so much in any case. */
const MOST_AHEAD = 8;
const ALWAYS_TAKEN_BYTES = 16 * 1024;

/** Keeps the chunks, and puts them together when all are there: every byte is copied once. */
export class KeptParts implements FrameParts {
  readonly #memory: FrameMemory;
  #parts: Uint8Array[] = [];
  #filled = 0;
  #small: Uint8Array | undefined; // small chunks that follow #parts
  #smallFilled = 0;

  constructor(memory: FrameMemory = FRESH) {
    this.#memory = memory;
  }

  add(bytes: Uint8Array): void {
    this.#filled += bytes.length;
    if (bytes.length >= SMALL_CHUNK_BYTES) {
      this.#endSmall();
      this.#parts.push(bytes);
      return;
    }
    for (let at = 0; at < bytes.length;) {
      this.#small ??= new Uint8Array(SMALL_CHUNK_BYTES);
      const taken = Math.min(bytes.length - at, SMALL_CHUNK_BYTES - this.#smallFilled);
      this.#small.set(bytes.subarray(at, at + taken), this.#smallFilled);
      this.#smallFilled += taken;
      at += taken;
      if (this.#smallFilled === SMALL_CHUNK_BYTES) this.#endSmall();
    }
  }

  take(): Uint8Array {
    this.#endSmall();
    const frame = this.#memory.take(this.#filled);
    let at = 0;
    for (const part of this.#parts) {
      frame.set(part, at);
      at += part.length;
    }
    this.#parts = [];
    this.#filled = 0;
    return frame;
  }

  #endSmall(): void {
    if (this.#small !== undefined) this.#parts.push(this.#small.subarray(0, this.#smallFilled));
    this.#small = undefined;
    this.#smallFilled = 0;
  }
}

/** Copies the chunks as they come to where the frame will be, which grows with what has arrived. */
export class CopiedParts implements FrameParts {
  readonly #memory: FrameMemory;
  #frame: Uint8Array = NONE;
  #filled = 0;

  constructor(memory: FrameMemory = FRESH) {
    this.#memory = memory;
  }

  add(bytes: Uint8Array, announced: number): void {
    const filled = this.#filled + bytes.length;
    if (filled > this.#frame.length) {
      const old = this.#frame;
      const grown = this.#memory.take(Math.min(announced, Math.max(MOST_AHEAD * filled, ALWAYS_TAKEN_BYTES)));
      if (this.#filled > 0) grown.set(old.subarray(0, this.#filled));
      this.#frame = grown;
      if (old.length > 0) this.#memory.giveBack(old);
    }
    this.#frame.set(bytes, this.#filled);
    this.#filled = filled;
  }

  take(): Uint8Array {
    const frame = this.#frame;
    this.#frame = NONE;
    this.#filled = 0;
    return frame;
  }
}
