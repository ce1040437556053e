import { ErrorCode, errorCodeOf, ERRORS } from "@samsa/base";
import { topicNameProblem } from "@samsa/protocol";
import { DescribeProducersRequest } from "@samsa/protocol/messages/describe-producers-request";
import type { DescribeProducersResponsePartitionResponse } from "@samsa/protocol/messages/describe-producers-response";
import { DescribeProducersResponse } from "@samsa/protocol/messages/describe-producers-response";
import type { ApiHandler } from "../api-handler.ts";
import type { BrokerServices } from "../broker-services.ts";

/** DescribeProducers 0 (KIP-664): who writes to partitions with a producer id, and where a transaction of theirs is open. */
export const describeProducers: ApiHandler<DescribeProducersRequest, DescribeProducersResponse> = {
  request: DescribeProducersRequest,
  response: DescribeProducersResponse,

  handle: (request, _context, services) =>
    DescribeProducersResponse.create({
      topics: request.topics.map(({ name, partitionIndexes }) => ({
        name,
        partitions: [...new Set(partitionIndexes)].map((index) => describePartition(name, index, services)),
      })),
    }),

  refuse: (request, errorCode, errorMessage) =>
    DescribeProducersResponse.create({
      topics: request.topics.map(({ name, partitionIndexes }) => ({
        name,
        partitions: partitionIndexes.map((partitionIndex) => ({
          partitionIndex,
          errorCode,
          errorMessage,
          activeProducers: [],
        })),
      })),
    }),
};

function describePartition(
  topic: string,
  partitionIndex: number,
  { replicas, metadata }: BrokerServices,
): DescribeProducersResponsePartitionResponse {
  try {
    const { log } = replicas.partition(topic, partitionIndex);
    const activeProducers = Array.from(log.activeProducers(), (producer) => ({
      producerId: producer.producerId,
      producerEpoch: producer.producerEpoch,
      lastSequence: producer.lastSequence,
      lastTimestamp: producer.lastTimestamp,
      coordinatorEpoch: producer.coordinatorEpoch,
      currentTxnStartOffset: producer.currentTxnFirstOffset,
    }));
    return { partitionIndex, errorCode: ErrorCode.NONE, errorMessage: null, activeProducers };
  } catch (error) {
    const isName = topicNameProblem(topic) === undefined;
    const errorCode = isName ? errorCodeOf(error) : ErrorCode.INVALID_TOPIC_EXCEPTION;
    const isTopicKnown = metadata.topic(topic) !== undefined;
    const errorMessage = isTopicKnown ? null : (ERRORS.get(errorCode)?.description ?? null);
    return { partitionIndex, errorCode, errorMessage, activeProducers: [] };
  }
}
