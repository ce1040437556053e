import { ByteReader } from "@samsa/base";
import { InvalidRecordError, InvalidTimestampError } from "./errors.ts";

export interface RecordHeader {
  readonly key: string;
  readonly value: Uint8Array | null;
}

/**
 * One record, where it lies. The same object shows the next record after the next step of the iteration: copy what is to be
 * kept. Keys and values are views of the batch (or of its decompressed bytes).
 */
export interface RecordView {
  readonly offset: number;
  readonly offsetDelta: number;
  readonly timestamp: number;
  /** Bytes of the record with its own length. */
  readonly sizeInBytes: number;
  /** -1 for a null key. */
  readonly keyLength: number;
  /** -1 for a null value. */
  readonly valueLength: number;
  readonly headerCount: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  /** What the positions speak of: the batch, or its decompressed records. */
  readonly source: Uint8Array;
  /** Where the key begins in `source`, for who wants its bytes without an object. */
  readonly keyStart: number;
  /** Decoded at each call. @throws InvalidRecordError */
  headers(): RecordHeader[];
}

/** What a walk needs to know of the batch around the records. */
export interface RecordContext {
  readonly baseOffset: number;
  readonly baseTimestamp: number;
  /** The batch's max timestamp when it is log-append-time, which then holds for every record. */
  readonly logAppendTime: number | undefined;
  readonly recordCount: number;
}

const DONE: IteratorReturnResult<undefined> = { done: true, value: undefined };
/** Length, attributes, two deltas, key and value length, header count: each a byte at least. */
const MINIMUM_RECORD_BYTES = 7;
const MINIMUM_HEADER_BYTES = 2;

/**
 * Walks the records of a batch. It is the record it stands on, so a walk makes no object.
 * @throws InvalidRecordError, InvalidTimestampError
 */
export class RecordCursor implements RecordView, IterableIterator<RecordView, undefined> {
  readonly source: Uint8Array;
  readonly #context: RecordContext;
  readonly #yielded: IteratorYieldResult<RecordView> = { done: false, value: this };
  readonly #start: number;
  #position: number;
  #remaining: number;
  #valueAt = 0;
  #headersAt = 0;
  /** Where the record begins in `source`, with its length. */
  recordStart = 0;
  /** Where the offset delta begins: what follows does not hang on the timestamps. */
  offsetDeltaStart = 0;
  recordEnd: number;
  keyStart = 0;
  #text: ByteReader | undefined;
  offset = -1;
  offsetDelta = -1;
  timestamp = -1;
  keyLength = -1;
  valueLength = -1;
  headerCount = 0;

  /** Walks `bytes` from `start` to their end. */
  constructor(bytes: Uint8Array, start: number, context: RecordContext) {
    this.source = bytes;
    this.#context = context;
    this.#start = start;
    this.#position = start;
    this.recordEnd = start;
    this.#remaining = context.recordCount;
    if (context.recordCount < 0 || context.recordCount * MINIMUM_RECORD_BYTES > bytes.length - start) {
      throw new InvalidRecordError(`${context.recordCount} records are announced in ${bytes.length - start} bytes`);
    }
  }

  [Symbol.iterator](): this {
    return this;
  }

  next(): IteratorResult<RecordView, undefined> {
    return this.advance() ? this.#yielded : DONE;
  }

  /** Begins again before the first record. */
  restart(): void {
    this.recordEnd = this.#start;
    this.#remaining = this.#context.recordCount;
  }

  /** Steps to the next record; false after the last. */
  advance(): boolean {
    if (this.#remaining === 0) {
      if (this.recordEnd !== this.source.length) throw new InvalidRecordError("bytes follow the last record");
      return false;
    }
    this.#remaining--;
    this.recordStart = this.recordEnd;
    this.#position = this.recordStart;
    this.recordEnd = this.source.length;
    const length = this.#varint();
    if (length < MINIMUM_RECORD_BYTES - 1 || length > this.source.length - this.#position) {
      throw new InvalidRecordError(`a record of ${length} bytes where ${this.source.length - this.#position} remain`);
    }
    this.recordEnd = this.#position + length;
    this.#position++; // attributes: none are in use
    const timestampDelta = this.#varlong();
    this.offsetDeltaStart = this.#position;
    this.offsetDelta = this.#varint();
    this.offset = this.#context.baseOffset + this.offsetDelta;
    this.timestamp = this.#context.logAppendTime ?? this.#context.baseTimestamp + timestampDelta;
    if (!Number.isSafeInteger(this.timestamp)) throw new InvalidTimestampError("a timestamp outside the safe range");
    this.keyLength = this.#varint();
    this.keyStart = this.#position;
    if (this.keyLength > 0) this.#skip(this.keyLength);
    this.valueLength = this.#varint();
    this.#valueAt = this.#position;
    if (this.valueLength > 0) this.#skip(this.valueLength);
    this.headerCount = this.#varint();
    this.#headersAt = this.#position;
    if (this.headerCount < 0 || this.headerCount * MINIMUM_HEADER_BYTES > this.recordEnd - this.#position) {
      throw new InvalidRecordError(`${this.headerCount} headers where ${this.recordEnd - this.#position} bytes remain`);
    }
    if (this.headerCount === 0) this.#checkEnd();
    return true;
  }

