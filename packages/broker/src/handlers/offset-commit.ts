import { OffsetCommitRequest } from "@samsa/protocol/messages/offset-commit-request";
import { OffsetCommitResponse } from "@samsa/protocol/messages/offset-commit-response";
import type { ApiHandler } from "../api-handler.ts";
import { offsetsToCommit, refusedOffsets } from "./offsets-to-commit.ts";

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
    const isById = apiVersion >= FIRST_VERSION_WITH_TOPIC_IDS;
    const { offsets, answer } = offsetsToCommit(metadata, request.topics, isById);
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
    return OffsetCommitResponse.create({ topics: answer(codes) });
  },

  refuse: ({ topics }, errorCode) => OffsetCommitResponse.create({ topics: refusedOffsets(topics, errorCode) }),
};
