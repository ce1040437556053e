import type { KafkaError } from "@samsa/base";
import { ErrorCode } from "@samsa/base";
import type { Cluster } from "../cluster/cluster.ts";
import type { OffsetSpec } from "../cluster/list-offsets.ts";
import { listOffsets } from "../cluster/list-offsets.ts";
import type { TopicPartition } from "../cluster/topic-metadata.ts";
import { BrokerError, ClosedError, ConfigurationError } from "../errors.ts";
import { AssignedPartition } from "./assigned-partition.ts";
import type { ResolvedConsumerOptions } from "./consumer-options.ts";
import type { ConsumerRecord } from "./consumer-record.ts";
import { ConsumerBatch } from "./consumer-record.ts";
import { Fetcher } from "./fetcher.ts";

/** What to read, and where to begin and end. */
export interface Assignment {
  readonly topic: string;
  /** All partitions of the topic when left out. */
  readonly partition?: number;
  /** Where to begin; `autoOffsetReset` when left out. */
  readonly offset?: OffsetSpec;
  /** First offset not to read; "latest" is the end as it is now. Iteration ends when all partitions have come so far. */
  readonly endOffset?: number | "latest";
}

export interface ConsumerTimeouts {
  readonly requestTimeoutMs: number;
  readonly defaultApiTimeoutMs: number;
}

interface NextBatch {
  readonly partition: AssignedPartition;
  readonly epoch: number;
  readonly batch: ConsumerBatch;
  readonly endOffset: number; // the position after it
}

/**
 * Reads partitions that it is assigned. Records come in the order of their offsets within a partition; between partitions
 * there is no order.
 *
 *   for await (const record of consumer) …            an object per record
 *   for await (const batch of consumer.batches()) …   records decoded when asked for
 */
export class Consumer implements AsyncIterable<ConsumerRecord> {
  readonly #cluster: Cluster;
  readonly #options: ResolvedConsumerOptions & ConsumerTimeouts;
  readonly #fetcher: Fetcher;
  #partitions: AssignedPartition[] = [];
  #whenProgress: (() => void)[] = [];
  #isClosed = false;

  /** Made by `kafka.consumer()`. */
  constructor(
    cluster: Cluster,
    options: ResolvedConsumerOptions & ConsumerTimeouts,
    purpose: string,
    onRetry: (error: KafkaError) => void,
  ) {
    this.#cluster = cluster;
    this.#options = options;
    this.#fetcher = new Fetcher(cluster, { ...options, purpose, onProgress: () => this.#progress(), onRetry });
  }

