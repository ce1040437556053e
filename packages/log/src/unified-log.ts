import type { Clock, Disk, Random, Timer, Uuid } from "@samsa/base";
import { assert, ErrorCode, KafkaError } from "@samsa/base";
import { NO_TIMESTAMP } from "@samsa/protocol";
import type { RecordBatch } from "@samsa/protocol";
import type { AbortedTxn } from "@samsa/protocol/messages/aborted-txn";
import { KafkaStorageError, OffsetOutOfRangeError } from "./errors.ts";
import type { IndexCache } from "./index-cache.ts";
import type { EpochEndOffset } from "./leader-epoch-cache.ts";
import { LeaderEpochCache, LeaderEpochCheckpointFile, NO_LEADER_EPOCH } from "./leader-epoch-cache.ts";
import type { LogAppendInfo, LogAppendResult } from "./log-append.ts";
import type { LogConfig } from "./log-config.ts";
import { maxSegmentMs } from "./log-config.ts";
import { CLEANED_SUFFIX, DELETED_SUFFIX, SWAP_SUFFIX } from "./log-file-names.ts";
import { LogReader } from "./log-reader.ts";
import type { DiskRead, LogReadOptions, LogReadResult } from "./log-reader.ts";
import { LogSegment } from "./log-segment.ts";
import type { TimestampAndOffset } from "./log-segment.ts";
import type { AppendOrigin } from "./log-validator.ts";
import { validateAndAssignOffsets, validateAssigned } from "./log-validator.ts";
import type { ProducerSnapshots } from "./producer-snapshot-file.ts";
import type { BatchMetadata } from "./producer-state-entry.ts";
import { loadProducerState } from "./producer-state-loader.ts";
import type { EndMarker, LastRecord, ProducerStateManager } from "./producer-state-manager.ts";
import { endMarkerOf, hasProducerId } from "./producer-state-manager.ts";
import { ReadWriteGate } from "./read-write-gate.ts";
import { countDeletable } from "./retention.ts";
import type { TailCacheBudget } from "./tail-cache.ts";
import { TailCache } from "./tail-cache.ts";
import type { TopicPartition } from "./topic-partition.ts";
import { logDirName } from "./topic-partition.ts";
import { WriteQueue } from "./write-queue.ts";

export interface UnifiedLogOptions {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly random: Random;
  readonly directory: string;
  readonly topicPartition: TopicPartition;
  readonly topicId: Uuid;
  readonly config: LogConfig;
  readonly tailCache: TailCacheBudget;
  readonly indexCache: IndexCache;
  /** So long after its last batch a producer is forgotten. */
  readonly producerIdExpirationMs: number;
}

/** What LogLoader found on the disk. */
export interface LoadedLog {
  readonly segments: readonly LogSegment[]; // at least one, the last one active
  readonly epochs: LeaderEpochCache;
  readonly producers: ProducerStateManager;
  readonly snapshots: ProducerSnapshots;
  readonly logStartOffset: number;
  readonly logEndOffset: number;
  readonly recoveryPoint: number;
}

/**
 * The log of one partition.
 *
 * Appends are decided at once and written afterwards: when `appendAsLeader` returns, offsets are given and the batch can be read
 * from memory; when `written` resolves, the disk has it. The log end offset moves with the first, `writtenEndOffset` with the
 * second. A failure of the disk fences the log: everything rejects with KAFKA_STORAGE_ERROR from then on, and nothing that
 * failed is tried again.
 */
export class UnifiedLog {
  readonly topicPartition: TopicPartition;
  readonly topicId: Uuid;
  /** Called after each group of appends that was written, before their promises settle. */
  onWritten: ((log: UnifiedLog) => void) | undefined;
  /** Called once, when the log is fenced. */
  onFailure: ((log: UnifiedLog, error: KafkaStorageError) => void) | undefined;
  readonly #disk: Disk;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #name: string;
  readonly #epochs: LeaderEpochCache;
  readonly #producers: ProducerStateManager;
  readonly #snapshots: ProducerSnapshots;
  readonly #producerIdExpirationMs: number;
  readonly #tail: TailCache;
  readonly #queue: WriteQueue;
  readonly #indexCache: IndexCache;
  readonly #reader = new LogReader();
  readonly #gate = new ReadWriteGate();
  readonly #removals = new Map<Timer, readonly LogSegment[]>(); // segments out of use, whose files wait for their removal
  readonly #removing = new Set<Promise<void>>();
  #directory: string;
  #config: LogConfig;
  #segments: LogSegment[];
  #active: LogSegment;
  #logStartOffset: number;
  #logEndOffset: number;
  #writtenEndOffset: number;
  #recoveryPoint: number;
  #highWatermark: number;
  #lastFlushMs: number;
  #flushing: Promise<void> = Promise.resolve();
  #isSavingEpochs = false;
  #isExclusive = false;
  #isClosed = false;
  #truncationCount = 0;
  #closing: Promise<void> | undefined;
  #failure: KafkaStorageError | undefined;

