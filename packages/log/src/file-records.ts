import { RECORD_BATCH_OVERHEAD, RecordBatch } from "@samsa/protocol";
import type { BatchHeader } from "./batch-header.ts";
import { readBatchHeader } from "./batch-header.ts";
import { CorruptFileError } from "./errors.ts";
import { LogFile } from "./log-file.ts";
import type { PooledDisk } from "./pooled-disk.ts";

const LOOKUP_BYTES = 16 * 1024;

/** A record's timestamp and offset, with the leader epoch of its batch where it is known. */
export interface TimestampAndOffset {
  readonly timestamp: number;
  readonly offset: number;
  readonly leaderEpoch: number | undefined;
}

/** The batches in the `.log` file of a segment. `size` counts what was appended, reads end at `writtenSize`. */
export class FileRecords {
  readonly baseOffset: number;
  readonly file: LogFile;
  #size: number;
  #writtenSize: number;

  constructor(disk: PooledDisk, path: string, baseOffset: number, size: number) {
    this.baseOffset = baseOffset;
    this.file = new LogFile(disk, path);
    this.#size = size;
    this.#writtenSize = size;
  }

  /** Bytes of the file once all that was appended is written. */
  get size(): number {
    return this.#size;
  }

  /** Bytes that the disk has taken. */
  get writtenSize(): number {
    return this.#writtenSize;
  }

  /** Counts bytes at the end; returns where they are to be written. */
  append(sizeInBytes: number): number {
    const position = this.#size;
    this.#size += sizeInBytes;
    return position;
  }

  /** The disk has taken so many bytes. */
  markWritten(writtenSize: number): void {
    this.#writtenSize = writtenSize;
  }

  /** Counts nothing, before a scan that appends what it finds; readers are not to notice. */
  startOver(): void {
    this.#size = 0;
  }

  /** Counts so many bytes and no more, all of them written. The file itself follows with `cutFile`. */
  resize(size: number): void {
    this.#size = size;
    this.#writtenSize = size;
  }

  /** Cuts the file to what is counted. */
  async cutFile(): Promise<void> {
    await this.file.truncate(this.#size);
  }

  /**
   * The headers of the batches from a position that begins one, in order, read in windows.
   * @throws CorruptFileError where no batch is
   */
  async *headers(from: number): AsyncGenerator<BatchHeader, undefined> {
    let position = from;
    let window: Uint8Array = new Uint8Array(0);
    let windowStart = from;
    let nextOffset = this.baseOffset;
    while (position < this.#writtenSize) {
      if (position + RECORD_BATCH_OVERHEAD > windowStart + window.length) {
        windowStart = position;
        window = await this.file.readFully(position, Math.min(LOOKUP_BYTES, this.#writtenSize - position));
      }
      const header = this.#parseHeader(window, position - windowStart, position);
      if (header.baseOffset < nextOffset) throw this.corruptAt(position, "its offsets do not rise");
      yield header;
      nextOffset = header.lastOffset + 1;
      position += header.sizeInBytes;
    }
  }

  async headerAt(position: number): Promise<BatchHeader> {
    const length = Math.min(RECORD_BATCH_OVERHEAD, this.#writtenSize - position);
    return this.#parseHeader(await this.file.readFully(position, length), 0, position);
  }

  /** A whole batch, its CRC checked. @throws CorruptFileError */
  async readBatch(position: number): Promise<RecordBatch> {
    const { sizeInBytes } = await this.headerAt(position);
    try {
      const batch = new RecordBatch(await this.file.readFully(position, sizeInBytes));
      batch.ensureValid();
      return batch;
    } catch (error) {
      throw this.corruptAt(position, error);
    }
  }

  /** From a position that begins a batch on: the batch that holds the offset, or the next one after a gap. */
  async searchForOffset(from: number, offset: number): Promise<BatchHeader | undefined> {
    for await (const header of this.headers(from)) {
      if (header.lastOffset >= offset) return header;
    }
    return undefined;
  }

  /** From a position that begins a batch on: the first record at or after both the timestamp and the offset. */
  async searchForTimestamp(
    from: number,
    timestamp: number,
    startOffset: number,
  ): Promise<TimestampAndOffset | undefined> {
    for await (const { position, maxTimestamp } of this.headers(from)) {
      if (maxTimestamp < timestamp) continue;
      const batch = await this.readBatch(position);
      for (const record of batch.records()) {
        if (record.timestamp >= timestamp && record.offset >= startOffset) return found(record, batch);
      }
    }
    return undefined;
  }

  /** From a position that begins a batch on: the first record with the timestamp, which is the largest of its batch. */
  async searchForMaxTimestamp(from: number, timestamp: number): Promise<TimestampAndOffset | undefined> {
    for await (const { position, maxTimestamp } of this.headers(from)) {
      if (maxTimestamp !== timestamp) continue;
      const batch = await this.readBatch(position);
      for (const record of batch.records()) if (record.timestamp === timestamp) return found(record, batch);
    }
    return undefined;
  }

  /** An error that says where in the file the damage is. */
  corruptAt(position: number, cause: unknown): CorruptFileError {
    if (cause instanceof CorruptFileError) return cause;
    const message = cause instanceof Error ? cause.message : String(cause);
    return new CorruptFileError(this.file.path, `no valid batch at ${position}: ${message}`);
  }

  #parseHeader(bytes: Uint8Array, at: number, position: number): BatchHeader {
    let header: BatchHeader;
    try {
      header = readBatchHeader(bytes, at, position);
    } catch (error) {
      throw this.corruptAt(position, error);
    }
    if (position + header.sizeInBytes > this.#writtenSize) throw this.corruptAt(position, "it ends beyond the file");
    return header;
  }
}

function found(record: { timestamp: number; offset: number }, batch: RecordBatch): TimestampAndOffset {
  const leaderEpoch = batch.partitionLeaderEpoch;
  return {
    timestamp: record.timestamp,
    offset: record.offset,
    leaderEpoch: leaderEpoch < 0 ? undefined : leaderEpoch,
  };
}
