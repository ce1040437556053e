import type { Uuid } from "@samsa/base";
import { ErrorCode, errorCodeOf, ZERO_UUID } from "@samsa/base";
import { readBuffers } from "@samsa/log";
import { FetchRequest } from "@samsa/protocol/messages/fetch-request";
import type {
  FetchResponseFetchableTopicResponse,
  FetchResponsePartitionData,
} from "@samsa/protocol/messages/fetch-response";
import { createFetchResponsePartitionData, FetchResponse } from "@samsa/protocol/messages/fetch-response";
import type { IsolationLevel, Partition, PartitionFetch } from "@samsa/replication";
import type { ApiHandler } from "../api-handler.ts";
import type { BrokerServices } from "../broker-services.ts";
import type { FetchContext, FetchedPartition } from "../fetch-session/fetch-context.ts";
import { fetchContext, replicaIdOf } from "../fetch-session/fetch-context.ts";
import type { FetchWish } from "../fetch-session/fetch-session.ts";
import { isolationLevelOf } from "../isolation-level.ts";
import type { LeaderHints } from "../leader-hints.ts";
import { leaderHints } from "../leader-hints.ts";
import type { BrokerMetrics } from "../metrics/broker-metrics.ts";
import { DelayedFetch, writtenBytes } from "../purgatory/delayed-fetch.ts";
import { placeholderFor } from "../promised-records.ts";
import type { FetchQuota } from "../quota/fetch-quota.ts";
import { fetchQuota, UNLIMITED } from "../quota/fetch-quota.ts";
import type { RequestContext } from "../request-context.ts";

const FIRST_VERSION_WITH_TOPIC_IDS = 13;
const FIRST_VERSION_WITH_LEADER_HINTS = 16;
const UNKNOWN_OFFSET = -1;

/** One partition of the request with what became of it so far. */
interface PartitionRequest {
  readonly topic: string;
  readonly wish: FetchWish;
  readonly partition: Partition | undefined;
  readonly errorCode: ErrorCode; // why there is no partition
}

interface FetchFailure {
  readonly errorCode: ErrorCode;
  readonly error?: unknown; // what is not expected, for the log
}

interface ReadOutcome {
  readonly fetches: readonly (PartitionFetch | FetchFailure)[]; // one for each partition of the request
  readonly sizeInBytes: number;
  /** An error or a diverging log is told at once: waiting would not mend it. */
  readonly isUrgent: boolean;
}

/**
 * Fetch 4-18. v4 has isolation levels (KIP-98); v5 the log start offset; v7 fetch sessions (KIP-227); v9 leader epochs
 * (KIP-320); v11 racks (KIP-392); v12 is flexible and tells of diverging logs (KIP-595); v13 names topics by id (KIP-516);
 * v15 moves the replica id; v16 answers where the leader is (KIP-951); v17 and v18 are for followers.
 */
export const fetch: ApiHandler<FetchRequest, FetchResponse> = {
  request: FetchRequest,
  response: FetchResponse,
  recordsRequestTime: true,

  handle(request, context, services) {
    const isolationLevel = isolationLevelOf(request.isolationLevel);
    const session = fetchContext(request, context.apiVersion, services.fetchSessions, services.clock.monotonicMs());
    if (typeof session === "number") return FetchResponse.create({ errorCode: session });
    const isFollower = replicaIdOf(request, context.apiVersion) >= 0;
    const quota = isFollower ? UNLIMITED : fetchQuota(context, services);
    const maxBytes = Math.min(request.maxBytes, services.config.number("fetch.max.bytes"), quota.maxBytes);
    const wanted = session.wishes.map((wish) => resolve(wish, context, services));
    const sizes = wanted.map(({ partition }) => (partition === undefined ? 0 : writtenBytes(partition)));
    const read = () => readAll(wanted, maxBytes, isolationLevel);
    const first = read();
    const minBytes = Math.min(request.minBytes, maxBytes); // more than may be answered is not worth waiting for

    const answerOrWait = (outcome: ReadOutcome): FetchResponse | Promise<FetchResponse> => {
      const missingBytes = minBytes - outcome.sizeInBytes;
      const mustWait = request.maxWaitMs > 0 && missingBytes > 0 && !outcome.isUrgent && wanted.length > 0;
      if (!mustWait) return answer(wanted, outcome, session, quota, context, services);
      const { metrics } = services;
      if (metrics !== undefined) metrics.delayedFetches++;
      const waiting = DelayedFetch.wait(
        {
          partitions: wanted.flatMap(({ partition }) => partition ?? []),
          isolationLevel,
          maxWaitMs: request.maxWaitMs,
          missingBytes,
          clock: services.clock,
          onDisconnect: context.onDisconnect,
          tryComplete: async (isLast) => {
            const again = await read();
            const isEnough = isLast || again.isUrgent || again.sizeInBytes >= minBytes;
            return isEnough ? answer(wanted, again, session, quota, context, services) : undefined;
          },
        },
        sizes,
      );
      return metrics === undefined ? waiting : waiting.finally(() => metrics.delayedFetches--);
    };
    return first instanceof Promise ? first.then(answerOrWait) : answerOrWait(first);
  },

  onSent({ responses }) {
    for (const { partitions } of responses) giveBack(partitions);
  },

  // Versions before 7 have no error for the whole, so each partition tells it.
  refuse: (request, errorCode) =>
    FetchResponse.create({
      errorCode,
      responses: request.topics
        .filter(({ topicId }) => topicId === ZERO_UUID)
        .map(({ topic, topicId, partitions }) => ({
          topic,
          topicId,
          partitions: partitions.map(({ partition: partitionIndex }) => refusedPartition(partitionIndex, errorCode)),
        })),
    }),
};

