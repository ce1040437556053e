import { ProtocolError } from "@samsa/base";

const LENGTH_BYTES = 4;
const FIRST_BUFFER_BYTES = 1024;

/**
 * Cuts a stream of bytes into frames, each an int32 length and that many bytes.
 *
 * A frame that lies in one chunk is a view of it. One that comes in several is put together in a buffer that grows with the
 * bytes that have arrived, and not with the length that was announced: a peer pays for the memory it makes us hold.
 */
export class FrameDecoder {
  readonly #maxBytes: number;
  #failure: ProtocolError | undefined;
  #announced = -1; // bytes of the open frame; -1 while its length is being read
  #length = 0;
  #lengthBytes = 0; // of the length, that have arrived
  #buffer: Uint8Array | undefined; // what has arrived of the open frame, when that is something
  #filled = 0;

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
      if (this.#buffer === undefined && available >= missing) {
        frames.push(chunk.subarray(at, at + missing));
        at += missing;
        this.#announced = -1;
        continue;
      }
      const taken = Math.min(missing, available);
      const buffer = this.#room(taken);
      buffer.set(chunk.subarray(at, at + taken), this.#filled);
      this.#filled += taken;
      at += taken;
      if (this.#filled === this.#announced) {
        frames.push(buffer.subarray(0, this.#filled));
        this.#buffer = undefined;
        this.#filled = 0;
        this.#announced = -1;
      }
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

  /** The buffer of the open frame with room for `length` more bytes; it at most doubles what has arrived. */
  #room(length: number): Uint8Array {
    const needed = this.#filled + length;
    const current = this.#buffer;
    if (current !== undefined && current.length >= needed) return current;
    const grown = new Uint8Array(Math.min(this.#announced, Math.max(2 * needed, FIRST_BUFFER_BYTES)));
    if (current !== undefined) grown.set(current.subarray(0, this.#filled));
    this.#buffer = grown;
    return grown;
  }
}
