import { assert, ByteReader, ByteWriter } from "@samsa/base";
import { NO_TIMESTAMP } from "@samsa/protocol";
import { LogIndex } from "./log-index.ts";
import type { PooledDisk } from "./pooled-disk.ts";

const ENTRY_SIZE = 12;
const TWO_32 = 0x1_0000_0000;

/** A timestamp, and the last offset of the batch that has it as its largest. */
export interface TimestampOffset {
  readonly timestamp: number;
  readonly offset: number;
}

/**
 * `.timeindex`: the largest timestamp so far.
 *
 *     | timestamp: int64 | offset - base offset: int32 |
 *
 * No record before the offset has a timestamp above the entry's. The last entry is written when the segment is rolled or
 * closed, and so names the largest timestamp of the segment.
 */
export class TimeIndex extends LogIndex {
  constructor(disk: PooledDisk, path: string, baseOffset: number, maxIndexBytes: number) {
    super(disk, path, baseOffset, ENTRY_SIZE, maxIndexBytes);
  }

  // One place stays free for the last entry, which is written when the segment rolls.
  override get isFull(): boolean {
    return this.entryCount >= this.maxEntries - 1;
  }

  get lastEntry(): TimestampOffset {
    return this.#entryAt(this.entryCount - 1);
  }

  /** Adds an entry unless the timestamp is not above the last one. */
  maybeAppend(timestamp: number, offset: number): void {
    const last = this.lastEntry;
    if (timestamp <= last.timestamp) return;
    assert(this.entryCount === 0 || offset >= last.offset, "offsets of an index do not fall");
    const relative = this.relativeOffset(offset);
    const writer = new ByteWriter(ENTRY_SIZE);
    writer.int64(timestamp);
    writer.int32(relative);
    const bytes = writer.toBytes();
    const at = this.addEntry();
    for (let index = 0; index < ENTRY_SIZE; index++) this.view.setUint8(at + index, bytes[index] ?? 0);
  }

  /** The last entry whose timestamp is not above the target: NO_TIMESTAMP and the base offset when there is none. */
  lookup(timestamp: number): TimestampOffset {
    return this.#entryAt(this.largestLowerBound(timestamp, this.#timestampAt));
  }

  /** Forgets what names an offset at or above this one. */
  truncateTo(offset: number): void {
    this.truncateToEntries(this.largestLowerBound(offset - 1, this.#offsetAt) + 1);
  }

  protected override findProblem(): string | undefined {
    let last: TimestampOffset = { timestamp: NO_TIMESTAMP, offset: this.baseOffset };
    for (let index = 0; index < this.entryCount; index++) {
      // An int64 that is no exact number cannot be the timestamp of a record either.
      const reader = new ByteReader(new Uint8Array(this.view.buffer, this.view.byteOffset + index * ENTRY_SIZE, 8));
      let timestamp: number;
      try {
        timestamp = reader.int64();
      } catch {
        return `the timestamp of entry ${index} is out of range`;
      }
      const offset = this.#offsetAt(index);
      if (timestamp <= last.timestamp || offset < last.offset) return `entry ${index} does not rise`;
      last = { timestamp, offset };
    }
    return undefined;
  }

  #entryAt(entry: number): TimestampOffset {
    if (entry < 0) return { timestamp: NO_TIMESTAMP, offset: this.baseOffset };
    return { timestamp: this.#timestampAt(entry), offset: this.#offsetAt(entry) };
  }

  readonly #timestampAt = (entry: number): number =>
    this.view.getInt32(entry * ENTRY_SIZE) * TWO_32 + this.view.getUint32(entry * ENTRY_SIZE + 4);
  readonly #offsetAt = (entry: number): number => this.baseOffset + this.view.getInt32(entry * ENTRY_SIZE + 8);
}