/** Throws nothing: a fetch may name very many partitions that are unknown, and an error for each would take long to make. */
function resolve(wish: FetchWish, { apiVersion }: RequestContext, services: BrokerServices): PartitionRequest {
  const byId = apiVersion >= FIRST_VERSION_WITH_TOPIC_IDS;
  const topic = byId ? services.metadata.image.topics.byId.get(wish.topicId)?.name : wish.topic;
  if (topic === undefined) {
    return { topic: wish.topic, wish, partition: undefined, errorCode: ErrorCode.UNKNOWN_TOPIC_ID };
  }
  const partition = services.replicas.find(topic, wish.request.partition);
  return typeof partition === "number"
    ? { topic, wish, partition: undefined, errorCode: partition }
    : { topic, wish, partition, errorCode: ErrorCode.NONE };
}

/**
 * Reads the partitions in the order they were asked for, so that none starves, until the response is full. The first batch
 * comes back whole even when it is larger than the limits (KIP-74). Synchronous while the tail cache has everything.
 */
function readAll(
  wanted: readonly PartitionRequest[],
  maxBytes: number,
  isolationLevel: IsolationLevel,
): ReadOutcome | Promise<ReadOutcome> {
  const fetches: (PartitionFetch | FetchFailure)[] = [];
  let sizeInBytes = 0;
  let isUrgent = false;

  const take = (fetched: PartitionFetch): void => {
    fetches.push(fetched);
    sizeInBytes += fetched.sizeInBytes;
    isUrgent ||= fetched.divergingEpoch !== undefined;
  };
  const refuse = (failure: FetchFailure): void => {
    fetches.push(failure);
    isUrgent = true;
  };
  const fail = (error: unknown): void => refuse({ errorCode: errorCodeOf(error), error });
  const readOne = ({ partition, wish: { request: wish }, errorCode }: PartitionRequest): Promise<void> | undefined => {
    if (partition === undefined) {
      refuse({ errorCode });
      return undefined;
    }
    try {
      const fetched = partition.fetchRecords({
        fetchOffset: wish.fetchOffset,
        maxBytes: Math.max(0, Math.min(wish.partitionMaxBytes, maxBytes - sizeInBytes)),
        minOneMessage: sizeInBytes === 0,
        // The first ones leave while those that follow are read.
        mayPromise: sizeInBytes > 0,
        isolationLevel,
        currentLeaderEpoch: wish.currentLeaderEpoch,
        lastFetchedEpoch: wish.lastFetchedEpoch,
      });
      if (fetched instanceof Promise) return fetched.then(take, fail);
      take(fetched);
    } catch (failure) {
      fail(failure);
    }
    return undefined;
  };
  const readFrom = (start: number): Promise<void> | undefined => {
    for (let index = start; index < wanted.length; index++) {
      const next = wanted[index];
      const pending = next === undefined ? undefined : readOne(next);
      if (pending !== undefined) return pending.then(() => readFrom(index + 1));
    }
    return undefined;
  };
  const outcome = (): ReadOutcome => ({ fetches, sizeInBytes, isUrgent });
  return readFrom(0)?.then(outcome) ?? outcome();
}

