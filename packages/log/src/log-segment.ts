import { assert } from "@samsa/base";
import { NO_TIMESTAMP } from "@samsa/protocol";
import type { RecordBatch } from "@samsa/protocol";
import type { BatchHeader } from "./batch-header.ts";
import { CorruptFileError } from "./errors.ts";
import { FileRecords } from "./file-records.ts";
import type { TimestampAndOffset } from "./file-records.ts";
import type { IndexCache } from "./index-cache.ts";
import type { LogConfig } from "./log-config.ts";
import { maxSegmentMs } from "./log-config.ts";
import type { LogFile } from "./log-file.ts";
import { LOG_SUFFIX, logFileName, OFFSET_INDEX_SUFFIX, TIME_INDEX_SUFFIX, TXN_INDEX_SUFFIX } from "./log-file-names.ts";
import { OffsetIndex } from "./offset-index.ts";
import type { PooledDisk } from "./pooled-disk.ts";
import { recoverSegment } from "./segment-recovery.ts";
import type { TimestampOffset } from "./time-index.ts";
import { TimeIndex } from "./time-index.ts";
import { TransactionIndex } from "./transaction-index.ts";

const MOST_ENTRIES_TRIED = 4;
const LARGEST_RELATIVE_OFFSET = 0x7fffffff;

/** What a segment is made in. */
export interface SegmentContext {
  readonly disk: PooledDisk;
  readonly directory: string;
  readonly config: LogConfig;
  readonly createdMs: number; // wall-clock time
  /** Taken off `segment.ms`. */
  readonly rollJitterMs: number;
  readonly indexCache: IndexCache;
  /** Told of an index that was made good. */
  readonly report?: ((path: string, message: string) => void) | undefined;
  /** An ending of the names of the files, such as `.cleaned`; none for a segment in use. */
  readonly suffix?: string;
}

/** What `shouldRoll` weighs. */
export interface RollParams {
  readonly batchBytes: number;
  readonly batchMaxTimestamp: number;
  readonly batchLastOffset: number;
  readonly nowMs: number;
}

/**
 * A run of the log in one file, with its indexes, named after its first offset.
 *
 * Deciding and doing are apart: `append` notes at once where a batch will lie, and `size` counts it; the owner writes the
 * bytes afterwards and says so with `markWritten`. Reads from the file end at `writtenSize`.
 */
export class LogSegment {
  readonly baseOffset: number;
  readonly records: FileRecords;
  readonly offsetIndex: OffsetIndex;
  readonly timeIndex: TimeIndex;
  readonly transactionIndex: TransactionIndex;
  readonly #disk: PooledDisk;
  readonly #indexIntervalBytes: number;
  readonly #rollJitterMs: number;
  #bytesSinceLastIndexEntry = 0;
  #maxTimestamp: TimestampOffset | undefined; // undefined: the time index knows
  #tailTimestamp = NO_TIMESTAMP; // the largest behind the last entry of the offset index, when that was last read
  #firstTimestamp: number | undefined; // the largest of the first batch
  #createdMs: number;
  #loading: Promise<void> | undefined;
  readonly #indexCache: IndexCache;
  readonly #report: SegmentContext["report"];
  #isActive = false;

  /** @param size of the log file; a new segment has 0 and goes on with `begin` and `createFiles` */
  constructor(baseOffset: number, size: number, context: SegmentContext) {
    const { disk, directory, config, suffix = "" } = context;
    this.baseOffset = baseOffset;
    this.#disk = disk;
    const logPath = segmentPath(directory, baseOffset, LOG_SUFFIX) + suffix;
    this.records = new FileRecords(disk, logPath, baseOffset, size);
    const offsetIndexPath = segmentPath(directory, baseOffset, OFFSET_INDEX_SUFFIX) + suffix;
    const timeIndexPath = segmentPath(directory, baseOffset, TIME_INDEX_SUFFIX) + suffix;
    this.offsetIndex = new OffsetIndex(disk, offsetIndexPath, baseOffset, config.segmentIndexBytes);
    this.timeIndex = new TimeIndex(disk, timeIndexPath, baseOffset, config.segmentIndexBytes);
    const transactionIndexPath = segmentPath(directory, baseOffset, TXN_INDEX_SUFFIX) + suffix;
    this.transactionIndex = new TransactionIndex(disk, transactionIndexPath, baseOffset);
    this.#indexIntervalBytes = config.indexIntervalBytes;
    this.#createdMs = context.createdMs;
    this.#rollJitterMs = context.rollJitterMs;
    this.#indexCache = context.indexCache;
    this.#report = context.report;
  }

