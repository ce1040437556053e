import type { ConsumerGroupCurrentMemberAssignmentValue } from "@samsa/protocol/messages/consumer-group-current-member-assignment-value";
import type { Assignment } from "../assignor/partition-assignor.ts";
import type { GroupRecord } from "../group-records.ts";
import type { ConsumerGroup, ResolvedRegex } from "./consumer-group.ts";
import type { ConsumerGroupMember, OwnedPartitions } from "./consumer-group-member.ts";

/** The records of a consumer group, as Kafka writes them. */

export function groupEpochRecord(groupId: string, epoch: number, metadataHash: bigint): GroupRecord {
  return { kind: "consumer-group-metadata", key: { groupId }, value: { epoch, metadataHash } };
}

export function memberRecord(groupId: string, member: ConsumerGroupMember): GroupRecord {
  const { memberId, classic, ...fields } = member;
  return {
    kind: "consumer-group-member-metadata",
    key: { groupId, memberId },
    value: {
      instanceId: fields.instanceId,
      rackId: fields.rackId,
      clientId: fields.clientId,
      clientHost: fields.clientHost,
      subscribedTopicNames: fields.subscribedTopicNames,
      subscribedTopicRegex: fields.subscribedTopicRegex,
      rebalanceTimeoutMs: fields.rebalanceTimeoutMs,
      serverAssignor: fields.serverAssignor,
      classicMemberMetadata: classic,
    },
  };
}

export function targetEpochRecord(groupId: string, assignmentEpoch: number, assignmentTimestamp: number): GroupRecord {
  return {
    kind: "consumer-group-target-assignment-metadata",
    key: { groupId },
    value: { assignmentEpoch, assignmentTimestamp },
  };
}

export function targetRecord(groupId: string, memberId: string, assignment: Assignment): GroupRecord {
  const topicPartitions = Array.from(assignment, ([topicId, partitions]) => ({
    topicId,
    partitions: [...partitions].sort((a, b) => a - b),
  }));
  return { kind: "consumer-group-target-assignment-member", key: { groupId, memberId }, value: { topicPartitions } };
}

export function currentAssignmentRecord(groupId: string, member: ConsumerGroupMember): GroupRecord {
  const { memberId, memberEpoch, previousMemberEpoch, state, assigned, pendingRevocation } = member;
  return {
    kind: "consumer-group-current-member-assignment",
    key: { groupId, memberId },
    value: {
      memberEpoch,
      previousMemberEpoch,
      state,
      assignedPartitions: topicPartitions(assigned),
      partitionsPendingRevocation: topicPartitions(pendingRevocation),
    },
  };
}

function topicPartitions(owned: OwnedPartitions): ConsumerGroupCurrentMemberAssignmentValue["assignedPartitions"] {
  return Array.from(owned, ([topicId, partitions]) => {
    const sorted = [...partitions].sort(([a], [b]) => a - b);
    return {
      topicId,
      partitions: sorted.map(([partition]) => partition),
      assignmentEpochs: sorted.map(([, epoch]) => epoch),
    };
  });
}

export function regexRecord(groupId: string, regularExpression: string, resolved: ResolvedRegex): GroupRecord {
  return {
    kind: "consumer-group-regular-expression",
    key: { groupId, regularExpression },
    value: { topics: [...resolved.topics].sort(), version: resolved.version, timestamp: resolved.timestampMs },
  };
}

export function regexTombstone(groupId: string, regularExpression: string): GroupRecord {
  return { kind: "consumer-group-regular-expression", key: { groupId, regularExpression }, value: null };
}

export function partitionMetadataTombstone(groupId: string): GroupRecord {
  return { kind: "consumer-group-partition-metadata", key: { groupId }, value: null };
}

export function memberTombstones(groupId: string, memberId: string): readonly GroupRecord[] {
  const key = { groupId, memberId };
  return [
    { kind: "consumer-group-current-member-assignment", key, value: null },
    { kind: "consumer-group-target-assignment-member", key, value: null },
    { kind: "consumer-group-member-metadata", key, value: null },
  ];
}

/** Everything that tells of the group is void. */
export function groupTombstones(group: ConsumerGroup): readonly GroupRecord[] {
  const { groupId, members, resolvedRegexes, targets } = group;
  const records: GroupRecord[] = [];
  for (const memberId of members.keys()) {
    records.push({ kind: "consumer-group-current-member-assignment", key: { groupId, memberId }, value: null });
  }
  for (const memberId of targets.keys()) {
    records.push({ kind: "consumer-group-target-assignment-member", key: { groupId, memberId }, value: null });
  }
  records.push({ kind: "consumer-group-target-assignment-metadata", key: { groupId }, value: null });
  for (const memberId of members.keys()) {
    records.push({ kind: "consumer-group-member-metadata", key: { groupId, memberId }, value: null });
  }
  if (group.hasPartitionMetadataRecord) records.push(partitionMetadataTombstone(groupId));
  for (const regex of resolvedRegexes.keys()) records.push(regexTombstone(groupId, regex));
  records.push({ kind: "consumer-group-metadata", key: { groupId }, value: null });
  return records;
}
