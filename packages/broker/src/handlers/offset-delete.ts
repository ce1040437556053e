import { ErrorCode } from "@samsa/base";
import type { TopicPartitionName } from "@samsa/coordinator";
import { OffsetDeleteRequest } from "@samsa/protocol/messages/offset-delete-request";
import { OffsetDeleteResponse } from "@samsa/protocol/messages/offset-delete-response";
import type { ApiHandler } from "../api-handler.ts";

/** OffsetDelete 0 (KIP-496). Offsets of topics that the group's members read are refused. */
export const offsetDelete: ApiHandler<OffsetDeleteRequest, OffsetDeleteResponse> = {
  request: OffsetDeleteRequest,
  response: OffsetDeleteResponse,

  async handle({ groupId, topics }, _context, { groups, metadata }) {
    const wanted: TopicPartitionName[] = [];
    const answers = topics.map(({ name, partitions }) => {
      const known = metadata.topic(name)?.partitions;
      const found = partitions.map(({ partitionIndex }) => {
        const exists = known?.has(partitionIndex) ?? false;
        const at = exists ? wanted.push({ topic: name, partition: partitionIndex }) - 1 : -1;
        return { partitionIndex, at };
      });
      return { name, found };
    });
    const codes = await groups.deleteOffsets(groupId, wanted);
    return OffsetDeleteResponse.create({
      topics: answers.map(({ name, found }) => ({
        name,
        partitions: found.map(({ partitionIndex, at }) => ({
          partitionIndex,
          errorCode: codes[at] ?? ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
        })),
      })),
    });
  },

  refuse: (_request, errorCode) => OffsetDeleteResponse.create({ errorCode }),
};
