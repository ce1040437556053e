import type { Clock, Random, Uuid } from "@samsa/base";
import { assert, ErrorCode, KafkaError } from "@samsa/base";
import { NO_TIMESTAMP } from "@samsa/protocol";
import type { RecordBatch } from "@samsa/protocol";
import type { AbortedTxn } from "@samsa/protocol/messages/aborted-txn";
import type { KafkaStorageError } from "./errors.ts";
import { OffsetOutOfRangeError } from "./errors.ts";
import type { TimestampAndOffset } from "./file-records.ts";
import type { IndexCache } from "./index-cache.ts";
import type { EpochEndOffset, LeaderEpochCache } from "./leader-epoch-cache.ts";
import { LeaderEpochCheckpointFile, NO_LEADER_EPOCH } from "./leader-epoch-cache.ts";
import { LocalLog } from "./local-log.ts";
import { Append } from "./log-append.ts";
import type { LogAppendInfo, LogAppendResult } from "./log-append.ts";
import type { LogConfig } from "./log-config.ts";
import type { DiskRead, DiskReadResult, LogReadOptions, LogReadResult, PlannedRead } from "./log-reader.ts";
import type { LogSegment } from "./log-segment.ts";
import type { AppendOrigin } from "./log-validator.ts";
import { validateAndAssignOffsets, validateAssigned } from "./log-validator.ts";
import type { PooledDisk } from "./pooled-disk.ts";
import type { ProducerSnapshots } from "./producer-snapshot-file.ts";
import type { BatchMetadata } from "./producer-state-entry.ts";
import { loadProducerState } from "./producer-state-loader.ts";
import type { ProducerStateEntry } from "./producer-state-entry.ts";
import type { EndMarker, LastRecord, ProducerStateManager, TransactionChecks } from "./producer-state-manager.ts";
import { endMarkerOf, hasProducerId } from "./producer-state-manager.ts";
import type { ReadAheadBudget } from "./read-ahead.ts";
import { countDeletable } from "./retention.ts";
import type { TailCacheBudget } from "./tail-cache.ts";
import type { TopicPartition } from "./topic-partition.ts";
import { logDirName } from "./topic-partition.ts";
import type { VerificationGuard, VerificationStart } from "./verification-guard.ts";
import { Written } from "./written.ts";

export interface UnifiedLogOptions {
  readonly disk: PooledDisk;
  readonly clock: Clock;
  readonly random: Random;
  readonly directory: string;
  readonly topicPartition: TopicPartition;
  readonly topicId: Uuid;
  readonly config: LogConfig;
  readonly tailCache: TailCacheBudget;
  readonly readAhead: ReadAheadBudget;
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
  readonly #disk: PooledDisk;
  readonly #clock: Clock;
  readonly #name: string;
  readonly #local: LocalLog;
  readonly #epochs: LeaderEpochCache;
  readonly #producers: ProducerStateManager;
  #producerIdExpirationMs: number;
  #logStartOffset: number;
  #highWatermark: number;
  #isSavingEpochs = false;

