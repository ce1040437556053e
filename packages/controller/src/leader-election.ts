import type { KafkaError } from "@samsa/base";
import { ErrorCode, ERRORS, refusal } from "@samsa/base";
import type { MetadataRecord } from "@samsa/metadata";
import { isActive, NO_LEADER, TopicConfig } from "@samsa/metadata";
import type { ElectLeadersRequest } from "@samsa/protocol/messages/elect-leaders-request";
import { ElectLeadersResponse } from "@samsa/protocol/messages/elect-leaders-response";
import { apiErrorOf, NO_ERROR } from "./api-error.ts";
import type { ControllerContext, ControllerResult } from "./controller-result.ts";
import { partitionChangeRecord } from "./partition-change-builder.ts";

const ElectionType = { PREFERRED: 0, UNCLEAN: 1 } as const;

/**
 * Gives partitions back to their first replica, or takes any replica for those that have no leader (KIP-183, KIP-460). When all
 * partitions are asked for, those that need no election are not answered.
 * @throws KafkaError INVALID_REQUEST for a kind of election that is none
 */
export function electLeaders(
  context: ControllerContext,
  { electionType, topicPartitions }: ElectLeadersRequest,
): ControllerResult<ElectLeadersResponse> {
  if (electionType !== ElectionType.PREFERRED && electionType !== ElectionType.UNCLEAN) {
    throw refusal(ErrorCode.INVALID_REQUEST, `Unknown election type ${electionType}`);
  }
  const { topics } = context.image;
  const asked =
    topicPartitions ??
    Array.from(topics.byName.values(), ({ name, partitions }) => ({ topic: name, partitions: [...partitions.keys()] }));
  const records: MetadataRecord[] = [];
  const results = asked.map(({ topic, partitions }) => ({
    topic,
    partitionResult: partitions.map((partitionId) => {
      try {
        records.push(elect(context, topic, partitionId, electionType === ElectionType.UNCLEAN));
        return { partitionId, ...NO_ERROR };
      } catch (error) {
        return { partitionId, ...apiErrorOf(error) };
      }
    }),
  }));
  const isNeeded = (result: { readonly errorCode: ErrorCode }) => result.errorCode !== ErrorCode.ELECTION_NOT_NEEDED;
  const told =
    topicPartitions === null
      ? results.map(({ topic, partitionResult }) => ({ topic, partitionResult: partitionResult.filter(isNeeded) }))
      : results;
  return { records, response: ElectLeadersResponse.create({ replicaElectionResults: told }) };
}

/** @throws KafkaError for each reason not to elect */
function elect(context: ControllerContext, topicName: string, partitionId: number, isUnclean: boolean): MetadataRecord {
  const { image, config } = context;
  const topic = image.topics.byName.get(topicName);
  if (topic === undefined) {
    throw refusal(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, `No such topic as ${topicName}`);
  }
  const partition = topic.partitions.get(partitionId);
  if (partition === undefined) {
    throw refusal(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, `No such partition as ${topicName}-${partitionId}`);
  }
  const { leader, replicas } = partition;
  if (isUnclean ? leader !== NO_LEADER : leader === replicas[0]) throw inWordsOfTheTable(ErrorCode.ELECTION_NOT_NEEDED);
  const topicConfig = TopicConfig.resolve(image.configs, topicName, config);
  const record = partitionChangeRecord({
    topicId: topic.id,
    partitionId,
    partition,
    prefersFirst: !isUnclean,
    isElrEnabled: image.features.isElrEnabled,
    minIsr: topicConfig.number("min.insync.replicas"),
    mayElectUnclean: isUnclean,
    isAcceptableLeader: (id) => isActive(image.cluster.brokers.get(id)),
    recordVersion: image.features.metadataVersion.partitionRecordVersion,
  });
  if (record !== undefined) return record;
  throw inWordsOfTheTable(
    isUnclean ? ErrorCode.ELIGIBLE_LEADERS_NOT_AVAILABLE : ErrorCode.PREFERRED_LEADER_NOT_AVAILABLE,
  );
}

function inWordsOfTheTable(code: ErrorCode): KafkaError {
  return refusal(code, ERRORS.get(code)?.description);
}
