import type { KafkaError } from "@samsa/base";
import { ErrorCode, refusal } from "@samsa/base";
import type { MetadataRecord, PartitionRegistration, TopicImage } from "@samsa/metadata";
import { partitionRecord } from "@samsa/metadata";
import type {
  CreatePartitionsRequest,
  CreatePartitionsRequestCreatePartitionsTopic as CreatePartitionsTopic,
} from "@samsa/protocol/messages/create-partitions-request";
import {
  createCreatePartitionsResponseCreatePartitionsTopicResult as createResult,
  CreatePartitionsResponse,
} from "@samsa/protocol/messages/create-partitions-response";
import { apiErrorOf, NO_ERROR, repeatedIn, UNKNOWN_TOPIC_OR_PARTITION_MESSAGE } from "./api-error.ts";
import type { ControllerContext, ControllerResult } from "./controller-result.ts";
import { newPartition, placePartitions, validateManualAssignment } from "./partition-assignment.ts";
import { MAX_PARTITIONS_PER_REQUEST } from "./topic-creation.ts";

/** Adds partitions to topics. */
export function createPartitions(
  context: ControllerContext,
  request: CreatePartitionsRequest,
): ControllerResult<CreatePartitionsResponse> {
  const { topics } = context.image;
  const added = request.topics.map(({ name, count }) => count - (topics.byName.get(name)?.partitions.size ?? count));
  const total = added.reduce((sum, count) => sum + Math.max(0, count), 0);
  const records: MetadataRecord[] = [];
  const repeated = repeatedIn(request.topics.map(({ name }) => name));
  const byName = new Map(request.topics.map((topic) => [topic.name, topic]));
  const results = Array.from(byName.values(), (topic) => {
    const { name } = topic;
    try {
      if (total > MAX_PARTITIONS_PER_REQUEST) {
        throw refusal(ErrorCode.POLICY_VIOLATION, "Excessively large number of additional partitions per request.");
      }
      const isRepeated = repeated.has(name);
      if (isRepeated) throw refusal(ErrorCode.INVALID_REQUEST, "Duplicate topic name.");
      const created = partitionRecords(context, topic);
      if (!request.validateOnly) records.push(...created);
      return createResult({ name, ...NO_ERROR });
    } catch (error) {
      const { errorCode, errorMessage } = apiErrorOf(error);
      // The code says it all, as in Kafka.
      const isUnknown = errorCode === ErrorCode.UNKNOWN_TOPIC_OR_PARTITION;
      return createResult({ name, errorCode, errorMessage: isUnknown ? null : errorMessage });
    }
  });
  return { records, response: CreatePartitionsResponse.create({ results }) };
}

/** @throws KafkaError for each reason not to add them */
function partitionRecords(context: ControllerContext, request: CreatePartitionsTopic): MetadataRecord[] {
  const { image } = context;
  const topic = image.topics.byName.get(request.name);
  if (topic === undefined) {
    throw refusal(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, UNKNOWN_TOPIC_OR_PARTITION_MESSAGE);
  }
  const current = topic.partitions.size;
  if (request.count === current) throw invalidPartitions(`Topic already has ${current} partition(s).`);
  if (request.count < current) {
    throw invalidPartitions(
      `The topic ${topic.name} currently has ${current} partition(s); ${request.count} would not be an increase.`,
    );
  }
  const version = image.features.metadataVersion.partitionRecordVersion;
  return newPartitions(context, topic, request).map((partition, index) =>
    partitionRecord(current + index, topic.id, partition, version),
  );
}

function newPartitions(
  context: ControllerContext,
  topic: TopicImage,
  request: CreatePartitionsTopic,
): PartitionRegistration[] {
  const current = topic.partitions.size;
  const additional = request.count - current;
  const replicationFactor = topic.partitions.get(0)?.replicas.length ?? 1;
  const { assignments } = request;
  if (assignments === null || assignments.length === additional) context.applyPartitionChangeQuota?.(additional);
  if (assignments === null) return placePartitions(context, additional, replicationFactor);
  if (assignments.length !== additional) {
    throw refusal(
      ErrorCode.INVALID_REPLICA_ASSIGNMENT,
      `Attempted to add ${additional} additional partition(s), but only ${assignments.length} assignment(s) were specified.`,
    );
  }
  return assignments.map(({ brokerIds }, index) => {
    validateManualAssignment(brokerIds, replicationFactor, context.image);
    const partition = newPartition(brokerIds, context.image);
    if (partition !== undefined) return partition;
    throw refusal(
      ErrorCode.INVALID_REPLICA_ASSIGNMENT,
      `All brokers specified in the manual partition assignment for partition ${current + index} are fenced or in ` +
        "controlled shutdown.",
    );
  });
}

function invalidPartitions(message: string): KafkaError {
  return refusal(ErrorCode.INVALID_PARTITIONS, message);
}
