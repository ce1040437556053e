import type { Uuid } from "@samsa/base";
import { ErrorCode, refusal } from "@samsa/base";
import type { GroupConfig } from "../group-config.ts";
import type { Group } from "../group.ts";
import type { GroupTopics } from "../group-topics.ts";
import type { ConsumerGroupState } from "./consumer-group.ts";
import type { ConsumerGroupMember } from "./consumer-group-member.ts";

export interface DescribedConsumerGroup {
  readonly groupId: string;
  readonly state: ConsumerGroupState;
  readonly groupEpoch: number;
  readonly assignmentEpoch: number;
  readonly assignorName: string;
  readonly members: readonly DescribedConsumerGroupMember[];
}

export interface DescribedConsumerGroupMember extends Pick<
  ConsumerGroupMember,
  | "memberId"
  | "instanceId"
  | "rackId"
  | "memberEpoch"
  | "clientId"
  | "clientHost"
  | "subscribedTopicNames"
  | "subscribedTopicRegex"
> {
  readonly assignment: readonly DescribedTopicPartitions[];
  readonly targetAssignment: readonly DescribedTopicPartitions[];
  readonly usesClassicProtocol: boolean;
}

export interface DescribedTopicPartitions {
  readonly topicId: Uuid;
  readonly topicName: string;
  readonly partitions: readonly number[];
}

/** @throws KafkaError GROUP_ID_NOT_FOUND */
export function describeConsumerGroup(
  groups: ReadonlyMap<string, Group>,
  groupId: string,
  topics: GroupTopics,
  { consumerAssignors }: GroupConfig,
): DescribedConsumerGroup {
  const group = groups.get(groupId);
  if (group?.type !== "consumer") {
    const message = group === undefined ? `Group ${groupId} not found.` : `Group ${groupId} is not a consumer group.`;
    throw refusal(ErrorCode.GROUP_ID_NOT_FOUND, message);
  }
  const named = (partitionsByTopic: ReadonlyMap<Uuid, Iterable<number>>): DescribedTopicPartitions[] =>
    [...partitionsByTopic].flatMap(([topicId, partitions]) => {
      const topicName = topics.topicById(topicId)?.name;
      if (topicName === undefined) return []; // it is deleted
      return [{ topicId, topicName, partitions: [...partitions].sort((a, b) => a - b) }];
    });
  const members = Array.from(group.members.values(), (member): DescribedConsumerGroupMember => {
    // What it has yet to give up is its own still.
    const owned = new Map<Uuid, number[]>();
    for (const [id, partitions] of [...member.assigned, ...member.pendingRevocation]) {
      owned.set(id, [...(owned.get(id) ?? []), ...partitions.keys()]);
    }
    return {
      ...member,
      assignment: named(owned),
      targetAssignment: named(group.target(member.memberId)),
      usesClassicProtocol: member.classic !== null,
    };
  });
  return {
    groupId,
    state: group.state,
    groupEpoch: group.groupEpoch,
    assignmentEpoch: group.assignmentEpoch,
    assignorName: group.preferredAssignor() ?? consumerAssignors[0] ?? "",
    members,
  };
}
