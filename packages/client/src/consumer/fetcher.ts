import type { KafkaError, Timer, Uuid } from "@samsa/base";
import { ErrorCode, ERRORS, ZERO_UUID } from "@samsa/base";
import type { RecordBatch } from "@samsa/protocol";
import { recordBatches } from "@samsa/protocol";
import { FetchRequest } from "@samsa/protocol/messages/fetch-request";
import type { FetchResponsePartitionData } from "@samsa/protocol/messages/fetch-response";
import { FetchResponse } from "@samsa/protocol/messages/fetch-response";
import type { Cluster } from "../cluster/cluster.ts";
import { NO_LEADER_EPOCH } from "../cluster/topic-metadata.ts";
import { api } from "../connection/api.ts";
import { recycledFrames } from "../connection/frame-memory.ts";
import { BrokerError, toKafkaError } from "../errors.ts";
import { AbortedTransactions } from "./aborted-transactions.ts";
import { AnswerMemory } from "./answer-memory.ts";
import type { AssignedPartition } from "./assigned-partition.ts";
import { isOfAnotherTopic, NO_REPLICA } from "./assigned-partition.ts";
import type { ConsumerCounters } from "./consumer-counters.ts";
import type { ResolvedConsumerOptions } from "./consumer-options.ts";
import type { Asked } from "./fetch-failures.ts";
import { FetchFailures } from "./fetch-failures.ts";
import { Fetched } from "./fetched.ts";
import type { Wanted } from "./fetch-session.ts";
import { FetchSession, isSessionError } from "./fetch-session.ts";
import { PositionFinder } from "./position-finder.ts";

const FETCH = api(FetchRequest, FetchResponse);
/** From version 13 on topics have ids alone, which brokers before 2.8 have not given them. */
const FETCH_BY_NAME = api(FetchRequest, FetchResponse, { highestVersion: 12 });
export interface FetcherOptions extends ResolvedConsumerOptions {
  readonly purpose: string; // of the connections
  readonly rackId: string;
  readonly requestTimeoutMs: number;
  readonly defaultApiTimeoutMs: number;
  readonly counters: ConsumerCounters;
  /** Something came: records, a position, an error. */
  readonly onProgress: () => void;
  /** A failure that is tried again. */
  readonly onRetry: (error: KafkaError) => void;
}

/**
 * Keeps one fetch under way to each broker while there is room for the answer, so that the next records are on their way
 * while the last are worked on. What has come waits in a queue until it is handed out.
 */
export class Fetcher {
  readonly #cluster: Cluster;
  readonly #options: FetcherOptions;
  #partitions: readonly AssignedPartition[] = [];
  readonly #fetching = new Set<number>(); // node ids
  readonly #sessions = new Map<number, FetchSession>();
  #queue: Fetched[] = [];
  #awaitedBytes = 0; // of answers that are under way
  readonly #failures: FetchFailures;
  readonly #finder: PositionFinder;
  #isAwake = false;
  #isClosed = false;
  #timer: Timer | undefined;

  constructor(cluster: Cluster, options: FetcherOptions) {
    this.#cluster = cluster;
    this.#options = options;
    const wake = (): void => this.wake();
    this.#failures = new FetchFailures(cluster, options, wake);
    this.#finder = new PositionFinder(cluster, options, this.#failures, wake);
  }

  assign(partitions: readonly AssignedPartition[]): void {
    for (const partition of this.#partitions) {
      if (!partitions.includes(partition)) partition.epoch++; // what is under way for it is dropped
    }
    this.#partitions = partitions;
    this.#failures.take();
    this.#sweep();
    this.wake();
  }

  /**
   * The oldest that came and may be handed out; it stays until it is removed.
   * @throws what ended the fetching, once everything before it is gone
   */
  first(): Fetched | undefined {
    for (const fetched of this.#queue) {
      const { partition } = fetched;
      if (partition.epoch !== fetched.epoch) this.remove(fetched);
      else if (!partition.isPaused && !partition.isHeld) return fetched;
    }
    const failure = this.#failures.take();
    if (failure !== undefined) throw failure;
    return undefined;
  }

  /** It is handed out or not wanted any more: there is room for the next. */
  remove(fetched: Fetched): void {
    this.#queue = this.#queue.filter((other) => other !== fetched);
    this.#options.counters.bufferedBytes -= fetched.sizeInBytes;
    this.wake();
  }