  /** The `.log` file. */
  get log(): LogFile {
    return this.records.file;
  }

  /** Bytes of the log file once all that was appended is written. */
  get size(): number {
    return this.records.size;
  }

  /** Bytes that the disk has taken. */
  get writtenSize(): number {
    return this.records.writtenSize;
  }

  get areIndexesLoaded(): boolean {
    return this.offsetIndex.isLoaded && this.timeIndex.isLoaded;
  }

  /** Begins an empty segment, in memory: appends may follow at once. `createFiles` is to come before their bytes. */
  begin(): void {
    this.#isActive = true;
    this.offsetIndex.reset();
    this.timeIndex.reset();
    this.#maxTimestamp = { timestamp: NO_TIMESTAMP, offset: this.baseOffset };
  }

  /** Makes the three files of a new segment, empty. */
  async createFiles(): Promise<void> {
    for (const file of [this.log, this.offsetIndex.file, this.timeIndex.file]) await file.create();
    await this.offsetIndex.file.close();
    await this.timeIndex.file.close();
  }

  /** Reads the indexes unless they are in memory. Those that cannot be right are made anew from the log, which is told. */
  async loadIndexes(): Promise<void> {
    if (this.areIndexesLoaded) {
      this.#indexCache.touch(this);
      return;
    }
    this.#loading ??= this.#loadIndexes().finally(() => (this.#loading = undefined));
    await this.#loading;
  }

  /** After `activate` and `readNextOffset`: no CRC covers a time index, and one that was cut between two entries looks whole. */
  get isTimeIndexShort(): boolean {
    return this.#tailTimestamp > (this.#maxTimestamp?.timestamp ?? Infinity);
  }

  /** Adds what a short time index lacks: without it records are not found by their time, and the segment seems older than it is. */
  async completeTimeIndex(): Promise<void> {
    const entries: TimestampOffset[] = [];
    let max = await this.#withIndexes(() => this.timeIndex.lastEntry);
    let bytes = 0;
    for await (const header of this.headers(await this.#lookup(max.offset))) {
      if (header.maxTimestamp > max.timestamp) max = { timestamp: header.maxTimestamp, offset: header.lastOffset };
      if (bytes > this.#indexIntervalBytes) {
        entries.push(max);
        bytes = 0;
      }
      bytes += header.sizeInBytes;
    }
    await this.#withIndexes(() => {
      this.#indexCache.remove(this); // stays in memory until the file has it
      for (const { timestamp, offset } of entries) {
        if (!this.timeIndex.isFull) this.timeIndex.maybeAppend(timestamp, offset);
      }
      this.timeIndex.maybeAppend(max.timestamp, max.offset);
    });
    this.#maxTimestamp = max;
    await this.timeIndex.flush(true);
    if (!this.#isActive) this.#indexCache.add(this);
    this.#report?.(this.log.path, `${this.timeIndex.file.path}: it is short; completed from the log`);
  }

  /** Called by the IndexCache: gives the memory of the indexes back. */
  unloadIndexes(): void {
    this.offsetIndex.unload();
    this.timeIndex.unload();
  }

  get indexMemoryBytes(): number {
    return this.offsetIndex.memoryBytes + this.timeIndex.memoryBytes;
  }

  /** Reads what an active segment has to know. Its indexes stay in memory until `deactivate`. */
  async activate(): Promise<void> {
    this.#isActive = true;
    this.#indexCache.remove(this);
    this.#maxTimestamp = await this.#lastTimeEntry();
    if (this.#firstTimestamp === undefined && this.writtenSize > 0) {
      this.#firstTimestamp = (await this.records.headerAt(0)).maxTimestamp;
    }
  }

