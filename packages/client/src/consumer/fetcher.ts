import type { Timer } from "@samsa/base";
import { ErrorCode, ERRORS, KafkaError, ZERO_UUID } from "@samsa/base";
import type { RecordBatch } from "@samsa/protocol";
import { recordBatches } from "@samsa/protocol";
import { createFetchRequestFetchPartition, FetchRequest } from "@samsa/protocol/messages/fetch-request";
import type { FetchResponsePartitionData } from "@samsa/protocol/messages/fetch-response";
import { FetchResponse } from "@samsa/protocol/messages/fetch-response";
import type { Cluster } from "../cluster/cluster.ts";
import { listOffsets, NO_OFFSET } from "../cluster/list-offsets.ts";
import { api } from "../connection/api.ts";
import { BrokerError, toKafkaError } from "../errors.ts";
import { backoffDelayMs } from "../retry.ts";
import { AbortedTransactions } from "./aborted-transactions.ts";
import type { AssignedPartition } from "./assigned-partition.ts";
import type { ResolvedConsumerOptions } from "./consumer-options.ts";

const FETCH = api(FetchRequest, FetchResponse);

/** What one answer brought of one partition, and how far it has been handed out. */
export class Fetched {
  readonly partition: AssignedPartition;
  readonly epoch: number; // of the partition when it was asked for
  readonly batches: readonly RecordBatch[];
  readonly sizeInBytes: number;
  readonly #aborted: AbortedTransactions;
  #index = 0;
  #isHidden: boolean | undefined;

  constructor(
    partition: AssignedPartition,
    batches: readonly RecordBatch[],
    aborted: AbortedTransactions,
    sizeInBytes: number,
  ) {
    this.partition = partition;
    this.epoch = partition.epoch;
    this.batches = batches;
    this.sizeInBytes = sizeInBytes;
    this.#aborted = aborted;
  }

  get batch(): RecordBatch | undefined {
    return this.batches[this.#index];
  }

  /** Whether readers see nothing of the batch: it was aborted or holds a marker. Asked for each batch in turn. */
  isHidden(batch: RecordBatch): boolean {
    this.#isHidden ??= this.#aborted.isAborted(batch) || batch.isControlBatch;
    return this.#isHidden;
  }

  advance(): void {
    this.#index++;
    this.#isHidden = undefined;
  }
}

export interface FetcherOptions extends ResolvedConsumerOptions {
  readonly purpose: string; // of the connections
  readonly requestTimeoutMs: number;
  readonly defaultApiTimeoutMs: number;
  /** Something came: records, a position, an error. */
  readonly onProgress: () => void;
  /** A failure that is tried again. */
  readonly onRetry: (error: KafkaError) => void;
}

interface Asked {
  readonly partition: AssignedPartition;
  readonly epoch: number;
}

/**
 * Keeps one fetch under way to each leader while there is room for the answer, so that the next records are on their way
 * while the last are worked on. What has come waits in a queue until it is handed out.
 */
export class Fetcher {
  readonly #cluster: Cluster;
  readonly #options: FetcherOptions;
  #partitions: readonly AssignedPartition[] = [];
  readonly #fetching = new Set<number>(); // node ids
  #queue: Fetched[] = [];
  #bufferedBytes = 0;
  #failure: KafkaError | undefined;
  #isAwake = false;
  #isClosed = false;
  #timer: Timer | undefined;

  constructor(cluster: Cluster, options: FetcherOptions) {
    this.#cluster = cluster;
    this.#options = options;
  }

  assign(partitions: readonly AssignedPartition[]): void {
    for (const partition of this.#partitions) partition.epoch++; // what is under way for the old ones is dropped
    this.#partitions = partitions;
    this.#failure = undefined;
    this.wake();
  }

  /**
   * The oldest that came and may be handed out; it stays until it is removed.
   * @throws what ended the fetching, once everything before it is gone
   */
  first(): Fetched | undefined {
    for (const fetched of this.#queue) {
      if (fetched.partition.epoch !== fetched.epoch) this.remove(fetched);
      else if (!fetched.partition.isPaused) return fetched;
    }
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure !== undefined) throw failure;
    return undefined;
  }

  /** It is handed out or not wanted any more: there is room for the next. */
  remove(fetched: Fetched): void {
    this.#queue = this.#queue.filter((other) => other !== fetched);
    this.#bufferedBytes -= fetched.sizeInBytes;
    this.wake();
  }

