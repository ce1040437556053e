import { assert } from "@samsa/base";
import { compress } from "../compression/compression.ts";
import {
  ATTRIBUTES_AT,
  BASE_TIMESTAMP_AT,
  BATCH_LENGTH_AT,
  CRC_AT,
  DELETE_HORIZON_FLAG,
  LOG_OVERHEAD,
  MAX_TIMESTAMP_AT,
  NO_TIMESTAMP,
  RECORD_BATCH_OVERHEAD,
  RECORD_COUNT_AT,
} from "./constants.ts";
import { crc32c } from "./crc32c.ts";
import { InvalidTimestampError } from "./errors.ts";
import { setInt64 } from "./int64-view.ts";
import type { RecordBatch } from "./record-batch.ts";
import type { RecordCursor, RecordView } from "./record-cursor.ts";

/** Positions noted of each record that stays: where it begins, where its offset delta does, where it ends. */
const NOTED = 3;
const INITIAL_RECORDS = 256;
/** Length, attributes and timestamp delta of a record that is written anew. */
const MOST_RECORD_HEAD_BYTES = 5 + 1 + 10;

/**
 * Takes records out of a batch, as compaction does (Kafka's MemoryRecords.filterTo). The records that stay are copied as they
 * lie, in runs; only where the base timestamp changes is the head of each written anew. One of these serves any number of
 * batches, one after the other, and keeps its memory.
 */
export class RecordRetention {
  #source: Uint8Array = new Uint8Array(0);
  #positions = new Int32Array(INITIAL_RECORDS * NOTED);
  #timestamps = new Float64Array(INITIAL_RECORDS);
  #keptCount = 0;
  #maxTimestamp = NO_TIMESTAMP;
  #keepsTombstone = false;

  /** Records that stay. */
  get keptCount(): number {
    return this.#keptCount;
  }

  /** Whether one of them has no value. */
  get keepsTombstone(): boolean {
    return this.#keepsTombstone;
  }