  /** Whether a batch must go to a new segment; of an active segment only. */
  shouldRoll(config: LogConfig, batch: RollParams): boolean {
    const first = this.#firstTimestamp;
    const waitedMs =
      first !== undefined && first >= 0 ? batch.batchMaxTimestamp - first : batch.nowMs - this.#createdMs;
    return (
      this.size > config.segmentBytes - batch.batchBytes ||
      (this.size > 0 && waitedMs > maxSegmentMs(config) - this.#rollJitterMs) ||
      this.offsetIndex.isFull ||
      this.timeIndex.isFull ||
      !this.canHold(batch.batchLastOffset)
    );
  }

  /** Whether it is older than a segment may become, though nothing is appended; of an active segment only. */
  isOverdue(config: LogConfig, nowMs: number): boolean {
    return this.size > 0 && nowMs - this.#createdMs > maxSegmentMs(config) - this.#rollJitterMs;
  }

  /**
   * Notes a batch at the end; returns where its bytes are to be written. Of an active segment only.
   *
   * The index entry is Kafka's (LogSegment.append): it is made before the batch counts, so more than the interval lies between
   * the starts of two indexed batches, and the first batch of a segment has none. Indexes that are full, as those of a segment
   * made of several may be, get no more: what follows is found by reading on.
   */
  append(batch: RecordBatch): number {
    const position = this.size;
    const { lastOffset, maxTimestamp, sizeInBytes } = batch;
    assert(this.#maxTimestamp !== undefined, "a segment is active before it is appended to");
    assert(this.canHold(lastOffset), "a segment holds 2^31 offsets");
    this.#firstTimestamp ??= maxTimestamp;
    if (maxTimestamp > this.#maxTimestamp.timestamp) {
      this.#maxTimestamp = { timestamp: maxTimestamp, offset: lastOffset };
    }
    if (
      this.#bytesSinceLastIndexEntry > this.#indexIntervalBytes &&
      !this.offsetIndex.isFull &&
      !this.timeIndex.isFull
    ) {
      this.offsetIndex.append(lastOffset, position);
      this.timeIndex.maybeAppend(this.#maxTimestamp.timestamp, this.#maxTimestamp.offset);
      this.#bytesSinceLastIndexEntry = 0;
    }
    this.#bytesSinceLastIndexEntry += sizeInBytes;
    return this.records.append(sizeInBytes);
  }

  /** Nothing more is appended, and the indexes have been flushed: their memory may be wanted for others. */
  deactivate(): void {
    this.#isActive = false;
    if (this.areIndexesLoaded) this.#indexCache.add(this);
  }

  /** The disk has taken so many bytes. */
  markWritten(writtenSize: number): void {
    this.records.markWritten(writtenSize);
  }

  /** The last entry of the time index, which names the segment's largest timestamp: when the segment rolls or closes. */
  seal(): void {
    if (!this.timeIndex.isLoaded || this.#maxTimestamp === undefined) return;
    this.timeIndex.maybeAppend(this.#maxTimestamp.timestamp, this.#maxTimestamp.offset);
  }

  /** Syncs what has been written, and brings both indexes to disk. */
  async flush(): Promise<void> {
    await this.log.sync();
    await this.flushIndexes(true);
  }

  /** Brings the indexes to disk, synced when asked. */
  async flushIndexes(sync: boolean): Promise<void> {
    await this.offsetIndex.flush(sync);
    await this.timeIndex.flush(sync);
    await this.transactionIndex.flush(sync);
  }

  async close(): Promise<void> {
    this.#indexCache.remove(this);
    for (const file of this.#files()) await file.close();
  }

  /** The log goes first: an index alone is removed at the next start, a log alone would be taken up again. */
  async remove(): Promise<void> {
    this.#indexCache.remove(this);
    for (const file of this.#files()) await file.remove();
  }

  /**
   * Gives the files another ending, such as `.deleted`; the empty one is that of a segment in use. The log goes first, as in
   * `remove`. Nobody may read meanwhile.
   */
  async changeSuffix(suffix: string): Promise<void> {
    this.#indexCache.remove(this);
    for (const file of this.#files()) {
      await file.rename(withState(file.path, suffix));
    }
  }

  /** The folder has another name now. */
  moveTo(directory: string): void {
    this.log.moveTo(segmentPath(directory, this.baseOffset, LOG_SUFFIX));
    this.offsetIndex.file.moveTo(segmentPath(directory, this.baseOffset, OFFSET_INDEX_SUFFIX));
    this.timeIndex.file.moveTo(segmentPath(directory, this.baseOffset, TIME_INDEX_SUFFIX));
    this.transactionIndex.file.moveTo(segmentPath(directory, this.baseOffset, TXN_INDEX_SUFFIX));
  }

  /** The largest timestamp, with the last offset of its batch. */
  async readMaxTimestamp(): Promise<TimestampOffset> {
    if (this.#maxTimestamp === undefined) {
      const last = await this.#lastTimeEntry();
      await this.readNextOffset();
      if (this.#tailTimestamp > last.timestamp) await this.completeTimeIndex();
      this.#maxTimestamp ??= last;
    }
    return this.#maxTimestamp;
  }

  /** The largest timestamp for retention: where no record has one, when the file last changed. */
  async readRetentionTimestamp(): Promise<number> {
    const { timestamp } = await this.readMaxTimestamp();
    if (timestamp >= 0) return timestamp;
    return this.size === 0 ? this.#createdMs : await this.readModifiedMs();
  }

  /** When the file last changed, by the disk's word. */
  async readModifiedMs(): Promise<number> {
    return (await this.#disk.modifiedMs(this.log.path)) ?? this.#createdMs;
  }

  /** Makes the file look as old as this. */
  setModifiedMs(wallMs: number): Promise<void> {
    return this.#disk.setModifiedMs(this.log.path, wallMs);
  }

  /** The largest timestamp of the first batch; that of the segment itself where it has none. */
  async readFirstTimestamp(): Promise<number> {
    if (this.#firstTimestamp === undefined && this.writtenSize > 0) {
      this.#firstTimestamp = (await this.records.headerAt(0)).maxTimestamp;
    }
    const first = this.#firstTimestamp ?? NO_TIMESTAMP;
    return first >= 0 ? first : this.#createdMs;
  }

  /** The offset after the last batch; the base offset when there is none. Reads from the last index entry on. */
  async readNextOffset(): Promise<number> {
    let nextOffset = this.baseOffset;
    let tailTimestamp = NO_TIMESTAMP;
    for await (const header of this.headers(await this.#lookup(Number.MAX_SAFE_INTEGER))) {
      nextOffset = header.lastOffset + 1;
      tailTimestamp = Math.max(tailTimestamp, header.maxTimestamp);
    }
    this.#tailTimestamp = tailTimestamp;
    return nextOffset;
  }

  /** The batch that holds the offset, or the next one after a gap; undefined when the segment ends before. */
  async findBatch(offset: number): Promise<BatchHeader | undefined> {
    return this.records.searchForOffset(await this.#lookupChecked(offset), offset);
  }

  /** The first record from `startOffset` on whose timestamp is not below the one sought. */
  async findOffsetByTimestamp(timestamp: number, startOffset: number): Promise<TimestampAndOffset | undefined> {
    const lowerBound = await this.#withIndexes(() => this.timeIndex.lookup(timestamp));
    const from = await this.#lookup(Math.max(lowerBound.offset, startOffset));
    return this.records.searchForTimestamp(from, timestamp, startOffset);
  }

  /** The first record that has the segment's largest timestamp. */
  async findMaxTimestamp(): Promise<TimestampAndOffset | undefined> {
    const max = await this.readMaxTimestamp();
    return this.records.searchForMaxTimestamp(await this.#lookup(max.offset), max.timestamp);
  }

  /** Counts nothing, and empties both indexes, before a scan of the file that appends what it finds. */
  startOver(): void {
    this.offsetIndex.reset();
    this.timeIndex.reset();
    this.#maxTimestamp = { timestamp: NO_TIMESTAMP, offset: this.baseOffset };
    this.#firstTimestamp = undefined;
    this.#bytesSinceLastIndexEntry = 0;
    this.records.startOver();
  }

  /** Whether the indexes can name the offset. */
  canHold(offset: number): boolean {
    return offset - this.baseOffset <= LARGEST_RELATIVE_OFFSET;
  }

  headers(from: number): AsyncGenerator<BatchHeader, undefined> {
    return this.records.headers(from);
  }

  readBatch(position: number): Promise<RecordBatch> {
    return this.records.readBatch(position);
  }

  /** Cuts the file to what the segment counts, as after a recovery that stopped. */
  async cutFile(): Promise<void> {
    await this.records.cutFile();
  }

  /** Removes everything at and above the offset. Nothing may be waiting to be written. */
  async truncateTo(offset: number, nowMs: number): Promise<void> {
    assert(this.writtenSize === this.size, "nothing waits to be written while a segment is cut");
    const firstRemoved = await this.findBatch(offset);
    await this.activate();
    this.offsetIndex.truncateTo(offset);
    this.timeIndex.truncateTo(offset);
    this.transactionIndex.truncateTo(offset);
    if (firstRemoved !== undefined) {
      this.records.resize(firstRemoved.position);
      await this.cutFile();
    }
    if (this.size === 0) {
      this.#createdMs = nowMs;
      this.#firstTimestamp = undefined;
    }
    this.#bytesSinceLastIndexEntry = 0;
    let max = this.timeIndex.lastEntry;
    for await (const header of this.headers(this.offsetIndex.lookup(max.offset))) {
      if (header.maxTimestamp > max.timestamp) max = { timestamp: header.maxTimestamp, offset: header.lastOffset };
    }
    this.#maxTimestamp = max;
    await this.flushIndexes(false);
  }

  corruptAt(position: number, cause: unknown): CorruptFileError {
    return this.records.corruptAt(position, cause);
  }

  #files(): LogFile[] {
    const files = [this.log, this.offsetIndex.file, this.timeIndex.file];
    if (this.transactionIndex.hasFile) files.push(this.transactionIndex.file);
    return files;
  }

  /** A position at or before the batch of the offset. */
  #lookup(offset: number): Promise<number> {
    return this.#withIndexes(() => this.offsetIndex.lookup(offset));
  }

  /**
   * The same, from an entry that agrees with the batch it points to. No CRC covers the base offset of a batch, and none an index:
   * where they differ, the search begins further back, and finds what is wrong if it is the batch.
   */
  async #lookupChecked(offset: number): Promise<number> {
    const entries = await this.#withIndexes(() => this.offsetIndex.lookupNearest(offset, MOST_ENTRIES_TRIED));
    for (const entry of entries) {
      const header = await this.records.headerAt(entry.position).catch((error: unknown) => {
        if (error instanceof CorruptFileError) return undefined;
        throw error;
      });
      if (header?.lastOffset === entry.offset) return entry.position;
    }
    return 0;
  }

  async #lastTimeEntry(): Promise<TimestampOffset> {
    const last = await this.#withIndexes(() => this.timeIndex.lastEntry);
    return this.#maxTimestamp ?? last;
  }

  /** Another reader's need of memory may unload the indexes between their loading and their use: then once more. */
  async #withIndexes<T>(use: () => T): Promise<T> {
    do await this.loadIndexes();
    while (!this.areIndexesLoaded);
    return use();
  }

  async #loadIndexes(): Promise<void> {
    const offsetProblem = await this.offsetIndex.load();
    const timeProblem = await this.timeIndex.load();
    let problem: string | undefined;
    if (offsetProblem !== undefined) problem = `${this.offsetIndex.file.path}: ${offsetProblem}`;
    else if (timeProblem !== undefined) problem = `${this.timeIndex.file.path}: ${timeProblem}`;
    else if (!this.offsetIndex.isWithin(this.size)) {
      problem = `${this.offsetIndex.file.path}: an entry points past the end of the log`;
    }
    if (problem !== undefined) {
      const stopped = await recoverSegment(this, false);
      if (stopped !== undefined) throw this.corruptAt(stopped.position, stopped.message);
      await this.flushIndexes(true); // the recovery point may lie above: no scan would find them torn
      this.#report?.(this.log.path, `${problem}; made anew from the log`);
    }
    if (!this.#isActive) this.#indexCache.add(this);
  }
}

function segmentPath(directory: string, baseOffset: number, suffix: string): string {
  return `${directory}/${logFileName(baseOffset, suffix)}`;
}

/** `PATH/00000000000000000000.log.swap` and `.deleted` give `PATH/00000000000000000000.log.deleted`. */
function withState(path: string, state: string): string {
  return path.replace(/\.(deleted|cleaned|swap)$/, "") + state;
}