  /** Looks for something to do once whoever calls has finished. */
  wake(): void {
    if (this.#isAwake || this.#isClosed) return;
    this.#isAwake = true;
    queueMicrotask(() => this.#run());
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
    this.#queue = [];
    this.#partitions = [];
  }

  #run(): void {
    this.#isAwake = false;
    if (this.#isClosed) return;
    const nowMs = this.#cluster.options.clock.monotonicMs();
    const toReset: AssignedPartition[] = [];
    const toFetch = new Map<number, AssignedPartition[]>(); // by leader
    const leaderless = new Set<string>();
    let nextMs = Number.POSITIVE_INFINITY;
    for (const partition of this.#partitions) {
      if (partition.isFetching || partition.isResetting || partition.isPaused || partition.isFetched) continue;
      if (partition.retryAtMs > nowMs) {
        nextMs = Math.min(nextMs, partition.retryAtMs);
        continue;
      }
      if (partition.fetchOffset === undefined) {
        toReset.push(partition);
        continue;
      }
      const leader = this.#cluster.leaderOf(partition.topic, partition.partition);
      if (leader === undefined) {
        leaderless.add(partition.topic);
        nextMs = Math.min(nextMs, this.#backOff(partition, nowMs));
        continue;
      }
      const same = toFetch.get(leader.leaderId);
      if (same === undefined) toFetch.set(leader.leaderId, [partition]);
      else same.push(partition);
    }
    if (toReset.length > 0) void this.#reset(toReset);
    if (leaderless.size > 0) this.#refreshMetadata(leaderless);
    for (const [nodeId, partitions] of toFetch) {
      if (this.#fetching.has(nodeId) || this.#bufferedBytes >= this.#options.maxBufferedBytes) continue;
      void this.#fetch(nodeId, partitions);
    }
    this.#armTimer(nextMs);
  }

  /** Finds the positions that were asked for by name or time. */
  async #reset(partitions: readonly AssignedPartition[]): Promise<void> {
    const asked = partitions.map((partition) => {
      partition.isResetting = true;
      return { partition, epoch: partition.epoch, at: partition.sought ?? "latest" };
    });
    const { isolationLevel, defaultApiTimeoutMs } = this.#options;
    const queries = asked.map(({ partition: { topic, partition }, at }) => ({ topic, partition, at }));
    try {
      const found = await listOffsets(this.#cluster, queries, isolationLevel, defaultApiTimeoutMs);
      const unfound = asked.filter((_, index) => found[index]?.offset === NO_OFFSET);
      for (const [index, { partition, epoch }] of asked.entries()) {
        if (partition.epoch !== epoch) continue;
        const offset = found[index]?.offset ?? NO_OFFSET;
        partition.isResetting = false;
        if (offset === NO_OFFSET) continue;
        partition.position = offset;
        partition.fetchOffset = offset;
        partition.sought = undefined;
      }
      // No record is that young: what comes next is.
      for (const { partition, epoch } of unfound) if (partition.epoch === epoch) partition.sought = "latest";
    } catch (thrown) {
      const error = toKafkaError(thrown);
      for (const { partition, epoch } of asked) if (partition.epoch === epoch) partition.isResetting = false;
      if (this.#isClosed) return;
      this.#partitions = this.#partitions.filter((partition) => !partitions.includes(partition));
      this.#fail(error);
    }
    this.#options.onProgress();
    this.wake();
  }

  async #fetch(nodeId: number, partitions: readonly AssignedPartition[]): Promise<void> {
    this.#fetching.add(nodeId);
    const asked: Asked[] = partitions.map((partition) => {
      partition.isFetching = true;
      return { partition, epoch: partition.epoch };
    });
    const { purpose, fetchMaxWaitMs, requestTimeoutMs } = this.#options;
    try {
      const connection = await this.#cluster.connectionTo(nodeId, purpose);
      const [request, namesById] = this.#request(asked);
      const response = await connection.send(FETCH, request, { timeoutMs: fetchMaxWaitMs + requestTimeoutMs });
      if (this.#isClosed) return;
      this.#onResponse(asked, response, namesById);
    } catch (error) {
      if (!this.#isClosed) this.#onFailure(asked, toKafkaError(error));
    } finally {
      this.#fetching.delete(nodeId);
      for (const { partition } of asked) partition.isFetching = false;
      this.#options.onProgress();
      this.wake();
    }
  }

  #request(asked: readonly Asked[]): [FetchRequest, ReadonlyMap<string, string>] {
    const { fetchMaxWaitMs, fetchMinBytes, fetchMaxBytes, maxPartitionFetchBytes, isolationLevel } = this.#options;
    const topics = new Map<string, AssignedPartition[]>();
    for (const { partition } of asked) topics.set(partition.topic, [...(topics.get(partition.topic) ?? []), partition]);
    const namesById = new Map<string, string>();
    const request = FetchRequest.create({
      maxWaitMs: fetchMaxWaitMs,
      minBytes: fetchMinBytes,
      maxBytes: fetchMaxBytes,
      isolationLevel: isolationLevel === "read_committed" ? 1 : 0,
      topics: Array.from(topics, ([topic, partitions]) => {
        const topicId = this.#cluster.metadata.topic(topic)?.topicId ?? ZERO_UUID;
        namesById.set(topicId, topic);
        return {
          topic,
          topicId,
          partitions: partitions.map(({ partition, fetchOffset }) =>
            createFetchRequestFetchPartition({
              partition,
              fetchOffset: fetchOffset ?? 0,
              currentLeaderEpoch: this.#cluster.metadata.topic(topic)?.partitions[partition]?.leaderEpoch ?? -1,
              partitionMaxBytes: maxPartitionFetchBytes,
            }),
          ),
        };
      }),
    });
    return [request, namesById];
  }

  #onResponse(asked: readonly Asked[], response: FetchResponse, namesById: ReadonlyMap<string, string>): void {
    if (response.errorCode !== ErrorCode.NONE) {
      return this.#onFailure(asked, new BrokerError(response.errorCode as ErrorCode, "Fetch"));
    }
    const answers = new Map<string, FetchResponsePartitionData>();
    for (const topic of response.responses) {
      // From version 13 on the answer has ids, before that names; the other is empty.
      const name = topic.topic === "" ? namesById.get(topic.topicId) : topic.topic;
      for (const data of topic.partitions) answers.set(`${name}/${data.partitionIndex}`, data);
    }
    const stale = new Set<string>();
    for (const { partition, epoch } of asked) {
      if (partition.epoch !== epoch) continue;
      const data = answers.get(`${partition.topic}/${partition.partition}`);
      if (data === undefined) continue; // asked again with the next fetch
      if (data.errorCode === ErrorCode.NONE) {
        this.#accept(partition, data);
        continue;
      }
      const { leaderId, leaderEpoch } = data.currentLeader;
      const { topic } = partition;
      const isStale = this.#refuse(partition, data.errorCode as ErrorCode);
      const nodes = response.nodeEndpoints;
      if (isStale && !this.#cluster.updateLeader(topic, partition.partition, leaderId, leaderEpoch, nodes))
        stale.add(topic);
    }
    if (stale.size > 0) this.#refreshMetadata(stale);
  }

  #accept(partition: AssignedPartition, data: FetchResponsePartitionData): void {
    partition.failures = 0;
    partition.highWatermark = data.highWatermark;
    const records = data.records;
    if (records === null || records.length === 0) return;
    const batches = [...recordBatches(records)];
    const last = batches.at(-1);
    if (last === undefined) return;
    const isCommitted = this.#options.isolationLevel === "read_committed";
    const aborted = new AbortedTransactions(isCommitted ? data.abortedTransactions : null);
    this.#queue.push(new Fetched(partition, batches, aborted, records.length));
    this.#bufferedBytes += records.length;
    partition.fetchOffset = Math.max(last.nextOffset, partition.fetchOffset ?? 0);
  }

  /** @returns whether the metadata should be looked at before the next fetch */
  #refuse(partition: AssignedPartition, code: ErrorCode): boolean {
    const what = `Fetch of ${partition.topic}-${partition.partition} at offset ${partition.fetchOffset}`;
    const error = new BrokerError(code, what);
    const { autoOffsetReset } = this.#options;
    if (code === ErrorCode.OFFSET_OUT_OF_RANGE && autoOffsetReset !== "none") {
      // What is buffered comes first; a reset that lost it would hide records.
      const hasBuffered = this.#queue.some(
        (fetched) => fetched.partition === partition && fetched.epoch === partition.epoch,
      );
      if (hasBuffered) this.#backOff(partition, this.#cluster.options.clock.monotonicMs());
      else partition.seek(autoOffsetReset);
      return false;
    }
    if (error.isRetriable) {
      this.#backOff(partition, this.#cluster.options.clock.monotonicMs());
      this.#options.onRetry(error);
    } else {
      this.#partitions = this.#partitions.filter((other) => other !== partition);
      this.#fail(error);
    }
    return ERRORS.get(code)?.isInvalidMetadata ?? false;
  }

  #onFailure(asked: readonly Asked[], error: KafkaError): void {
    if (!error.isRetriable) return this.#fail(error);
    const nowMs = this.#cluster.options.clock.monotonicMs();
    for (const { partition, epoch } of asked) if (partition.epoch === epoch) this.#backOff(partition, nowMs);
    this.#options.onRetry(error);
    this.#refreshMetadata(new Set(asked.map(({ partition }) => partition.topic)));
  }

  #fail(error: KafkaError): void {
    this.#failure ??= error;
  }

  /** @returns when the partition may be tried again */
  #backOff(partition: AssignedPartition, nowMs: number): number {
    const { retryBackoffMs, retryBackoffMaxMs, random } = this.#cluster.options;
    const backoff = { backoffMs: retryBackoffMs, backoffMaxMs: retryBackoffMaxMs };
    partition.retryAtMs = nowMs + backoffDelayMs(backoff, partition.failures++, random);
    return partition.retryAtMs;
  }

  #refreshMetadata(topics: Iterable<string>): void {
    this.#cluster.refreshMetadata(topics).then(
      () => this.wake(),
      (error: unknown) => {
        if (!this.#isClosed) this.#options.onRetry(toKafkaError(error));
      },
    );
  }

  #armTimer(atMs: number): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    if (atMs === Number.POSITIVE_INFINITY) return;
    const { clock } = this.#cluster.options;
    this.#timer = clock.setTimer(Math.max(0, atMs - clock.monotonicMs()), () => this.wake());
  }
}