  /**
   * Walks the batch.
   * @param beforehand walks it first, for what `isKept` had better know by then
   * @throws what `RecordBatch.records` does
   */
  select(
    batch: RecordBatch,
    isKept: (record: RecordView) => boolean,
    beforehand?: (records: RecordCursor) => void,
  ): void {
    this.#keptCount = 0;
    this.#keepsTombstone = false;
    this.#maxTimestamp = NO_TIMESTAMP;
    const cursor = batch.records();
    this.#source = cursor.source;
    if (beforehand !== undefined) {
      beforehand(cursor);
      cursor.restart();
    }
    while (cursor.advance()) {
      if (!isKept(cursor)) continue;
      const index = this.#keptCount++;
      if (index === this.#timestamps.length) this.#grow();
      const at = NOTED * index;
      this.#positions[at] = cursor.recordStart;
      this.#positions[at + 1] = cursor.offsetDeltaStart;
      this.#positions[at + 2] = cursor.recordEnd;
      this.#timestamps[index] = cursor.timestamp;
      if (cursor.timestamp > this.#maxTimestamp) this.#maxTimestamp = cursor.timestamp;
      if (cursor.valueLength < 0) this.#keepsTombstone = true;
    }
  }

  /**
   * The batch with the records that were selected, one at least: the offsets, producer and sequence it had, compressed as it was.
   * @param deleteHorizonMs when its tombstones and markers may go (KIP-534)
   * @throws InvalidTimestampError when that is too far from a timestamp to be told
   */
  build(batch: RecordBatch, deleteHorizonMs: number | undefined): Uint8Array {
    assert(this.#keptCount > 0, "a batch is built of records");
    const baseTimestamp = deleteHorizonMs ?? this.#timestamps[0] ?? NO_TIMESTAMP;
    const records = this.#records(batch, baseTimestamp);
    const type = batch.compressionType;
    const body = type === "none" ? records : compress(type, records);
    const bytes = new Uint8Array(RECORD_BATCH_OVERHEAD + body.length);
    bytes.set(batch.bytes.subarray(0, RECORD_BATCH_OVERHEAD));
    bytes.set(body, RECORD_BATCH_OVERHEAD);
    const view = new DataView(bytes.buffer);
    const others = batch.attributes & ~DELETE_HORIZON_FLAG;
    const isAppendTime = batch.timestampType === "log-append-time";
    view.setInt32(BATCH_LENGTH_AT, bytes.length - LOG_OVERHEAD);
    view.setInt16(ATTRIBUTES_AT, deleteHorizonMs === undefined ? others : others | DELETE_HORIZON_FLAG);
    setInt64(view, BASE_TIMESTAMP_AT, baseTimestamp);
    setInt64(view, MAX_TIMESTAMP_AT, isAppendTime ? batch.maxTimestamp : this.#maxTimestamp);
    view.setInt32(RECORD_COUNT_AT, this.#keptCount);
    view.setUint32(CRC_AT, crc32c(bytes, ATTRIBUTES_AT));
    return bytes;
  }

  #records(batch: RecordBatch, baseTimestamp: number): Uint8Array {
    const source = this.#source;
    const positions = this.#positions;
    // Of a batch in append time the deltas in the bytes say nothing.
    const areHeadsKept = baseTimestamp === batch.baseTimestamp && batch.timestampType === "create-time";
    const mostHeads = areHeadsKept ? 0 : this.#keptCount * MOST_RECORD_HEAD_BYTES;
    const bytes = new Uint8Array(this.#keptBytes() + mostHeads);
    let to = 0;
    if (!areHeadsKept) {
      for (let index = 0; index < this.#keptCount; index++) {
        const from = positions[NOTED * index + 1] as number;
        const end = positions[NOTED * index + 2] as number;
        to = writeHead(bytes, to, (this.#timestamps[index] as number) - baseTimestamp, end - from);
        bytes.set(source.subarray(from, end), to);
        to += end - from;
      }
      return bytes.subarray(0, to);
    }
    for (let index = 0; index < this.#keptCount;) {
      const from = positions[NOTED * index] as number;
      let end = positions[NOTED * index + 2] as number;
      for (index++; index < this.#keptCount && positions[NOTED * index] === end; index++) {
        end = positions[NOTED * index + 2] as number;
      }
      bytes.set(source.subarray(from, end), to);
      to += end - from;
    }
    return bytes.subarray(0, to);
  }

  #keptBytes(): number {
    let bytes = 0;
    for (let at = 0; at < NOTED * this.#keptCount; at += NOTED) {
      bytes += (this.#positions[at + 2] as number) - (this.#positions[at] as number);
    }
    return bytes;
  }

  #grow(): void {
    const positions = new Int32Array(2 * this.#positions.length);
    positions.set(this.#positions);
    this.#positions = positions;
    const timestamps = new Float64Array(2 * this.#timestamps.length);
    timestamps.set(this.#timestamps);
    this.#timestamps = timestamps;
  }
}

/** Length, attributes and timestamp delta of a record of which `restBytes` follow; returns where it ends. */
function writeHead(bytes: Uint8Array, at: number, timestampDelta: number, restBytes: number): number {
  if (!Number.isSafeInteger(timestampDelta)) throw new InvalidTimestampError("timestamps that are too far apart");
  const magnitude = timestampDelta < 0 ? -timestampDelta - 1 : timestampDelta;
  const sign = timestampDelta < 0 ? 1 : 0;
  let to = writeUnsigned(bytes, at, 2 * (1 + varlongSize(magnitude) + restBytes));
  bytes[to++] = 0; // attributes: none are in use
  // The zigzag of a safe integer has up to 54 bits: its lowest seven first.
  const low = (magnitude % 64) * 2 + sign;
  const rest = Math.floor(magnitude / 64);
  if (rest === 0) {
    bytes[to++] = low;
    return to;
  }
  bytes[to++] = low + 0x80;
  return writeUnsigned(bytes, to, rest);
}

function varlongSize(magnitude: number): number {
  let size = 1;
  for (let rest = Math.floor(magnitude / 64); rest > 0; rest = Math.floor(rest / 128)) size++;
  return size;
}

function writeUnsigned(bytes: Uint8Array, at: number, value: number): number {
  let to = at;
  let rest = value;
  for (; rest > 0x7f; rest = Math.floor(rest / 128)) bytes[to++] = (rest % 128) + 0x80;
  bytes[to++] = rest;
  return to;
}
