import type { Clock, Random } from "@samsa/base";
import { assert } from "@samsa/base";
import type { RecordBatch } from "@samsa/protocol";
import { BrokenPromiseError, KafkaStorageError } from "./errors.ts";
import type { IndexCache } from "./index-cache.ts";
import type { LogConfig } from "./log-config.ts";
import { maxSegmentMs } from "./log-config.ts";
import { LogFence } from "./log-fence.ts";
import { CLEANED_SUFFIX, DELETED_SUFFIX, SWAP_SUFFIX } from "./log-file-names.ts";
import { LogReader } from "./log-reader.ts";
import type { DiskRead, DiskReadResult, PlannedRead } from "./log-reader.ts";
import { LogSegment } from "./log-segment.ts";
import { LogSegments } from "./log-segments.ts";
import type { PooledDisk } from "./pooled-disk.ts";
import type { ProducerSnapshots } from "./producer-snapshot-file.ts";
import type { ProducerStateFields } from "./producer-state-entry.ts";
import type { ReadAheadBudget } from "./read-ahead.ts";
import { ReadWriteGate } from "./read-write-gate.ts";
import { SegmentRemovals } from "./segment-removals.ts";
import type { TailCacheBudget, TailRead } from "./tail-cache.ts";
import { TailCache } from "./tail-cache.ts";
import { WriteQueue } from "./write-queue.ts";
import type { Written } from "./written.ts";

export interface LocalLogOptions {
  readonly disk: PooledDisk;
  readonly clock: Clock;
  readonly random: Random;
  readonly name: string; // for messages
  readonly directory: string;
  readonly config: LogConfig;
  readonly tailCache: TailCacheBudget;
  readonly readAhead: ReadAheadBudget;
  readonly indexCache: IndexCache;
  readonly segments: readonly LogSegment[];
  readonly snapshots: ProducerSnapshots;
  readonly logEndOffset: number;
  readonly recoveryPoint: number;
  /** Called after each group of appends that was written, before their promises settle. */
  readonly onWritten: () => void;
  /** Called once, when the log is fenced. */
  readonly onFailure: (failure: KafkaStorageError) => void;
}

/**
 * The files of one log and what is on its way to them: segments, producer snapshots, the queue of writes, the tail in memory,
 * the recovery point. What the offsets mean, who wrote them and what may be read is for the UnifiedLog to say.
 *
 * Whatever fails of what is done here fences the log.
 */
export class LocalLog {
  readonly segments: LogSegments;
  readonly fence: LogFence;
  readonly snapshots: ProducerSnapshots;
  config: LogConfig;
  readonly #disk: PooledDisk;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #name: string;
  readonly #indexCache: IndexCache;
  readonly #onWritten: () => void;
  readonly #onFailure: (failure: KafkaStorageError) => void;
  readonly #tail: TailCache;
  readonly #queue: WriteQueue;
  readonly #reader: LogReader;
  readonly #gate = new ReadWriteGate();
  readonly #removals: SegmentRemovals;
  #directory: string;
  #logEndOffset: number;
  #writtenEndOffset: number;
  #recoveryPoint: number;
  #lastFlushMs: number;
  #flushing: Promise<void> = Promise.resolve();
  #isExclusive = false;
  #truncation: Promise<void> = Promise.resolve();
  #truncationCount = 0;
  #closing: Promise<void> | undefined;