  /** Looks for something to do once whoever calls has finished. */
  wake(): void {
    if (this.#isAwake || this.#isClosed) return;
    this.#isAwake = true;
    queueMicrotask(() => this.#run());
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#failures.isClosed = true;
    this.#timer?.cancel();
    this.#queue = [];
    this.#partitions = [];
    this.#options.counters.bufferedBytes = 0;
    for (const [nodeId, session] of this.#sessions) {
      if (session.id === 0) continue;
      const connection = this.#cluster.liveConnection(nodeId, this.#options.purpose);
      connection?.send(FETCH, FetchRequest.create(session.final())).catch(() => {}); // the broker forgets it sooner or later anyway
    }
  }

  #run(): void {
    this.#isAwake = false;
    if (this.#isClosed) return;
    const { clock } = this.#cluster.options;
    const nowMs = clock.monotonicMs();
    const toReset: AssignedPartition[] = [];
    const toValidate = new Map<number, AssignedPartition[]>(); // by leader
    const toFetch = new Map<number, AssignedPartition[]>(); // by node
    const leaderless = new Set<string>();
    let nextMs = Number.POSITIVE_INFINITY;
    for (const partition of this.#partitions) {
      const { isFetching, isLocating, isPaused, isHeld, isFetched, hasFailed } = partition;
      if (isFetching || isLocating || isPaused || isHeld || isFetched || hasFailed) continue;
      if (partition.sought === "committed") continue;
      if (partition.retryAtMs > nowMs) {
        nextMs = Math.min(nextMs, partition.retryAtMs);
        continue;
      }
      if (partition.fetchOffset === undefined) {
        toReset.push(partition);
        continue;
      }
      const leader = this.#cluster.leaderOf(partition.topic, partition.partition, nowMs);
      if (leader === undefined) {
        leaderless.add(partition.topic);
        nextMs = Math.min(nextMs, this.#failures.backOff(partition, nowMs));
        continue;
      }
      if (isOfAnotherTopic(partition, this.#cluster.metadata)) {
        this.#finder.beginAnew(partition);
        if (partition.sought !== undefined) toReset.push(partition);
        continue;
      }
      if (partition.fetchEpoch !== NO_LEADER_EPOCH && leader.leaderEpoch > partition.validatedEpoch) {
        push(toValidate, leader.leaderId, partition);
        continue;
      }
      partition.validatedEpoch = leader.leaderEpoch;
      push(toFetch, this.#nodeFor(partition, leader.leaderId, nowMs), partition);
    }
    if (toReset.length > 0) void this.#finder.reset(toReset);
    if (leaderless.size > 0) this.#failures.refreshMetadata(leaderless);
    for (const [nodeId, partitions] of toValidate) void this.#finder.validate(nodeId, partitions);
    for (const [nodeId, partitions] of toFetch) {
      if (this.#fetching.has(nodeId)) continue;
      const maxBytes = this.#answerBytes(partitions.length, toFetch.size);
      if (!this.#hasRoom(maxBytes)) this.#dropPaused();
      if (this.#hasRoom(maxBytes)) void this.#fetch(nodeId, partitions, maxBytes);
    }
    this.#armTimer(nextMs);
  }

  /** What one answer may bring: a share for each broker, and two where there is one, so that it need not wait for us. */
  #answerBytes(partitions: number, nodes: number): number {
    const { maxBufferedBytes, fetchMaxBytes, maxPartitionFetchBytes } = this.#options;
    const share = Math.floor(maxBufferedBytes / Math.max(2, nodes));
    return Math.max(1, Math.min(fetchMaxBytes, partitions * maxPartitionFetchBytes, share));
  }

  #hasRoom(bytes: number): boolean {
    const { maxBufferedBytes, counters } = this.#options;
    return counters.bufferedBytes + this.#awaitedBytes + bytes <= Math.max(bytes, maxBufferedBytes);
  }

  /** What is paused gives its room to the others, and is fetched again later. */
  #dropPaused(): void {
    for (const { partition } of this.#queue) if (partition.isPaused) partition.rewind();
    this.#sweep();
  }

  #sweep(): void {
    const { counters } = this.#options;
    this.#queue = this.#queue.filter(({ partition, epoch, sizeInBytes }) => {
      if (partition.epoch === epoch) return true;
      counters.bufferedBytes -= sizeInBytes;
      return false;
    });
  }

  #nodeFor(partition: AssignedPartition, leaderId: number, nowMs: number): number {
    const { preferredReplica, preferredUntilMs } = partition;
    if (preferredReplica === NO_REPLICA) return leaderId;
    if (preferredUntilMs > nowMs && this.#cluster.metadata.brokers.has(preferredReplica)) return preferredReplica;
    partition.preferredReplica = NO_REPLICA; // the leader is asked again who is near
    return leaderId;
  }

  async #fetch(nodeId: number, partitions: readonly AssignedPartition[], maxBytes: number): Promise<void> {
    this.#fetching.add(nodeId);
    this.#awaitedBytes += maxBytes;
    const asked: Asked[] = partitions.map((partition) => {
      partition.isFetching = true;
      return { partition, epoch: partition.epoch };
    });
    const { purpose, fetchMaxWaitMs, requestTimeoutMs, counters } = this.#options;
    const session = this.#session(nodeId);
    try {
      const connection =
        this.#cluster.openConnectionTo(nodeId, purpose) ?? (await this.#cluster.connectionTo(nodeId, purpose));
      counters.fetches++;
      const wanted = this.#wanted(asked);
      const hasIds = wanted.every(({ topicId }) => topicId !== ZERO_UUID);
      const request = this.#request(session, wanted, maxBytes);
      const response = await connection.send(hasIds ? FETCH : FETCH_BY_NAME, request, {
        timeoutMs: fetchMaxWaitMs + requestTimeoutMs,
      });
      if (!this.#isClosed) this.#onResponse(nodeId, session, asked, response);
    } catch (error) {
      session.onFailure();
      if (!this.#isClosed) this.#failures.failAll(asked, toKafkaError(error));
    } finally {
      this.#fetching.delete(nodeId);
      this.#awaitedBytes -= maxBytes;
      for (const { partition } of asked) partition.isFetching = false;
      this.#run(); // before anybody works on what came: the broker has something to do meanwhile
      this.#options.onProgress();
    }
  }

  #session(nodeId: number): FetchSession {
    const known = this.#sessions.get(nodeId);
    if (known !== undefined) return known;
    const session = new FetchSession();
    this.#sessions.set(nodeId, session);
    return session;
  }

  #wanted(asked: readonly Asked[]): readonly Wanted[] {
    return asked.map(({ partition }) => {
      const { topic, name, partition: index, fetchOffset = 0, fetchEpoch } = partition;
      const metadata = this.#cluster.metadata.topic(topic);
      const topicId = metadata?.topicId ?? ZERO_UUID;
      const currentLeaderEpoch = metadata?.partitions[index]?.leaderEpoch ?? NO_LEADER_EPOCH;
      const last = partition.wanted;
      // Most of many partitions are quiet, and ask for the same time and again.
      if (
        last?.fetchOffset === fetchOffset &&
        last.topicId === topicId &&
        last.currentLeaderEpoch === currentLeaderEpoch &&
        last.lastFetchedEpoch === fetchEpoch
      ) {
        return last;
      }
      const wanted: Wanted = {
        name,
        topic,
        topicId,
        partition: index,
        fetchOffset,
        currentLeaderEpoch,
        lastFetchedEpoch: fetchEpoch,
        partitionMaxBytes: this.#options.maxPartitionFetchBytes,
      };
      partition.wanted = wanted;
      return wanted;
    });
  }

  #request(session: FetchSession, wanted: readonly Wanted[], maxBytes: number): FetchRequest {
    const { fetchMaxWaitMs, fetchMinBytes, isolationLevel, rackId } = this.#options;
    return FetchRequest.create({
      maxWaitMs: fetchMaxWaitMs,
      minBytes: fetchMinBytes,
      maxBytes,
      isolationLevel: isolationLevel === "read_committed" ? 1 : 0,
      rackId,
      ...session.next(wanted),
    });
  }

  #onResponse(nodeId: number, session: FetchSession, asked: readonly Asked[], response: FetchResponse): void {
    const { errorCode } = response;
    const mustWait = session.onResponse(errorCode, response.sessionId);
    if (errorCode !== ErrorCode.NONE) {
      if (isSessionError(errorCode) && !mustWait) return; // at once, with a session of its own
      return this.#failures.failAll(asked, new BrokerError(errorCode as ErrorCode, "Fetch"));
    }
    const answers = new Map<string, FetchResponsePartitionData>();
    const namesById = new Map<Uuid, string>();
    const idsByName = new Map<string, Uuid>();
    for (const topic of response.responses) {
      // From version 13 on the answer has ids, before that names; the other is empty.
      let name: string | undefined = topic.topic;
      if (name === "") name = namesById.get(topic.topicId) ?? session.topicName(topic.topicId);
      if (name === undefined) continue;
      namesById.set(topic.topicId, name);
      if (topic.topicId !== ZERO_UUID) idsByName.set(name, topic.topicId);
      for (const data of topic.partitions) answers.set(`${name}-${data.partitionIndex}`, data);
    }
    if (answers.size === 0) return;
    const stale = new Set<string>();
    let memory: AnswerMemory | undefined; // of all of it: it came as one
    for (const { partition, epoch } of asked) {
      if (partition.epoch !== epoch) continue;
      const data = answers.get(partition.name);
      if (data === undefined) continue; // nothing new, or asked again with the next fetch
      if (data.errorCode === ErrorCode.NONE) {
        partition.topicId ??= idsByName.get(partition.topic);
        if (data.records !== null) memory ??= new AnswerMemory(data.records, recycledFrames);
        this.#accept(partition, data, memory);
        continue;
      }
      this.#options.counters.fetchFailures++;
      const { leaderId, leaderEpoch } = data.currentLeader;
      const { topic } = partition;
      const isStale = this.#refuse(nodeId, partition, data.errorCode as ErrorCode);
      const nodes = response.nodeEndpoints;
      if (isStale && !this.#cluster.updateLeader(topic, partition.partition, leaderId, leaderEpoch, nodes))
        stale.add(topic);
    }
    if (stale.size > 0) this.#failures.refreshMetadata(stale);
    this.#rotate(asked);
  }

  /** Whoever was first is last the next time, for a broker that reads them in our order. */
  #rotate(asked: readonly Asked[]): void {
    const first = asked[0]?.partition;
    if (asked.length < 2 || first === undefined || !this.#partitions.includes(first)) return;
    const rotated = this.#partitions.filter((one) => one !== first);
    rotated.push(first);
    this.#partitions = rotated;
  }

  #accept(partition: AssignedPartition, data: FetchResponsePartitionData, memory: AnswerMemory | undefined): void {
    const { counters, isolationLevel } = this.#options;
    const { divergingEpoch, preferredReadReplica, records } = data;
    partition.failures = 0;
    if (divergingEpoch.endOffset >= 0) {
      return this.#finder.onDivergence(partition, {
        leaderEpoch: divergingEpoch.epoch,
        endOffset: divergingEpoch.endOffset,
      });
    }
    partition.highWatermark = data.highWatermark;
    partition.lastStableOffset = data.lastStableOffset;
    if (preferredReadReplica >= 0) {
      const { clock, metadataMaxAgeMs } = this.#cluster.options;
      partition.preferredReplica = preferredReadReplica;
      partition.preferredUntilMs = clock.monotonicMs() + metadataMaxAgeMs;
    }
    if (records === null || records.length === 0 || memory === undefined) return;
    const batches: RecordBatch[] = [];
    try {
      for (const batch of recordBatches(records)) batches.push(batch);
    } catch (error) {
      this.#failures.stop(partition); // after the batches before it
      this.#failures.fail(toKafkaError(error));
    }
    const last = batches.at(-1);
    if (last === undefined) return;
    const aborted = new AbortedTransactions(isolationLevel === "read_committed" ? data.abortedTransactions : null);
    this.#queue.push(new Fetched(partition, batches, aborted, records.length, memory));
    counters.bufferedBytes += records.length;
    counters.bytesFetched += records.length;
    counters.batchesFetched += batches.length;
    partition.fetchOffset = Math.max(last.nextOffset, partition.fetchOffset ?? 0);
    partition.fetchEpoch = last.partitionLeaderEpoch;
  }

  /** @returns whether the metadata should be looked at before the next fetch */
  #refuse(nodeId: number, partition: AssignedPartition, code: ErrorCode): boolean {
    const what = `Fetch of ${partition.name} at offset ${partition.fetchOffset}`;
    const error = new BrokerError(code, what);
    const nowMs = this.#cluster.options.clock.monotonicMs();
    const wasFollower = partition.preferredReplica === nodeId;
    partition.preferredReplica = NO_REPLICA;
    if (code === ErrorCode.OFFSET_OUT_OF_RANGE) {
      if (wasFollower) return false; // it may lag: the leader knows
      if (this.#options.autoOffsetReset !== "none") {
        // What is buffered comes first; a reset that lost it would hide records.
        const hasBuffered = this.#queue.some(
          (fetched) => fetched.partition === partition && fetched.epoch === partition.epoch,
        );
        if (hasBuffered) this.#failures.backOff(partition, nowMs);
        else this.#finder.seekByPolicy(partition);
        return false;
      }
    }
    if (error.isRetriable || code === ErrorCode.UNKNOWN_SERVER_ERROR) {
      this.#failures.backOff(partition, nowMs);
      this.#options.onRetry(error);
    } else {
      this.#failures.stop(partition);
      this.#failures.fail(error);
    }
    return ERRORS.get(code)?.isInvalidMetadata ?? false;
  }

  #armTimer(atMs: number): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    if (atMs === Number.POSITIVE_INFINITY) return;
    const { clock } = this.#cluster.options;
    this.#timer = clock.setTimer(Math.max(0, atMs - clock.monotonicMs()), () => this.wake());
  }
}

function push<T>(map: Map<number, T[]>, key: number, value: T): void {
  const same = map.get(key);
  if (same === undefined) map.set(key, [value]);
  else same.push(value);
}
