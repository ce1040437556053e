import type { Uuid } from "@samsa/base";
import { ErrorCode, randomUuid, refusal } from "@samsa/base";
import type { MetadataRecord, PartitionRegistration } from "@samsa/metadata";
import {
  CLUSTER_METADATA_TOPIC_NAME,
  ConfigResourceType,
  EffectiveBrokerConfig,
  hasCollisionChars,
  InvalidConfigError,
  metadataRecord,
  partitionRecord,
  resolveTopicConfigs,
  TopicConfig,
  unifyCollisionChars,
  validateTopicConfigs,
} from "@samsa/metadata";
import { InvalidTopicError, validateTopicName } from "@samsa/protocol";
import type {
  CreateTopicsRequest,
  CreateTopicsRequestCreatableTopic as CreatableTopic,
} from "@samsa/protocol/messages/create-topics-request";
import type { CreateTopicsResponseCreatableTopicResult as CreatableTopicResult } from "@samsa/protocol/messages/create-topics-response";
import {
  createCreateTopicsResponseCreatableTopicConfigs as createTopicConfigs,
  createCreateTopicsResponseCreatableTopicResult as createTopicResult,
  CreateTopicsResponse,
} from "@samsa/protocol/messages/create-topics-response";
import type { ApiError } from "./api-error.ts";
import { apiErrorOf, NO_ERROR } from "./api-error.ts";
import type { ControllerContext, ControllerResult } from "./controller-result.ts";
import { newPartition, placePartitions, validateManualAssignment } from "./partition-assignment.ts";

/** Partitions that one request may make, over all its topics. */
export const MAX_PARTITIONS_PER_REQUEST = 10_000;
/** In a request: the broker's default counts. */
const USE_DEFAULT = -1;

/** A topic that may be created, with all that is known of it. */
interface PlannedTopic {
  readonly name: string;
  readonly id: Uuid;
  readonly partitions: readonly PartitionRegistration[];
  readonly config: TopicConfig;
}

/** Creates each topic that may be; the others are answered with the reason, and do not stand in the way. */
export function createTopics(
  context: ControllerContext,
  request: CreateTopicsRequest,
): ControllerResult<CreateTopicsResponse> {
  const { unique, duplicates } = separateDuplicates(request.topics);
  const total = unique.reduce((sum, topic) => sum + requestedPartitions(topic, context), 0);
  const tooMany: ApiError | undefined =
    total > MAX_PARTITIONS_PER_REQUEST
      ? {
          errorCode: ErrorCode.POLICY_VIOLATION,
          errorMessage: "Excessively large number of partitions per request.",
        }
      : undefined;

  const records: MetadataRecord[] = [];
  const results: CreatableTopicResult[] = [];
  for (const topic of unique) {
    if (tooMany !== undefined) {
      results.push(failed(topic.name, tooMany));
      continue;
    }
    try {
      const planned = planTopic(context, topic);
      context.applyPartitionChangeQuota?.(planned.partitions.length);
      results.push(created(planned));
      if (!request.validateOnly) records.push(...topicRecords(context, planned));
    } catch (error) {
      results.push(failed(topic.name, apiErrorOf(error)));
    }
  }
  const duplicate: ApiError = { errorCode: ErrorCode.INVALID_REQUEST, errorMessage: "Duplicate topic name." };
  for (const name of duplicates) results.push(failed(name, duplicate));
  return { records, response: CreateTopicsResponse.create({ topics: results }) };
}

/** @throws KafkaError for each reason not to create it */
function planTopic(context: ControllerContext, topic: CreatableTopic): PlannedTopic {
  const { name } = topic;
  if (name === CLUSTER_METADATA_TOPIC_NAME) {
    throw refusal(ErrorCode.INVALID_REQUEST, `Creation of internal topic ${name} is prohibited.`);
  }
  validateTopicName(name);
  if (context.image.topics.byName.has(name)) {
    throw refusal(ErrorCode.TOPIC_ALREADY_EXISTS, `Topic '${name}' already exists.`);
  }
  const colliding = collidingTopic(context, name);
  if (colliding !== undefined) {
    throw new InvalidTopicError(`Topic '${name}' collides with existing topic: ${colliding}`);
  }
  const broker = new EffectiveBrokerConfig(context.image.configs, context.config);
  const overrides = requestedConfigs(topic);
  validateTopicConfigs(overrides, broker);
  return {
    name,
    id: freshTopicId(context),
    partitions: plannedPartitions(context, topic),
    config: new TopicConfig(overrides, broker),
  };
}

function plannedPartitions(context: ControllerContext, topic: CreatableTopic): PartitionRegistration[] {
  const { numPartitions, replicationFactor } = topic;
  if (topic.assignments.length > 0) return assignedPartitions(context, topic);
  if (replicationFactor < USE_DEFAULT || replicationFactor === 0) {
    throw refusal(
      ErrorCode.INVALID_REPLICATION_FACTOR,
      "Replication factor must be larger than 0, or -1 to use the default value.",
    );
  }
  if (numPartitions < USE_DEFAULT || numPartitions === 0) {
    throw refusal(ErrorCode.INVALID_PARTITIONS, "Number of partitions was set to an invalid non-positive value.");
  }
  return placePartitions(
    context,
    requestedPartitions(topic, context),
    replicationFactor === USE_DEFAULT ? context.config.number("default.replication.factor") : replicationFactor,
  );
}

