import type { Disk } from "@samsa/base";
import { assert } from "@samsa/base";
import { NO_TIMESTAMP, peekBatchSize, RECORD_BATCH_OVERHEAD, RecordBatch } from "@samsa/protocol";
import type { BatchHeader } from "./batch-header.ts";
import { readBatchHeader } from "./batch-header.ts";
import { CorruptFileError } from "./errors.ts";
import type { IndexCache } from "./index-cache.ts";
import type { LogConfig } from "./log-config.ts";
import { maxSegmentMs } from "./log-config.ts";
import { LogFile } from "./log-file.ts";
import { LOG_SUFFIX, logFileName, OFFSET_INDEX_SUFFIX, TIME_INDEX_SUFFIX, TXN_INDEX_SUFFIX } from "./log-file-names.ts";
import { OffsetIndex } from "./offset-index.ts";
import type { TimestampOffset } from "./time-index.ts";
import { TimeIndex } from "./time-index.ts";
import { TransactionIndex } from "./transaction-index.ts";

const SCAN_BYTES = 1024 * 1024;
const LOOKUP_BYTES = 16 * 1024;
const LARGEST_RELATIVE_OFFSET = 0x7fffffff;

/** What stopped a scan: the bytes from `position` on are no valid batch. */
export interface ScanProblem {
  readonly position: number;
  /** `torn`: what a write leaves behind that did not finish. `corrupt`: anything else. */
  readonly kind: "torn" | "corrupt";
  readonly message: string;
}

/** A record's timestamp and offset, with the leader epoch of its batch where it is known. */
export interface TimestampAndOffset {
  readonly timestamp: number;
  readonly offset: number;
  readonly leaderEpoch: number | undefined;
}

/** What a segment is made in. */
export interface SegmentContext {
  readonly disk: Disk;
  readonly directory: string;
  readonly config: LogConfig;
  readonly createdMs: number; // wall-clock time
  /** Taken off `segment.ms`. */
  readonly rollJitterMs: number;
  readonly indexCache: IndexCache;
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
  readonly log: LogFile;
  readonly offsetIndex: OffsetIndex;
  readonly timeIndex: TimeIndex;
  readonly transactionIndex: TransactionIndex;
  readonly #indexIntervalBytes: number;
  readonly #rollJitterMs: number;
  #size: number;
  #writtenSize: number;
  #bytesSinceLastIndexEntry = 0;
  #maxTimestamp: TimestampOffset | undefined; // undefined: the time index knows
  #firstTimestamp: number | undefined; // the largest of the first batch
  #createdMs: number;
  #loading: Promise<string | undefined> | undefined;
  readonly #indexCache: IndexCache;
  #isActive = false;

  /** @param size of the log file; a new segment has 0 and goes on with `begin` and `createFiles` */
  constructor(baseOffset: number, size: number, context: SegmentContext) {
    const { disk, directory, config, suffix = "" } = context;
    this.baseOffset = baseOffset;
    this.log = new LogFile(disk, segmentPath(directory, baseOffset, LOG_SUFFIX) + suffix);
    const offsetIndexPath = segmentPath(directory, baseOffset, OFFSET_INDEX_SUFFIX) + suffix;
    const timeIndexPath = segmentPath(directory, baseOffset, TIME_INDEX_SUFFIX) + suffix;
    this.offsetIndex = new OffsetIndex(disk, offsetIndexPath, baseOffset, config.segmentIndexBytes);
    this.timeIndex = new TimeIndex(disk, timeIndexPath, baseOffset, config.segmentIndexBytes);
    const transactionIndexPath = segmentPath(directory, baseOffset, TXN_INDEX_SUFFIX) + suffix;
    this.transactionIndex = new TransactionIndex(disk, transactionIndexPath, baseOffset);
    this.#indexIntervalBytes = config.indexIntervalBytes;
    this.#size = size;
    this.#writtenSize = size;
    this.#createdMs = context.createdMs;
    this.#rollJitterMs = context.rollJitterMs;
    this.#indexCache = context.indexCache;
  }

  /** Bytes of the log file once all that was appended is written. */
  get size(): number {
    return this.#size;
  }

