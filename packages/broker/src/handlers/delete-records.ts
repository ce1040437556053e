import { ErrorCode, errorCodeOf, refusal } from "@samsa/base";
import { isInternalTopic } from "@samsa/metadata";
import { DeleteRecordsRequest } from "@samsa/protocol/messages/delete-records-request";
import type { DeleteRecordsResponseDeleteRecordsPartitionResult } from "@samsa/protocol/messages/delete-records-response";
import {
  createDeleteRecordsResponseDeleteRecordsPartitionResult,
  DeleteRecordsResponse,
} from "@samsa/protocol/messages/delete-records-response";
import type { ApiHandler } from "../api-handler.ts";
import type { BrokerServices } from "../broker-services.ts";

const NO_LOW_WATERMARK = -1;

/** DeleteRecords 0-2 (KIP-107). v1 has a throttle time; v2 is flexible. A partition that is named twice is answered once. */
export const deleteRecords: ApiHandler<DeleteRecordsRequest, DeleteRecordsResponse> = {
  request: DeleteRecordsRequest,
  response: DeleteRecordsResponse,

  handle(request, _context, services) {
    const byTopic = new Map<string, Map<number, number>>();
    for (const { name, partitions } of request.topics) {
      const offsets = byTopic.get(name) ?? new Map<number, number>();
      byTopic.set(name, offsets);
      for (const { partitionIndex, offset } of partitions) offsets.set(partitionIndex, offset); // the last one counts
    }
    const topics = Array.from(byTopic, ([name, offsets]) => ({
      name,
      partitions: Array.from(offsets, ([index, offset]) => deleteFromPartition(name, index, offset, services)),
    }));
    return Promise.resolve(DeleteRecordsResponse.create({ topics }));
  },

  refuse: (request, errorCode) =>
    DeleteRecordsResponse.create({
      topics: request.topics.map(({ name, partitions }) => ({
        name,
        partitions: partitions.map(({ partitionIndex }) => refusedPartition(partitionIndex, errorCode)),
      })),
    }),
};

function deleteFromPartition(
  topic: string,
  partitionIndex: number,
  offset: number,
  services: BrokerServices,
): DeleteRecordsResponseDeleteRecordsPartitionResult {
  try {
    if (isInternalTopic(topic)) {
      throw refusal(ErrorCode.INVALID_TOPIC_EXCEPTION, `${topic} is internal: its records are its coordinator's`);
    }
    const lowWatermark = services.replicas.partition(topic, partitionIndex).deleteRecordsOnLeader(offset);
    return createDeleteRecordsResponseDeleteRecordsPartitionResult({ partitionIndex, lowWatermark });
  } catch (error) {
    const errorCode = errorCodeOf(error);
    if (errorCode === ErrorCode.UNKNOWN_SERVER_ERROR) {
      services.logger.error({ topic, partition: partitionIndex, err: error }, "deleting records failed unexpectedly");
    }
    return refusedPartition(partitionIndex, errorCode);
  }
}

function refusedPartition(
  partitionIndex: number,
  errorCode: ErrorCode,
): DeleteRecordsResponseDeleteRecordsPartitionResult {
  return createDeleteRecordsResponseDeleteRecordsPartitionResult({
    partitionIndex,
    lowWatermark: NO_LOW_WATERMARK,
    errorCode,
  });
}