function answer(
  wanted: readonly PartitionRequest[],
  { fetches }: ReadOutcome,
  session: FetchContext,
  quota: FetchQuota,
  context: RequestContext,
  services: BrokerServices,
): FetchResponse {
  const hints = leaderHints(context, FIRST_VERSION_WITH_LEADER_HINTS, services);
  const fetched: FetchedPartition[] = [];
  for (const [index, { topic, wish, partition }] of wanted.entries()) {
    const outcome = fetches[index];
    if (outcome === undefined) continue;
    // None were looked for, or none were found: which of the two shows in the answer.
    const aborted = "errorCode" in outcome ? undefined : outcome.abortedTransactions;
    const abortedTransactions = aborted ?? (partition === undefined ? [] : null);
    const data = partitionData(wish.request.partition, topic, outcome, hints.leaderOf, services);
    fetched.push({ wish, data: { ...data, abortedTransactions } });
  }
  const throttleTimeMs = quota.record(fetched);
  if (throttleTimeMs > 0) {
    giveBack(fetched.map(({ data }) => data));
    const { errorCode, sessionId } = session.throttled();
    return FetchResponse.create({ throttleTimeMs, errorCode, sessionId });
  }
  const { errorCode, sessionId, partitions } = session.answer(fetched, services.clock.monotonicMs());
  const response = FetchResponse.create({
    errorCode,
    sessionId,
    responses: byTopic(partitions, services),
    nodeEndpoints: hints.endpoints(),
  });
  if (errorCode !== ErrorCode.NONE) giveBack(fetched.map(({ data }) => data));
  else if (services.metrics !== undefined) countFetched(wanted, fetched, services.metrics);
  return response;
}

function countFetched(
  wanted: readonly PartitionRequest[],
  fetched: readonly FetchedPartition[],
  metrics: BrokerMetrics,
): void {
  for (const [index, { data }] of fetched.entries()) {
    const request = wanted[index];
    if (request?.partition !== undefined) metrics.fetched(request.topic, data.records?.length ?? 0);
  }
}

/** Partitions of one topic that follow each other share an entry. */
function byTopic(
  partitions: readonly FetchedPartition[],
  services: BrokerServices,
): readonly FetchResponseFetchableTopicResponse[] {
  const responses: { topic: string; topicId: Uuid; partitions: FetchResponsePartitionData[] }[] = [];
  for (const { wish, data } of partitions) {
    const { topic, topicId } = wish;
    let last = responses.at(-1);
    const isNext = last?.topic === topic && last.topicId === topicId;
    if (last === undefined || !isNext) responses.push((last = { topic, topicId, partitions: [] }));
    last.partitions.push(data);
  }
  return responses.map(({ topic, topicId, partitions: data }) => ({
    topic,
    topicId: topicId === ZERO_UUID ? (services.metadata.topic(topic)?.id ?? ZERO_UUID) : topicId,
    partitions: data,
  }));
}

function partitionData(
  partitionIndex: number,
  topic: string,
  fetched: PartitionFetch | FetchFailure,
  leaderOf: LeaderHints["leaderOf"],
  services: BrokerServices,
): FetchResponsePartitionData {
  if (!("errorCode" in fetched)) {
    const { highWatermark, lastStableOffset, logStartOffset, divergingEpoch, records, promised } = fetched;
    return createFetchResponsePartitionData({
      partitionIndex,
      highWatermark,
      lastStableOffset,
      logStartOffset,
      ...(divergingEpoch && {
        divergingEpoch: { epoch: divergingEpoch.leaderEpoch, endOffset: divergingEpoch.endOffset },
      }),
      records: promised === undefined ? joined(records) : placeholderFor(promised),
    });
  }
  const { errorCode } = fetched;
  if (errorCode === ErrorCode.UNKNOWN_SERVER_ERROR) {
    if (services.metrics !== undefined) services.metrics.failedFetchRequests++;
    services.logger.error({ topic, partition: partitionIndex, err: fetched.error }, "a fetch failed unexpectedly");
  }
  const isElsewhere = errorCode === ErrorCode.NOT_LEADER_OR_FOLLOWER || errorCode === ErrorCode.FENCED_LEADER_EPOCH;
  const refused = refusedPartition(partitionIndex, errorCode);
  return isElsewhere ? { ...refused, currentLeader: leaderOf(topic, partitionIndex) } : refused;
}

function refusedPartition(partitionIndex: number, errorCode: ErrorCode): FetchResponsePartitionData {
  return createFetchResponsePartitionData({
    partitionIndex,
    errorCode,
    highWatermark: UNKNOWN_OFFSET,
    records: NO_RECORDS,
  });
}

function giveBack(partitions: readonly FetchResponsePartitionData[]): void {
  for (const { records } of partitions) if (records !== null) readBuffers.giveBack(records);
}

const NO_RECORDS = new Uint8Array(0);

function joined(chunks: readonly Uint8Array[]): Uint8Array {
  const [first = NO_RECORDS] = chunks;
  if (chunks.length <= 1) return first;
  const all = new Uint8Array(chunks.reduce((size, chunk) => size + chunk.length, 0));
  let offset = 0;
  for (const chunk of chunks) {
    all.set(chunk, offset);
    offset += chunk.length;
  }
  return all;
}
