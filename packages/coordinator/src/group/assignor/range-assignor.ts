import type { Uuid } from "@samsa/base";
import { compareText } from "../consumer/metadata-hash.ts";
import type { Assignment, MemberSubscription, PartitionAssignor } from "./partition-assignor.ts";

interface TopicRanges {
  readonly partitionCount: number;
  readonly quota: number;
  extra: number; // members that get one more
  next: number;
}

/**
 * Each topic in ranges of neighbours, so that topics of one size are divided alike: whoever reads partition 3 of one has partition
 * 3 of the other, and can join them. Static members come first, by their names, so that a restart moves nothing.
 */
export const RANGE_ASSIGNOR: PartitionAssignor = {
  name: "range",
  assign(members, partitionCount) {
    const subscribers = new Map<Uuid, number>();
    for (const { topicIds } of members) {
      for (const topicId of topicIds) subscribers.set(topicId, (subscribers.get(topicId) ?? 0) + 1);
    }
    const topics = new Map<Uuid, TopicRanges>();
    for (const [topicId, count] of subscribers) {
      const partitions = partitionCount(topicId);
      const quota = Math.floor(partitions / count);
      topics.set(topicId, { partitionCount: partitions, quota, extra: partitions % count, next: 0 });
    }
    const assignments = new Map<string, Assignment>();
    for (const { memberId, topicIds } of members.toSorted(byInstanceThenMember)) {
      const assignment = new Map<Uuid, ReadonlySet<number>>();
      for (const topicId of topicIds) {
        const range = nextRange(topics.get(topicId));
        if (range.length > 0) assignment.set(topicId, new Set(range));
      }
      assignments.set(memberId, assignment);
    }
    return assignments;
  },
};

function nextRange(topic: TopicRanges | undefined): readonly number[] {
  if (topic === undefined) return [];
  const start = topic.next;
  topic.next = Math.min(start + topic.quota + (topic.extra > 0 ? 1 : 0), topic.partitionCount);
  if (topic.extra > 0) topic.extra--;
  return Array.from({ length: topic.next - start }, (_, index) => start + index);
}

function byInstanceThenMember(a: MemberSubscription, b: MemberSubscription): number {
  if (a.instanceId !== null && b.instanceId !== null) return compareText(a.instanceId, b.instanceId);
  if (a.instanceId !== null) return -1;
  if (b.instanceId !== null) return 1;
  return compareText(a.memberId, b.memberId);
}
