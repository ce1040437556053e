import { ErrorCode } from "@samsa/base";
import type { OffsetToCommit } from "@samsa/coordinator";
import type { OffsetCommitRequestTopic } from "@samsa/protocol/messages/offset-commit-request";
import { OffsetCommitRequest } from "@samsa/protocol/messages/offset-commit-request";
import { OffsetCommitResponse } from "@samsa/protocol/messages/offset-commit-response";
import type { ApiHandler } from "../api-handler.ts";
import { findTopic } from "../topic-names.ts";

const FIRST_VERSION_WITH_TOPIC_IDS = 10;

/**
 * OffsetCommit 2-10. v2-4 may ask for a retention of their own; v6 has leader epochs; v7 knows static members (KIP-345); v8 is
 * flexible; v9 takes the epoch of a member, and v10 names topics by id (KIP-848). Answered when the commit is below the high watermark.
 */
export const offsetCommit: ApiHandler<OffsetCommitRequest, OffsetCommitResponse> = {
  request: OffsetCommitRequest,
  response: OffsetCommitResponse,

  async handle(request, { apiVersion }, { groups, metadata }) {
    const { groupId, memberId, groupInstanceId, generationIdOrMemberEpoch, retentionTimeMs } = request;
    const offsets: OffsetToCommit[] = [];
    const topics = request.topics.map(({ name, topicId, partitions }) => {
      const isById = apiVersion >= FIRST_VERSION_WITH_TOPIC_IDS;
      const topic = findTopic(metadata, { name, topicId }, isById);
      const unknown = isById ? ErrorCode.UNKNOWN_TOPIC_ID : ErrorCode.UNKNOWN_TOPIC_OR_PARTITION;
      const answers = partitions.map((partition) => {
        const { partitionIndex, committedOffset, committedLeaderEpoch, committedMetadata } = partition;
        if (topic === undefined) return { partitionIndex, at: -1, errorCode: unknown };
        if (!topic.partitions.has(partitionIndex)) {
          return { partitionIndex, at: -1, errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION };
        }
        const at = offsets.push({
          topic: topic.name,
          partition: partitionIndex,
          offset: committedOffset,
          leaderEpoch: committedLeaderEpoch,
          metadata: committedMetadata,
          topicId,
        });
        return { partitionIndex, at: at - 1, errorCode: ErrorCode.NONE };
      });
      return { name, topicId, answers };
    });
    // A commit of nothing says nothing about the group either, as in Kafka.
    const codes =
      offsets.length === 0
        ? []
        : await groups.commitOffsets({
            groupId,
            memberId,
            groupInstanceId,
            generationId: generationIdOrMemberEpoch,
            apiVersion,
            retentionTimeMs,
            offsets,
          });
    return OffsetCommitResponse.create({
      topics: topics.map(({ name, topicId, answers }) => ({
        name,
        topicId,
        partitions: answers.map(({ partitionIndex, at, errorCode }) => ({
          partitionIndex,
          errorCode: codes[at] ?? errorCode,
        })),
      })),
    });
  },

  refuse: ({ topics }, errorCode) =>
    OffsetCommitResponse.create({ topics: topics.map((topic) => refusedTopic(topic, errorCode)) }),
};

function refusedTopic({ name, topicId, partitions }: OffsetCommitRequestTopic, errorCode: ErrorCode) {
  return { name, topicId, partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode })) };
}
