import type { Uuid } from "@samsa/base";
import type { Assignment, MemberSubscription, PartitionAssignor } from "../assignor/partition-assignor.ts";
import { isSameAssignment, NO_PARTITIONS } from "../assignor/partition-assignor.ts";
import type { GroupRecord } from "../group-records.ts";
import type { GroupTopics } from "../group-topics.ts";
import type { ConsumerGroup, ResolvedRegex } from "./consumer-group.ts";
import type { ConsumerGroupMember, MemberDescription } from "./consumer-group-member.ts";
import { targetEpochRecord, targetRecord } from "./consumer-group-records.ts";

export interface TargetAssignmentInput {
  readonly group: ConsumerGroup;
  readonly groupEpoch: number;
  readonly assignor: PartitionAssignor;
  readonly topics: GroupTopics;
  readonly regexes: ReadonlyMap<string, ResolvedRegex>;
  /** Takes its own place, or that of the static member it replaces. */
  readonly updated: ConsumerGroupMember;
  readonly replaced: ConsumerGroupMember | undefined;
  readonly nowMs: number;
}

/** Topics that a member reads and that exist. */
export function subscribedTopicIds(
  { subscribedTopicNames, subscribedTopicRegex }: MemberDescription,
  regexes: ReadonlyMap<string, ResolvedRegex>,
  topics: GroupTopics,
): ReadonlySet<Uuid> {
  const ids = new Set<Uuid>();
  const add = (name: string): void => {
    const topic = topics.topic(name);
    if (topic !== undefined) ids.add(topic.id);
  };
  for (const name of subscribedTopicNames) add(name);
  if (subscribedTopicRegex !== "") for (const name of regexes.get(subscribedTopicRegex)?.topics ?? []) add(name);
  return ids;
}

/** Who is to have what in this epoch of the group. */
export function computeTargetAssignment(input: TargetAssignmentInput): {
  readonly records: readonly GroupRecord[];
  readonly target: Assignment;
} {
  const { group, groupEpoch, assignor, topics, regexes, updated, replaced, nowMs } = input;
  const members = new Map(group.members);
  if (replaced !== undefined) members.delete(replaced.memberId);
  members.set(updated.memberId, updated);
  const before = (memberId: string): Assignment | undefined =>
    group.targets.get(memberId === updated.memberId && replaced !== undefined ? replaced.memberId : memberId);
  const idsOf = memoized(regexes, topics);
  const subscriptions = Array.from(members.values(), (member): MemberSubscription => {
    const { memberId, instanceId } = member;
    return { memberId, instanceId, topicIds: idsOf(member), assigned: before(memberId) ?? NO_PARTITIONS };
  });
  const targets = assignor.assign(subscriptions, (topicId) => topics.topicById(topicId)?.partitionCount ?? 0);
  const records: GroupRecord[] = [];
  for (const memberId of members.keys()) {
    const target = targets.get(memberId) ?? NO_PARTITIONS;
    const old = before(memberId);
    if (old === undefined || !isSameAssignment(old, target))
      records.push(targetRecord(group.groupId, memberId, target));
  }
  records.push(targetEpochRecord(group.groupId, groupEpoch, nowMs));
  return { records, target: targets.get(updated.memberId) ?? NO_PARTITIONS };
}

/** Most members of a group read the same: it is looked up once, and shared. */
function memoized(
  regexes: ReadonlyMap<string, ResolvedRegex>,
  topics: GroupTopics,
): (member: MemberDescription) => ReadonlySet<Uuid> {
  const known = new Map<string, ReadonlySet<Uuid>>();
  return (member) => {
    const key = JSON.stringify([member.subscribedTopicRegex, member.subscribedTopicNames]);
    const ids = known.get(key) ?? subscribedTopicIds(member, regexes, topics);
    known.set(key, ids);
    return ids;
  };
}
