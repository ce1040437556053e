import { ProtocolError } from "@samsa/base";

const LENGTH_BYTES = 4;
/** Chunks smaller than this are put together at once: a list of them would take more memory than what is in them. */
const SMALL_CHUNK_BYTES = 4096;

/**
 * Cuts a stream of bytes into frames, each an int32 length and that many bytes.
 *
 * A frame that lies in one chunk is a view of it. Of one that comes in several the chunks are kept, and put together when it is
 * complete: no memory is taken for what was only announced, so that a peer pays for what it makes us hold, and every byte is copied
 * once.
 */
export class FrameDecoder {
  readonly #maxBytes: number;
  #failure: ProtocolError | undefined;
  #announced = -1; // bytes of the open frame; -1 while its length is being read
  #length = 0;
  #lengthBytes = 0; // of the length, that have arrived
  #parts: Uint8Array[] = []; // what has arrived of the open frame
  #filled = 0; // bytes in #parts
  #small: Uint8Array | undefined; // small chunks that follow #parts
  #smallFilled = 0;

  /** @param maxBytes of a frame, without its length */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Why nothing can be read any more: a length that is negative or beyond the bound. */
  get failure(): ProtocolError | undefined {
    return this.#failure;
  }

  /** Bytes held of frames that are not complete. */
  get pendingBytes(): number {
    return this.#lengthBytes + this.#filled;
  }

  /**
   * Takes the next bytes of the stream, which must not change any more.
   * @returns the frames they complete, without their lengths; those before a `failure` are still good
   */
  push(chunk: Uint8Array): readonly Uint8Array[] {
    const frames: Uint8Array[] = [];
    let at = 0;
    // An empty frame is complete with its length, wherever the chunk ends.
    while (this.#failure === undefined && (at < chunk.length || this.#announced === 0)) {
      if (this.#announced < 0) {
        at = this.#takeLength(chunk, at);
        if (this.#announced < 0) break;
      }
      const missing = this.#announced - this.#filled;
      const available = chunk.length - at;
      if (this.#filled === 0 && available >= missing) {
        frames.push(chunk.subarray(at, at + missing));
        at += missing;
        this.#announced = -1;
        continue;
      }
      const taken = Math.min(missing, available);
      this.#keep(chunk.subarray(at, at + taken));
      at += taken;
      if (taken === missing) frames.push(this.#assemble());
    }
    return frames;
  }

  /** Reads what is there of a length and returns where it ends. */
  #takeLength(chunk: Uint8Array, start: number): number {
    let at = start;
    while (at < chunk.length && this.#lengthBytes < LENGTH_BYTES) {
      this.#length = (this.#length << 8) | (chunk[at++] ?? 0);
      this.#lengthBytes++;
    }
    if (this.#lengthBytes < LENGTH_BYTES) return at;
    const announced = this.#length;
    this.#length = 0;
    this.#lengthBytes = 0;
    if (announced < 0 || announced > this.#maxBytes) {
      this.#failure = new ProtocolError(`a frame of ${announced} bytes where at most ${this.#maxBytes} are allowed`);
      return at;
    }
    this.#announced = announced;
    return at;
  }

  #keep(bytes: Uint8Array): void {
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

  #endSmall(): void {
    if (this.#small !== undefined) this.#parts.push(this.#small.subarray(0, this.#smallFilled));
    this.#small = undefined;
    this.#smallFilled = 0;
  }

  #assemble(): Uint8Array {
    this.#endSmall();
    const frame = new Uint8Array(this.#announced);
    let at = 0;
    for (const part of this.#parts) {
      frame.set(part, at);
      at += part.length;
    }
    this.#parts = [];
    this.#filled = 0;
    this.#announced = -1;
    return frame;
  }
}