  constructor(options: LocalLogOptions) {
    this.#disk = options.disk;
    this.#clock = options.clock;
    this.#random = options.random;
    this.#name = options.name;
    this.#indexCache = options.indexCache;
    this.#onWritten = options.onWritten;
    this.#onFailure = options.onFailure;
    this.config = options.config;
    this.segments = new LogSegments(options.segments);
    this.snapshots = options.snapshots;
    this.#directory = options.directory;
    this.#logEndOffset = options.logEndOffset;
    this.#writtenEndOffset = options.logEndOffset;
    this.#recoveryPoint = options.recoveryPoint;
    this.#lastFlushMs = options.clock.wallMs();
    this.#tail = new TailCache(options.tailCache);
    this.#tail.markWritten(options.logEndOffset);
    this.#reader = new LogReader({
      segments: this.segments,
      logEndOffset: () => this.#logEndOffset,
      tailStartOffset: () => this.#tail.startOffset,
      gate: this.#gate,
      readAhead: options.readAhead,
    });
    this.fence = new LogFence({
      name: options.name,
      directory: () => this.#directory,
      onFailure: (failure) => this.#fenced(failure),
    });
    this.#queue = new WriteQueue({
      onWritten: (endOffset) => this.#groupWritten(endOffset),
      onFailure: (cause) => this.fence.fail(cause),
    });
    this.#removals = new SegmentRemovals(options.clock, this.fence);
  }

  get directory(): string {
    return this.#directory;
  }

  /** The offset that the next record gets. */
  get logEndOffset(): number {
    return this.#logEndOffset;
  }

  /** End of what the disk has taken. */
  get writtenEndOffset(): number {
    return this.#writtenEndOffset;
  }

  /** Everything below has been synced. */
  get recoveryPoint(): number {
    return this.#recoveryPoint;
  }

  /** Bytes that were appended and wait for the disk. */
  get pendingBytes(): number {
    return this.#queue.pendingBytes;
  }

  /** Wall-clock time of the last sync, or of the start. */
  get lastFlushMs(): number {
    return this.#lastFlushMs;
  }

  /** Grows with every truncation: what was known of positions and offsets before is not so any more. */
  get truncationCount(): number {
    return this.#truncationCount;
  }

  /** Being truncated or closed: what was decided before the wait may not be done any more. */
  get isChanging(): boolean {
    return this.#isExclusive || this.#closing !== undefined;
  }

  /** @throws KafkaStorageError unless appends are taken */
  checkWritable(): void {
    this.fence.check();
    if (this.#closing !== undefined) throw new KafkaStorageError(`${this.#name} is being closed`);
    assert(!this.#isExclusive, "nothing is appended while a log is truncated");
  }

  /** Whether the batch must go to a new segment. */
  shouldRoll(batch: RecordBatch): boolean {
    const { active } = this.segments;
    if (active.size === 0 && active.baseOffset === batch.baseOffset) return false;
    return active.shouldRoll(this.config, {
      batchBytes: batch.sizeInBytes,
      batchMaxTimestamp: batch.maxTimestamp,
      batchLastOffset: batch.lastOffset,
      nowMs: this.#clock.wallMs(),
    });
  }

  /** Takes the next batch: it can be read at once. Returns whether, and when, the disk has it. */
  append(batch: RecordBatch): Written {
    const { active } = this.segments;
    const position = active.append(batch);
    this.#logEndOffset = batch.nextOffset;
    this.#tail.add(batch);
    return this.#queue.write(active, position, batch.bytes, batch.nextOffset);
  }

  /** Writes what was appended, without waiting for more, where the disk is quick about it. */
  writeNow(): void {
    this.#queue.writeNow();
  }

  /** Queues something to be done after what was appended before and before what comes after. */
  perform(effect: () => Promise<void>): Promise<void> {
    return this.#queue.perform(effect);
  }

  /** Resolves when all that was appended has been written. */
  settled(): Promise<void> {
    return this.#queue.settled();
  }

  /**
   * Closes the active segment and begins another.
   * @param baseOffset the log end offset or, on a follower, that of the batch which comes next after a gap
   * @param producers as of there, unless a snapshot says so already
   */
  roll(baseOffset: number, producers: readonly ProducerStateFields[] | undefined): void {
    const previous = this.segments.active;
    const next = this.#newSegment(baseOffset);
    previous.seal();
    this.segments.add(next);
    void this.#queue.perform(async () => {
      // Before the next segment is there: the recovery point may lie at its start already, and then nothing would make the
      // last entries of these indexes anew after a crash.
      await previous.flushIndexes(true);
      if (producers !== undefined) await this.snapshots.write(baseOffset, producers);
      // A segment that lost its end could not be told from one that was compacted, if there were another after it.
      if (this.config.cleanupPolicy.includes("compact")) await this.#flushTo(baseOffset, previous);
      await next.createFiles();
      // Synced beside the writes that follow; it fences the log itself when it fails.
      void this.#flushTo(baseOffset, previous).catch(() => undefined);
    });
  }

  /** What the tail in memory has; undefined when the offset lies before it. See TailCache.read. */
  readTail({ fetchOffset, maxBytes, minOneMessage, upToOffset }: DiskRead): TailRead | undefined {
    return this.#tail.read(fetchOffset, maxBytes, minOneMessage, upToOffset);
  }

  /** See LogReader.readAhead. */
  readAhead(read: DiskRead): DiskReadResult | undefined {
    return this.#reader.readAhead(read);
  }

  /** See LogReader.plan. */
  plan(read: DiskRead): PlannedRead | undefined {
    return this.#reader.plan(read);
  }

  /** @throws BrokenPromiseError when it is not there any more; see LogReader.readPlanned */
  async readPlanned(planned: PlannedRead): Promise<Uint8Array> {
    const records = await this.readSegments(() => this.#reader.readPlanned(planned));
    if (records === undefined) throw new BrokenPromiseError(this.#name, planned.read.fetchOffset);
    return records;
  }

  /** See LogReader.read. */
  read(read: DiskRead): Promise<DiskReadResult | undefined> {
    return this.readSegments(() => this.#reader.read(read));
  }

  /** Does something with segments that nobody cuts, replaces or closes meanwhile. */
  readSegments<T>(action: () => Promise<T>): Promise<T> {
    return this.#gate.shared(() => this.fence.guard(action));
  }

  /** Does something while nobody reads segments. */
  changeSegments<T>(action: () => Promise<T>): Promise<T> {
    return this.#gate.exclusive(() => this.fence.guard(action));
  }

  /** Does something that cuts the log: after everything queued, with readers and appends shut out. */
  truncating(action: () => Promise<void>): Promise<void> {
    this.checkWritable();
    this.#isExclusive = true;
    const truncated = this.#truncate(action);
    this.#truncation = truncated.catch(() => undefined); // who truncates is told
    return truncated;
  }

  /** Before a truncation: the recovery point may not be noted down above what is left. Within `truncating`. */
  lowerRecoveryPoint(offset: number): void {
    this.#recoveryPoint = Math.min(this.#recoveryPoint, offset);
  }

  /**
   * Removes everything at and above the offset, which the first segment reaches. Within `truncating`. All of it is synced: what
   * was cut off must not come back, after a loss of power, behind what takes its place.
   */
  async truncateTo(offset: number): Promise<void> {
    const removed = this.segments.all.filter((segment) => segment.baseOffset > offset);
    this.segments.remove(removed);
    this.#setEndOffset(offset);
    // The last segments go first: a crash in between must not leave a gap.
    for (const segment of removed.toReversed()) await segment.remove();
    if (removed.length > 0) await this.#disk.syncDirectory(this.#directory);
    const { active } = this.segments;
    await active.truncateTo(offset, this.#clock.wallMs());
    await active.flush();
  }

  /** Removes everything; the next record gets this offset. Within `truncating`. */
  async truncateFullyAndStartAt(offset: number): Promise<void> {
    const active = this.#newSegment(offset);
    const removed = this.segments.replaceAll(active);
    this.#setEndOffset(offset);
    await this.snapshots.removeWhere(() => true); // first: what they say of a shorter log would be believed
    for (const segment of removed.toReversed()) await segment.remove();
    await active.createFiles();
    await this.#disk.syncDirectory(this.#directory);
  }

  /**
   * Gives the files of segments that are out of use, the oldest ones of the log, the ending `.deleted`. They go after
   * `file.delete.delay.ms`. Within `changeSegments`.
   */
  async deleteSegments(removed: readonly LogSegment[]): Promise<void> {
    await this.#removals.makeRoomFor(removed);
    // The oldest goes first: a crash in between leaves a log without a gap.
    for (const segment of removed) {
      await segment.changeSuffix(DELETED_SUFFIX);
      await this.snapshots.remove(segment.baseOffset);
    }
    await this.#disk.syncDirectory(this.#directory);
    this.#removals.removeLater(removed, this.config.fileDeleteDelayMs);
  }

  /** A segment for the cleaner to fill, which is in no use until `replaceSegments`. */
  newCleanedSegment(baseOffset: number): LogSegment {
    return this.#newSegment(baseOffset, CLEANED_SUFFIX);
  }

  /** See UnifiedLog.replaceSegments. */
  replaceSegments(cleaned: LogSegment, sources: readonly LogSegment[], truncationCount: number): Promise<boolean> {
    return this.changeSegments(async () => {
      if (this.isChanging || truncationCount !== this.#truncationCount) return false;
      if (!this.segments.hasInactive(sources)) return false;
      // Records without timestamps are as old as their file, and those that stay have become no younger.
      const last = sources.at(-1);
      if (last !== undefined) await cleaned.setModifiedMs(await last.readModifiedMs());
      await this.#removals.makeRoomFor(sources);
      await cleaned.changeSuffix(SWAP_SUFFIX);
      await this.#disk.syncDirectory(this.#directory);
      for (const segment of sources) await segment.changeSuffix(DELETED_SUFFIX);
      await cleaned.changeSuffix("");
      await this.#disk.syncDirectory(this.#directory);
      for (const segment of sources.slice(1)) await this.snapshots.remove(segment.baseOffset);
      this.segments.replace(sources, cleaned);
      // Of aborted transactions the index names only those of which a batch is left: what is in memory has to go with the others.
      this.#tail.evictBelow(this.segments.baseOffsetAfter(cleaned));
      this.#reader.forget();
      cleaned.deactivate();
      this.#removals.removeLater(sources, this.config.fileDeleteDelayMs);
      return true;
    });
  }

  /** Syncs everything that has been appended so far, and moves the recovery point there. */
  async flush(): Promise<void> {
    this.fence.check();
    let truncationCount: number;
    let endOffset: number;
    do {
      if (this.#isExclusive) await this.#truncation;
      truncationCount = this.#truncationCount;
      endOffset = this.#logEndOffset;
      await this.#queue.settled();
      // A truncation in between: the recovery point must not end up above what is left.
    } while (this.#isExclusive || truncationCount !== this.#truncationCount);
    await this.#flushTo(endOffset);
  }

  /** Writes and syncs what lies below an offset, and the name of the segment that begins there. */
  async flushBelow(offset: number): Promise<void> {
    await this.#queue.settled();
    await this.#flushTo(offset);
    await this.#disk.syncDirectory(this.#directory);
  }

  /** Refuses appends from now on, syncs what was appended, completes the indexes and closes the files. */
  close(finish: () => Promise<void>): Promise<void> {
    this.#closing ??= this.#close(finish);
    return this.#closing;
  }

  /** Stops at once, without syncing: what is left of the log is to be removed, or cannot be reached. */
  async abandon(reason: string): Promise<void> {
    this.fence.close();
    this.#queue.fail(new KafkaStorageError(`${this.#name} ${reason}`));
    this.#closing ??= this.#closeFiles();
    await this.#closing;
  }

  /** The folder has been renamed. */
  moveTo(directory: string): void {
    this.#directory = directory;
    this.snapshots.moveTo(directory);
    for (const segment of this.segments.all) segment.moveTo(directory);
  }

  /** Gives the folder another name while the log is in use: no file is made, synced or opened under the old one meanwhile. */
  async rename(directory: string): Promise<void> {
    await this.changeSegments(() =>
      this.#queue.perform(async () => {
        const renamed = this.#flushing.then(() =>
          this.fence.guard(async () => {
            await this.#disk.rename(this.#directory, directory);
            this.moveTo(directory);
          }),
        );
        this.#flushing = renamed.catch(() => undefined);
        await renamed;
      }),
    );
  }

  #newSegment(baseOffset: number, suffix = ""): LogSegment {
    const segment = new LogSegment(baseOffset, 0, {
      disk: this.#disk,
      directory: this.#directory,
      config: this.config,
      createdMs: this.#clock.wallMs(),
      rollJitterMs: randomJitterMs(this.config, this.#random),
      indexCache: this.#indexCache,
      suffix,
    });
    segment.begin();
    return segment;
  }

  #groupWritten(endOffset: number): Promise<void> | undefined {
    if (endOffset - this.#recoveryPoint >= this.config.flushMessages) {
      return this.#flushTo(endOffset).then(() => this.#moveWrittenEndOffset(endOffset));
    }
    this.#moveWrittenEndOffset(endOffset);
    return undefined;
  }

  #moveWrittenEndOffset(endOffset: number): void {
    this.#writtenEndOffset = endOffset;
    this.#tail.markWritten(endOffset);
    this.#onWritten();
  }

  /** Syncs what is below the offset, which has been written; one sync of a log at a time. `rolled` is not written to any more. */
  #flushTo(endOffset: number, rolled?: LogSegment): Promise<void> {
    this.#flushing = this.#flushing.then(() =>
      this.fence.guard(async () => {
        rolled?.deactivate();
        if (endOffset <= this.#recoveryPoint) return;
        const dirty = this.segments.from(this.#recoveryPoint).filter((segment) => segment.baseOffset < endOffset);
        for (const segment of dirty) await segment.flush();
        // A segment that began since the last sync: its name has to last, too.
        if (dirty.some((segment) => segment.baseOffset >= this.#recoveryPoint)) {
          await this.#disk.syncDirectory(this.#directory);
        }
        this.#recoveryPoint = Math.max(this.#recoveryPoint, endOffset);
        this.#lastFlushMs = this.#clock.wallMs();
      }),
    );
    const flushed = this.#flushing;
    this.#flushing = flushed.catch(() => undefined); // the next one is refused by the fence
    return flushed;
  }

  #setEndOffset(offset: number): void {
    this.#logEndOffset = offset;
    this.#writtenEndOffset = offset;
    this.#recoveryPoint = Math.min(this.#recoveryPoint, offset);
    this.#reader.forget();
    this.#tail.clear();
    this.#tail.markWritten(offset);
  }

  async #truncate(action: () => Promise<void>): Promise<void> {
    try {
      await this.#queue.settled();
      await this.#flushing;
      this.#truncationCount++;
      await this.changeSegments(action);
    } finally {
      this.#isExclusive = false;
    }
  }

  async #close(finish: () => Promise<void>): Promise<void> {
    try {
      if (!this.fence.isUsable) return;
      this.segments.active.seal();
      await this.flush();
      await this.fence.guard(async () => {
        await this.segments.active.flushIndexes(true);
        await finish();
      });
    } finally {
      await this.#closeFiles();
    }
  }

  async #closeFiles(): Promise<void> {
    this.fence.close();
    this.#tail.clear();
    this.#reader.forget();
    await this.#queue.ended();
    await this.#flushing;
    await this.#gate.exclusive(async () => {
      this.#reader.forget(); // what was under way may have gone on
      await this.#removals.end();
      for (const segment of this.segments.all) {
        // What a fenced log says on closing changes nothing any more.
        if (this.fence.failure === undefined) await segment.close();
        else await segment.close().catch(() => undefined);
      }
    });
  }

  #fenced(failure: KafkaStorageError): void {
    this.#queue.fail(failure);
    this.#tail.clear();
    this.#reader.forget();
    this.#onFailure(failure);
  }
}

function randomJitterMs(config: LogConfig, random: Random): number {
  const most = Math.min(config.segmentJitterMs, maxSegmentMs(config));
  return most <= 0 ? 0 : random.uint32() % most;
}
