import { ErrorCode, KafkaError } from "@samsa/base";
import type { PartitionRegistration, TopicImage } from "@samsa/metadata";
import { isInternalTopic } from "@samsa/metadata";
import { topicNameProblem } from "@samsa/protocol";
import { DescribeTopicPartitionsRequest } from "@samsa/protocol/messages/describe-topic-partitions-request";
import type {
  DescribeTopicPartitionsResponseCursor,
  DescribeTopicPartitionsResponseTopic,
} from "@samsa/protocol/messages/describe-topic-partitions-response";
import {
  createDescribeTopicPartitionsResponsePartition,
  createDescribeTopicPartitionsResponseTopic,
  DescribeTopicPartitionsResponse,
} from "@samsa/protocol/messages/describe-topic-partitions-response";
import type { ApiHandler } from "../api-handler.ts";
import { ALL_TOPIC_OPERATIONS } from "../authorized-operations.ts";
import type { BrokerServices } from "../broker-services.ts";
import { replicaStatus } from "../replica-status.ts";

/**
 * DescribeTopicPartitions 0 (KIP-966): topics by name, with the replicas that may lead, at most so many partitions at a time.
 * The cursor of an answer says where the next request goes on.
 */
export const describeTopicPartitions: ApiHandler<DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse> = {
  request: DescribeTopicPartitionsRequest,
  response: DescribeTopicPartitionsResponse,

  handle(request, _context, services) {
    const { cursor } = request;
    const wantsAll = request.topics.length === 0;
    const topics = services.metadata.image.topics.byName;
    const asked = wantsAll ? [...topics.keys()] : request.topics.map(({ name }) => name);
    if (cursor !== null && !wantsAll && !asked.includes(cursor.topicName)) {
      throw invalidRequest(
        `DescribeTopicPartitionsRequest topic list should contain the cursor topic: ${cursor.topicName}`,
      );
    }
    if (cursor !== null && cursor.partitionIndex < 0) {
      throw invalidRequest(`DescribeTopicPartitionsRequest cursor partition must be valid: ${cursor.partitionIndex}`);
    }
    const names = [...new Set(asked)].filter((name) => name >= (cursor?.topicName ?? "")).sort();
    const limit = services.config.number("max.request.partition.size.limit");
    const found: DescribeTopicPartitionsResponseTopic[] = [];
    let nextCursor: DescribeTopicPartitionsResponseCursor | null = null;
    let left = Math.max(1, Math.min(limit, request.responsePartitionLimit));
    for (const name of names) {
      if (left === 0) {
        nextCursor = { topicName: name, partitionIndex: 0 };
        break;
      }
      const topic = topics.get(name);
      if (topic === undefined) {
        found.push(missingTopic(name));
        continue;
      }
      const start = name === cursor?.topicName ? cursor.partitionIndex : 0;
      const end = Math.min(start + left, topic.partitions.size);
      found.push(describeTopic(topic, start, end, services));
      if (end < topic.partitions.size) {
        nextCursor = { topicName: name, partitionIndex: end };
        break;
      }
      left -= Math.max(0, end - start);
    }
    return DescribeTopicPartitionsResponse.create({ topics: found, nextCursor });
  },

  refuse: (request, errorCode) =>
    DescribeTopicPartitionsResponse.create({
      topics: request.topics.map(({ name }) => createDescribeTopicPartitionsResponseTopic({ name, errorCode })),
    }),
};

function describeTopic(
  topic: TopicImage,
  start: number,
  end: number,
  services: BrokerServices,
): DescribeTopicPartitionsResponseTopic {
  const partitions = [];
  for (let index = start; index < end; index++) {
    const partition = topic.partitions.get(index);
    if (partition !== undefined) partitions.push(describePartition(index, partition, services));
  }
  return createDescribeTopicPartitionsResponseTopic({
    name: topic.name,
    topicId: topic.id,
    isInternal: isInternalTopic(topic.name),
    partitions,
    topicAuthorizedOperations: ALL_TOPIC_OPERATIONS,
  });
}

function describePartition(partitionIndex: number, partition: PartitionRegistration, services: BrokerServices) {
  return createDescribeTopicPartitionsResponsePartition({
    partitionIndex,
    ...replicaStatus(partition, services.metadata.image.cluster),
    eligibleLeaderReplicas: partition.elr,
    lastKnownElr: partition.lastKnownElr,
  });
}

function missingTopic(name: string): DescribeTopicPartitionsResponseTopic {
  const isName = topicNameProblem(name) === undefined;
  return createDescribeTopicPartitionsResponseTopic({
    name,
    errorCode: isName ? ErrorCode.UNKNOWN_TOPIC_OR_PARTITION : ErrorCode.INVALID_TOPIC_EXCEPTION,
    isInternal: isInternalTopic(name),
    topicAuthorizedOperations: ALL_TOPIC_OPERATIONS,
  });
}

function invalidRequest(message: string): KafkaError {
  return new KafkaError(ErrorCode.INVALID_REQUEST, message);
}