  constructor(options: UnifiedLogOptions, loaded: LoadedLog) {
    const active = loaded.segments.at(-1);
    assert(active !== undefined, "a log has a segment");
    this.topicPartition = options.topicPartition;
    this.topicId = options.topicId;
    this.#disk = options.disk;
    this.#clock = options.clock;
    this.#random = options.random;
    this.#directory = options.directory;
    this.#name = logDirName(options.topicPartition);
    this.#config = options.config;
    this.#tail = new TailCache(options.tailCache);
    this.#indexCache = options.indexCache;
    this.#segments = [...loaded.segments];
    this.#active = active;
    this.#epochs = loaded.epochs;
    this.#producers = loaded.producers;
    this.#snapshots = loaded.snapshots;
    this.#producerIdExpirationMs = options.producerIdExpirationMs;
    this.#logStartOffset = loaded.logStartOffset;
    this.#logEndOffset = loaded.logEndOffset;
    this.#writtenEndOffset = loaded.logEndOffset;
    this.#recoveryPoint = loaded.recoveryPoint;
    this.#highWatermark = loaded.logStartOffset;
    this.#lastFlushMs = options.clock.wallMs();
    this.#tail.markWritten(loaded.logEndOffset);
    this.#queue = new WriteQueue({
      onWritten: (endOffset) => this.#groupWritten(endOffset),
      onFailure: (cause) => this.#fail(cause),
    });
  }

  get directory(): string {
    return this.#directory;
  }

  get config(): LogConfig {
    return this.#config;
  }

  /** The first offset that may be read. */
  get logStartOffset(): number {
    return this.#logStartOffset;
  }

  /** The offset that the next record gets. */
  get logEndOffset(): number {
    return this.#logEndOffset;
  }

  /** End of what the disk has taken: the high watermark of a sole replica may not pass it. */
  get writtenEndOffset(): number {
    return this.#writtenEndOffset;
  }

  /** Everything below has been synced. */
  get recoveryPoint(): number {
    return this.#recoveryPoint;
  }

  /** Everything below is on all in-sync replicas; the log start offset until somebody says otherwise. */
  get highWatermark(): number {
    return this.#highWatermark;
  }

  /** Where read_committed consumers stop: where the first open transaction begins, at most the high watermark. */
  get lastStableOffset(): number {
    const unstable = this.#producers.firstUnstableOffset;
    if (unstable === undefined) return this.#highWatermark;
    return Math.min(Math.max(unstable, this.#logStartOffset), this.#highWatermark);
  }

  /** Producers that are remembered, with or without a transaction. */
  get producerCount(): number {
    return this.#producers.producerCount;
  }

  get latestEpoch(): number | undefined {
    return this.#epochs.latestEpoch;
  }

  get sizeInBytes(): number {
    return this.#segments.reduce((size, segment) => size + segment.size, 0);
  }

  /** The base offset of the oldest segment. */
  get firstSegmentOffset(): number {
    return this.#segments[0]?.baseOffset ?? this.#logStartOffset;
  }

  get segmentCount(): number {
    return this.#segments.length;
  }

  /** Bytes that were appended and wait for the disk. */
  get pendingBytes(): number {
    return this.#queue.pendingBytes;
  }

  /** Wall-clock time of the last sync, or of the start. */
  get lastFlushMs(): number {
    return this.#lastFlushMs;
  }

  /** Why the log is fenced. */
  get failure(): KafkaStorageError | undefined {
    return this.#failure;
  }

  /** For the cleaner, like what follows: the segments in order, the active one last. */
  get segments(): readonly LogSegment[] {
    return this.#segments;
  }

  /** Grows with every truncation: what was known of positions and offsets before is not so any more. */
  get truncationCount(): number {
    return this.#truncationCount;
  }

  /** Neither fenced nor closed. */
  get isUsable(): boolean {
    return this.#failure === undefined && !this.#isClosed;
  }

  /** What compaction may not remove, by producer id. */
  lastRecordsOfProducers(): ReadonlyMap<number, LastRecord> {
    return this.#producers.lastRecords();
  }

  /** Does something with segments that nobody cuts, replaces or closes meanwhile. What goes wrong fences the log. */
  readSegments<T>(action: () => Promise<T>): Promise<T> {
    return this.#readDisk(action);
  }

  /** A segment for the cleaner to fill, which is in no use until `replaceSegments`. */
  newCleanedSegment(baseOffset: number): LogSegment {
    return this.#newSegment(baseOffset, CLEANED_SUFFIX);
  }

  /**
   * Puts a segment that was made from others, and synced, in their place. Readers wait meanwhile. After a crash the next start
   * finds one of these (LogLoader): `.cleaned` files, which go; all of `.swap`, which take the place of what is still there of
   * the others; or the new segment with what is left of `.deleted`.
   *
   * @param truncationCount as it was when the others were read
   * @returns false, with nothing changed, when they are not in use any more or were cut
   */
  replaceSegments(cleaned: LogSegment, sources: readonly LogSegment[], truncationCount: number): Promise<boolean> {
    return this.#gate.exclusive(() =>
      this.#guard(async () => {
        if (this.#isExclusive || this.#closing !== undefined || truncationCount !== this.#truncationCount) return false;
        const first = this.#segments.findIndex((segment) => segment === sources[0]);
        const isInUse = sources.every((segment, index) => this.#segments[first + index] === segment);
        if (first < 0 || !isInUse || sources.includes(this.#active)) return false;
        await cleaned.changeSuffix(SWAP_SUFFIX);
        await this.#disk.syncDirectory(this.#directory);
        for (const segment of sources) await segment.changeSuffix(DELETED_SUFFIX);
        await cleaned.changeSuffix("");
        await this.#disk.syncDirectory(this.#directory);
        for (const segment of sources.slice(1)) await this.#snapshots.remove(segment.baseOffset);
        this.#segments.splice(first, sources.length, cleaned);
        this.#reader.forget();
        cleaned.deactivate();
        this.#removeLater(sources);
        return true;
      }),
    );
  }

  updateConfig(config: LogConfig): void {
    this.#config = config;
  }

  /** Moves the high watermark, kept within the log. Returns it. */
  updateHighWatermark(offset: number): number {
    this.#highWatermark = Math.min(Math.max(offset, this.#logStartOffset), this.#logEndOffset);
    this.#producers.forgetEndedBelow(this.#highWatermark);
    return this.#highWatermark;
  }

  /**
   * Appends one batch as the leader of `leaderEpoch`. The bytes belong to the log from now on: offsets, epoch and timestamps
   * are written into them. A batch that its producer has sent before is not appended again: the answer is that of then.
   *
   * @throws KafkaError see validateAndAssignOffsets and ProducerStateManager.check; KafkaStorageError when fenced. Nothing has
   * changed then.
   */
  appendAsLeader(records: Uint8Array, leaderEpoch: number, origin: AppendOrigin = "client"): LogAppendResult {
    this.#checkWritable();
    const firstOffset = this.#logEndOffset;
    const { batch, maxTimestamp, logAppendTime } = validateAndAssignOffsets(records, {
      topicPartition: this.#name,
      config: this.#config,
      origin,
      nowMs: this.#clock.wallMs(),
      nextOffset: firstOffset,
      leaderEpoch,
    });
    let marker: EndMarker | undefined;
    if (hasProducerId(batch)) {
      marker = endMarkerOf(batch);
      const duplicate = this.#producers.check(batch, origin, marker);
      if (duplicate !== undefined) return this.#duplicateOf(duplicate, batch);
    }
    const written = this.#append(batch, marker);
    const info: LogAppendInfo = {
      firstOffset,
      lastOffset: batch.lastOffset,
      maxTimestamp,
      logAppendTime,
      logStartOffset: this.#logStartOffset,
      leaderEpoch,
      sizeInBytes: batch.sizeInBytes,
      recordCount: batch.recordCount,
      isDuplicate: false,
    };
    return { info, written };
  }

  /**
   * Appends batches that have their offsets and epochs from a leader. The bytes belong to the log from now on.
   * @throws KafkaError when they are damaged or do not continue the log. Nothing has changed then.
   */
  appendAsFollower(records: Uint8Array): LogAppendResult {
    this.#checkWritable();
    const batches = validateAssigned(records, this.#logEndOffset);
    const tooLarge = batches.find((batch) => batch.sizeInBytes > this.#config.segmentBytes);
    if (tooLarge !== undefined) {
      throw new KafkaError(
        ErrorCode.RECORD_LIST_TOO_LARGE,
        `a batch of ${tooLarge.sizeInBytes} bytes where a segment takes ${this.#config.segmentBytes}`,
      );
    }
    const firstOffset = batches[0]?.baseOffset ?? this.#logEndOffset;
    let written = Promise.resolve();
    let maxTimestamp = NO_TIMESTAMP;
    let sizeInBytes = 0;
    let recordCount = 0;
    const markers = batches.map(endMarkerOf); // before anything has changed: one may not be readable
    for (const [index, batch] of batches.entries()) {
      written = this.#append(batch, markers[index]);
      maxTimestamp = Math.max(maxTimestamp, batch.maxTimestamp);
      sizeInBytes += batch.sizeInBytes;
      recordCount += batch.recordCount;
    }
    const info: LogAppendInfo = {
      firstOffset,
      lastOffset: (batches.at(-1)?.nextOffset ?? firstOffset) - 1,
      maxTimestamp,
      logAppendTime: NO_TIMESTAMP,
      logStartOffset: this.#logStartOffset,
      leaderEpoch: batches.at(-1)?.partitionLeaderEpoch ?? NO_LEADER_EPOCH,
      sizeInBytes,
      recordCount,
      isDuplicate: false,
    };
    return { info, written };
  }

  /** A new leader notes where its epoch begins, before its first record. */
  maybeAssignEpochStartOffset(leaderEpoch: number, startOffset: number): void {
    this.#checkWritable();
    this.#epochs.assign(leaderEpoch, startOffset);
    this.#saveEpochs();
  }

  /**
   * Reads whole batches, from the one that holds `fetchOffset` on; it may begin before. From memory the answer is there at
   * once, from the disk it is a promise; it ends with a segment at the latest.
   *
   * @param maxBytes soft limit: the first batch comes back whole even when larger (KIP-74), unless `minOneMessage` is false
   * @throws OffsetOutOfRangeError below the log start offset or above the log end offset
   */
  read(fetchOffset: number, maxBytes: number, options: LogReadOptions = {}): LogReadResult | Promise<LogReadResult> {
    this.#checkUsable();
    if (fetchOffset < this.#logStartOffset || fetchOffset > this.#logEndOffset) {
      throw new OffsetOutOfRangeError(fetchOffset, this.#logStartOffset, this.#logEndOffset);
    }
    const minOneMessage = options.minOneMessage ?? true;
    const withAborted = options.withAbortedTransactions ?? false;
    const upToOffset = Math.min(options.upToOffset ?? this.#logEndOffset, this.#logEndOffset);
    if (fetchOffset >= upToOffset || (maxBytes <= 0 && !minOneMessage)) {
      return this.#readResult(fetchOffset, withAborted, []);
    }
    const cached = this.#tail.read(fetchOffset, maxBytes, minOneMessage, upToOffset);
    if (cached === undefined)
      return this.#readFromDisk({ fetchOffset, maxBytes, minOneMessage, upToOffset }, withAborted);
    const records = cached.map((batch) => batch.bytes);
    return this.#readResult(fetchOffset, withAborted, records, cached[0]?.baseOffset, cached.at(-1)?.nextOffset);
  }

  /** The first record whose timestamp is not below this one. */
  fetchOffsetByTimestamp(timestamp: number): Promise<TimestampAndOffset | undefined> {
    return this.#readDisk(async () => {
      await this.#queue.settled();
      for (const segment of this.#segments) {
        const max = await segment.readMaxTimestamp();
        if (max.timestamp >= timestamp) return await segment.findOffsetByTimestamp(timestamp, this.#logStartOffset);
      }
      return undefined;
    });
  }

  /** The first record that has the largest timestamp of the log. */
  fetchMaxTimestampOffset(): Promise<TimestampAndOffset | undefined> {
    return this.#readDisk(async () => {
      await this.#queue.settled();
      let best: LogSegment | undefined;
      let largest = NO_TIMESTAMP;
      for (const segment of this.#segments) {
        const { timestamp } = await segment.readMaxTimestamp();
        if (timestamp <= largest) continue;
        best = segment;
        largest = timestamp;
      }
      return await best?.findMaxTimestamp();
    });
  }

  earliestOffset(): TimestampAndOffset {
    const earliest = this.#epochs.earliestEntry;
    const isKnown = earliest !== undefined && earliest.startOffset <= this.#logStartOffset;
    const leaderEpoch = isKnown ? earliest.epoch : undefined;
    return { timestamp: NO_TIMESTAMP, offset: this.#logStartOffset, leaderEpoch };
  }

  latestOffset(): TimestampAndOffset {
    return { timestamp: NO_TIMESTAMP, offset: this.#logEndOffset, leaderEpoch: this.#epochs.latestEpoch };
  }

  /** Where the largest epoch not above this one ends (KIP-101). */
  endOffsetForEpoch(leaderEpoch: number): EpochEndOffset {
    return this.#epochs.endOffsetFor(leaderEpoch, this.#logEndOffset);
  }

  /** The leader epoch of the record at this offset, as far as it is known. */
  epochForOffset(offset: number): number | undefined {
    return this.#epochs.epochForOffset(offset);
  }

  /**
   * Moves the log start offset up. Whole segments below it go with the next round of retention.
   * @throws OffsetOutOfRangeError above the high watermark
   */
  maybeIncrementLogStartOffset(offset: number): boolean {
    this.#checkWritable();
    if (offset > this.#highWatermark) {
      throw new OffsetOutOfRangeError(offset, this.#logStartOffset, this.#highWatermark);
    }
    if (offset <= this.#logStartOffset) return false;
    this.#logStartOffset = offset;
    this.#epochs.truncateFromStart(offset);
    this.#producers.forgetEndedBelow(offset);
    this.#saveEpochs();
    return true;
  }

  /**
   * Removes everything at and above the offset. Nothing may be appended meanwhile.
   * @returns whether there was anything to remove
   */
  async truncateTo(offset: number): Promise<boolean> {
    assert(offset >= 0, "offsets count from 0");
    if (offset >= this.#logEndOffset) return false;
    const first = this.#segments[0];
    if (first === undefined || first.baseOffset > offset) {
      await this.truncateFullyAndStartAt(offset);
      return true;
    }
    await this.#exclusively(async () => {
      const removed = this.#segments.filter((segment) => segment.baseOffset > offset);
      this.#segments = this.#segments.filter((segment) => segment.baseOffset <= offset);
      this.#active = this.#segments.at(-1) ?? first;
      this.#setEndOffset(offset);
      this.#logStartOffset = Math.min(this.#logStartOffset, offset);
      this.#highWatermark = Math.min(this.#highWatermark, offset);
      this.#epochs.truncateFromEnd(offset);
      // The last segments go first: a crash in between must not leave a gap.
      for (const segment of removed.toReversed()) await segment.remove();
      await this.#active.truncateTo(offset, this.#clock.wallMs());
      await this.#reloadProducers(offset);
      await this.#writeEpochs();
    });
    return true;
  }

  /** Removes everything; the next record gets this offset. Nothing may be appended meanwhile. */
  async truncateFullyAndStartAt(offset: number): Promise<void> {
    await this.#exclusively(async () => {
      const removed = this.#segments;
      this.#active = this.#newSegment(offset);
      this.#segments = [this.#active];
      this.#setEndOffset(offset);
      this.#logStartOffset = offset;
      this.#highWatermark = offset;
      this.#epochs.clear();
      this.#producers.restore(offset);
      await this.#snapshots.removeWhere(() => true); // first: what they say of a shorter log would be believed
      for (const segment of removed.toReversed()) await segment.remove();
      await this.#active.createFiles();
      await this.#disk.syncDirectory(this.#directory);
      await this.#writeEpochs();
    });
  }

  /**
   * Takes the segments out of use that retention does not keep (see countDeletable), and moves the log start offset above
   * them. Their files get the ending `.deleted` and go after `file.delete.delay.ms`.
   * @returns how many there were
   */
  async deleteOldSegments(): Promise<number> {
    this.#checkUsable();
    const isAny = await this.#readDisk(async () => this.#countDeletable(await this.#retentionTimestamps()) > 0);
    if (!isAny) return 0;
    return this.#gate.exclusive(() => this.#guard(() => this.#deleteOldSegments()));
  }

  /** Closes the active segment and begins another, unless it is empty. */
  async roll(): Promise<void> {
    this.#checkWritable();
    if (this.#active.size > 0) this.#roll(this.#logEndOffset);
    await this.#queue.settled();
  }

  /**
   * Closes the active segment of a compacted log when it is older than `segment.ms` or `max.compaction.lag.ms` allow. Kafka
   * leaves that to the next append, and so never compacts the end of a log to which nothing is appended any more.
   */
  async rollOverdue(): Promise<void> {
    this.#checkUsable();
    if (this.#isExclusive || this.#closing !== undefined) return;
    const isCompacted = this.#config.cleanupPolicy.includes("compact");
    if (isCompacted && this.#active.isOverdue(this.#config, this.#clock.wallMs())) await this.roll();
  }

  /** Syncs everything that has been appended so far, and moves the recovery point there. */
  async flush(): Promise<void> {
    this.#checkUsable();
    const endOffset = this.#logEndOffset;
    await this.#queue.settled();
    await this.#flushTo(endOffset);
  }

  /** Refuses appends from now on, syncs what was appended, completes the indexes and closes the files. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** Stops at once, without syncing: what is left of the log is to be removed. */
  async abandon(): Promise<void> {
    this.#isClosed = true;
    this.#queue.fail(new KafkaStorageError(`${this.#name} is being deleted`));
    this.#closing ??= this.#closeFiles();
    await this.#closing;
  }

  /** The folder has been renamed. */
  moveTo(directory: string): void {
    this.#directory = directory;
    for (const segment of this.#segments) segment.moveTo(directory);
  }

  /** Forgets the producers that have been silent for too long; to be called from time to time. */
  removeExpiredProducers(): void {
    this.#producers.removeExpired(this.#clock.wallMs(), this.#producerIdExpirationMs);
  }

  async #retentionTimestamps(): Promise<ReadonlyMap<LogSegment, number>> {
    const timestamps = new Map<LogSegment, number>();
    for (const segment of this.#segments) timestamps.set(segment, await segment.readRetentionTimestamp());
    return timestamps;
  }

  /** A segment of which no timestamp is known yet is kept. */
  #countDeletable(timestamps: ReadonlyMap<LogSegment, number>): number {
    const candidates = this.#segments.map((segment, index) => ({
      endOffset: this.#segments[index + 1]?.baseOffset ?? this.#logEndOffset,
      size: segment.size,
      largestTimestamp: timestamps.get(segment) ?? Infinity,
    }));
    return countDeletable(candidates, this.#config, {
      nowMs: this.#clock.wallMs(),
      logStartOffset: this.#logStartOffset,
      highWatermark: this.#highWatermark,
    });
  }

  /** With readers shut out; appends go on. */
  async #deleteOldSegments(): Promise<number> {
    const endOffset = this.#logEndOffset;
    const timestamps = await this.#retentionTimestamps();
    // A truncation or the close waits for its turn: after it, there may be nothing to delete.
    if (this.#isExclusive || this.#closing !== undefined) return 0;
    let count = this.#countDeletable(timestamps);
    // What came meanwhile is in the active segment, and its timestamp was not looked at.
    if (endOffset !== this.#logEndOffset) count = Math.min(count, this.#segments.length - 1);
    if (count === 0) return 0;
    if (count === this.#segments.length) this.#roll(this.#logEndOffset);
    const removed = this.#segments.slice(0, count);
    const logStartOffset = this.#segments[count]?.baseOffset ?? endOffset;
    // Synced first, although it goes: nothing may come back to these files later. And the successor's name has to last.
    await this.#queue.settled();
    await this.#flushTo(logStartOffset);
    await this.#disk.syncDirectory(this.#directory);
    this.#segments = this.#segments.filter((segment) => !removed.includes(segment));
    this.#logStartOffset = Math.max(this.#logStartOffset, logStartOffset);
    this.#epochs.truncateFromStart(this.#logStartOffset);
    this.#producers.forgetEndedBelow(this.#logStartOffset);
    this.#saveEpochs();
    // The oldest goes first: a crash in between leaves a log without a gap.
    for (const segment of removed) {
      await segment.changeSuffix(DELETED_SUFFIX);
      await this.#snapshots.remove(segment.baseOffset);
    }
    await this.#disk.syncDirectory(this.#directory);
    this.#removeLater(removed);
    return count;
  }

  /** Removes the files of segments that are out of use, after a while: somebody outside may be copying them. */
  #removeLater(segments: readonly LogSegment[]): void {
    const timer = this.#clock.setTimer(this.#config.fileDeleteDelayMs, () => {
      this.#removals.delete(timer);
      const removing = this.#guard(() => removeAll(segments))
        .catch(() => undefined) // the log is fenced, and the next start removes them
        .finally(() => this.#removing.delete(removing));
      this.#removing.add(removing);
    });
    this.#removals.set(timer, segments);
  }

  /** What waits to be removed need not wait any more; after a failure it is left to the next start. */
  async #endRemovals(): Promise<void> {
    await Promise.all(this.#removing);
    for (const [timer, segments] of this.#removals) {
      timer.cancel();
      if (this.#failure === undefined) await removeAll(segments);
      else for (const segment of segments) await segment.close().catch(() => undefined);
    }
    this.#removals.clear();
  }

  #append(batch: RecordBatch, marker: EndMarker | undefined): Promise<void> {
    const params = {
      batchBytes: batch.sizeInBytes,
      batchMaxTimestamp: batch.maxTimestamp,
      batchLastOffset: batch.lastOffset,
      nowMs: this.#clock.wallMs(),
    };
    const isFresh = this.#active.size === 0 && this.#active.baseOffset === batch.baseOffset;
    if (!isFresh && this.#active.shouldRoll(this.#config, params)) this.#roll(batch.baseOffset);
    if (batch.partitionLeaderEpoch >= 0) {
      this.#epochs.assign(batch.partitionLeaderEpoch, batch.baseOffset);
      this.#saveEpochs();
    }
    const position = this.#active.append(batch);
    this.#logEndOffset = batch.nextOffset;
    this.#tail.add(batch);
    const written = this.#queue.write(this.#active, position, batch.bytes, batch.nextOffset);
    if (hasProducerId(batch) && (marker !== undefined || !batch.isControlBatch)) {
      const completed = this.#producers.update(batch, written, marker);
      if (completed?.isAborted === true) this.#active.transactionIndex.append(completed);
    }
    return written;
  }

  /** What was answered to the first of them, and when that one is on the disk. */
  #duplicateOf(duplicate: BatchMetadata, batch: RecordBatch): LogAppendResult {
    const info: LogAppendInfo = {
      firstOffset: duplicate.lastOffset - duplicate.offsetDelta,
      lastOffset: duplicate.lastOffset,
      maxTimestamp: duplicate.timestamp,
      logAppendTime: duplicate.timestamp,
      logStartOffset: this.#logStartOffset,
      leaderEpoch: batch.partitionLeaderEpoch,
      sizeInBytes: batch.sizeInBytes,
      recordCount: batch.recordCount,
      isDuplicate: true,
    };
    return { info, written: duplicate.written };
  }

  /** After a truncation. */
  async #reloadProducers(endOffset: number): Promise<void> {
    await this.#snapshots.removeWhere((offset) => offset > endOffset);
    await loadProducerState(this.#producers, endOffset, {
      segments: this.#segments,
      snapshots: this.#snapshots,
      logStartOffset: this.#logStartOffset,
      nowMs: this.#clock.wallMs(),
      expirationMs: this.#producerIdExpirationMs,
      report: () => undefined, // the log says the same
    });
  }

  #roll(baseOffset: number): void {
    const previous = this.#active;
    const next = this.#newSegment(baseOffset);
    const producers = this.#producers.needsSnapshot(baseOffset) ? this.#producers.takeSnapshot(baseOffset) : undefined;
    previous.seal();
    this.#active = next;
    this.#segments.push(next);
    void this.#queue.perform(async () => {
      // Before the next segment is there: the recovery point may lie at its start already, and then nothing would make the
      // last entries of these indexes anew after a crash.
      await previous.flushIndexes(true);
      if (producers !== undefined) await this.#snapshots.write(baseOffset, producers);
      await next.createFiles();
      // Synced beside the writes that follow; it fences the log itself when it fails.
      void this.#flushTo(baseOffset, previous).catch(() => undefined);
    });
  }

  #newSegment(baseOffset: number, suffix = ""): LogSegment {
    const config = this.#config;
    const segment = new LogSegment(baseOffset, 0, {
      disk: this.#disk,
      directory: this.#directory,
      config,
      createdMs: this.#clock.wallMs(),
      rollJitterMs: randomJitterMs(config, this.#random),
      indexCache: this.#indexCache,
      suffix,
    });
    segment.begin();
    return segment;
  }

  #groupWritten(endOffset: number): Promise<void> | undefined {
    if (endOffset - this.#recoveryPoint >= this.#config.flushMessages) {
      return this.#flushTo(endOffset).then(() => this.#moveWrittenEndOffset(endOffset));
    }
    this.#moveWrittenEndOffset(endOffset);
    return undefined;
  }

  #moveWrittenEndOffset(endOffset: number): void {
    this.#writtenEndOffset = endOffset;
    this.#tail.markWritten(endOffset);
    this.onWritten?.(this);
  }

  /** Syncs what is below the offset, which has been written; one sync of a log at a time. `rolled` is not written to any more. */
  #flushTo(endOffset: number, rolled?: LogSegment): Promise<void> {
    this.#flushing = this.#flushing.then(() =>
      this.#guard(async () => {
        rolled?.deactivate();
        if (endOffset <= this.#recoveryPoint) return;
        const first = Math.max(
          0,
          this.#segments.findLastIndex((segment) => segment.baseOffset <= this.#recoveryPoint),
        );
        const dirty = this.#segments.slice(first).filter((segment) => segment.baseOffset < endOffset);
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

  #readFromDisk(read: DiskRead, withAborted: boolean): Promise<LogReadResult> {
    return this.#readDisk(async () => {
      const { fetchOffset } = read;
      const found = await this.#reader.read(this.#segments, read);
      if (found === undefined) return this.#readResult(fetchOffset, withAborted, []);
      return this.#readResult(fetchOffset, withAborted, [found.records], found.firstBatchOffset, found.nextOffset);
    });
  }

  #readResult(
    fetchOffset: number,
    withAborted: boolean,
    records: readonly Uint8Array[],
    firstBatchOffset?: number,
    nextOffset = fetchOffset,
  ): LogReadResult {
    return {
      records,
      sizeInBytes: records.reduce((size, chunk) => size + chunk.length, 0),
      fetchOffset,
      firstBatchOffset,
      nextOffset,
      logStartOffset: this.#logStartOffset,
      logEndOffset: this.#logEndOffset,
      abortedTransactions: withAborted ? this.#abortedTransactions(fetchOffset, nextOffset) : undefined,
    };
  }

  #abortedTransactions(startOffset: number, endOffset: number): readonly AbortedTxn[] {
    const found: AbortedTxn[] = [];
    if (startOffset >= endOffset) return found;
    const first = this.#segments.findLastIndex((segment) => segment.baseOffset <= startOffset);
    for (let index = Math.max(0, first); index < this.#segments.length; index++) {
      if (this.#segments[index]?.transactionIndex.collect(startOffset, endOffset, found) === true) break;
    }
    return found;
  }

  /** Queues the checkpoint of the epochs, if they changed, ahead of the records that follow. */
  #saveEpochs(): void {
    if (!this.#epochs.isDirty || this.#isSavingEpochs) return;
    this.#isSavingEpochs = true;
    void this.#queue.perform(() => this.#writeEpochs());
  }

  async #writeEpochs(): Promise<void> {
    this.#isSavingEpochs = false; // what changes from now on needs another checkpoint
    if (!this.#epochs.isDirty) return;
    const file = new LeaderEpochCheckpointFile(this.#disk, this.#directory);
    await file.write(this.#epochs.takeCheckpoint());
  }

  #setEndOffset(offset: number): void {
    this.#logEndOffset = offset;
    this.#writtenEndOffset = offset;
    this.#recoveryPoint = Math.min(this.#recoveryPoint, offset);
    this.#reader.forget();
    this.#tail.clear();
    this.#tail.markWritten(offset);
  }

  /** After everything queued, with appends shut out. */
  async #exclusively(action: () => Promise<void>): Promise<void> {
    this.#checkWritable();
    this.#isExclusive = true;
    try {
      await this.#queue.settled();
      await this.#flushing;
      this.#truncationCount++;
      await this.#gate.exclusive(() => this.#guard(action));
    } finally {
      this.#isExclusive = false;
    }
  }

  async #close(): Promise<void> {
    try {
      if (this.#failure !== undefined || this.#isClosed) return;
      await this.flush();
      this.#active.seal();
      await this.#guard(async () => {
        await this.#active.flush();
        const endOffset = this.#logEndOffset;
        if (!this.#producers.needsSnapshot(endOffset)) return;
        await this.#snapshots.write(endOffset, this.#producers.takeSnapshot(endOffset));
      });
    } finally {
      await this.#closeFiles();
    }
  }

  async #closeFiles(): Promise<void> {
    this.#isClosed = true;
    this.#tail.clear();
    this.#reader.forget();
    await this.#queue.ended();
    await this.#flushing;
    await this.#gate.exclusive(async () => {
      await this.#endRemovals();
      for (const segment of this.#segments) {
        // What a fenced log says on closing changes nothing any more.
        if (this.#failure === undefined) await segment.close();
        else await segment.close().catch(() => undefined);
      }
    });
  }

  #checkWritable(): void {
    this.#checkUsable();
    if (this.#closing !== undefined) throw new KafkaStorageError(`${this.#name} is being closed`);
    assert(!this.#isExclusive, "nothing is appended while a log is truncated");
  }

  #checkUsable(): void {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#isClosed) throw new KafkaStorageError(`${this.#name} is closed`);
  }

  /** Reads segments that nobody cuts or closes meanwhile. */
  #readDisk<T>(action: () => Promise<T>): Promise<T> {
    return this.#gate.shared(() => this.#guard(action));
  }

  /** Does something with the disk. Whatever goes wrong with it fences the log. */
  async #guard<T>(action: () => Promise<T>): Promise<T> {
    this.#checkUsable();
    try {
      return await action();
    } catch (error) {
      if (error instanceof OffsetOutOfRangeError) throw error;
      throw this.#fail(error);
    }
  }

  #fail(cause: unknown): KafkaStorageError {
    if (this.#isClosed) return new KafkaStorageError(`${this.#name} is closed`, { cause });
    if (this.#failure !== undefined) return this.#failure;
    const message = cause instanceof Error ? cause.message : String(cause);
    const failure = new KafkaStorageError(`${this.#name} in ${this.#directory} is offline: ${message}`, { cause });
    this.#failure = failure;
    this.#queue.fail(failure);
    this.#tail.clear();
    this.onFailure?.(this, failure);
    return failure;
  }
}

async function removeAll(segments: readonly LogSegment[]): Promise<void> {
  for (const segment of segments) await segment.remove();
}

function randomJitterMs(config: LogConfig, random: Random): number {
  const most = Math.min(config.segmentJitterMs, maxSegmentMs(config));
  return most <= 0 ? 0 : random.uint32() % most;
}
