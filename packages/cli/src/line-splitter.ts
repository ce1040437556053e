import { UsageError } from "./exit-code.ts";

/**
 * Cuts a stream of bytes at a delimiter. Holds at most one piece and what arrived last; a piece is a view of what was pushed
 * unless it lay across two chunks. The delimiter belongs to no piece, and bytes after the last one are a piece of their own.
 */
export class LineSplitter {
  readonly #delimiter: Uint8Array;
  readonly #lastByte: number;
  readonly #maxBytes: number;
  #rest: Uint8Array[] = [];
  #restBytes = 0;
  #lines = 0;

  /** @param maxBytes a longer piece is refused before it is kept */
  constructor(delimiter: Uint8Array, maxBytes: number) {
    if (delimiter.length === 0) throw new UsageError("an empty delimiter cuts nothing");
    this.#delimiter = delimiter;
    this.#lastByte = delimiter.at(-1) ?? 0;
    this.#maxBytes = maxBytes;
  }

  /** @throws UsageError for a piece that is too long, naming its line */
  *push(chunk: Uint8Array): Generator<Uint8Array, void> {
    let start = 0;
    for (let at = chunk.indexOf(this.#lastByte); at >= 0; at = chunk.indexOf(this.#lastByte, at + 1)) {
      if (!this.#endsDelimiter(chunk, start, at)) continue;
      yield this.#take(chunk, start, at + 1);
      start = at + 1;
    }
    if (start === chunk.length) return;
    this.#rest.push(start === 0 ? chunk : chunk.subarray(start));
    this.#restBytes += chunk.length - start;
    this.#check(this.#restBytes - this.#delimiter.length + 1);
  }

  /** What is left at the end, if anything. */
  end(): Uint8Array | undefined {
    if (this.#restBytes === 0) return undefined;
    const last = Buffer.concat(this.#rest, this.#restBytes);
    this.#check(last.length);
    this.#rest = [];
    this.#restBytes = 0;
    return last;
  }

  /** The piece that ends with the delimiter before `end`. */
  #take(chunk: Uint8Array, start: number, end: number): Uint8Array {
    const length = this.#restBytes + end - start - this.#delimiter.length;
    this.#check(length);
    this.#lines++;
    if (this.#restBytes === 0) return chunk.subarray(start, start + length);
    const whole = Buffer.concat([...this.#rest, chunk.subarray(start, end)], this.#restBytes + end - start);
    this.#rest = [];
    this.#restBytes = 0;
    return whole.subarray(0, length);
  }

  #endsDelimiter(chunk: Uint8Array, start: number, at: number): boolean {
    const { length } = this.#delimiter;
    if (length === 1) return true;
    if (this.#restBytes + at + 1 - start < length) return false;
    for (let i = 2; i <= length; i++) {
      if (this.#byteBefore(chunk, start, at + 1 - i) !== this.#delimiter[length - i]) return false;
    }
    return true;
  }

  /** The byte at an index of the chunk, which may be negative: then it lies in what is left of the chunks before. */
  #byteBefore(chunk: Uint8Array, start: number, index: number): number | undefined {
    if (index >= start) return chunk[index];
    let back = start - index; // 1 is the last byte of the rest
    for (let i = this.#rest.length - 1; i >= 0; i--) {
      const part = this.#rest[i] as Uint8Array;
      if (back <= part.length) return part[part.length - back];
      back -= part.length;
    }
    return undefined;
  }

  #check(length: number): void {
    if (length <= this.#maxBytes) return;
    throw new UsageError(
      `line ${this.#lines + 1} is longer than ${this.#maxBytes} bytes, the most one record may have: ` +
        "raise --max-request-size (and the topic's max.message.bytes), or choose another --delimiter",
    );
  }
}