  constructor(options: UnifiedLogOptions, loaded: LoadedLog) {
    this.topicPartition = options.topicPartition;
    this.topicId = options.topicId;
    this.#disk = options.disk;
    this.#clock = options.clock;
    this.#name = logDirName(options.topicPartition);
    this.#epochs = loaded.epochs;
    this.#producers = loaded.producers;
    this.#producerIdExpirationMs = options.producerIdExpirationMs;
    this.#logStartOffset = loaded.logStartOffset;
    this.#highWatermark = loaded.logStartOffset;
    this.#local = new LocalLog({
      disk: options.disk,
      clock: options.clock,
      random: options.random,
      directory: options.directory,
      config: options.config,
      tailCache: options.tailCache,
      readAhead: options.readAhead,
      indexCache: options.indexCache,
      segments: loaded.segments,
      snapshots: loaded.snapshots,
      logEndOffset: loaded.logEndOffset,
      recoveryPoint: loaded.recoveryPoint,
      name: this.#name,
      onWritten: () => this.onWritten?.(this),
      onFailure: (failure) => this.onFailure?.(this, failure),
    });
  }

  get directory(): string {
    return this.#local.directory;
  }

  get config(): LogConfig {
    return this.#local.config;
  }

  /** The first offset that may be read. */
  get logStartOffset(): number {
    return this.#logStartOffset;
  }

  /** The offset that the next record gets. */
  get logEndOffset(): number {
    return this.#local.logEndOffset;
  }

  /** End of what the disk has taken: the high watermark of a sole replica may not pass it. */
  get writtenEndOffset(): number {
    return this.#local.writtenEndOffset;
  }

  /** Everything below has been synced. */
  get recoveryPoint(): number {
    return this.#local.recoveryPoint;
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
    return this.#local.segments.sizeInBytes;
  }

  /** The base offset of the oldest segment. */
  get firstSegmentOffset(): number {
    return this.#local.segments.firstOffset;
  }

  get segmentCount(): number {
    return this.#local.segments.count;
  }

  /** Bytes that were appended and wait for the disk. */
  get pendingBytes(): number {
    return this.#local.pendingBytes;
  }

  /** Wall-clock time of the last sync, or of the start. */
  get lastFlushMs(): number {
    return this.#local.lastFlushMs;
  }

  /** Why the log is fenced. */
  get failure(): KafkaStorageError | undefined {
    return this.#local.fence.failure;
  }

  /** For the cleaner, like what follows: the segments in order, the active one last. */
  get segments(): readonly LogSegment[] {
    return this.#local.segments.all;
  }

  /** Grows with every truncation: what was known of positions and offsets before is not so any more. */
  get truncationCount(): number {
    return this.#local.truncationCount;
  }

  /** Neither fenced nor closed. */
  get isUsable(): boolean {
    return this.#local.fence.isUsable;
  }

  activeProducers(): Iterable<ProducerStateEntry> {
    return this.#producers.entries();
  }

  /** What compaction may not remove of a producer that is remembered. */
  lastRecordOfProducer(producerId: number): LastRecord | undefined {
    return this.#producers.lastEntry(producerId);
  }

  /** The aborted transactions that have records from `startOffset` on and below `endOffset`. */
  abortedTransactions(startOffset: number, endOffset: number): readonly AbortedTxn[] {
    return this.#local.segments.collectAbortedTransactions(startOffset, endOffset);
  }

  /** Does something with segments that nobody cuts, replaces or closes meanwhile. What goes wrong fences the log. */
  readSegments<T>(action: () => Promise<T>): Promise<T> {
    return this.#local.readSegments(action);
  }

  /** A segment for the cleaner to fill, which is in no use until `replaceSegments`. */
  newCleanedSegment(baseOffset: number): LogSegment {
    return this.#local.newCleanedSegment(baseOffset);
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
    return this.#local.replaceSegments(cleaned, sources, truncationCount);
  }

  updateConfig(config: LogConfig): void {
    this.#local.config = config;
  }

  /** Moves the high watermark, kept within the log. Returns it. */
  updateHighWatermark(offset: number): number {
    this.#highWatermark = Math.min(Math.max(offset, this.#logStartOffset), this.logEndOffset);
    this.#producers.forgetEndedBelow(this.#highWatermark);
    return this.#highWatermark;
  }

  /**
   * Appends one batch as the leader of `leaderEpoch`. The bytes belong to the log from now on: offsets, epoch and timestamps
   * are written into them. A batch that its producer has sent before is not appended again: the answer is that of then.
   *
   * @param transaction left out: a transaction may begin unverified
   * @throws KafkaError see validateAndAssignOffsets and ProducerStateManager.check; KafkaStorageError when fenced. Nothing has
   * changed then.
   */
  appendAsLeader(
    records: Uint8Array,
    leaderEpoch: number,
    origin: AppendOrigin = "client",
    transaction?: TransactionChecks,
  ): LogAppendResult {
    this.#local.checkWritable();
    const firstOffset = this.logEndOffset;
    const { batch, maxTimestamp, logAppendTime } = validateAndAssignOffsets(records, {
      topicPartition: this.#name,
      config: this.config,
      origin,
      nowMs: this.#clock.wallMs(),
      nextOffset: firstOffset,
      leaderEpoch,
    });
    let marker: EndMarker | undefined;
    if (hasProducerId(batch)) {
      marker = endMarkerOf(batch);
      const duplicate = this.#producers.check(batch, origin, marker, transaction);
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
    return new Append(info, written, this.#local);
  }

  /** See ProducerStateManager.startVerification. */
  startTransactionVerification(start: VerificationStart): VerificationGuard | undefined {
    return this.#producers.startVerification(start, this.#clock.wallMs());
  }

  /**
   * Appends batches that have their offsets and epochs from a leader. The bytes belong to the log from now on.
   * @throws KafkaError when they are damaged or do not continue the log. Nothing has changed then.
   */
  appendAsFollower(records: Uint8Array): LogAppendResult {
    this.#local.checkWritable();
    const batches = validateAssigned(records, this.logEndOffset);
    const tooLarge = batches.find((batch) => batch.sizeInBytes > this.config.segmentBytes);
    if (tooLarge !== undefined) {
      throw new KafkaError(
        ErrorCode.RECORD_LIST_TOO_LARGE,
        `a batch of ${tooLarge.sizeInBytes} bytes where a segment takes ${this.config.segmentBytes}`,
      );
    }
    const firstOffset = batches[0]?.baseOffset ?? this.logEndOffset;
    let written = Written.ALREADY;
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
    return new Append(info, written, this.#local);
  }

  /** A new leader notes where its epoch begins, before its first record. */
  maybeAssignEpochStartOffset(leaderEpoch: number, startOffset: number): void {
    this.#local.checkWritable();
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
    this.#local.fence.check();
    if (fetchOffset < this.#logStartOffset || fetchOffset > this.logEndOffset) {
      throw new OffsetOutOfRangeError(fetchOffset, this.#logStartOffset, this.logEndOffset);
    }
    const minOneMessage = options.minOneMessage ?? true;
    const withAborted = options.withAbortedTransactions ?? false;
    const upToOffset = Math.min(options.upToOffset ?? this.logEndOffset, this.logEndOffset);
    if (fetchOffset >= upToOffset || (maxBytes <= 0 && !minOneMessage)) {
      return this.#readResult(fetchOffset, withAborted, []);
    }
    const read = { fetchOffset, maxBytes, minOneMessage, upToOffset };
    const cached = this.#local.readTail(read);
    if (cached === undefined) {
      const epochForOffset = (offset: number): number | undefined => this.#epochs.epochForOffset(offset);
      const { mayPromise = false } = options;
      // Written out, as in LogReader: with `...` each costs a microsecond, when large reads have emptied the caches several.
      const diskRead = { fetchOffset, maxBytes, minOneMessage, upToOffset, epochForOffset, mayPromise };
      const ahead = this.#local.readAhead(diskRead);
      if (ahead !== undefined) return this.#diskResult(fetchOffset, withAborted, ahead);
      const planned = mayPromise ? this.#local.plan(diskRead) : undefined;
      return planned === undefined
        ? this.#readFromDisk(diskRead, withAborted)
        : this.#promiseResult(planned, withAborted);
    }
    const records = cached.nextOffset === undefined ? [] : [cached.records];
    return this.#readResult(fetchOffset, withAborted, records, cached.firstBatchOffset, cached.nextOffset);
  }

  /** The first record whose timestamp is not below this one. */
  fetchOffsetByTimestamp(timestamp: number): Promise<TimestampAndOffset | undefined> {
    return this.#local.readSegments(async () => {
      await this.#local.settled();
      return await this.#local.segments.findOffsetByTimestamp(timestamp, this.#logStartOffset);
    });
  }

  /** The first record that has the largest timestamp of the log. */
  fetchMaxTimestampOffset(): Promise<TimestampAndOffset | undefined> {
    return this.#local.readSegments(async () => {
      await this.#local.settled();
      return await this.#local.segments.findMaxTimestamp();
    });
  }

  earliestOffset(): TimestampAndOffset {
    const earliest = this.#epochs.earliestEntry;
    const isKnown = earliest !== undefined && earliest.startOffset <= this.#logStartOffset;
    const leaderEpoch = isKnown ? earliest.epoch : undefined;
    return { timestamp: NO_TIMESTAMP, offset: this.#logStartOffset, leaderEpoch };
  }

  latestOffset(): TimestampAndOffset {
    return { timestamp: NO_TIMESTAMP, offset: this.logEndOffset, leaderEpoch: this.#epochs.latestEpoch };
  }

  /** Where the largest epoch not above this one ends (KIP-101). */
  endOffsetForEpoch(leaderEpoch: number): EpochEndOffset {
    return this.#epochs.endOffsetFor(leaderEpoch, this.logEndOffset);
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
    this.#local.checkWritable();
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
   *
   * @param noteOffsets called when the offsets are those of afterwards, and before anything is removed: a crash must not leave
   *   a checkpoint that speaks of what is gone
   * @returns whether there was anything to remove
   */
  async truncateTo(offset: number, noteOffsets?: () => Promise<void>): Promise<boolean> {
    assert(offset >= 0, "offsets count from 0");
    if (offset >= this.logEndOffset) return false;
    if (this.#local.segments.firstOffset > offset) {
      await this.truncateFullyAndStartAt(offset, noteOffsets);
      return true;
    }
    await this.#local.truncating(async () => {
      this.#local.lowerRecoveryPoint(offset);
      this.#logStartOffset = Math.min(this.#logStartOffset, offset);
      this.#highWatermark = Math.min(this.#highWatermark, offset);
      this.#epochs.truncateFromEnd(offset);
      await noteOffsets?.();
      await this.#local.truncateTo(offset);
      await this.#reloadProducers(offset);
      this.#producers.forgetEndedBelow(this.#highWatermark);
      await this.#writeEpochs();
    });
    return true;
  }

  /** Removes everything; the next record gets this offset. Nothing may be appended meanwhile. See truncateTo. */
  async truncateFullyAndStartAt(offset: number, noteOffsets?: () => Promise<void>): Promise<void> {
    await this.#local.truncating(async () => {
      this.#local.lowerRecoveryPoint(0); // nothing of what is left counts on the way
      this.#logStartOffset = Math.min(this.#logStartOffset, offset);
      this.#highWatermark = Math.min(this.#highWatermark, offset);
      await noteOffsets?.();
      this.#logStartOffset = offset;
      this.#highWatermark = offset;
      this.#epochs.clear();
      this.#producers.restore(offset);
      await this.#local.truncateFullyAndStartAt(offset);
      await this.#writeEpochs();
    });
  }

  /**
   * Takes the segments out of use that retention does not keep (see countDeletable), and moves the log start offset above
   * them. Their files get the ending `.deleted` and go after `file.delete.delay.ms`.
   * @returns how many there were
   */
  async deleteOldSegments(): Promise<number> {
    this.#local.fence.check();
    const isAny = await this.#local.readSegments(
      async () => this.#countDeletable(await this.#retentionTimestamps()) > 0,
    );
    if (!isAny) return 0;
    return this.#local.changeSegments(() => this.#deleteOldSegments());
  }

  /** Closes the active segment and begins another, unless it is empty. */
  async roll(): Promise<void> {
    this.#local.checkWritable();
    if (this.#local.segments.active.size > 0) this.#roll(this.logEndOffset);
    await this.#local.settled();
  }

  /**
   * Closes the active segment of a compacted log when it is older than `segment.ms` or `max.compaction.lag.ms` allow. Kafka
   * leaves that to the next append, and so never compacts the end of a log to which nothing is appended any more.
   */
  async rollOverdue(): Promise<void> {
    this.#local.fence.check();
    if (this.#local.isChanging) return;
    const { active } = this.#local.segments;
    const isCompacted = this.config.cleanupPolicy.includes("compact");
    if (isCompacted && active.isOverdue(this.config, this.#clock.wallMs())) await this.roll();
  }

  /** Syncs everything that has been appended so far, and moves the recovery point there. */
  flush(): Promise<void> {
    return this.#local.flush();
  }

  /** Refuses appends from now on, syncs what was appended, completes the indexes and closes the files. */
  close(): Promise<void> {
    return this.#local.close(async () => {
      const endOffset = this.logEndOffset;
      if (!this.#producers.needsSnapshot(endOffset)) return;
      await this.#local.snapshots.write(endOffset, this.#producers.takeSnapshot(endOffset));
    });
  }

  /** Stops at once, without syncing: what is left of the log is to be removed, or cannot be reached. */
  abandon(reason = "is being deleted"): Promise<void> {
    return this.#local.abandon(reason);
  }

  /** Gives the folder another name while the log is in use. */
  rename(directory: string): Promise<void> {
    return this.#local.rename(directory);
  }

  /** The folder has been renamed. */
  moveTo(directory: string): void {
    this.#local.moveTo(directory);
  }

  updateProducerIdExpiration(expirationMs: number): void {
    this.#producerIdExpirationMs = expirationMs;
  }

  /** Forgets the producers that have been silent for too long; to be called from time to time. */
  removeExpiredProducers(): void {
    this.#producers.removeExpired(this.#clock.wallMs(), this.#producerIdExpirationMs);
  }

  async #retentionTimestamps(): Promise<ReadonlyMap<LogSegment, number>> {
    const timestamps = new Map<LogSegment, number>();
    for (const segment of this.segments) timestamps.set(segment, await segment.readRetentionTimestamp());
    return timestamps;
  }

  /** A segment of which no timestamp is known yet is kept. */
  #countDeletable(timestamps: ReadonlyMap<LogSegment, number>): number {
    const candidates = this.segments.map((segment, index) => ({
      endOffset: this.segments[index + 1]?.baseOffset ?? this.logEndOffset,
      size: segment.size,
      largestTimestamp: timestamps.get(segment) ?? Infinity,
    }));
    return countDeletable(candidates, this.config, {
      nowMs: this.#clock.wallMs(),
      logStartOffset: this.#logStartOffset,
      highWatermark: this.#highWatermark,
    });
  }

  /** With readers shut out; appends go on. */
  async #deleteOldSegments(): Promise<number> {
    const endOffset = this.logEndOffset;
    const timestamps = await this.#retentionTimestamps();
    // A truncation or the close waits for its turn: after it, there may be nothing to delete.
    if (this.#local.isChanging) return 0;
    let count = this.#countDeletable(timestamps);
    // What came meanwhile is in the active segment, and its timestamp was not looked at.
    if (endOffset !== this.logEndOffset) count = Math.min(count, this.segmentCount - 1);
    if (count === 0) return 0;
    if (count === this.segmentCount) this.#roll(this.logEndOffset);
    const removed = this.segments.slice(0, count);
    const logStartOffset = this.segments[count]?.baseOffset ?? endOffset;
    // Synced first, although it goes: nothing may come back to these files later. And the successor's name has to last.
    await this.#local.flushBelow(logStartOffset);
    this.#local.segments.remove(removed);
    this.#logStartOffset = Math.max(this.#logStartOffset, logStartOffset);
    this.#epochs.truncateFromStart(this.#logStartOffset);
    this.#producers.forgetEndedBelow(this.#logStartOffset);
    this.#saveEpochs();
    await this.#local.deleteSegments(removed);
    return count;
  }

  #append(batch: RecordBatch, marker: EndMarker | undefined): Written {
    if (this.#local.shouldRoll(batch)) this.#roll(batch.baseOffset);
    if (batch.partitionLeaderEpoch >= 0) {
      this.#epochs.assign(batch.partitionLeaderEpoch, batch.baseOffset);
      this.#saveEpochs();
    }
    const written = this.#local.append(batch);
    if (hasProducerId(batch) && (marker !== undefined || !batch.isControlBatch)) {
      const completed = this.#producers.update(batch, written, marker);
      if (completed?.isAborted === true) this.#local.segments.active.transactionIndex.append(completed);
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
    return new Append(info, duplicate.written, this.#local);
  }

  /** After a truncation. */
  async #reloadProducers(endOffset: number): Promise<void> {
    await this.#local.snapshots.removeWhere((offset) => offset > endOffset);
    await loadProducerState(this.#producers, endOffset, {
      segments: this.segments,
      snapshots: this.#local.snapshots,
      logStartOffset: this.#logStartOffset,
      nowMs: this.#clock.wallMs(),
      expirationMs: this.#producerIdExpirationMs,
      report: () => undefined, // the log says the same
    });
  }

  #roll(baseOffset: number): void {
    const producers = this.#producers.needsSnapshot(baseOffset) ? this.#producers.takeSnapshot(baseOffset) : undefined;
    this.#local.roll(baseOffset, producers);
  }

  async #readFromDisk(read: DiskRead, withAborted: boolean): Promise<LogReadResult> {
    const { fetchOffset } = read;
    const found = await this.#local.read(read);
    return found === undefined
      ? this.#readResult(fetchOffset, withAborted, [])
      : this.#diskResult(fetchOffset, withAborted, found);
  }

  #diskResult(fetchOffset: number, withAborted: boolean, found: DiskReadResult): LogReadResult {
    return this.#readResult(fetchOffset, withAborted, [found.records], found.firstBatchOffset, found.nextOffset);
  }

  /** Of the aborted transactions there may be one too many, as Kafka has it, whose index tells the end no better. */
  #promiseResult(planned: PlannedRead, withAborted: boolean): LogReadResult {
    const { read, sizeInBytes, mostNextOffset } = planned;
    const result = this.#readResult(read.fetchOffset, withAborted, [], read.fetchOffset, mostNextOffset);
    const promised = { sizeInBytes, read: () => this.#local.readPlanned(planned) };
    return { ...result, sizeInBytes, promised };
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
      logEndOffset: this.logEndOffset,
      abortedTransactions: withAborted
        ? this.#local.segments.collectAbortedTransactions(fetchOffset, nextOffset)
        : undefined,
    };
  }

  /** Queues the checkpoint of the epochs, if they changed, ahead of the records that follow. */
  #saveEpochs(): void {
    if (!this.#epochs.isDirty || this.#isSavingEpochs) return;
    this.#isSavingEpochs = true;
    void this.#local.perform(() => this.#writeEpochs());
  }

  async #writeEpochs(): Promise<void> {
    this.#isSavingEpochs = false; // what changes from now on needs another checkpoint
    if (!this.#epochs.isDirty) return;
    const file = new LeaderEpochCheckpointFile(this.#disk, this.directory);
    await file.write(this.#epochs.takeCheckpoint());
  }
}