  /**
   * Reads these partitions from now on, and no others.
   * @throws BrokerError for topics and partitions that do not exist, TimeLimitError
   */
  async assign(assignments: readonly Assignment[]): Promise<void> {
    this.#checkOpen();
    const partitions = (await Promise.all(assignments.map((one) => this.#expand(one)))).flat();
    const names = new Set(partitions.map(({ topic, partition }) => `${topic}-${partition}`));
    if (names.size < partitions.length) throw new ConfigurationError("consumer.assign: a partition is named twice");
    this.#checkOpen();
    this.#partitions = partitions;
    this.#fetcher.assign(partitions);
    this.#progress();
  }

  get assignment(): readonly TopicPartition[] {
    return this.#partitions.map(({ topic, partition }) => ({ topic, partition }));
  }

  /** Goes on from elsewhere. What has been fetched and not been handed out is dropped. */
  seek(partition: TopicPartition, offset: OffsetSpec): void {
    this.#find(partition).seek(offset);
    this.#fetcher.wake();
    this.#progress();
  }

  /** The next offset to be handed out; undefined while it is looked for. */
  position(partition: TopicPartition): number | undefined {
    return this.#find(partition).position;
  }

  /** Hands out no records of these until `resume`. */
  pause(partitions: readonly TopicPartition[]): void {
    for (const partition of partitions) this.#find(partition).isPaused = true;
  }

  resume(partitions: readonly TopicPartition[]): void {
    for (const partition of partitions) this.#find(partition).isPaused = false;
    this.#fetcher.wake();
    this.#progress();
  }

  /**
   * Batches as they were written, without control records and, with `read_committed`, without those of aborted transactions.
   * @throws BrokerError, CorruptRecordError, ClosedError
   */
  async *batches(): AsyncGenerator<ConsumerBatch, void> {
    for (let next = await this.#whenBatch(); next !== undefined; next = await this.#whenBatch()) {
      const { partition, batch, endOffset } = next;
      partition.position = endOffset; // before it is handed out: the caller may break off, or seek
      yield batch;
    }
  }

  /** @throws BrokerError, CorruptRecordError, InvalidRecordError, ClosedError */
  async *[Symbol.asyncIterator](): AsyncGenerator<ConsumerRecord, void> {
    for (let next = await this.#whenBatch(); next !== undefined; next = await this.#whenBatch()) {
      const { partition, epoch, batch, endOffset } = next;
      for (const record of batch.records()) {
        if (partition.epoch !== epoch || this.#isClosed) break; // sought elsewhere meanwhile
        partition.position = record.offset + 1;
        yield record;
      }
      if (partition.epoch === epoch) partition.position = endOffset; // compaction may have taken the last records away
    }
  }

  /** Stops fetching. An iteration that waits ends with ClosedError. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#fetcher.close();
    this.#progress();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** The next batch to hand out, or undefined when all partitions have come to their end. */
  async #whenBatch(): Promise<NextBatch | undefined> {
    for (;;) {
      this.#checkOpen();
      const next = this.#nextBatch();
      if (next !== undefined) return next;
      const isDone = this.#partitions.length > 0 && this.#partitions.every((partition) => partition.isDone);
      if (isDone) return undefined;
      await new Promise<void>((resolve) => this.#whenProgress.push(resolve));
    }
  }

  #nextBatch(): NextBatch | undefined {
    for (let fetched = this.#fetcher.first(); fetched !== undefined; fetched = this.#fetcher.first()) {
      const { partition, epoch, batch } = fetched;
      if (batch === undefined || partition.isDone) {
        this.#fetcher.remove(fetched);
        continue;
      }
      const position = partition.position ?? batch.baseOffset;
      if (batch.nextOffset <= position) {
        fetched.advance();
        continue;
      }
      if (this.#options.checkCrcs) batch.ensureValid();
      const { topic, partition: index, highWatermark } = partition;
      const endOffset = Math.min(batch.nextOffset, partition.endOffset);
      const isBeyond = Math.max(batch.baseOffset, position) >= partition.endOffset; // a gap before it
      if (fetched.isHidden(batch) || isBeyond) {
        partition.position = endOffset;
        continue;
      }
      const shown = new ConsumerBatch(topic, index, highWatermark, batch, position, partition.endOffset);
      return { partition, epoch, batch: shown, endOffset };
    }
    return undefined;
  }

  async #expand({ topic, partition, offset, endOffset }: Assignment): Promise<AssignedPartition[]> {
    const { defaultApiTimeoutMs, isolationLevel, autoOffsetReset } = this.#options;
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
    if (offset === undefined && autoOffsetReset === "none") {
      throw new ConfigurationError(`consumer.assign: ${topic} needs an offset, for autoOffsetReset is "none"`);
    }
    const wanted = partition === undefined ? partitions.map((known) => known.partition) : [partition];
    const at = offset ?? (autoOffsetReset === "none" ? "latest" : autoOffsetReset);
    const ends = await this.#ends(topic, wanted, endOffset, isolationLevel, defaultApiTimeoutMs);
    return wanted.map((index, i) => new AssignedPartition(topic, index, at, ends[i] ?? Number.POSITIVE_INFINITY));
  }

  async #ends(
    topic: string,
    partitions: readonly number[],
    endOffset: number | "latest" | undefined,
    isolationLevel: ResolvedConsumerOptions["isolationLevel"],
    timeoutMs: number,
  ): Promise<readonly number[]> {
    if (endOffset !== "latest") return partitions.map(() => endOffset ?? Number.POSITIVE_INFINITY);
    const queries = partitions.map((partition) => ({ topic, partition, at: "latest" as const }));
    const found = await listOffsets(this.#cluster, queries, isolationLevel, timeoutMs);
    return found.map(({ offset }) => offset);
  }

  #find({ topic, partition }: TopicPartition): AssignedPartition {
    const found = this.#partitions.find((one) => one.topic === topic && one.partition === partition);
    if (found === undefined) throw new ConfigurationError(`${topic}-${partition} is not assigned to this consumer`);
    return found;
  }

  #progress(): void {
    for (const callback of this.#whenProgress.splice(0)) callback();
  }

  #checkOpen(): void {
    if (this.#isClosed) throw new ClosedError("the consumer");
  }
}
