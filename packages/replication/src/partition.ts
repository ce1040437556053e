import type { Uuid } from "@samsa/base";
import { assert, ErrorCode, KafkaError } from "@samsa/base";
import type {
  AppendOrigin,
  LogAppendResult,
  LogReadResult,
  PromisedRecords,
  TimestampAndOffset,
  TopicPartition,
  TransactionChecks,
  UnifiedLog,
  VerificationGuard,
  VerificationStart,
} from "@samsa/log";
import { OffsetOutOfRangeError } from "@samsa/log";
import type { PartitionRegistration } from "@samsa/metadata";
import { FencedLeaderEpochError, NotLeaderOrFollowerError, UnknownLeaderEpochError } from "./errors.ts";

export type IsolationLevel = "read-uncommitted" | "read-committed";

/** The caller has no leader epoch to compare. */
export const NO_LEADER_EPOCH = -1;

/** In place of an offset: the high watermark. */
const HIGH_WATERMARK = -1;

export interface FetchParameters {
  readonly fetchOffset: number;
  readonly maxBytes: number;
  readonly minOneMessage: boolean; // the first batch comes back whole even when larger than maxBytes (KIP-74)
  readonly isolationLevel: IsolationLevel;
  readonly currentLeaderEpoch: number; // NO_LEADER_EPOCH when unknown
  readonly lastFetchedEpoch: number; // NO_LEADER_EPOCH when unknown
  /** A promise of records will do (LogReadOptions). */
  readonly mayPromise?: boolean;
}

export interface PartitionFetch {
  readonly records: readonly Uint8Array[]; // whole batches, consecutive
  readonly promised?: PromisedRecords; // instead of them
  readonly sizeInBytes: number;
  readonly highWatermark: number;
  readonly lastStableOffset: number;
  readonly logStartOffset: number;
  readonly divergingEpoch: EpochEndOffset | undefined; // set when the caller's log left ours (KIP-595)
  /** Whose records a read_committed consumer passes over, from which offset on; undefined for read_uncommitted. */
  readonly abortedTransactions: readonly AbortedTransaction[] | undefined;
}

export interface AbortedTransaction {
  readonly producerId: number;
  readonly firstOffset: number;
}

export interface EpochEndOffset {
  readonly leaderEpoch: number; // NO_LEADER_EPOCH when unknown
  readonly endOffset: number; // exclusive
}

/** Is told when more records may be read, and when the leader changes or the partition goes. */
export interface PartitionWatcher {
  onPartitionChanged(partition: Partition): void;
}

type FoundRecords = Pick<LogReadResult, "records" | "promised" | "sizeInBytes" | "abortedTransactions">;

const NO_RECORDS: FoundRecords = { records: [], sizeInBytes: 0, abortedTransactions: undefined };

/** A log that takes the place of another: appends to it wait until it is confirmed. */
export class LogReplacement {
  readonly previous: UnifiedLog;
  readonly done: Promise<void>;
  readonly #onEnd: (isConfirmed: boolean) => void;
  #resolve: () => void = () => undefined;
  #reject: (error: unknown) => void = () => undefined;

  constructor(previous: UnifiedLog, onEnd: (isConfirmed: boolean) => void) {
    this.previous = previous;
    this.#onEnd = onEnd;
    this.done = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.done.catch(() => undefined); // perhaps nobody has appended
  }

  /** The log before is not needed any more. */
  confirm(): void {
    this.#onEnd(true);
    this.#resolve();
  }

  /** Back to the log before: what was appended since is refused with this error. */
  revert(error: unknown): void {
    this.#onEnd(false);
    this.#reject(error);
  }
}

/**
 * One replica of a partition on this broker: who leads, under which epoch, and how far the records may be read. With one
 * replica the high watermark is the end of what the disk has taken.
 */
export class Partition {
  readonly topicPartition: TopicPartition;
  readonly topicId: Uuid;
  readonly #brokerId: number;
  #log: UnifiedLog;
  /** While another log takes the place of the one before, see `replaceLog`. */
  #replacement: LogReplacement | undefined;
  #registration: PartitionRegistration;
  readonly #watchers = new Set<PartitionWatcher>();
  #isRemoved = false;

  constructor(brokerId: number, log: UnifiedLog, registration: PartitionRegistration) {
    this.#brokerId = brokerId;
    this.#log = log;
    this.topicPartition = log.topicPartition;
    this.topicId = log.topicId;
    this.#registration = registration;
    log.onWritten = () => this.#maybeAdvanceHighWatermark();
    if (this.isLeader) this.#startLeading();
  }

  get log(): UnifiedLog {
    return this.#log;
  }

  get leaderId(): number {
    return this.#registration.leader;
  }

