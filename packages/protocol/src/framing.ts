import { ProtocolError } from "@samsa/base";
import type { FrameMemory, FrameParts } from "./frame-parts.ts";
import { CopiedParts, KeptParts } from "./frame-parts.ts";

const LENGTH_BYTES = 4;

/**
 * Cuts a stream of bytes into frames, each an int32 length and that many bytes.
 *
 * A frame that lies in one chunk is a view of it. Of one that comes in several the chunks are kept, and put together when it is
 * complete: no memory is taken for what was only announced, so that a peer pays for what it makes us hold, and every byte is copied
 * once. A decoder that `copies` keeps no chunk and makes no view of one: their memory may be used again.
 */
export class FrameDecoder {
  readonly #maxBytes: number;
  #failure: ProtocolError | undefined;
  #announced = -1; // bytes of the open frame; -1 while its length is being read
  #length = 0;
  #lengthBytes = 0; // of the length, that have arrived
  readonly #parts: FrameParts; // what has arrived of the open frame
  #filled = 0; // bytes in #parts
  readonly #copies: boolean;

  /**
   * @param maxBytes of a frame, without its length
   * @param options.memory where frames are put together; fresh memory when left out
   */
  constructor(maxBytes: number, options: { readonly copies?: boolean; readonly memory?: FrameMemory } = {}) {
    this.#maxBytes = maxBytes;
    this.#copies = options.copies ?? false;
    this.#parts = this.#copies ? new CopiedParts(options.memory) : new KeptParts(options.memory);
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
   * Takes the next bytes of the stream, which must not change any more, unless the decoder copies.
   * @returns the frames they complete, without their lengths; those before a `failure` are still good
   */
  push(chunk: Uint8Array): readonly Uint8Array[] {
    if (this.#isOneFrame(chunk)) return [chunk.subarray(LENGTH_BYTES)];
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
      if (!this.#copies && this.#filled === 0 && available >= missing) {
        frames.push(chunk.subarray(at, at + missing));
        at += missing;
        this.#announced = -1;
        continue;
      }
      const taken = Math.min(missing, available);
      this.#parts.add(chunk.subarray(at, at + taken), this.#announced);
      this.#filled += taken;
      at += taken;
      if (taken < missing) break;
      frames.push(this.#parts.take());
      this.#filled = 0;
      this.#announced = -1;
    }
    return frames;
  }

  /** Exactly: what a read brings of a client that waits for each answer. */
  #isOneFrame(chunk: Uint8Array): boolean {
    if (this.#copies || this.#announced >= 0 || this.#lengthBytes > 0 || this.#failure !== undefined) return false;
    const length = chunk.length - LENGTH_BYTES;
    if (length <= 0 || length > this.#maxBytes) return false;
    return length === (((chunk[0] ?? 0) << 24) | ((chunk[1] ?? 0) << 16) | ((chunk[2] ?? 0) << 8) | (chunk[3] ?? 0));
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
}
