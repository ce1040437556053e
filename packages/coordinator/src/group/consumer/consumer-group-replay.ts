import type { Assignment } from "../assignor/partition-assignor.ts";
import type { Groups } from "../group.ts";
import type { ConsumerGroupRecord } from "../group-records.ts";
import { ConsumerGroup } from "./consumer-group.ts";
import { assignmentStateOf, describedBy } from "./consumer-group-member.ts";

/** One record of a consumer group. Compaction leaves them in any order: whichever comes first makes the group. */
export function replayConsumerGroupRecord(groups: Groups, record: ConsumerGroupRecord): void {
  const { groupId } = record.key;
  const known = groups.get(groupId);
  if (record.value === null) {
    if (known?.type === "consumer") remove(groups, known, record);
    return;
  }
  const group = known?.type === "consumer" ? known : new ConsumerGroup(groupId);
  groups.set(groupId, group);
  switch (record.kind) {
    case "consumer-group-metadata":
      group.groupEpoch = record.value.epoch;
      group.metadataHash = record.value.metadataHash;
      return;
    case "consumer-group-partition-metadata":
      group.hasPartitionMetadataRecord = true;
      return;
    case "consumer-group-member-metadata":
      return group.setDescription(record.key.memberId, describedBy(record.value));
    case "consumer-group-target-assignment-metadata":
      group.assignmentEpoch = record.value.assignmentEpoch;
      group.assignmentTimestampMs = record.value.assignmentTimestamp;
      return;
    case "consumer-group-target-assignment-member": {
      const { topicPartitions } = record.value;
      const target: Assignment = new Map(
        topicPartitions.map(({ topicId, partitions }) => [topicId, new Set(partitions)]),
      );
      return group.setTarget(record.key.memberId, target);
    }
    case "consumer-group-current-member-assignment":
      return group.setAssignmentState(record.key.memberId, assignmentStateOf(record.value));
    case "consumer-group-regular-expression": {
      const { topics, version, timestamp: timestampMs } = record.value;
      return group.setRegex(record.key.regularExpression, { topics: new Set(topics), version, timestampMs });
    }
  }
}

function remove(groups: Groups, group: ConsumerGroup, record: ConsumerGroupRecord): void {
  switch (record.kind) {
    case "consumer-group-metadata":
      groups.delete(group.groupId);
      return;
    case "consumer-group-partition-metadata":
      group.hasPartitionMetadataRecord = false;
      return;
    case "consumer-group-member-metadata":
      return group.removeMember(record.key.memberId);
    case "consumer-group-target-assignment-metadata":
      group.assignmentEpoch = 0;
      group.assignmentTimestampMs = 0;
      return;
    case "consumer-group-target-assignment-member":
      return group.setTarget(record.key.memberId, undefined);
    case "consumer-group-current-member-assignment":
      return group.clearAssignmentState(record.key.memberId);
    case "consumer-group-regular-expression":
      return group.setRegex(record.key.regularExpression, undefined);
  }
}
