import type { KafkaError } from "@samsa/base";
import { ErrorCode } from "@samsa/base";
import type { Cluster } from "../cluster/cluster.ts";
import type { ListedOffset, OffsetQuery, OffsetSpec } from "../cluster/list-offsets.ts";
import { listOffsets, NO_OFFSET } from "../cluster/list-offsets.ts";
import type { TopicPartition } from "../cluster/topic-metadata.ts";
import { BrokerError, ClosedError, ConfigurationError } from "../errors.ts";
import { checkNames } from "../options.ts";
import type { Data } from "../producer/record.ts";
import type { OpenTelemetryApi } from "../observability/open-telemetry.ts";
import { AssignedPartition } from "./assigned-partition.ts";
import { AssignedPartitions } from "./assigned-partitions.ts";
import { BatchLoan } from "./answer-memory.ts";
import { Breath } from "./breath.ts";
import { checkAssignments, checkOffsets, checkPlace } from "./check-calls.ts";
import type { ConsumerCounters } from "./consumer-counters.ts";
import { newConsumerCounters } from "./consumer-counters.ts";
import type { ResolvedConsumerOptions } from "./consumer-options.ts";
import { resetSpec } from "./consumer-options.ts";
import type { ConsumerRecord } from "./consumer-record.ts";
import { ConsumerBatch, RecordDecoder } from "./consumer-record.ts";
import type { Collected } from "./fetch-collector.ts";
import { FetchCollector, moveBehind } from "./fetch-collector.ts";
import { Fetcher } from "./fetcher.ts";
import type { TopicSelection } from "./group/topic-selection.ts";
import { checkSubscription } from "./group/topic-selection.ts";
import { ConsumerGroup } from "./group/consumer-group.ts";
import { offsetBehind } from "./group/group-offsets.ts";
import type { ConsumerGroupMetadata, GroupMembershipOperation } from "./group/member.ts";
import type { CommittedPosition, OffsetToCommit } from "./group/offset-requests.ts";
import { partitionName } from "./group/partition-sets.ts";
import type { RebalanceListener } from "./group/rebalance-listener.ts";
import { InHand } from "./in-hand.ts";
import { RecordIterator } from "./record-iterator.ts";
import type { ExactlyOnceRunOptions } from "./processing/exactly-once-run.ts";
import { runExactlyOnce } from "./processing/exactly-once-run.ts";
import type { RunOptions } from "./processing/run-options.ts";
import { resolveRunOptions } from "./processing/run-options.ts";
import { Run } from "./run.ts";

/** What to read, and where to begin and end. */
export interface Assignment {
  readonly topic: string;
  /** All partitions of the topic when left out. */
  readonly partition?: number;
  /** Where to begin. When left out: where it is for what is assigned already, else by `autoOffsetReset`. */
  readonly offset?: OffsetSpec;
  /** Of the record before `offset`, where it is known: finds out whether the log was truncated since (KIP-320). */
  readonly leaderEpoch?: number;
  /** First offset not to read; "latest" is the end as it is now. Iteration ends when all partitions have come so far. */
  readonly endOffset?: number | "latest";
}

export interface ConsumerSettings extends ResolvedConsumerOptions {
  readonly requestTimeoutMs: number;
  readonly defaultApiTimeoutMs: number;
  readonly rackId: string;
  readonly purpose: string; // of the connections
  readonly onRetry: (error: KafkaError) => void;
  readonly openTelemetry: OpenTelemetryApi | undefined;
  readonly onClosed: () => void;
}

export interface CloseOptions {
  /** Whether to leave the group (KIP-1092). Default: static members stay until their session ends, the others leave. */
  readonly groupMembershipOperation?: GroupMembershipOperation;
  /** How long to wait for commits, listeners and the coordinator. Default 30000. */
  readonly timeoutMs?: number;
}

const CLOSE_TIMEOUT_MS = 30_000;
const CLOSE_OPTIONS: readonly (keyof CloseOptions)[] = ["groupMembershipOperation", "timeoutMs"];

/** A record, or what says as much of where it lies. */
export type RecordPlace = TopicPartition & { readonly offset: number; readonly leaderEpoch?: number };

export interface IterationOptions {
  /** Ends the iteration with the signal's reason. */
  readonly signal?: AbortSignal;
}

