import type { ErrorCode } from "@samsa/base";
import { ZERO_UUID } from "@samsa/base";
import {
  createOffsetCommitRequestPartition,
  OffsetCommitRequest,
} from "@samsa/protocol/messages/offset-commit-request";
import { OffsetCommitResponse } from "@samsa/protocol/messages/offset-commit-response";
import { OffsetFetchRequest } from "@samsa/protocol/messages/offset-fetch-request";
import { OffsetFetchResponse } from "@samsa/protocol/messages/offset-fetch-response";
import type { Cluster } from "../../cluster/cluster.ts";
import type { TopicPartition } from "../../cluster/topic-metadata.ts";
import { api } from "../../connection/api.ts";
import type { BrokerConnection } from "../../connection/connection.ts";
import { BrokerError } from "../../errors.ts";
import { groupedByTopic } from "../assignors/consumer-protocol.ts";
import type { ConsumerGroupMetadata } from "./member.ts";
import { partitionName } from "./partition-sets.ts";

/** An offset to be committed: that of the next record to be read. */
export interface OffsetToCommit extends TopicPartition {
  readonly offset: number;
  /** Of the record before the offset, where it is known (KIP-320). */
  readonly leaderEpoch?: number | undefined;
  /** Whatever the application wants to find beside the offset. */
  readonly metadata?: string;
}

export interface CommittedPosition extends TopicPartition {
  readonly offset: number;
  readonly leaderEpoch: number | undefined;
  readonly metadata: string;
}

/** From version 10 on topics have ids alone (KIP-848); before that names. */
const OFFSET_COMMIT = api(OffsetCommitRequest, OffsetCommitResponse);
const OFFSET_COMMIT_BY_NAME = api(OffsetCommitRequest, OffsetCommitResponse, { highestVersion: 9 });
const OFFSET_FETCH = api(OffsetFetchRequest, OffsetFetchResponse);
const OFFSET_FETCH_BY_NAME = api(OffsetFetchRequest, OffsetFetchResponse, { highestVersion: 9 });
const FIRST_FETCH_VERSION_WITH_GROUPS = 8;
/** From here on a broker can be asked to wait for open transactions (KIP-447); brokers before 2.5 are asked for what they have, as Java does. */
const FIRST_STABLE_FETCH_VERSION = 7;
/** … and to know static members (KIP-345). */
const FIRST_COMMIT_VERSION_WITH_INSTANCE = 7;

/** @returns what is wrong, by name of the partition; nothing for those that were committed */
export async function commitOffsets(
  cluster: Cluster,
  connection: BrokerConnection,
  member: ConsumerGroupMetadata,
  offsets: readonly OffsetToCommit[],
): Promise<ReadonlyMap<string, BrokerError>> {
  const { metadata } = cluster;
  const hasIds = offsets.every(({ topic }) => hasId(cluster, topic));
  const byName = new Map(offsets.map((one) => [partitionName(one), one]));
  const { groupId, generationId, memberId, groupInstanceId } = member;
  const request = OffsetCommitRequest.create({
    groupId,
    generationIdOrMemberEpoch: generationId,
    memberId,
    groupInstanceId,
    topics: groupedByTopic(offsets).map(({ topic, partitions }) => ({
      name: topic,
      topicId: metadata.topic(topic)?.topicId ?? ZERO_UUID,
      partitions: partitions.map((partitionIndex) => {
        const one = byName.get(partitionName({ topic, partition: partitionIndex }));
        return createOffsetCommitRequestPartition({
          partitionIndex,
          committedOffset: one?.offset ?? 0,
          committedLeaderEpoch: one?.leaderEpoch ?? -1,
          committedMetadata: one?.metadata ?? "",
        });
      }),
    })),
  });
  const which = hasIds ? OFFSET_COMMIT : OFFSET_COMMIT_BY_NAME;
  const lowestVersion = groupInstanceId === null ? which.lowestVersion : FIRST_COMMIT_VERSION_WITH_INSTANCE;
  const { topics } = await connection.send({ ...which, lowestVersion }, request);
  const errors = new Map<string, BrokerError>();
  for (const { name, topicId, partitions } of topics) {
    const topic = name === "" ? (metadata.topicName(topicId) ?? "") : name;
    for (const { partitionIndex, errorCode } of partitions) {
      if (errorCode === 0) continue;
      const partition = partitionName({ topic, partition: partitionIndex });
      errors.set(partition, new BrokerError(errorCode as ErrorCode, `commit of ${partition} in group ${groupId}`));
    }
  }
  return errors;
}

/**
 * @param requireStable waits for transactions that are about to commit offsets: UNSTABLE_OFFSET_COMMIT is to be tried again
 * @returns by name of the partition; nothing where nothing is committed
 * @throws BrokerError for the first that failed
 */
export async function fetchOffsets(
  cluster: Cluster,
  connection: BrokerConnection,
  groupId: string,
  partitions: readonly TopicPartition[],
  requireStable: boolean,
): Promise<ReadonlyMap<string, CommittedPosition>> {
  const hasIds = partitions.every(({ topic }) => hasId(cluster, topic));
  const which = hasIds ? OFFSET_FETCH : OFFSET_FETCH_BY_NAME;
  const topics = groupedByTopic(partitions).map(({ topic, partitions: partitionIndexes }) => ({
    name: topic,
    topicId: cluster.metadata.topic(topic)?.topicId ?? ZERO_UUID,
    partitionIndexes,
  }));
  const response = await connection.send(which, (version) =>
    version >= FIRST_FETCH_VERSION_WITH_GROUPS
      ? OffsetFetchRequest.create({ groups: [{ groupId, memberId: null, memberEpoch: -1, topics }], requireStable })
      : OffsetFetchRequest.create({
          groupId,
          topics,
          requireStable: requireStable && version >= FIRST_STABLE_FETCH_VERSION,
        }),
  );
  const [group = { topics: response.topics, errorCode: response.errorCode }] = response.groups;
  const what = `committed offsets of group ${groupId}`;
  if (group.errorCode !== 0) throw new BrokerError(group.errorCode as ErrorCode, what);
  const found = new Map<string, CommittedPosition>();
  for (const told of group.topics) {
    const topicId = "topicId" in told ? told.topicId : ZERO_UUID;
    const topic = told.name === "" ? (cluster.metadata.topicName(topicId) ?? "") : told.name;
    for (const { partitionIndex, committedOffset, committedLeaderEpoch, metadata, errorCode } of told.partitions) {
      const name = partitionName({ topic, partition: partitionIndex });
      if (errorCode !== 0) throw new BrokerError(errorCode as ErrorCode, `${what}, ${name}`);
      if (committedOffset < 0) continue;
      found.set(name, {
        topic,
        partition: partitionIndex,
        offset: committedOffset,
        leaderEpoch: committedLeaderEpoch < 0 ? undefined : committedLeaderEpoch,
        metadata: metadata ?? "",
      });
    }
  }
  return found;
}

function hasId(cluster: Cluster, topic: string): boolean {
  return (cluster.metadata.topic(topic)?.topicId ?? ZERO_UUID) !== ZERO_UUID;
}
