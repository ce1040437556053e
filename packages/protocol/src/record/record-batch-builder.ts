import { assert, ErrorCode, KafkaError, unsignedVarintSize, utf8Length } from "@samsa/base";
import { compress } from "../compression/compression.ts";
import type { CompressionType } from "../compression/compression-type.ts";
import { compressionTypeId } from "../compression/compression-type.ts";
import {
  ATTRIBUTES_AT,
  BASE_SEQUENCE_AT,
  BASE_TIMESTAMP_AT,
  BATCH_LENGTH_AT,
  CONTROL_FLAG,
  CRC_AT,
  CURRENT_MAGIC,
  DELETE_HORIZON_FLAG,
  LAST_OFFSET_DELTA_AT,
  LOG_OVERHEAD,
  MAGIC_AT,
  MAX_TIMESTAMP_AT,
  NO_PARTITION_LEADER_EPOCH,
  NO_PRODUCER_EPOCH,
  NO_PRODUCER_ID,
  NO_SEQUENCE,
  NO_TIMESTAMP,
  PARTITION_LEADER_EPOCH_AT,
  PRODUCER_EPOCH_AT,
  PRODUCER_ID_AT,
  RECORD_BATCH_OVERHEAD,
  RECORD_COUNT_AT,
  TIMESTAMP_TYPE_FLAG,
  TRANSACTIONAL_FLAG,
} from "./constants.ts";
import type { TimestampType } from "./constants.ts";
import { crc32c } from "./crc32c.ts";
import { InvalidTimestampError } from "./errors.ts";
import { setInt64 } from "./int64-view.ts";
import type { RecordHeader } from "./record-cursor.ts";

const INT32_MAX = 0x7fffffff;
const NO_HEADERS: readonly RecordHeader[] = [];
const SHORT_BYTES = 24;
const SHORT_TEXT = 128;
const encoder = new TextEncoder();

export interface RecordBatchBuilderOptions {
  readonly baseOffset?: number;
  readonly compressionType?: CompressionType;
  /** As Kafka's `compression.*.level`; the codec's own default when left out. */
  readonly compressionLevel?: number;
  readonly timestampType?: TimestampType;
  readonly producerId?: number;
  readonly producerEpoch?: number;
  readonly baseSequence?: number;
  readonly isTransactional?: boolean;
  readonly isControlBatch?: boolean;
  readonly partitionLeaderEpoch?: number;
  /** Marks a batch that compaction has seen (KIP-534). */
  readonly deleteHorizonMs?: number;
  /** Bytes to begin with; the buffer doubles. */
  readonly initialCapacity?: number;
  /** A buffer to begin with, in place of a new one; what it holds is overwritten. */
  readonly buffer?: Uint8Array;
  /** Compressed size by uncompressed size of the batches before this one, for `estimatedSizeInBytes`. */
  readonly estimatedCompressionRatio?: number;
}

/** Who wrote a batch, for what broker and readers must know of it (KIP-98). */
export interface ProducerState {
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly baseSequence: number;
  readonly isTransactional: boolean;
}

/** A header to be written; text becomes UTF-8. */
export interface NewHeader {
  readonly key: string;
  readonly value: Uint8Array | string | null;
}

export interface NewRecord {
  readonly timestamp: number;
  readonly key?: Uint8Array | null;
  readonly value?: Uint8Array | null;
  readonly headers?: readonly RecordHeader[];
  /** The offset after the last one when left out. */
  readonly offset?: number;
}

/** Writes one batch of the v2 format into one growing buffer, without an object per record. */
export class RecordBatchBuilder {
  readonly #options: RecordBatchBuilderOptions;
  readonly #baseOffset: number;
  #bytes: Uint8Array;
  #position = RECORD_BATCH_OVERHEAD;
  #recordCount = 0;
  #lastOffset: number;
  #baseTimestamp: number;
  #maxTimestamp = NO_TIMESTAMP;

  constructor(options: RecordBatchBuilderOptions = {}) {
    this.#options = options;
    this.#baseOffset = options.baseOffset ?? 0;
    this.#lastOffset = this.#baseOffset - 1;
    this.#baseTimestamp = options.deleteHorizonMs ?? NO_TIMESTAMP;
    const { buffer } = options;
    this.#bytes =
      buffer !== undefined && buffer.length >= RECORD_BATCH_OVERHEAD
        ? buffer
        : new Uint8Array(Math.max(options.initialCapacity ?? 1024, RECORD_BATCH_OVERHEAD));
  }

  get recordCount(): number {
    return this.#recordCount;
  }

  /** Header and records so far, before compression. */
  get uncompressedSizeInBytes(): number {
    return this.#position;
  }

