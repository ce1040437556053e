import { assert } from "@samsa/base";
import { decompress } from "../compression/compression.ts";
import type { CompressionType } from "../compression/compression-type.ts";
import { compressionTypeOf } from "../compression/compression-type.ts";
import {
  ATTRIBUTES_AT,
  BASE_SEQUENCE_AT,
  BASE_TIMESTAMP_AT,
  BATCH_LENGTH_AT,
  COMPRESSION_MASK,
  CONTROL_FLAG,
  CRC_AT,
  CURRENT_MAGIC,
  DELETE_HORIZON_FLAG,
  LAST_OFFSET_DELTA_AT,
  LOG_OVERHEAD,
  MAGIC_AT,
  MAX_TIMESTAMP_AT,
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
import { CorruptRecordError, InvalidRecordError, InvalidTimestampError, UnsupportedMagicError } from "./errors.ts";
import { getInt64, setInt64 } from "./int64-view.ts";
import type { ProducerState } from "./record-batch-builder.ts";
import { RecordCursor } from "./record-cursor.ts";

const INT32_MAX = 0x7fffffff;
/** The header of the oldest format; no batch of any format is smaller. */
const SMALLEST_BATCH_LENGTH = 14;

export interface RecordsOptions {
  /** Most bytes that compressed records may unfold to. */
  readonly maxDecompressedBytes?: number;
}

/** What a walk over all records of a batch found. */
export interface RecordsSummary {
  /** Largest timestamp of a record, whatever the header says of it. */
  readonly maxTimestamp: number;
  /** The first record that has it. */
  readonly offsetOfMaxTimestamp: number;
  readonly minTimestamp: number;
  /** A compacted topic takes none of these. */
  readonly hasNullKey: boolean;
}

/**
 * A view of one batch of the v2 format, nothing decoded until asked. Getters read the bytes, setters patch them in place.
 * The header is checked for its length and magic only; `ensureValid` says whether the bytes are those that were written.
 */
export class RecordBatch {
  /** Exactly this batch. */
  readonly bytes: Uint8Array;
  readonly #view: DataView;

  /**
   * @param bytes may hold more after the batch
   * @throws CorruptRecordError when the header or the announced length is not there
   * @throws UnsupportedMagicError for the formats before v2
   */
  constructor(bytes: Uint8Array, offset = 0) {
    const size = checkedSize(bytes, offset);
    // Not subarray: of a Buffer it is a Buffer again, whose `slice` is no copy.
    this.bytes = new Uint8Array(bytes.buffer, bytes.byteOffset + offset, size);
    this.#view = new DataView(bytes.buffer, bytes.byteOffset + offset, size);
  }

  get sizeInBytes(): number {
    return this.bytes.length;
  }

  get baseOffset(): number {
    const offset = getInt64(this.#view, 0);
    if (!Number.isSafeInteger(offset)) throw new CorruptRecordError("a base offset outside the safe range");
    return offset;
  }

  get partitionLeaderEpoch(): number {
    return this.#view.getInt32(PARTITION_LEADER_EPOCH_AT);
  }

  get magic(): number {
    return this.#view.getInt8(MAGIC_AT);
  }

  get crc(): number {
    return this.#view.getUint32(CRC_AT);
  }

  get attributes(): number {
    return this.#view.getInt16(ATTRIBUTES_AT);
  }

  /** Last offset minus base offset. It stays when compaction removes the last record. */
  get lastOffsetDelta(): number {
    return this.#view.getInt32(LAST_OFFSET_DELTA_AT);
  }

  get lastOffset(): number {
    return this.baseOffset + this.lastOffsetDelta;
  }

  /** The offset after this batch. */
  get nextOffset(): number {
    return this.lastOffset + 1;
  }

  /** What the timestamps of the records are relative to: the first one, or the delete horizon. */
  get baseTimestamp(): number {
    return this.#timestamp(BASE_TIMESTAMP_AT);
  }

  get maxTimestamp(): number {
    return this.#timestamp(MAX_TIMESTAMP_AT);
  }

  get producerId(): number {
    const producerId = getInt64(this.#view, PRODUCER_ID_AT);
    if (!Number.isSafeInteger(producerId)) throw new InvalidRecordError("a producer id outside the safe range");
    return producerId;
  }

  get producerEpoch(): number {
    return this.#view.getInt16(PRODUCER_EPOCH_AT);
  }

  get baseSequence(): number {
    return this.#view.getInt32(BASE_SEQUENCE_AT);
  }

  /** Sequences wrap from 2^31 - 1 to 0. */
  get lastSequence(): number {
    const base = this.baseSequence;
    return base === NO_SEQUENCE ? NO_SEQUENCE : incrementSequence(base, this.lastOffsetDelta);
  }

  /** Records that the header announces; int32 as it stands there. */
  get recordCount(): number {
    return this.#view.getInt32(RECORD_COUNT_AT);
  }

  /** @throws InvalidRecordError for a type that Kafka does not know */
  get compressionType(): CompressionType {
    return compressionTypeOf(this.attributes & COMPRESSION_MASK);
  }

  get timestampType(): TimestampType {
    return this.attributes & TIMESTAMP_TYPE_FLAG ? "log-append-time" : "create-time";
  }

  get isTransactional(): boolean {
    return (this.attributes & TRANSACTIONAL_FLAG) !== 0;
  }

  get isControlBatch(): boolean {
    return (this.attributes & CONTROL_FLAG) !== 0;
  }

  /** When compaction may remove the tombstones and markers of this batch (KIP-534). */
  get deleteHorizonMs(): number | undefined {
    return this.attributes & DELETE_HORIZON_FLAG ? this.baseTimestamp : undefined;
  }

  computeCrc(): number {
    return crc32c(this.bytes, ATTRIBUTES_AT);
  }

  isValid(): boolean {
    return this.computeCrc() === this.crc;
  }

  /**
   * Whether these are the bytes that were written, and every number of the header is one we can hold.
   * @throws CorruptRecordError, InvalidRecordError, InvalidTimestampError
   */
  ensureValid(): void {
    const computed = this.computeCrc();
    if (computed !== this.crc) {
      throw new CorruptRecordError(`a record batch whose CRC is ${computed} and not ${this.crc} as stored`);
    }
    void [this.baseTimestamp, this.maxTimestamp, this.producerId];
    if (!Number.isSafeInteger(this.nextOffset)) throw new CorruptRecordError("a last offset outside the safe range");
  }

  /** Moves the batch so that its last record has this offset. The CRC does not cover the base offset. */
  setLastOffset(lastOffset: number): void {
    const baseOffset = lastOffset - this.lastOffsetDelta;
    assert(Number.isSafeInteger(baseOffset) && baseOffset >= 0, "an offset is not negative");
    setInt64(this.#view, 0, baseOffset);
  }

  /** The CRC does not cover the leader epoch. */
  setPartitionLeaderEpoch(epoch: number): void {
    this.#view.setInt32(PARTITION_LEADER_EPOCH_AT, epoch);
  }

  /** Patches attributes, max timestamp and CRC; the bytes of the records stay. */
  setMaxTimestamp(type: TimestampType, maxTimestamp: number): void {
    assert(Number.isSafeInteger(maxTimestamp), "a timestamp is a safe integer");
    if (type === this.timestampType && maxTimestamp === getInt64(this.#view, MAX_TIMESTAMP_AT)) return;
    const others = this.attributes & ~TIMESTAMP_TYPE_FLAG;
    this.#view.setInt16(ATTRIBUTES_AT, type === "log-append-time" ? others | TIMESTAMP_TYPE_FLAG : others);
    setInt64(this.#view, MAX_TIMESTAMP_AT, maxTimestamp);
    this.#view.setUint32(CRC_AT, this.computeCrc());
  }

  /** Says who wrote the batch, as a producer does whose epoch was bumped. Patches attributes and CRC. */
  setProducerState(state: ProducerState): void {
    const others = this.attributes & ~TRANSACTIONAL_FLAG;
    this.#view.setInt16(ATTRIBUTES_AT, state.isTransactional ? others | TRANSACTIONAL_FLAG : others);
    setInt64(this.#view, PRODUCER_ID_AT, state.producerId);
    this.#view.setInt16(PRODUCER_EPOCH_AT, state.producerEpoch);
    this.#view.setInt32(BASE_SEQUENCE_AT, state.baseSequence);
    this.#view.setUint32(CRC_AT, this.computeCrc());
  }

  /**
   * The records in order, through one object that stands on each in turn. Records are decompressed at the first step.
   * @throws InvalidRecordError, InvalidTimestampError, CorruptRecordError (does not decompress, or to too much)
   */
  records(options: RecordsOptions = {}): RecordCursor {
    const type = this.compressionType;
    const context = {
      baseOffset: this.baseOffset,
      baseTimestamp: this.baseTimestamp,
      logAppendTime: this.timestampType === "log-append-time" ? this.maxTimestamp : undefined,
      recordCount: this.recordCount,
    };
    if (type === "none") return new RecordCursor(this.bytes, RECORD_BATCH_OVERHEAD, context);
    const compressed = this.bytes.subarray(RECORD_BATCH_OVERHEAD);
    const { maxDecompressedBytes } = options;
    const limits = maxDecompressedBytes === undefined ? {} : { maxBytes: maxDecompressedBytes };
    return new RecordCursor(decompress(type, compressed, limits), 0, context);
  }

  /**
   * Walks all records as a broker must before it keeps what a producer sent: at least one record, as many as the offsets span,
   * offset deltas 0, 1, 2 …, lengths that fit.
   *
   * Kafka's validator is milder with the deltas (it rewrites a compressed batch and keeps an uncompressed one as it is), for
   * producers older than this format; none of the clients of today sends such a batch.
   * @throws InvalidRecordError, InvalidTimestampError, CorruptRecordError
   */
  checkRecords(options: RecordsOptions = {}): RecordsSummary {
    const count = this.recordCount;
    if (count <= 0) throw new InvalidRecordError(`a record batch that announces ${count} records`);
    if (this.lastOffsetDelta !== count - 1) {
      throw new InvalidRecordError(`${count} records in a batch whose last offset delta is ${this.lastOffsetDelta}`);
    }
    const cursor = this.records(options);
    let maxTimestamp = -Infinity;
    let minTimestamp = Infinity;
    let offsetOfMaxTimestamp = -1;
    let hasNullKey = false;
    for (let expected = 0; cursor.advance(); expected++) {
      if (cursor.offsetDelta !== expected) {
        throw new InvalidRecordError(`offset delta ${cursor.offsetDelta} where ${expected} is next`);
      }
      cursor.checkHeaders();
      if (cursor.keyLength < 0) hasNullKey = true;
      if (cursor.timestamp < minTimestamp) minTimestamp = cursor.timestamp;
      if (cursor.timestamp > maxTimestamp) {
        maxTimestamp = cursor.timestamp;
        offsetOfMaxTimestamp = cursor.offset;
      }
    }
    return { maxTimestamp, offsetOfMaxTimestamp, minTimestamp, hasNullKey };
  }

  #timestamp(at: number): number {
    const timestamp = getInt64(this.#view, at);
    if (!Number.isSafeInteger(timestamp)) throw new InvalidTimestampError("a timestamp outside the safe range");
    return timestamp;
  }
}

/**
 * What is left of a batch when compaction has removed all its records and the producer's last sequence is still needed: the
 * header, with the offsets and the producer it had.
 */
export function emptyRecordBatch(batch: RecordBatch): Uint8Array {
  const bytes = batch.bytes.slice(0, RECORD_BATCH_OVERHEAD);
  const view = new DataView(bytes.buffer);
  view.setInt32(BATCH_LENGTH_AT, RECORD_BATCH_OVERHEAD - LOG_OVERHEAD);
  view.setInt16(ATTRIBUTES_AT, batch.attributes & ~COMPRESSION_MASK & ~DELETE_HORIZON_FLAG);
  setInt64(view, BASE_TIMESTAMP_AT, NO_TIMESTAMP);
  view.setInt32(RECORD_COUNT_AT, 0);
  view.setUint32(CRC_AT, crc32c(bytes, ATTRIBUTES_AT));
  return bytes;
}

/** The sequence `increment` after `sequence`; after 2^31 - 1 comes 0. */
export function incrementSequence(sequence: number, increment: number): number {
  return sequence > INT32_MAX - increment ? increment - (INT32_MAX - sequence) - 1 : sequence + increment;
}

/**
 * Whole batches of a byte range in order; stops before an incomplete one at the end.
 * @throws CorruptRecordError on an impossible header, UnsupportedMagicError for the formats before v2
 */
export function* recordBatches(bytes: Uint8Array): Generator<RecordBatch, undefined> {
  for (let offset = 0; ;) {
    const size = peekBatchSize(bytes, offset);
    if (size === undefined) return;
    if (bytes.length - offset > MAGIC_AT) checkMagic(bytes, offset);
    if (size < RECORD_BATCH_OVERHEAD) throw new CorruptRecordError(`a record batch of ${size} bytes`);
    if (size > bytes.length - offset) return;
    yield new RecordBatch(bytes, offset);
    offset += size;
  }
}

/**
 * Size of the batch at `offset`, whole or not, or undefined when fewer than LOG_OVERHEAD bytes are there.
 * @throws CorruptRecordError when no batch has this size
 */
export function peekBatchSize(bytes: Uint8Array, offset = 0): number | undefined {
  if (bytes.length - offset < LOG_OVERHEAD) return undefined;
  const at = offset + BATCH_LENGTH_AT;
  const length = (at0(bytes, at) << 24) | (at0(bytes, at + 1) << 16) | (at0(bytes, at + 2) << 8) | at0(bytes, at + 3);
  if (length < SMALLEST_BATCH_LENGTH) throw new CorruptRecordError(`a record batch of length ${length}`);
  return length + LOG_OVERHEAD;
}

/**
 * What the flag of a batch says, for who wants to know no more: a RecordBatch is two views.
 * @throws what `new RecordBatch` throws
 */
export function peekIsTransactional(bytes: Uint8Array): boolean {
  return (peekAttributes(bytes) & TRANSACTIONAL_FLAG) !== 0;
}

/** See peekIsTransactional. */
export function peekCompressionType(bytes: Uint8Array): CompressionType {
  return compressionTypeOf(peekAttributes(bytes) & COMPRESSION_MASK);
}

function peekAttributes(bytes: Uint8Array): number {
  checkedSize(bytes, 0);
  return (at0(bytes, ATTRIBUTES_AT) << 8) | at0(bytes, ATTRIBUTES_AT + 1);
}

/** The bytes of a batch that is there whole. */
function checkedSize(bytes: Uint8Array, offset: number): number {
  const size = peekBatchSize(bytes, offset);
  const available = bytes.length - offset;
  if (size === undefined) throw new CorruptRecordError(`${available} bytes are no record batch`);
  checkMagic(bytes, offset);
  if (size < RECORD_BATCH_OVERHEAD) throw new CorruptRecordError(`a record batch of ${size} bytes`);
  if (size > available) {
    throw new CorruptRecordError(`a record batch of ${size} bytes where ${available} are there`);
  }
  return size;
}

/** The magic has been in the same place in every format. */
function checkMagic(bytes: Uint8Array, offset: number): void {
  const magic = bytes[offset + MAGIC_AT];
  if (magic === CURRENT_MAGIC) return;
  if (magic === 0 || magic === 1) throw new UnsupportedMagicError(magic);
  throw new CorruptRecordError(
    magic === undefined ? "a record batch without its header" : `a record batch of magic ${magic}`,
  );
}

function at0(bytes: Uint8Array, at: number): number {
  return bytes[at] as number;
}
