import type { Uuid } from "@samsa/base";
import { ErrorCode, errorCodeOf, ZERO_UUID } from "@samsa/base";
import type { FetchedOffsets } from "@samsa/coordinator";
import type { OffsetFetchRequestGroup } from "@samsa/protocol/messages/offset-fetch-request";
import { OffsetFetchRequest } from "@samsa/protocol/messages/offset-fetch-request";
import type {
  OffsetFetchResponseGroup,
  OffsetFetchResponsePartitions,
  OffsetFetchResponseTopics,
} from "@samsa/protocol/messages/offset-fetch-response";
import { OffsetFetchResponse } from "@samsa/protocol/messages/offset-fetch-response";
import type { ApiHandler } from "../api-handler.ts";
import type { BrokerServices } from "../broker-services.ts";
import { findTopic } from "../topic-names.ts";

const FIRST_VERSION_WITH_GROUPS = 8;
const FIRST_VERSION_WITH_GROUP_ERROR = 2;
const FIRST_VERSION_WITH_TOPIC_IDS = 10;
const NO_OFFSET = -1;

/**
 * OffsetFetch 1-10. v2 asks for all topics and has an error for the group; v5 has leader epochs; v6 is flexible; v7 refuses what a
 * transaction may still change (KIP-447); v8 asks for many groups (KIP-709); v9 is for members of the new protocol (KIP-848); v10
 * names topics by id. A partition without a commit is answered with -1.
 */
export const offsetFetch: ApiHandler<OffsetFetchRequest, OffsetFetchResponse> = {
  request: OffsetFetchRequest,
  response: OffsetFetchResponse,

  async handle(request, { apiVersion }, services) {
    const isById = apiVersion >= FIRST_VERSION_WITH_TOPIC_IDS;
    if (apiVersion >= FIRST_VERSION_WITH_GROUPS) {
      const groups = request.groups.map((group) => fetchGroup(group, request.requireStable, isById, services));
      return OffsetFetchResponse.create({ groups: await Promise.all(groups) });
    }
    const topics = request.topics?.map((topic) => ({ ...topic, topicId: ZERO_UUID })) ?? null;
    const group = { groupId: request.groupId, memberId: null, memberEpoch: -1, topics };
    const { errorCode, topics: found } = await fetchGroup(group, request.requireStable, false, services);
    if (errorCode !== ErrorCode.NONE && apiVersion < FIRST_VERSION_WITH_GROUP_ERROR) {
      return OffsetFetchResponse.create({ topics: refusedTopics(group, errorCode) });
    }
    return OffsetFetchResponse.create({ errorCode, topics: found });
  },

  refuse: (request, errorCode) =>
    OffsetFetchResponse.create({
      errorCode,
      groups: request.groups.map(({ groupId }) => ({ groupId, errorCode, topics: [] })),
    }),
};

async function fetchGroup(
  { groupId, memberId, memberEpoch, topics }: OffsetFetchRequestGroup,
  requireStable: boolean,
  isById: boolean,
  { groups, metadata }: BrokerServices,
): Promise<OffsetFetchResponseGroup> {
  let fetched: FetchedOffsets;
  try {
    fetched = await groups.fetchOffsets(groupId, memberId, memberEpoch);
  } catch (error) {
    return { groupId, errorCode: errorCodeOf(error), topics: [] };
  }
  const answer = (topic: string, topicId: Uuid, indexes: Iterable<number>): OffsetFetchResponseTopics => ({
    name: topic,
    topicId,
    partitions: Array.from(indexes, (index) => offsetOf(fetched, requireStable, topic, index)),
  });
  const found: OffsetFetchResponseTopics[] = [];
  if (topics === null) {
    for (const [topic, partitions] of fetched.offsets) {
      const topicId = metadata.topic(topic)?.id;
      if (topicId === undefined && isById) continue; // the topic is gone, and so is its id
      found.push(answer(topic, topicId ?? ZERO_UUID, partitions.keys()));
    }
  } else {
    for (const { name, topicId, partitionIndexes } of topics) {
      const topic = isById ? findTopic(metadata, { name, topicId }, isById)?.name : name;
      if (topic !== undefined) found.push(answer(topic, topicId, partitionIndexes));
      else found.push(refusedTopic({ name, topicId, partitionIndexes }, ErrorCode.UNKNOWN_TOPIC_ID));
    }
  }
  return { groupId, errorCode: ErrorCode.NONE, topics: found };
}

function offsetOf(
  { offsets, isPending }: FetchedOffsets,
  requireStable: boolean,
  topic: string,
  partitionIndex: number,
): OffsetFetchResponsePartitions {
  if (requireStable && isPending(topic, partitionIndex)) {
    return refusedPartition(partitionIndex, ErrorCode.UNSTABLE_OFFSET_COMMIT);
  }
  const committed = offsets.get(topic)?.get(partitionIndex);
  if (committed === undefined) return refusedPartition(partitionIndex, ErrorCode.NONE);
  const { offset, leaderEpoch, metadata } = committed;
  return {
    partitionIndex,
    committedOffset: offset,
    committedLeaderEpoch: leaderEpoch,
    metadata,
    errorCode: ErrorCode.NONE,
  };
}

function refusedTopics({ topics }: OffsetFetchRequestGroup, errorCode: number): OffsetFetchResponseTopics[] {
  return (topics ?? []).map((topic) => refusedTopic(topic, errorCode));
}

function refusedTopic(
  topic: { readonly name: string; readonly topicId: Uuid; readonly partitionIndexes: readonly number[] },
  errorCode: number,
): OffsetFetchResponseTopics {
  const { name, topicId, partitionIndexes } = topic;
  return { name, topicId, partitions: partitionIndexes.map((index) => refusedPartition(index, errorCode)) };
}

function refusedPartition(partitionIndex: number, errorCode: number): OffsetFetchResponsePartitions {
  return { partitionIndex, committedOffset: NO_OFFSET, committedLeaderEpoch: -1, metadata: "", errorCode };
}
