import { ErrorCode, KafkaError } from "@samsa/base";
import {
  createListOffsetsRequestListOffsetsPartition,
  ListOffsetsRequest,
} from "@samsa/protocol/messages/list-offsets-request";
import { ListOffsetsResponse } from "@samsa/protocol/messages/list-offsets-response";
import { api } from "../connection/api.ts";
import { BrokerError, toKafkaError } from "../errors.ts";
import { retrying } from "../retry.ts";
import type { Cluster } from "./cluster.ts";
import type { TopicPartition } from "./topic-metadata.ts";

/** A place in a partition: an offset, its first or its end, or the first record at or after a time. */
export type OffsetSpec = number | "earliest" | "latest" | "maxTimestamp" | { readonly timestampMs: number };

export interface OffsetQuery extends TopicPartition {
  readonly at: Exclude<OffsetSpec, number>;
}

export interface ListedOffset extends TopicPartition {
  /** NO_OFFSET where no record is at or after the time that was asked for. */
  readonly offset: number;
  readonly timestampMs: number; // -1 unless a time was asked for
  readonly leaderEpoch: number;
}

export const NO_OFFSET = -1;
export type IsolationLevel = "read_uncommitted" | "read_committed";

/** Below version 2 a broker cannot tell what is committed; every broker since 0.11 knows it. */
const LIST_OFFSETS = api(ListOffsetsRequest, ListOffsetsResponse, { lowestVersion: 2 });
/** KIP-734. */
const LIST_OFFSETS_OF_MAX_TIMESTAMP = api(ListOffsetsRequest, ListOffsetsResponse, { lowestVersion: 7 });
const CONSUMER = -1; // as a replica id

/**
 * Asks the leaders for offsets, in as few requests as there are leaders: in more when a partition is asked about more than once.
 * @returns in the order of the queries
 * @throws BrokerError for the first that fails for good, TimeLimitError
 */
export async function listOffsets(
  cluster: Cluster,
  queries: readonly OffsetQuery[],
  isolationLevel: IsolationLevel,
  timeoutMs: number,
): Promise<readonly ListedOffset[]> {
  const found = new Map<OffsetQuery, ListedOffset>();
  const { retryBackoffMs, retryBackoffMaxMs } = cluster.options;
  const retries = {
    what: "ListOffsets",
    timeoutMs,
    timeoutOption: "defaultApiTimeoutMs",
    backoffMs: retryBackoffMs,
    backoffMaxMs: retryBackoffMaxMs,
  };
  await retrying(cluster.retries, retries, async () => {
    const missing = queries.filter((query) => !found.has(query));
    const topics = new Set(missing.map(({ topic }) => topic));
    const unknown = [...topics].filter((topic) => cluster.metadata.topic(topic) === undefined);
    if (unknown.length > 0) await refreshOrThrow(cluster, unknown);
    try {
      await Promise.all(
        Array.from(byLeader(cluster, missing), ([leaderId, requests]) =>
          requests.map((asked) => ask(cluster, leaderId, asked, isolationLevel, found)),
        ).flat(),
      );
    } catch (error) {
      // Whatever it was, the next attempt looks at the metadata anew.
      if (toKafkaError(error).isRetriable) await refreshOrThrow(cluster, topics);
      throw error;
    }
  });
  return queries.map((query) => found.get(query) as ListedOffset);
}

async function refreshOrThrow(cluster: Cluster, topics: Iterable<string>): Promise<void> {
  const errors = await cluster.refreshMetadata(topics);
  for (const error of errors.values()) throw error;
}

function byLeader(cluster: Cluster, queries: readonly OffsetQuery[]): Map<number, AskedTopics[]> {
  const leaders = new Map<number, AskedTopics[]>();
  for (const query of queries) {
    const leader = cluster.leaderOf(query.topic, query.partition);
    if (leader === undefined) throw noLeader(cluster, query);
    let requests = leaders.get(leader.leaderId);
    if (requests === undefined) leaders.set(leader.leaderId, (requests = []));
    put(requests, query);
  }
  return leaders;
}

/** What one request asks, by name, and there by number: the answer would not tell two queries of a partition apart. */
type AskedTopics = Map<string, Map<number, OffsetQuery>>;

function put(requests: AskedTopics[], query: OffsetQuery): void {
  for (let i = 0; ; i++) {
    const topics = (requests[i] ??= new Map());
    let partitions = topics.get(query.topic);
    if (partitions === undefined) topics.set(query.topic, (partitions = new Map()));
    if (partitions.has(query.partition)) continue;
    partitions.set(query.partition, query);
    return;
  }
}

function noLeader(cluster: Cluster, { topic, partition }: TopicPartition): KafkaError {
  const partitions = cluster.metadata.topic(topic)?.partitions.length ?? 0;
  if (partition < partitions) return new BrokerError(ErrorCode.LEADER_NOT_AVAILABLE, `${topic}-${partition}`);
  const have = `the topic has partitions 0 to ${partitions - 1}`;
  // Said for good: a partition that somebody adds this moment is the rarer case.
  return new KafkaError(ErrorCode.INVALID_PARTITIONS, `${topic}-${partition}: ${have}`);
}

async function ask(
  cluster: Cluster,
  leaderId: number,
  topics: AskedTopics,
  isolationLevel: IsolationLevel,
  found: Map<OffsetQuery, ListedOffset>,
): Promise<void> {
  const connection = await cluster.connectionTo(leaderId);
  const queries = Array.from(topics.values(), (partitions) => [...partitions.values()]).flat();
  const request = ListOffsetsRequest.create({
    replicaId: CONSUMER,
    isolationLevel: isolationLevel === "read_committed" ? 1 : 0,
    topics: Array.from(topics, ([name, partitions]) => ({
      name,
      partitions: Array.from(partitions.values(), (query) =>
        createListOffsetsRequestListOffsetsPartition({
          partitionIndex: query.partition,
          timestamp: timestampOf(query.at),
        }),
      ),
    })),
  });
  const wantsMaxTimestamp = queries.some(({ at }) => at === "maxTimestamp");
  const response = await connection.send(wantsMaxTimestamp ? LIST_OFFSETS_OF_MAX_TIMESTAMP : LIST_OFFSETS, request);
  let failure: KafkaError | undefined;
  for (const { name, partitions } of response.topics) {
    for (const { partitionIndex, errorCode, offset, timestamp, leaderEpoch } of partitions) {
      const query = topics.get(name)?.get(partitionIndex);
      if (query === undefined) continue;
      if (errorCode !== 0) {
        failure ??= new BrokerError(errorCode as ErrorCode, `ListOffsets of ${name}-${partitionIndex}`);
        continue;
      }
      found.set(query, { topic: name, partition: partitionIndex, offset, timestampMs: timestamp, leaderEpoch });
    }
  }
  if (failure !== undefined) throw failure;
  const silent = queries.find((query) => !found.has(query));
  if (silent !== undefined) {
    throw new KafkaError(
      ErrorCode.UNKNOWN_SERVER_ERROR,
      `ListOffsets: the answer does not speak of ${silent.topic}-${silent.partition}`,
    );
  }
}

function timestampOf(at: OffsetQuery["at"]): number {
  if (typeof at === "object") return at.timestampMs;
  return at === "latest" ? -1 : at === "earliest" ? -2 : -3;
}
