import { ErrorCode, errorCodeOf } from "@samsa/base";
import { OffsetForLeaderEpochRequest } from "@samsa/protocol/messages/offset-for-leader-epoch-request";
import type { OffsetForLeaderEpochResponseEpochEndOffset } from "@samsa/protocol/messages/offset-for-leader-epoch-response";
import {
  createOffsetForLeaderEpochResponseEpochEndOffset,
  OffsetForLeaderEpochResponse,
} from "@samsa/protocol/messages/offset-for-leader-epoch-response";
import type { ApiHandler } from "../api-handler.ts";
import type { BrokerServices } from "../broker-services.ts";

type Wish = OffsetForLeaderEpochRequest["topics"][number]["partitions"][number];

/**
 * OffsetForLeaderEpoch 2-4 (KIP-101): where the records of a leader epoch end, so that who has read under another leader learns
 * what is gone. v3 names the replica that asks, v4 is flexible. An epoch that is not known is answered with -1.
 */
export const offsetForLeaderEpoch: ApiHandler<OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse> = {
  request: OffsetForLeaderEpochRequest,
  response: OffsetForLeaderEpochResponse,

  handle: (request, _context, services) =>
    OffsetForLeaderEpochResponse.create({
      topics: request.topics.map(({ topic, partitions }) => ({
        topic,
        partitions: partitions.map((wish) => endOfEpoch(topic, wish, services)),
      })),
    }),

  refuse: (request, errorCode) =>
    OffsetForLeaderEpochResponse.create({
      topics: request.topics.map(({ topic, partitions }) => ({
        topic,
        partitions: partitions.map(({ partition }) => refusedPartition(partition, errorCode)),
      })),
    }),
};

function endOfEpoch(
  topic: string,
  { partition: index, currentLeaderEpoch, leaderEpoch }: Wish,
  services: BrokerServices,
): OffsetForLeaderEpochResponseEpochEndOffset {
  try {
    const partition = services.replicas.partition(topic, index);
    partition.checkLeader(currentLeaderEpoch);
    const end = partition.log.endOffsetForEpoch(leaderEpoch);
    return createOffsetForLeaderEpochResponseEpochEndOffset({ partition: index, ...end });
  } catch (error) {
    const errorCode = errorCodeOf(error);
    if (errorCode === ErrorCode.UNKNOWN_SERVER_ERROR) {
      services.logger.error({ topic, partition: index, err: error }, "looking up a leader epoch failed unexpectedly");
    }
    return refusedPartition(index, errorCode);
  }
}

function refusedPartition(partition: number, errorCode: ErrorCode): OffsetForLeaderEpochResponseEpochEndOffset {
  return createOffsetForLeaderEpochResponseEpochEndOffset({ partition, errorCode });
}