  get sizeInBytes(): number {
    return this.recordEnd - this.recordStart;
  }

  get key(): Uint8Array | null {
    return this.keyLength < 0 ? null : this.source.subarray(this.keyStart, this.keyStart + this.keyLength);
  }

  get value(): Uint8Array | null {
    return this.valueLength < 0 ? null : this.source.subarray(this.#valueAt, this.#valueAt + this.valueLength);
  }

  headers(): RecordHeader[] {
    const headers: RecordHeader[] = [];
    if (this.headerCount === 0) return headers;
    this.#text ??= new ByteReader(this.source);
    this.#position = this.#headersAt;
    for (let i = 0; i < this.headerCount; i++) {
      const keyLength = this.#headerKeyLength();
      this.#text.offset = this.#position;
      this.#skip(keyLength);
      const key = this.#text.utf8(keyLength);
      const valueLength = this.#varint();
      const valueAt = this.#position;
      if (valueLength > 0) this.#skip(valueLength);
      headers.push({ key, value: valueLength < 0 ? null : this.source.subarray(valueAt, this.#position) });
    }
    this.#checkEnd();
    return headers;
  }

  /** Checks the headers without making them. @throws InvalidRecordError */
  checkHeaders(): void {
    if (this.headerCount === 0) return;
    this.#position = this.#headersAt;
    for (let i = 0; i < this.headerCount; i++) {
      this.#skip(this.#headerKeyLength());
      const valueLength = this.#varint();
      if (valueLength > 0) this.#skip(valueLength);
    }
    this.#checkEnd();
  }

  #headerKeyLength(): number {
    const length = this.#varint();
    if (length < 0) throw new InvalidRecordError("a header without a key");
    return length;
  }

  #checkEnd(): void {
    if (this.#position === this.recordEnd) return;
    throw new InvalidRecordError("a record ends before or after the length it announces");
  }

  #skip(length: number): void {
    if (length > this.recordEnd - this.#position) {
      throw new InvalidRecordError(`${length} bytes are wanted where ${this.recordEnd - this.#position} remain`);
    }
    this.#position += length;
  }

  #byte(): number {
    if (this.#position >= this.recordEnd) throw new InvalidRecordError("a record ends in the middle of a number");
    return this.source[this.#position++] as number;
  }

  #varint(): number {
    let byte = this.#byte();
    let raw = byte & 0x7f;
    for (let shift = 7; byte > 0x7f; shift += 7) {
      byte = this.#byte();
      if (shift === 28 && byte > 0x0f) throw new InvalidRecordError("a varint of more than 32 bits");
      raw |= (byte & 0x7f) << shift;
    }
    return (raw >>> 1) ^ -(raw & 1);
  }

  /** A zigzag-coded int64. Outside the safe range it is not exact, and the timestamp it is added to is refused. */
  #varlong(): number {
    let byte = this.#byte();
    let low = byte & 0x7f;
    for (let shift = 7; byte > 0x7f; shift += 7) {
      if (shift === 28) return this.#longVarlong(low);
      byte = this.#byte();
      low |= (byte & 0x7f) << shift;
    }
    return (low >>> 1) ^ -(low & 1);
  }

  /** The rest of a varlong whose first four bytes gave `low`, its lowest 28 bits. */
  #longVarlong(low: number): number {
    let magnitude = low >>> 1;
    let factor = 2 ** 27;
    for (let index = 4; index < 10; index++) {
      const byte = this.#byte();
      if (index === 9 && byte > 1) throw new InvalidRecordError("a varlong of more than 64 bits");
      magnitude += (byte & 0x7f) * factor;
      if (byte < 0x80) return low & 1 ? -magnitude - 1 : magnitude;
      factor *= 128;
    }
    throw new InvalidRecordError("a varlong of more than ten bytes");
  }
}