function assignedPartitions({ image }: ControllerContext, topic: CreatableTopic): PartitionRegistration[] {
  if (topic.replicationFactor !== USE_DEFAULT) {
    throw refusal(
      ErrorCode.INVALID_REQUEST,
      "A manual partition assignment was specified, but replication factor was not set to -1.",
    );
  }
  if (topic.numPartitions !== USE_DEFAULT) {
    throw refusal(
      ErrorCode.INVALID_REQUEST,
      "A manual partition assignment was specified, but numPartitions was not set to -1.",
    );
  }
  const byIndex = new Map<number, PartitionRegistration>();
  let replicationFactor: number | undefined;
  for (const { partitionIndex, brokerIds } of topic.assignments) {
    if (byIndex.has(partitionIndex)) {
      throw refusal(
        ErrorCode.INVALID_REPLICA_ASSIGNMENT,
        `Found multiple manual partition assignments for partition ${partitionIndex}`,
      );
    }
    validateManualAssignment(brokerIds, replicationFactor, image);
    replicationFactor = brokerIds.length;
    const partition = newPartition(brokerIds, image);
    if (partition === undefined) {
      throw refusal(
        ErrorCode.INVALID_REPLICA_ASSIGNMENT,
        `All brokers specified in the manual partition assignment for partition ${partitionIndex} are fenced or in ` +
          "controlled shutdown.",
      );
    }
    byIndex.set(partitionIndex, partition);
  }
  return Array.from({ length: byIndex.size }, (_, index) => {
    const partition = byIndex.get(index);
    if (partition !== undefined) return partition;
    throw refusal(ErrorCode.INVALID_REPLICA_ASSIGNMENT, "partitions should be a consecutive 0-based integer sequence");
  });
}

/** @throws InvalidConfigError for values that are missing */
function requestedConfigs(topic: CreatableTopic): Map<string, string> {
  const overrides = new Map<string, string>();
  const missing: string[] = [];
  for (const { name, value } of topic.configs) {
    if (value === null) missing.push(name);
    else overrides.set(name, value);
  }
  if (missing.length > 0) {
    throw new InvalidConfigError(`Null value not supported for topic configs: ${missing.join(",")}`);
  }
  return overrides;
}

function topicRecords({ image }: ControllerContext, { name, id, partitions, config }: PlannedTopic): MetadataRecord[] {
  const version = image.features.metadataVersion.partitionRecordVersion;
  const configRecords = [...config.overrides].map(([key, value]) =>
    metadataRecord("ConfigRecord", {
      resourceType: ConfigResourceType.TOPIC,
      resourceName: name,
      name: key,
      value,
    }),
  );
  return [
    metadataRecord("TopicRecord", { name, topicId: id }),
    ...configRecords,
    ...partitions.map((partition, index) => partitionRecord(index, id, partition, version)),
  ];
}

function created({ name, id, partitions, config }: PlannedTopic): CreatableTopicResult {
  return createTopicResult({
    name,
    topicId: id,
    ...NO_ERROR,
    numPartitions: partitions.length,
    replicationFactor: partitions[0]?.replicas.length,
    configs: resolveTopicConfigs(config).map(({ name: key, value, source }) =>
      createTopicConfigs({ name: key, value, configSource: source, readOnly: false, isSensitive: false }),
    ),
  });
}

function failed(name: string, error: ApiError): CreatableTopicResult {
  return createTopicResult({ name, ...error });
}

/** A name that stands twice in a request is refused, and so counts for nothing else. */
function separateDuplicates(topics: readonly CreatableTopic[]): {
  readonly unique: readonly CreatableTopic[];
  readonly duplicates: ReadonlySet<string>;
} {
  const seen = new Set<string>();
  const duplicates = new Set<string>();
  for (const { name } of topics) {
    if (seen.has(name)) duplicates.add(name);
    seen.add(name);
  }
  return { unique: topics.filter(({ name }) => !duplicates.has(name)), duplicates };
}

function requestedPartitions(topic: CreatableTopic, { config }: ControllerContext): number {
  if (topic.assignments.length > 0) return topic.assignments.length;
  return topic.numPartitions === USE_DEFAULT ? config.number("num.partitions") : Math.max(0, topic.numPartitions);
}

/** Another one, should chance repeat itself. */
function freshTopicId({ image, random }: ControllerContext): Uuid {
  let id = randomUuid(random);
  while (image.topics.byId.has(id)) id = randomUuid(random);
  return id;
}

/** An existing topic whose name differs in `.` and `_` only. As in Kafka, two new names of one request may collide. */
function collidingTopic({ image }: ControllerContext, name: string): string | undefined {
  return hasCollisionChars(name) ? image.topics.collidingNames.get(unifyCollisionChars(name))?.[0] : undefined;
}