/**
 * Reads partitions that it is assigned, by hand or by its group. Records come in the order of their offsets within a partition; between partitions
 * there is no order.
 *
 *   for await (const record of consumer) …            an object per record
 *   for await (const batch of consumer.batches()) …   records decoded when asked for
 *   await consumer.run({ eachRecord, concurrency })   handlers side by side
 *
 * One of them at a time: each goes on where the one before it stopped.
 */
export class Consumer<K = Uint8Array, V = Uint8Array> implements AsyncIterable<ConsumerRecord<K, V>> {
  readonly #cluster: Cluster;
  readonly #options: ConsumerSettings;
  readonly #counters = newConsumerCounters();
  readonly #fetcher: Fetcher;
  readonly #collector: FetchCollector;
  readonly #decoder: RecordDecoder<K, V>;
  readonly #inHand = new InHand();
  readonly #partitions: AssignedPartitions;
  readonly #group: ConsumerGroup | undefined;
  /** By hand. */
  #isAssigned = false;
  #isClosed = false;

  /** Made by `kafka.consumer()`. */
  constructor(cluster: Cluster, options: ConsumerSettings) {
    this.#cluster = cluster;
    this.#options = options;
    this.#fetcher = new Fetcher(cluster, {
      ...options,
      counters: this.#counters,
      onProgress: () => this.#collector.progress(),
    });
    this.#collector = new FetchCollector(this.#fetcher, this.#inHand, options.checkCrcs);
    this.#decoder = new RecordDecoder(options.keyDeserializer, options.valueDeserializer);
    this.#partitions = new AssignedPartitions(this.#fetcher, this.#collector, this.#inHand);
    const { groupId } = options;
    if (groupId !== undefined) {
      this.#group = new ConsumerGroup(groupId, cluster, this.#partitions, this.#inHand, options);
    }
  }

  /**
   * Reads what the group assigns to this member, from now on and in place of what was subscribed to before. Joining happens
   * beside: it begins at once, and whoever reads waits for it.
   *
   * @param selection topics by name, a RegExp that is matched here, or `{ pattern }`, matched by the broker (RE2 syntax, the whole name)
   * @throws ConfigurationError without `groupId`, beside an assignment, and for what is no selection
   */
  subscribe(selection: TopicSelection, listener: RebalanceListener = {}): void {
    this.#checkOpen();
    const group = this.#groupFor("subscribe");
    checkSubscription(selection, listener);
    if (!group.isSubscribed && this.#partitions.list.length > 0) {
      throw new ConfigurationError("consumer.subscribe: partitions were assigned by hand; it is one or the other");
    }
    group.subscribe(selection, listener);
  }

  /** Leaves the group, or gives up what was assigned by hand. */
  async unsubscribe({ groupMembershipOperation = "default", timeoutMs }: CloseOptions = {}): Promise<void> {
    this.#checkOpen();
    await this.#group?.unsubscribe(groupMembershipOperation, timeoutMs ?? CLOSE_TIMEOUT_MS);
    this.#partitions.replace([]);
    this.#isAssigned = false;
  }

  /** Has the group assign anew, where the members do it (the classic protocol). */
  enforceRebalance(reason = "the application asks for it"): void {
    this.#groupFor("enforceRebalance").rejoin(reason);
  }

  /** Who this consumer is in its group now, as transactional producers want to know it. @throws ConfigurationError without `groupId` */
  groupMetadata(): ConsumerGroupMetadata {
    return this.#groupFor("groupMetadata").metadata;
  }

  /**
   * Behind everything that was handed out, in a `run` behind what its handlers have completed: for whoever commits it elsewhere, as
   * `transaction.commitOffsets` does.
   * @throws ConfigurationError without `groupId`, and where the consumer commits by itself
   */
  consumedOffsets(): readonly OffsetToCommit[] {
    const group = this.#groupFor("consumedOffsets");
    if (this.#options.enableAutoCommit) {
      throw new ConfigurationError(
        "consumer.consumedOffsets: set enableAutoCommit to false, or they are committed twice",
      );
    }
    return group.consumedOffsets;
  }

  /**
   * Commits, and tries again until `defaultApiTimeoutMs` is over. Commits happen in the order of the calls.
   *
   * @param offsets when left out: behind everything that was handed out, in a `run` behind what its handlers have completed
   * @throws CommitFailedError when the partitions are another member's, TimeLimitError, BrokerError
   */
  async commit(offsets?: readonly OffsetToCommit[]): Promise<void> {
    this.#checkOpen();
    if (offsets !== undefined) checkOffsets("consumer.commit", offsets);
    await this.#groupFor("commit").commit(offsets);
  }

  /**
   * As `commit`, in the same order, but tried once: the next commit covers it.
   * @throws RetriableCommitFailedError for what goes by, and the others of `commit`
   */
  async commitOnce(offsets?: readonly OffsetToCommit[]): Promise<void> {
    this.#checkOpen();
    if (offsets !== undefined) checkOffsets("consumer.commitOnce", offsets);
    await this.#groupFor("commitOnce").commitOnce(offsets);
  }

  /** Commits behind this record, whatever became of those before it. @throws what `commit` throws */
  async commitRecord(record: RecordPlace): Promise<void> {
    await this.commit([offsetBehind(record)]);
  }

  /**
   * What the group has committed; nothing for a partition of which it has not.
   * @throws BrokerError, TimeLimitError
   */
  async committed(partitions: readonly TopicPartition[]): Promise<readonly (CommittedPosition | undefined)[]> {
    this.#checkOpen();
    const found = await this.#groupFor("committed").committed(partitions);
    return partitions.map((one) => found.get(partitionName(one)));
  }

  /**
   * Reads these partitions from now on, and no others.
   * @throws BrokerError for topics and partitions that do not exist, TimeLimitError
   */
  async assign(assignments: readonly Assignment[]): Promise<void> {
    this.#checkOpen();
    checkAssignments(assignments);
    if (this.#group?.isSubscribed === true) {
      throw new ConfigurationError("consumer.assign: the consumer is subscribed; it is one or the other");
    }
    this.#isAssigned = assignments.length > 0;
    const partitions = (await Promise.all(assignments.map((one) => this.#expand(one)))).flat();
    const names = new Set(partitions.map(({ name }) => name));
    if (names.size < partitions.length) throw new ConfigurationError("consumer.assign: a partition is named twice");
    this.#checkOpen();
    this.#partitions.replace(partitions);
    this.#group?.startCommits();
    await this.#group?.place(partitions);
  }

  get assignment(): readonly TopicPartition[] {
    return this.#partitions.list.map(({ topic, partition }) => ({ topic, partition }));
  }

  /**
   * Goes on from elsewhere. What has been fetched and not been handed out is dropped.
   * @param options leaderEpoch: of the record before the offset, to find out whether the log was truncated since
   */
  seek(partition: TopicPartition, offset: OffsetSpec, options: { readonly leaderEpoch?: number } = {}): void {
    checkPlace("consumer.seek", offset);
    this.#partitions.get(partition).seek(offset, options.leaderEpoch);
    this.#partitions.wake();
  }

  /** The next offset to be handed out; undefined while it is looked for. */
  position(partition: TopicPartition): number | undefined {
    return this.#partitions.get(partition).position;
  }

  /** The leader epoch of the last record before the position, to be kept beside it; undefined after a seek. */
  positionLeaderEpoch(partition: TopicPartition): number | undefined {
    const { positionEpoch } = this.#partitions.get(partition);
    return positionEpoch < 0 ? undefined : positionEpoch;
  }

  /** Records between the position and the end that a reader of this isolation level may see; undefined until a fetch has told. */
  lag(partition: TopicPartition): number | undefined {
    const { position, highWatermark, lastStableOffset } = this.#partitions.get(partition);
    const end = this.#options.isolationLevel === "read_committed" ? lastStableOffset : highWatermark;
    return position === undefined || end < 0 ? undefined : Math.max(0, end - position);
  }

  /** Hands out no records of these until `resume`. */
  pause(partitions: readonly TopicPartition[]): void {
    for (const partition of partitions) this.#partitions.get(partition).isPaused = true;
  }

  resume(partitions: readonly TopicPartition[]): void {
    for (const partition of partitions) this.#partitions.get(partition).isPaused = false;
    this.#partitions.wake();
  }

  get paused(): readonly TopicPartition[] {
    return this.#partitions.list
      .filter(({ isPaused }) => isPaused)
      .map(({ topic, partition }) => ({ topic, partition }));
  }

  /** First offsets that are still there, assigned or not. @throws BrokerError, TimeLimitError */
  async beginningOffsets(partitions: readonly TopicPartition[]): Promise<readonly ListedOffset[]> {
    return await this.#list(partitions.map((partition) => ({ ...partition, at: "earliest" })));
  }

  /** Where the next record will come, or with `read_committed` the last stable offset. @throws BrokerError, TimeLimitError */
  async endOffsets(partitions: readonly TopicPartition[]): Promise<readonly ListedOffset[]> {
    return await this.#list(partitions.map((partition) => ({ ...partition, at: "latest" })));
  }

  /**
   * The first record at or after a time.
   * @returns in the order of the queries, undefined where no record is that young
   * @throws BrokerError, TimeLimitError
   */
  async offsetsForTimes(
    queries: readonly (TopicPartition & { readonly timestampMs: number })[],
  ): Promise<readonly (ListedOffset | undefined)[]> {
    const listed = await this.#list(
      queries.map(({ topic, partition, timestampMs }) => ({ topic, partition, at: { timestampMs } })),
    );
    return listed.map((one) => (one.offset === NO_OFFSET ? undefined : one));
  }

  /** What this consumer has done so far. */
  get counters(): Readonly<ConsumerCounters> {
    return { ...this.#counters };
  }

  /**
   * Batches as they were written, at most `maxPollRecords` at a time, without control records and, with `read_committed`, without those
   * of aborted transactions.
   * @throws BrokerError, LogTruncationError, CorruptRecordError, ClosedError
   */
  async *batches({ signal }: IterationOptions = {}): AsyncGenerator<ConsumerBatch<K, V>, void> {
    this.#checkReads("consumer.batches");
    const breath = this.#breath;
    let isBroken = true;
    try {
      for (;;) {
        this.#inHand.completeTaken();
        if (breath?.isDue() === true) await breath.take();
        signal?.throwIfAborted();
        const next = this.#collector.next(this.#options.maxPollRecords);
        if (next !== undefined) {
          const loan = new BatchLoan(next.memory);
          const batch = this.#batchOf(next, loan);
          moveBehind(next); // before it is handed out: the caller may break off, or seek
          this.#inHand.take(next.partition, next.from);
          yield batch;
          loan.end();
        } else if (this.#collector.isDone) break;
        else {
          await this.#collector.whenProgress(signal);
          breath?.taken();
        }
      }
      isBroken = false;
    } finally {
      if (isBroken) this.#inHand.leave();
    }
  }

  /**
   * Record after record, as iterating over the consumer itself; this form takes a signal.
   * @throws DecodeError, BrokerError, LogTruncationError, CorruptRecordError, InvalidRecordError, ClosedError
   */
  records({ signal }: IterationOptions = {}): AsyncIterableIterator<ConsumerRecord<K, V>, undefined> {
    this.#checkReads("consumer.records");
    const { onDecodeError } = this.#options;
    return new RecordIterator(this.#collector, this.#decoder, onDecodeError, signal, this.#breath, this.#counters);
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<ConsumerRecord<K, V>, undefined> {
    return this.records();
  }

  /**
   * Hands records or batches to a handler, several at once where the order allows, until the signal or the end of all
   * partitions.
   *
   * With `deliveryGuarantee: "exactly-once"` and a producer: a batch at a time, in a transaction that the handlers write in and that
   * commits how far was read.
   *
   * @throws what a handler or `commit` throws, once the others under way have ended; the next run begins with what was not finished
   */
  async run<OutKey = Data, OutValue = Data>(
    options: RunOptions<K, V> | ExactlyOnceRunOptions<K, V, OutKey, OutValue>,
  ): Promise<void> {
    if (options.deliveryGuarantee === "exactly-once") return await this.#runExactlyOnce(options);
    const { maxPollRecords, onDecodeError } = this.#options;
    const { clock, random } = this.#cluster.options;
    const group = this.#group;
    const breath = this.#breath;
    const makeBatch = (collected: Collected): ConsumerBatch<K, V> => this.#batchOf(collected);
    const { openTelemetry } = this.#options;
    const handed = { makeBatch, maxPollRecords, onDecodeError, openTelemetry };
    const run = new Run(
      { collector: this.#collector, ...handed, clock, random, breath },
      resolveRunOptions(options, group && ((positions) => group.commit(positions))),
    );
    this.#checkReads("consumer.run");
    try {
      await run.run();
    } finally {
      this.#fetcher.wake(); // positions may have moved back
    }
  }

  async #runExactlyOnce<OutKey, OutValue>(options: ExactlyOnceRunOptions<K, V, OutKey, OutValue>): Promise<void> {
    const { isolationLevel, enableAutoCommit } = this.#options;
    this.#groupFor("run exactly-once");
    if (isolationLevel !== "read_committed" || enableAutoCommit) {
      throw new ConfigurationError(
        'consumer.run: exactly-once wants isolationLevel "read_committed", and enableAutoCommit false: the transaction commits',
      );
    }
    const { retryBackoffMs: backoffMs, retryBackoffMaxMs: backoffMaxMs } = this.#cluster.options;
    await runExactlyOnce(this, options, { ...this.#cluster.retries, backoffMs, backoffMaxMs });
  }

  /**
   * Commits what is completed, leaves the group, stops fetching. An iteration that waits ends with ClosedError. It does not wait for
   * who has a record in hand, who may be the one to call: to have the last record committed too, end the loop by its signal first.
   */
  async close(options: CloseOptions = {}): Promise<void> {
    if (this.#isClosed) return;
    checkNames("consumer.close", options, CLOSE_OPTIONS);
    const { groupMembershipOperation = "default", timeoutMs } = options;
    this.#isClosed = true;
    await this.#group?.close(groupMembershipOperation, timeoutMs ?? CLOSE_TIMEOUT_MS);
    this.#fetcher.close();
    this.#collector.close();
    this.#options.onClosed();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #batchOf({ partition, reader, from, until }: Collected, loan?: BatchLoan): ConsumerBatch<K, V> {
    const { topic, partition: index, highWatermark } = partition;
    this.#counters.recordsConsumed += reader.count(from, until);
    return new ConsumerBatch(topic, index, highWatermark, reader, this.#decoder, from, until, loan);
  }

  async #expand({ topic, partition, offset, leaderEpoch, endOffset }: Assignment): Promise<AssignedPartition[]> {
    const { defaultApiTimeoutMs, autoOffsetReset } = this.#options;
    const limits = {
      timeoutMs: defaultApiTimeoutMs,
      timeoutOption: "defaultApiTimeoutMs",
      allowAutoTopicCreation: false,
    };
    const { partitions } = await this.#cluster.topic(topic, limits);
    if (partition !== undefined && partitions[partition] === undefined) {
      const have = `the topic has partitions 0 to ${partitions.length - 1}`;
      throw new BrokerError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, `${topic}-${partition}`, have);
    }
    const wanted = partition === undefined ? partitions.map((known) => known.partition) : [partition];
    const ends = await this.#ends(topic, wanted, endOffset);
    return wanted.map((index, i) => {
      const end = ends[i] ?? Number.POSITIVE_INFINITY;
      const kept = this.#partitions.find({ topic, partition: index });
      if (offset === undefined && kept !== undefined) {
        kept.endOffset = end;
        return kept;
      }
      const unsaid = this.#group === undefined ? undefined : "committed";
      const at = offset ?? unsaid ?? resetSpec(autoOffsetReset, this.#cluster.options.clock.wallMs());
      if (at === undefined) {
        throw new ConfigurationError(`consumer.assign: ${topic} needs an offset, for autoOffsetReset is "none"`);
      }
      return new AssignedPartition(topic, index, at, end, leaderEpoch);
    });
  }

  async #ends(
    topic: string,
    partitions: readonly number[],
    endOffset: number | "latest" | undefined,
  ): Promise<readonly number[]> {
    if (endOffset !== "latest") return partitions.map(() => endOffset ?? Number.POSITIVE_INFINITY);
    const found = await this.#list(partitions.map((partition) => ({ topic, partition, at: "latest" })));
    return found.map(({ offset }) => offset);
  }

  async #list(queries: readonly OffsetQuery[]): Promise<readonly ListedOffset[]> {
    this.#checkOpen();
    const { isolationLevel, defaultApiTimeoutMs } = this.#options;
    return await listOffsets(this.#cluster, queries, isolationLevel, defaultApiTimeoutMs);
  }

  #groupFor(call: string): ConsumerGroup {
    if (this.#group !== undefined) return this.#group;
    throw new ConfigurationError(`consumer.${call}: kafka.consumer({ groupId }) is wanted for it`);
  }

  get #breath(): Breath | undefined {
    return this.#group === undefined ? undefined : new Breath(this.#cluster.options.clock);
  }

  #checkOpen(): void {
    if (this.#isClosed) throw new ClosedError("the consumer");
  }

  /** Whoever reads nothing would wait for ever. An assignment may still be under way. */
  #checkReads(call: string): void {
    this.#checkOpen();
    if (this.#isAssigned || this.#group?.isSubscribed === true) return;
    throw new ConfigurationError(`${call}: there is nothing to read; call subscribe or assign before`);
  }
}