  /** The batch so far: exact without compression, else by the estimated ratio. */
  get estimatedSizeInBytes(): number {
    const recordBytes = this.#position - RECORD_BATCH_OVERHEAD;
    const isCompressed = (this.#options.compressionType ?? "none") !== "none";
    const ratio = isCompressed ? (this.#options.estimatedCompressionRatio ?? 1) : 1;
    return RECORD_BATCH_OVERHEAD + Math.ceil(recordBytes * ratio);
  }

  /**
   * @throws InvalidTimestampError outside the safe range
   * @throws KafkaError RECORD_LIST_TOO_LARGE for a batch of 2^31 bytes or offsets
   */
  append(record: NewRecord): void {
    const { timestamp, key = null, value = null, headers = NO_HEADERS, offset = this.#lastOffset + 1 } = record;
    assert(offset > this.#lastOffset, "offsets of a batch increase");
    this.#append(offset, timestamp, key, value, headers);
  }

  /**
   * As `append`, for the record after the last one, without an object for it. Text becomes UTF-8 right in the batch.
   * @throws as `append`
   */
  add(
    timestamp: number,
    key: Uint8Array | string | null,
    value: Uint8Array | string | null,
    headers: readonly NewHeader[],
  ): void {
    this.#append(this.#lastOffset + 1, timestamp, key, value, headers);
  }

  #append(
    offset: number,
    timestamp: number,
    key: Uint8Array | string | null,
    value: Uint8Array | string | null,
    headers: readonly NewHeader[],
  ): void {
    if (!Number.isSafeInteger(timestamp)) throw new InvalidTimestampError(`${timestamp} is no timestamp`);
    const isFirst = this.#recordCount === 0 && this.#options.deleteHorizonMs === undefined;
    const baseTimestamp = isFirst ? timestamp : this.#baseTimestamp;
    const timestampDelta = timestamp - baseTimestamp;
    const offsetDelta = offset - this.#baseOffset;
    if (!Number.isSafeInteger(timestampDelta))
      throw new InvalidTimestampError(`${timestamp} is far from ${baseTimestamp}`);

    const keyBytes = byteLength(key);
    const valueBytes = byteLength(value);
    let bodyBytes = 1 + varlongSize(timestampDelta) + varintSize(offsetDelta);
    bodyBytes += lengthAndBytesSize(keyBytes) + lengthAndBytesSize(valueBytes) + varintSize(headers.length);
    for (const header of headers) {
      bodyBytes += lengthAndBytesSize(utf8Length(header.key)) + lengthAndBytesSize(byteLength(header.value));
    }
    this.#reserve(bodyBytes, offsetDelta);

    this.#varint(bodyBytes);
    this.#bytes[this.#position++] = 0; // attributes: none are in use
    this.#varlong(timestampDelta);
    this.#varint(offsetDelta);
    this.#lengthAndData(key, keyBytes);
    this.#lengthAndData(value, valueBytes);
    this.#varint(headers.length);
    for (const header of headers) {
      this.#lengthAndData(header.key, utf8Length(header.key));
      this.#lengthAndData(header.value, byteLength(header.value));
    }
    this.#recordCount++;
    this.#lastOffset = offset;
    this.#baseTimestamp = baseTimestamp;
    if (timestamp > this.#maxTimestamp) this.#maxTimestamp = timestamp;
  }

  /** Lets the batch end at this offset though its record is gone, as compaction must (the sequence hangs on it). */
  overrideLastOffset(lastOffset: number): void {
    assert(lastOffset >= this.#lastOffset, "a batch ends at or after its last record");
    assert(lastOffset - this.#baseOffset <= INT32_MAX, "offsets of a batch span an int32");
    this.#lastOffset = lastOffset;
  }

  /**
   * The whole batch. A view of the builder's buffer when nothing was compressed, so the builder is not used afterwards.
   * @param producer in place of what the options say: a producer learns its sequence when the batch leaves
   */
  build(producer?: ProducerState): Uint8Array {
    const type = this.#options.compressionType ?? "none";
    const batch = type === "none" ? this.#bytes.subarray(0, this.#position) : this.#compressed(type);
    this.#writeHeader(batch, type, producer ?? this.#options);
    return batch;
  }

  #compressed(type: Exclude<CompressionType, "none">): Uint8Array {
    const records = this.#bytes.subarray(RECORD_BATCH_OVERHEAD, this.#position);
    const compressed = compress(type, records, this.#options.compressionLevel);
    // The records are not needed any more, and their buffer is mostly large enough.
    const size = RECORD_BATCH_OVERHEAD + compressed.length;
    const batch = size <= this.#bytes.length ? this.#bytes.subarray(0, size) : new Uint8Array(size);
    batch.set(compressed, RECORD_BATCH_OVERHEAD);
    return batch;
  }

  #writeHeader(batch: Uint8Array, type: CompressionType, producer: Partial<ProducerState>): void {
    const options = this.#options;
    const view = new DataView(batch.buffer, batch.byteOffset, batch.length);
    let attributes = compressionTypeId(type);
    if (options.timestampType === "log-append-time") attributes |= TIMESTAMP_TYPE_FLAG;
    if (producer.isTransactional === true) attributes |= TRANSACTIONAL_FLAG;
    if (options.isControlBatch === true) attributes |= CONTROL_FLAG;
    if (options.deleteHorizonMs !== undefined) attributes |= DELETE_HORIZON_FLAG;
    setInt64(view, 0, this.#baseOffset);
    view.setInt32(BATCH_LENGTH_AT, batch.length - LOG_OVERHEAD);
    view.setInt32(PARTITION_LEADER_EPOCH_AT, options.partitionLeaderEpoch ?? NO_PARTITION_LEADER_EPOCH);
    view.setInt8(MAGIC_AT, CURRENT_MAGIC);
    view.setInt16(ATTRIBUTES_AT, attributes);
    view.setInt32(LAST_OFFSET_DELTA_AT, this.#lastOffset - this.#baseOffset);
    setInt64(view, BASE_TIMESTAMP_AT, this.#baseTimestamp);
    setInt64(view, MAX_TIMESTAMP_AT, this.#maxTimestamp);
    setInt64(view, PRODUCER_ID_AT, producer.producerId ?? NO_PRODUCER_ID);
    view.setInt16(PRODUCER_EPOCH_AT, producer.producerEpoch ?? NO_PRODUCER_EPOCH);
    view.setInt32(BASE_SEQUENCE_AT, producer.baseSequence ?? NO_SEQUENCE);
    view.setInt32(RECORD_COUNT_AT, this.#recordCount);
    view.setUint32(CRC_AT, crc32c(batch, ATTRIBUTES_AT));
  }

  #reserve(bodyBytes: number, offsetDelta: number): void {
    const needed = this.#position + varintSize(bodyBytes) + bodyBytes;
    if (needed > INT32_MAX || offsetDelta > INT32_MAX) {
      throw new KafkaError(ErrorCode.RECORD_LIST_TOO_LARGE, "a record batch of more than 2^31 bytes or offsets");
    }
    if (needed <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(2 * this.#bytes.length, needed));
    grown.set(this.#bytes.subarray(0, this.#position));
    this.#bytes = grown;
  }

  /** @param length as `byteLength` has it */
  #lengthAndData(data: Uint8Array | string | null, length: number): void {
    this.#varint(length);
    if (data === null) return;
    if (typeof data === "string") this.#text(data, length);
    else this.#raw(data);
  }

  #raw(bytes: Uint8Array): void {
    const to = this.#bytes;
    const at = this.#position;
    const length = bytes.length;
    // Keys are short, and for them the call of `set` costs more than the bytes.
    if (length <= SHORT_BYTES) for (let i = 0; i < length; i++) to[at + i] = bytes[i] as number;
    else to.set(bytes, at);
    this.#position = at + length;
  }

  #text(text: string, length: number): void {
    if (length === text.length && length <= SHORT_TEXT) {
      for (let i = 0; i < length; i++) this.#bytes[this.#position++] = text.charCodeAt(i);
      return;
    }
    encoder.encodeInto(text, this.#bytes.subarray(this.#position, this.#position + length));
    this.#position += length;
  }

  #varint(value: number): void {
    this.#unsignedVarint(zigzag(value));
  }

  #varlong(value: number): void {
    if (value === (value | 0)) return this.#varint(value);
    // The zigzag of a safe integer has up to 54 bits: its lowest seven first, the rest by division.
    let rest = value < 0 ? -value - 1 : value;
    this.#bytes[this.#position++] = (rest % 64) * 2 + (value < 0 ? 1 : 0) + 0x80;
    rest = Math.floor(rest / 64);
    for (; rest > 0x7f; rest = Math.floor(rest / 128)) this.#bytes[this.#position++] = (rest % 128) + 0x80;
    this.#bytes[this.#position++] = rest;
  }

  #unsignedVarint(value: number): void {
    let rest = value;
    for (; rest > 0x7f; rest >>>= 7) this.#bytes[this.#position++] = (rest & 0x7f) | 0x80;
    this.#bytes[this.#position++] = rest;
  }
}

/** Most bytes that one record adds to a batch before compression. */
export function recordSizeUpperBound(record: Omit<NewRecord, "timestamp" | "offset">): number {
  let bytes = 5 + 1 + 10 + 5 + 5 + 5 + 5 + (record.key?.length ?? 0) + (record.value?.length ?? 0);
  for (const header of record.headers ?? NO_HEADERS) bytes += 10 + utf8Length(header.key) + (header.value?.length ?? 0);
  return bytes;
}

function zigzag(value: number): number {
  return ((value << 1) ^ (value >> 31)) >>> 0;
}

function varintSize(value: number): number {
  return unsignedVarintSize(zigzag(value));
}

function varlongSize(value: number): number {
  if (value === (value | 0)) return varintSize(value);
  let bytes = 5;
  for (let rest = value < 0 ? -value - 1 : value; rest >= 2 ** 34; rest = Math.floor(rest / 128)) bytes++;
  return bytes;
}

/** @param length -1 for null */
function lengthAndBytesSize(length: number): number {
  return length < 0 ? 1 : varintSize(length) + length;
}

/** -1 for null. */
function byteLength(data: Uint8Array | string | null): number {
  if (data === null) return -1;
  return typeof data === "string" ? utf8Length(data) : data.length;
}
