import { ErrorCode, refusal } from "@samsa/base";
import type { MetadataImage, MetadataRecord, PartitionRegistration, TopicImage } from "@samsa/metadata";
import { isActive, TopicConfig } from "@samsa/metadata";
import type { AlterPartitionReassignmentsRequest } from "@samsa/protocol/messages/alter-partition-reassignments-request";
import { AlterPartitionReassignmentsResponse } from "@samsa/protocol/messages/alter-partition-reassignments-response";
import type { ListPartitionReassignmentsRequest } from "@samsa/protocol/messages/list-partition-reassignments-request";
import { ListPartitionReassignmentsResponse } from "@samsa/protocol/messages/list-partition-reassignments-response";
import { apiErrorOf, NO_ERROR } from "./api-error.ts";
import type { ControllerContext, ControllerResult } from "./controller-result.ts";
import { defaultDirectory, validateManualAssignment } from "./partition-assignment.ts";
import type { Reassignment } from "./partition-change-builder.ts";
import { partitionChangeRecord } from "./partition-change-builder.ts";

/** Begins to move partitions to other brokers, or takes a move back (KIP-455). */
export function alterPartitionReassignments(
  context: ControllerContext,
  { topics, allowReplicationFactorChange }: AlterPartitionReassignmentsRequest,
): ControllerResult<AlterPartitionReassignmentsResponse> {
  const records: MetadataRecord[] = [];
  const responses = topics.map(({ name, partitions }) => ({
    name,
    partitions: partitions.map(({ partitionIndex, replicas }) => {
      try {
        const { topic, partition } = find(context.image, name, partitionIndex);
        const reassignment =
          replicas === null
            ? reversal(partition)
            : reassignmentTo(context, partition, replicas, allowReplicationFactorChange);
        records.push(...change(context, topic, partitionIndex, partition, reassignment));
        return { partitionIndex, ...NO_ERROR };
      } catch (error) {
        const { errorCode, errorMessage } = apiErrorOf(error);
        // The code says it all, as in Kafka.
        const isPlain = errorCode === ErrorCode.NO_REASSIGNMENT_IN_PROGRESS;
        return { partitionIndex, errorCode, errorMessage: isPlain ? null : errorMessage };
      }
    }),
  }));
  const response = AlterPartitionReassignmentsResponse.create({
    allowReplicationFactorChange,
    errorMessage: topics.length === 0 ? "" : null, // as Kafka has it
    responses,
  });
  return { records, response };
}

/** The moves that are under way. */
export function listPartitionReassignments(
  image: MetadataImage,
  { topics }: ListPartitionReassignmentsRequest,
): ListPartitionReassignmentsResponse {
  const asked =
    topics ??
    Array.from(image.topics.byName.values(), ({ name, partitions }) => ({
      name,
      partitionIndexes: [...partitions.keys()],
    }));
  const ongoing = asked.map(({ name, partitionIndexes }) => ({
    name,
    partitions: partitionIndexes.flatMap((partitionIndex) => {
      const partition = image.topics.byName.get(name)?.partitions.get(partitionIndex);
      if (partition === undefined || !isMoving(partition)) return [];
      const { replicas, addingReplicas, removingReplicas } = partition;
      return [{ partitionIndex, replicas, addingReplicas, removingReplicas }];
    }),
  }));
  return ListPartitionReassignmentsResponse.create({
    errorMessage: null,
    topics: ongoing.filter(({ partitions }) => partitions.length > 0),
  });
}

function find(image: MetadataImage, name: string, index: number) {
  const topic = image.topics.byName.get(name);
  const partition = topic?.partitions.get(index);
  if (topic === undefined) {
    throw refusal(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, `Unable to find a topic named ${name}.`);
  }
  if (partition === undefined) {
    throw refusal(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, `Unable to find partition ${name}:${index}.`);
  }
  return { topic, partition };
}

/** @throws KafkaError when the target may not be */
function reassignmentTo(
  { image }: ControllerContext,
  partition: PartitionRegistration,
  target: readonly number[],
  mayChangeCount: boolean,
): Reassignment {
  validateManualAssignment(target, undefined, image);
  const original = partition.replicas.filter((id) => !partition.addingReplicas.includes(id));
  if (!mayChangeCount && target.length !== original.length) {
    throw refusal(
      ErrorCode.INVALID_REPLICATION_FACTOR,
      `The replication factor is changed from ${original.length} to ${target.length}`,
    );
  }
  const removingReplicas = original.filter((id) => !target.includes(id));
  const addingReplicas = target.filter((id) => !original.includes(id));
  const replicas = [...target, ...removingReplicas];
  const directories = replicas.map(
    (id) => partition.directories[partition.replicas.indexOf(id)] ?? defaultDirectory(image, id),
  );
  return { replicas, addingReplicas, removingReplicas, directories };
}

/** Back to the replicas before the move. */
function reversal({ replicas, directories, addingReplicas, removingReplicas }: PartitionRegistration): Reassignment {
  if (addingReplicas.length === 0 && removingReplicas.length === 0) {
    throw refusal(ErrorCode.NO_REASSIGNMENT_IN_PROGRESS);
  }
  // What was to come goes; what was to go stays.
  return { replicas, directories, addingReplicas: [], removingReplicas: addingReplicas };
}

function isMoving({ addingReplicas, removingReplicas }: PartitionRegistration): boolean {
  return addingReplicas.length > 0 || removingReplicas.length > 0;
}

function change(
  { image, config }: ControllerContext,
  topic: TopicImage,
  partitionId: number,
  partition: PartitionRegistration,
  reassignment: Reassignment,
): readonly MetadataRecord[] {
  const topicConfig = TopicConfig.resolve(image.configs, topic.name, config);
  const record = partitionChangeRecord({
    topicId: topic.id,
    partitionId,
    partition,
    reassignment,
    isElrEnabled: image.features.isElrEnabled,
    minIsr: topicConfig.number("min.insync.replicas"),
    mayElectUnclean: topicConfig.boolean("unclean.leader.election.enable"),
    isAcceptableLeader: (id) => isActive(image.cluster.brokers.get(id)),
    recordVersion: image.features.metadataVersion.partitionRecordVersion,
  });
  return record === undefined ? [] : [record];
}
