import type { KafkaError } from "@samsa/base";
import { ErrorCode } from "@samsa/base";
import type { Cluster } from "../cluster/cluster.ts";
import type { ListedOffset, OffsetQuery, OffsetSpec } from "../cluster/list-offsets.ts";
import { listOffsets, NO_OFFSET } from "../cluster/list-offsets.ts";
import type { TopicPartition } from "../cluster/topic-metadata.ts";
import { BrokerError, ClosedError, ConfigurationError } from "../errors.ts";
import { AssignedPartition } from "./assigned-partition.ts";
import type { ConsumerCounters } from "./consumer-counters.ts";
import { newConsumerCounters } from "./consumer-counters.ts";
import type { ResolvedConsumerOptions } from "./consumer-options.ts";
import { resetSpec } from "./consumer-options.ts";
import type { ConsumerRecord } from "./consumer-record.ts";
import { ConsumerBatch, RecordDecoder } from "./consumer-record.ts";
import type { Collected } from "./fetch-collector.ts";
import { FetchCollector, moveBehind } from "./fetch-collector.ts";
import { Fetcher } from "./fetcher.ts";
import { RecordIterator } from "./record-iterator.ts";
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
  readonly onClosed: () => void;
}

export interface IterationOptions {
  /** Ends the iteration with the signal's reason. */
  readonly signal?: AbortSignal;
}

/**
 * Reads partitions that it is assigned. Records come in the order of their offsets within a partition; between partitions
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
  #partitions: AssignedPartition[] = [];
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
    this.#collector = new FetchCollector(this.#fetcher, options.checkCrcs);
    this.#decoder = new RecordDecoder(options.keyDeserializer, options.valueDeserializer);
  }

  /**
   * Reads these partitions from now on, and no others.
   * @throws BrokerError for topics and partitions that do not exist, TimeLimitError
   */
  async assign(assignments: readonly Assignment[]): Promise<void> {
    this.#checkOpen();
    const partitions = (await Promise.all(assignments.map((one) => this.#expand(one)))).flat();
    const names = new Set(partitions.map(({ name }) => name));
    if (names.size < partitions.length) throw new ConfigurationError("consumer.assign: a partition is named twice");
    this.#checkOpen();
    this.#partitions = partitions;
    this.#fetcher.assign(partitions);
    this.#collector.assign(partitions);
    this.#collector.progress();
  }

  get assignment(): readonly TopicPartition[] {
    return this.#partitions.map(({ topic, partition }) => ({ topic, partition }));
  }

  /**
   * Goes on from elsewhere. What has been fetched and not been handed out is dropped.
   * @param options leaderEpoch: of the record before the offset, to find out whether the log was truncated since
   */
  seek(partition: TopicPartition, offset: OffsetSpec, options: { readonly leaderEpoch?: number } = {}): void {
    this.#find(partition).seek(offset, options.leaderEpoch);
    this.#fetcher.wake();
    this.#collector.progress();
  }

  /** The next offset to be handed out; undefined while it is looked for. */
  position(partition: TopicPartition): number | undefined {
    return this.#find(partition).position;
  }

  /** The leader epoch of the last record before the position, to be kept beside it; undefined after a seek. */
  positionLeaderEpoch(partition: TopicPartition): number | undefined {
    const { positionEpoch } = this.#find(partition);
    return positionEpoch < 0 ? undefined : positionEpoch;
  }

  /** Records between the position and the end that a reader of this isolation level may see; undefined until a fetch has told. */
  lag(partition: TopicPartition): number | undefined {
    const { position, highWatermark, lastStableOffset } = this.#find(partition);
    const end = this.#options.isolationLevel === "read_committed" ? lastStableOffset : highWatermark;
    return position === undefined || end < 0 ? undefined : Math.max(0, end - position);
  }

  /** Hands out no records of these until `resume`. */
  pause(partitions: readonly TopicPartition[]): void {
    for (const partition of partitions) this.#find(partition).isPaused = true;
  }

  resume(partitions: readonly TopicPartition[]): void {
    for (const partition of partitions) this.#find(partition).isPaused = false;
    this.#fetcher.wake();
    this.#collector.progress();
  }

  get paused(): readonly TopicPartition[] {
    return this.#partitions.filter(({ isPaused }) => isPaused).map(({ topic, partition }) => ({ topic, partition }));
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
    for (;;) {
      signal?.throwIfAborted();
      const next = this.#collector.next(this.#options.maxPollRecords);
      if (next !== undefined) {
        const batch = this.#batchOf(next);
        moveBehind(next); // before it is handed out: the caller may break off, or seek
        yield batch;
      } else if (this.#collector.isDone) return;
      else await this.#collector.whenProgress(signal);
    }
  }

  /**
   * Record after record, as iterating over the consumer itself; this form takes a signal.
   * @throws DecodeError, BrokerError, LogTruncationError, CorruptRecordError, InvalidRecordError, ClosedError
   */
  records({ signal }: IterationOptions = {}): AsyncIterableIterator<ConsumerRecord<K, V>, undefined> {
    return new RecordIterator(this.#collector, this.#decoder, this.#options.onDecodeError, signal);
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<ConsumerRecord<K, V>, undefined> {
    return this.records();
  }

  /**
   * Hands records or batches to a handler, several at once where the order allows, until the signal or the end of all
   * partitions.
   * @throws what a handler or `commit` throws, once the others under way have ended; the next run begins with what was not finished
   */
  async run(options: RunOptions<K, V>): Promise<void> {
    const { maxPollRecords, onDecodeError } = this.#options;
    const { clock, random } = this.#cluster.options;
    const makeBatch = (collected: Collected): ConsumerBatch<K, V> => this.#batchOf(collected);
    const context = { collector: this.#collector, makeBatch, maxPollRecords, onDecodeError, clock, random };
    const run = new Run(context, resolveRunOptions(options));
    try {
      await run.run();
    } finally {
      this.#fetcher.wake(); // positions may have moved back
    }
  }

  /** Stops fetching. An iteration that waits ends with ClosedError. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#fetcher.close();
    this.#collector.close();
    this.#options.onClosed();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #batchOf({ partition, reader, from, until }: Collected): ConsumerBatch<K, V> {
    const { topic, partition: index, highWatermark } = partition;
    return new ConsumerBatch(topic, index, highWatermark, reader, this.#decoder, from, until);
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
      const kept = this.#partitions.find((one) => one.topic === topic && one.partition === index);
      if (offset === undefined && kept !== undefined) {
        kept.endOffset = end;
        return kept;
      }
      const at = offset ?? resetSpec(autoOffsetReset, this.#cluster.options.clock.wallMs());
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

  #find({ topic, partition }: TopicPartition): AssignedPartition {
    const found = this.#partitions.find((one) => one.topic === topic && one.partition === partition);
    if (found === undefined) throw new ConfigurationError(`${topic}-${partition} is not assigned to this consumer`);
    return found;
  }

  #checkOpen(): void {
    if (this.#isClosed) throw new ClosedError("the consumer");
  }
}