  /** Bytes that the disk has taken. */
  get writtenSize(): number {
    return this.#writtenSize;
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

  /**
   * Reads the indexes unless they are in memory. Those that cannot be right are made anew from the log.
   * @returns what was found wrong and made good, if anything
   */
  async loadIndexes(): Promise<string | undefined> {
    if (this.areIndexesLoaded) {
      this.#indexCache.touch(this);
      return undefined;
    }
    this.#loading ??= this.#loadIndexes().finally(() => (this.#loading = undefined));
    return this.#loading;
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
    const last = await this.#withIndexes(() => this.timeIndex.lastEntry);
    this.#maxTimestamp ??= last;
    if (this.#firstTimestamp === undefined && this.#writtenSize > 0) {
      this.#firstTimestamp = (await this.#headerAt(0)).maxTimestamp;
    }
  }

  /** Whether a batch must go to a new segment; of an active segment only. */
  shouldRoll(config: LogConfig, batch: RollParams): boolean {
    const first = this.#firstTimestamp;
    const waitedMs =
      first !== undefined && first >= 0 ? batch.batchMaxTimestamp - first : batch.nowMs - this.#createdMs;
    return (
      this.#size > config.segmentBytes - batch.batchBytes ||
      (this.#size > 0 && waitedMs > maxSegmentMs(config) - this.#rollJitterMs) ||
      this.offsetIndex.isFull ||
      this.timeIndex.isFull ||
      batch.batchLastOffset - this.baseOffset > LARGEST_RELATIVE_OFFSET
    );
  }

  /** Whether it is older than a segment may become, though nothing is appended; of an active segment only. */
  isOverdue(config: LogConfig, nowMs: number): boolean {
    return this.#size > 0 && nowMs - this.#createdMs > maxSegmentMs(config) - this.#rollJitterMs;
  }

  /**
   * Notes a batch at the end; returns where its bytes are to be written. Of an active segment only.
   *
   * The index entry is Kafka's (LogSegment.append): it is made before the batch counts, so more than the interval lies between
   * the starts of two indexed batches, and the first batch of a segment has none.
   */
  append(batch: RecordBatch): number {
    const position = this.#size;
    const { lastOffset, maxTimestamp, sizeInBytes } = batch;
    assert(this.#maxTimestamp !== undefined, "a segment is active before it is appended to");
    assert(lastOffset - this.baseOffset <= LARGEST_RELATIVE_OFFSET, "a segment holds 2^31 offsets");
    this.#firstTimestamp ??= maxTimestamp;
    if (maxTimestamp > this.#maxTimestamp.timestamp) {
      this.#maxTimestamp = { timestamp: maxTimestamp, offset: lastOffset };
    }
    if (this.#bytesSinceLastIndexEntry > this.#indexIntervalBytes) {
      this.offsetIndex.append(lastOffset, position);
      this.timeIndex.maybeAppend(this.#maxTimestamp.timestamp, this.#maxTimestamp.offset);
      this.#bytesSinceLastIndexEntry = 0;
    }
    this.#bytesSinceLastIndexEntry += sizeInBytes;
    this.#size += sizeInBytes;
    return position;
  }

  /** Nothing more is appended, and the indexes have been flushed: their memory may be wanted for others. */
  deactivate(): void {
    this.#isActive = false;
    if (this.areIndexesLoaded) this.#indexCache.add(this);
  }

  /** The disk has taken so many bytes. */
  markWritten(writtenSize: number): void {
    this.#writtenSize = writtenSize;
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
    this.#maxTimestamp ??= await this.#withIndexes(() => this.timeIndex.lastEntry);
    return this.#maxTimestamp;
  }

  /** The largest timestamp for retention: where no record has one, that of the segment itself. */
  async readRetentionTimestamp(): Promise<number> {
    const { timestamp } = await this.readMaxTimestamp();
    return timestamp >= 0 ? timestamp : this.#createdMs;
  }

  /** The largest timestamp of the first batch; that of the segment itself where it has none. */
  async readFirstTimestamp(): Promise<number> {
    if (this.#firstTimestamp === undefined && this.#writtenSize > 0) {
      this.#firstTimestamp = (await this.#headerAt(0)).maxTimestamp;
    }
    const first = this.#firstTimestamp ?? NO_TIMESTAMP;
    return first >= 0 ? first : this.#createdMs;
  }

  /** The offset after the last batch; the base offset when there is none. Reads from the last index entry on. */
  async readNextOffset(): Promise<number> {
    let nextOffset = this.baseOffset;
    for await (const header of this.headers(await this.#lookup(Number.MAX_SAFE_INTEGER))) {
      nextOffset = header.lastOffset + 1;
    }
    return nextOffset;
  }

  /** The batch that holds the offset, or the next one after a gap; undefined when the segment ends before. */
  async findBatch(offset: number): Promise<BatchHeader | undefined> {
    for await (const header of this.headers(await this.#lookup(offset))) {
      if (header.lastOffset >= offset) return header;
    }
    return undefined;
  }

  /** The first record from `startOffset` on whose timestamp is not below the one sought. */
  async findOffsetByTimestamp(timestamp: number, startOffset: number): Promise<TimestampAndOffset | undefined> {
    const lowerBound = await this.#withIndexes(() => this.timeIndex.lookup(timestamp));
    const from = await this.#lookup(Math.max(lowerBound.offset, startOffset));
    for await (const { position, maxTimestamp } of this.headers(from)) {
      if (maxTimestamp < timestamp) continue;
      const batch = await this.readBatch(position);
      for (const record of batch.records()) {
        if (record.timestamp >= timestamp && record.offset >= startOffset) return found(record, batch);
      }
    }
    return undefined;
  }

  /** The first record that has the segment's largest timestamp. */
  async findMaxTimestamp(): Promise<TimestampAndOffset | undefined> {
    const max = await this.readMaxTimestamp();
    for await (const { position, maxTimestamp } of this.headers(await this.#lookup(max.offset))) {
      if (maxTimestamp !== max.timestamp) continue;
      const batch = await this.readBatch(position);
      for (const record of batch.records()) if (record.timestamp === max.timestamp) return found(record, batch);
    }
    return undefined;
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
        window = await this.log.readFully(position, Math.min(LOOKUP_BYTES, this.#writtenSize - position));
      }
      const header = this.#parseHeader(window, position - windowStart, position);
      if (header.baseOffset < nextOffset) throw this.corruptAt(position, "its offsets do not rise");
      yield header;
      nextOffset = header.lastOffset + 1;
      position += header.sizeInBytes;
    }
  }

  /** A whole batch, its CRC checked. @throws CorruptFileError */
  async readBatch(position: number): Promise<RecordBatch> {
    const { sizeInBytes } = await this.#headerAt(position);
    try {
      const batch = new RecordBatch(await this.log.readFully(position, sizeInBytes));
      batch.ensureValid();
      return batch;
    } catch (error) {
      throw this.corruptAt(position, error);
    }
  }

  /**
   * Checks every byte from the start and makes both indexes anew, in memory. Stops at what is no valid batch and counts nothing
   * after it, but leaves the file: whether that is a torn tail to be cut or a failed disk is for the caller to say.
   *
   * @param visit called for each valid batch, in order
   */
  async recover(visit?: (batch: RecordBatch) => void): Promise<ScanProblem | undefined> {
    const fileSize = this.#size;
    this.offsetIndex.reset();
    this.timeIndex.reset();
    this.#maxTimestamp = { timestamp: NO_TIMESTAMP, offset: this.baseOffset };
    this.#size = 0;
    this.#firstTimestamp = undefined;
    this.#bytesSinceLastIndexEntry = 0;
    let window: Uint8Array = new Uint8Array(0);
    let windowStart = 0;
    let nextOffset = this.baseOffset;
    let problem: ScanProblem | undefined;
    while (this.#size < fileSize) {
      const position = this.#size;
      const remaining = fileSize - position;
      if (wholeBatchSize(window, position - windowStart) === undefined && windowStart + window.length < fileSize) {
        windowStart = position;
        window = await this.log.readFully(position, Math.min(remaining, SCAN_BYTES));
        const size = announcedSize(window);
        if (size > window.length && size <= remaining) window = await this.log.readFully(position, size);
      }
      try {
        const batch = new RecordBatch(window, position - windowStart);
        batch.ensureValid();
        if (batch.baseOffset < nextOffset || batch.lastOffsetDelta < 0) throw new Error("its offsets do not rise");
        if (batch.lastOffset - this.baseOffset > LARGEST_RELATIVE_OFFSET) throw new Error("its offset is too large");
        this.append(batch);
        nextOffset = batch.nextOffset;
        visit?.(batch);
      } catch (error) {
        problem = { position, kind: await this.#kindOfProblem(position, fileSize), message: messageOf(error) };
        break;
      }
    }
    this.#writtenSize = this.#size;
    this.seal();
    return problem;
  }

  /** Cuts the file to what the segment counts, as after a recovery that stopped. */
  async cutFile(): Promise<void> {
    await this.log.truncate(this.#size);
  }

  /** Removes everything at and above the offset. Nothing may be waiting to be written. */
  async truncateTo(offset: number, nowMs: number): Promise<void> {
    assert(this.#writtenSize === this.#size, "nothing waits to be written while a segment is cut");
    const firstRemoved = await this.findBatch(offset);
    await this.activate();
    this.offsetIndex.truncateTo(offset);
    this.timeIndex.truncateTo(offset);
    this.transactionIndex.truncateTo(offset);
    if (firstRemoved !== undefined) {
      this.#size = firstRemoved.position;
      this.#writtenSize = firstRemoved.position;
      await this.cutFile();
    }
    if (this.#size === 0) {
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

  /** An error that says where in the log file the damage is. */
  corruptAt(position: number, cause: unknown): CorruptFileError {
    if (cause instanceof CorruptFileError) return cause;
    return new CorruptFileError(this.log.path, `no valid batch at ${position}: ${messageOf(cause)}`);
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

  /** Another reader's need of memory may unload the indexes between their loading and their use: then once more. */
  async #withIndexes<T>(use: () => T): Promise<T> {
    do await this.loadIndexes();
    while (!this.areIndexesLoaded);
    return use();
  }

  async #loadIndexes(): Promise<string | undefined> {
    const offsetProblem = await this.offsetIndex.load();
    const timeProblem = await this.timeIndex.load();
    let problem: string | undefined;
    if (offsetProblem !== undefined) problem = `${this.offsetIndex.file.path}: ${offsetProblem}`;
    else if (timeProblem !== undefined) problem = `${this.timeIndex.file.path}: ${timeProblem}`;
    else if (!this.offsetIndex.isWithin(this.#size)) {
      problem = `${this.offsetIndex.file.path}: an entry points past the end of the log`;
    }
    if (problem !== undefined) {
      const stopped = await this.recover();
      if (stopped !== undefined) throw this.corruptAt(stopped.position, stopped.message);
      await this.flushIndexes(false);
      problem += "; made anew from the log";
    }
    if (!this.#isActive) this.#indexCache.add(this);
    return problem;
  }

  async #headerAt(position: number): Promise<BatchHeader> {
    const length = Math.min(RECORD_BATCH_OVERHEAD, this.#writtenSize - position);
    return this.#parseHeader(await this.log.readFully(position, length), 0, position);
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

  /**
   * A write that did not finish leaves a batch that reaches beyond the file, or zeros up to its end where the file system had
   * recorded the size before the content.
   */
  async #kindOfProblem(position: number, fileSize: number): Promise<ScanProblem["kind"]> {
    const head = await this.log.readFully(position, Math.min(RECORD_BATCH_OVERHEAD, fileSize - position));
    if (head.length < RECORD_BATCH_OVERHEAD || position + announcedSize(head) > fileSize) return "torn";
    for (let at = position; at < fileSize; at += SCAN_BYTES) {
      const bytes = await this.log.readFully(at, Math.min(SCAN_BYTES, fileSize - at));
      if (bytes.some((byte) => byte !== 0)) return "corrupt";
    }
    return "torn";
  }
}

function segmentPath(directory: string, baseOffset: number, suffix: string): string {
  return `${directory}/${logFileName(baseOffset, suffix)}`;
}

/** `PATH/00000000000000000000.log.swap` and `.deleted` give `PATH/00000000000000000000.log.deleted`. */
function withState(path: string, state: string): string {
  return path.replace(/\.(deleted|cleaned|swap)$/, "") + state;
}

function found(record: { timestamp: number; offset: number }, batch: RecordBatch): TimestampAndOffset {
  const leaderEpoch = batch.partitionLeaderEpoch;
  return {
    timestamp: record.timestamp,
    offset: record.offset,
    leaderEpoch: leaderEpoch < 0 ? undefined : leaderEpoch,
  };
}

/** Size of the batch at `at` when all of it is in `bytes`. */
function wholeBatchSize(bytes: Uint8Array, at: number): number | undefined {
  const size = announcedSize(bytes, at);
  return size > 0 && size <= bytes.length - at ? size : undefined;
}

/** Size of the batch that begins at `at`; 0 when none begins there. */
function announcedSize(bytes: Uint8Array, at = 0): number {
  try {
    return peekBatchSize(bytes, at) ?? 0;
  } catch {
    return 0;
  }
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