  get leaderEpoch(): number {
    return this.#registration.leaderEpoch;
  }

  get isLeader(): boolean {
    return this.#registration.leader === this.#brokerId && !this.#isRemoved;
  }

  get highWatermark(): number {
    return this.log.highWatermark;
  }

  /** Takes what the controller decided. An older partition epoch than the one held is ignored. */
  update(registration: PartitionRegistration): void {
    if (registration.partitionEpoch < this.#registration.partitionEpoch) return;
    const previousEpoch = this.#registration.leaderEpoch;
    this.#registration = registration;
    if (registration.leaderEpoch === previousEpoch) return;
    if (this.isLeader) this.#startLeading();
    this.#notifyWatchers(); // who waits under the old epoch must learn of the new one
  }

  /**
   * Appends one produced batch set. The decision is made at once; `written` settles when the disk has it.
   * @param transaction what transactional batches and markers are held to
   * @throws KafkaError NOT_LEADER_OR_FOLLOWER, or what the validation of the log refuses
   */
  appendRecordsToLeader(
    records: Uint8Array,
    origin: AppendOrigin = "client",
    transaction?: TransactionChecks,
  ): LogAppendResult {
    if (!this.isLeader) throw this.#notLeader();
    const appended = this.log.appendAsLeader(records, this.leaderEpoch, origin, transaction);
    const replacement = this.#replacement;
    if (replacement === undefined) return appended;
    const written = appended.written.then(() => replacement.done);
    written.catch(() => undefined); // who does not wait (acks=0) does not end the process
    return { info: appended.info, written, writeNow: () => false };
  }

  /**
   * To be called before the coordinator is asked whether this partition is in the transaction (KIP-890).
   * @returns undefined when the transaction is open here already: nobody needs to be asked
   * @throws KafkaError NOT_LEADER_OR_FOLLOWER
   */
  startTransactionVerification(start: VerificationStart): VerificationGuard | undefined {
    if (!this.isLeader) throw this.#notLeader();
    return this.log.startTransactionVerification(start);
  }

  /**
   * Goes on with another log, which ends where this one ends (asserted). What is appended from now on counts when the returned
   * replacement is confirmed: only then is it certain that a restart finds this log. The high watermark stands at the end of the
   * log before until then.
   */
  replaceLog(log: UnifiedLog): LogReplacement {
    const previous = this.#log;
    assert(this.#replacement === undefined, "one replacement at a time");
    assert(log.logEndOffset === previous.logEndOffset, "the other log ends where this one ends");
    log.updateHighWatermark(previous.highWatermark);
    log.maybeIncrementLogStartOffset(previous.logStartOffset);
    const replacement = new LogReplacement(previous, (isConfirmed) => {
      this.#replacement = undefined;
      if (isConfirmed) {
        this.#maybeAdvanceHighWatermark();
      } else {
        log.onWritten = undefined;
        this.#log = previous;
      }
      this.#notifyWatchers();
    });
    this.#replacement = replacement;
    this.#log = log;
    log.onWritten = () => this.#maybeAdvanceHighWatermark();
    return replacement;
  }

  /**
   * Reads for a consumer, up to the high watermark or the last stable offset. Synchronous while the tail cache has it.
   * @throws KafkaError NOT_LEADER_OR_FOLLOWER, FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH, OFFSET_OUT_OF_RANGE
   */
  fetchRecords(parameters: FetchParameters): PartitionFetch | Promise<PartitionFetch> {
    this.checkLeader(parameters.currentLeaderEpoch);
    const { fetchOffset, lastFetchedEpoch } = parameters;
    // The three are taken together: a batch below `readableEnd` must be below the watermarks that are answered with it.
    const highWatermark = this.log.highWatermark;
    const lastStableOffset = this.log.lastStableOffset;
    const isCommitted = parameters.isolationLevel === "read-committed";
    const answer = (found: FoundRecords, divergingEpoch?: EpochEndOffset): PartitionFetch => ({
      records: found.records,
      ...(found.promised && { promised: found.promised }),
      sizeInBytes: found.sizeInBytes,
      abortedTransactions: isCommitted ? (found.abortedTransactions ?? []) : undefined,
      highWatermark,
      lastStableOffset,
      logStartOffset: this.log.logStartOffset,
      divergingEpoch,
    });
    if (lastFetchedEpoch !== NO_LEADER_EPOCH) {
      const end = this.log.endOffsetForEpoch(lastFetchedEpoch);
      if (end.leaderEpoch === NO_LEADER_EPOCH) {
        throw new OffsetOutOfRangeError(fetchOffset, this.log.logStartOffset, this.log.logEndOffset);
      }
      if (end.leaderEpoch < lastFetchedEpoch || end.endOffset < fetchOffset) return answer(NO_RECORDS, end);
    }
    const upToOffset = isCommitted ? lastStableOffset : highWatermark;
    const { log } = this;
    const { minOneMessage, mayPromise = false } = parameters;
    const options = { minOneMessage, upToOffset, withAbortedTransactions: isCommitted, mayPromise };
    const read = log.read(fetchOffset, parameters.maxBytes, options);
    if (!(read instanceof Promise)) return answer(read);
    return read.then(answer, (error: unknown) => {
      if (this.log === log) throw error;
      return this.fetchRecords(parameters); // the log has been replaced meanwhile, and the one before is gone
    });
  }

  /**
   * Moves the log start offset up; HIGH_WATERMARK deletes all that may be read. Whole segments go with the next round of
   * retention.
   * @returns the log start offset afterwards
   * @throws KafkaError NOT_LEADER_OR_FOLLOWER, POLICY_VIOLATION (a topic that is compacted only), OFFSET_OUT_OF_RANGE
   */
  deleteRecordsOnLeader(offset: number): number {
    if (!this.isLeader) throw this.#notLeader();
    const { cleanupPolicy } = this.log.config;
    if (cleanupPolicy.includes("compact") && !cleanupPolicy.includes("delete")) {
      throw new KafkaError(ErrorCode.POLICY_VIOLATION, `${this.topicPartition.topic} is compacted, not deleted from`);
    }
    const startOffset = offset === HIGH_WATERMARK ? this.highWatermark : offset;
    if (startOffset < 0) {
      throw new OffsetOutOfRangeError(offset, this.log.logStartOffset, this.log.logEndOffset);
    }
    this.log.maybeIncrementLogStartOffset(startOffset);
    return this.log.logStartOffset;
  }

  /** End of what a reader of this isolation level sees (ListOffsets "latest"). */
  readableEndOffset(isolationLevel: IsolationLevel): number {
    return isolationLevel === "read-committed" ? this.log.lastStableOffset : this.log.highWatermark;
  }

  /** The first record at or after the timestamp that a reader of this isolation level sees. */
  async offsetForTimestamp(timestamp: number, isolationLevel: IsolationLevel): Promise<TimestampAndOffset | undefined> {
    const readableEnd = this.readableEndOffset(isolationLevel);
    const found = await this.log.fetchOffsetByTimestamp(timestamp);
    return found !== undefined && found.offset < readableEnd ? found : undefined;
  }

  /** The record with the highest timestamp (KIP-734); none while readers of this isolation level do not see it yet. */
  async offsetOfMaxTimestamp(isolationLevel: IsolationLevel): Promise<TimestampAndOffset | undefined> {
    const readableEnd = this.readableEndOffset(isolationLevel);
    const found = await this.log.fetchMaxTimestampOffset();
    return found !== undefined && found.offset < readableEnd ? found : undefined;
  }

  /** Refuses unless this broker leads, under the epoch the caller believes in (KIP-320). */
  checkLeader(currentLeaderEpoch: number): void {
    if (!this.isLeader) throw this.#notLeader();
    if (currentLeaderEpoch === NO_LEADER_EPOCH || currentLeaderEpoch === this.leaderEpoch) return;
    if (currentLeaderEpoch < this.leaderEpoch) throw new FencedLeaderEpochError(currentLeaderEpoch, this.leaderEpoch);
    throw new UnknownLeaderEpochError(currentLeaderEpoch, this.leaderEpoch);
  }

  watch(watcher: PartitionWatcher): void {
    this.#watchers.add(watcher);
  }

  unwatch(watcher: PartitionWatcher): void {
    this.#watchers.delete(watcher);
  }

  /** The partition is no longer here: whoever waits on it is told. */
  remove(): void {
    this.#isRemoved = true;
    this.#notifyWatchers();
  }

  #startLeading(): void {
    // The epoch is recorded before the first append under it, so that its start offset is the end of what came before.
    this.log.maybeAssignEpochStartOffset(this.leaderEpoch, this.log.logEndOffset);
    this.#maybeAdvanceHighWatermark();
  }

  #notifyWatchers(): void {
    for (const watcher of this.#watchers) watcher.onPartitionChanged(this);
  }

  #maybeAdvanceHighWatermark(): void {
    const { writtenEndOffset } = this.#replacement?.previous ?? this.log;
    assert(writtenEndOffset <= this.log.logEndOffset, "written beyond the log end offset");
    if (!this.isLeader || writtenEndOffset <= this.log.highWatermark) return;
    this.log.updateHighWatermark(writtenEndOffset);
    this.#notifyWatchers();
  }

  #notLeader(): NotLeaderOrFollowerError {
    return new NotLeaderOrFollowerError(this.topicPartition.topic, this.topicPartition.partition);
  }
}
