import type { TopicPartition } from "../../cluster/topic-metadata.ts";
import { byTopicAndPartition } from "./consumer-protocol.ts";
import { compareMembers, GroupTopics, rackOf, racksMatter } from "./group-topics.ts";
import type { AssignorTopic, GroupMember, MemberAssignment, PartitionAssignor } from "./partition-assignor.ts";

type Assigned = Map<string, TopicPartition[]>;

/**
 * Topic by topic, each member gets a run of partitions, the first ones of them one more. Topics with as many partitions and the
 * same members come together: partition 3 of both goes to the same member. Where racks are known, partitions go to members in
 * the rack of a replica first, as far as the counts stay the same (KIP-881).
 */
export const rangeAssignor: PartitionAssignor = {
  name: "range",
  rebalanceProtocols: ["eager"],

  assign(topics: ReadonlyMap<string, AssignorTopic>, members: readonly GroupMember[]): Map<string, MemberAssignment> {
    const group = new GroupTopics(topics, members);
    const assigned: Assigned = new Map(group.members.map(({ memberId }) => [memberId, []]));
    const ranges = group.names.map((topic) => new TopicRange(topic, group));
    const isRackAware = ranges.some(({ needsRacks }) => needsRacks);
    if (isRackAware) assignWithinRacks(ranges, assigned);
    for (const range of ranges) range.assign(assigned, () => true);
    return new Map(
      Array.from(assigned, ([memberId, partitions]) => [
        memberId,
        { partitions: isRackAware ? partitions.toSorted(byTopicAndPartition) : partitions },
      ]),
    );
  },
};

/** What of a topic is still to be given, and how much to whom. */
class TopicRange {
  readonly members: readonly GroupMember[];
  readonly partitions: readonly TopicPartition[];
  readonly needsRacks: boolean;
  readonly hasRacks: boolean; // of members
  readonly #group: GroupTopics;
  readonly #unassigned: Set<TopicPartition>;
  readonly #counts = new Map<GroupMember, number>();
  readonly #each: number;
  #extras: number; // members that may still have one more

  constructor(topic: string, group: GroupTopics) {
    this.#group = group;
    this.members = group.members.filter((member) => member.topics.includes(topic)).toSorted(compareMembers);
    this.partitions = group.partitionsOf(topic);
    this.#unassigned = new Set(this.partitions);
    this.#each = Math.floor(this.partitions.length / this.members.length);
    this.#extras = this.partitions.length % this.members.length;
    const racks = new Set(this.members.map(rackOf).filter((rack) => rack !== undefined));
    this.hasRacks = racks.size > 0;
    this.needsRacks = racksMatter(
      racks,
      this.partitions.map((partition) => group.racksOf(partition)),
    );
  }

  /** A member without a rack is near to everything. */
  isNear(member: GroupMember, partition: TopicPartition): boolean {
    const rack = rackOf(member);
    return rack === undefined || this.#group.racksOf(partition).has(rack);
  }

  room(member: GroupMember): number {
    return Math.max(0, this.#each + (this.#extras > 0 ? 1 : 0) - (this.#counts.get(member) ?? 0));
  }

  assign(assigned: Assigned, isWanted: (member: GroupMember, partition: TopicPartition) => boolean): void {
    for (const member of this.members) {
      const wanted = [...this.#unassigned].filter((partition) => isWanted(member, partition));
      this.give(member, wanted.slice(0, this.room(member)), assigned);
    }
  }

  give(member: GroupMember, partitions: readonly TopicPartition[], assigned: Assigned): void {
    if (partitions.length === 0) return;
    const count = (this.#counts.get(member) ?? 0) + partitions.length;
    this.#counts.set(member, count);
    if (count > this.#each) this.#extras--;
    for (const partition of partitions) this.#unassigned.delete(partition);
    assigned.get(member.memberId)?.push(...partitions);
  }
}

function assignWithinRacks(ranges: readonly TopicRange[], assigned: Assigned): void {
  const groups = new Map<string, TopicRange[]>();
  for (const range of ranges) {
    const key = coPartitioningOf(range);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [range]);
    else group.push(range);
  }
  for (const together of groups.values()) {
    const [range] = together;
    if (range === undefined) continue;
    if (together.length > 1) assignTogether(range.members, range.partitions.length, together, assigned);
    else if (range.needsRacks) range.assign(assigned, (member, partition) => range.isNear(member, partition));
  }
}

function coPartitioningOf({ members, partitions, hasRacks }: TopicRange): string {
  const ids = members.map(({ memberId }) => memberId).toSorted();
  return JSON.stringify([hasRacks ? partitions.length : 0, ids]);
}

function assignTogether(
  members: readonly GroupMember[],
  partitionCount: number,
  ranges: readonly TopicRange[],
  assigned: Assigned,
): void {
  const remaining = new Set(members);
  if (ranges.some(({ hasRacks }) => !hasRacks)) return;
  for (let i = 0; i < partitionCount; i++) {
    for (const member of remaining) {
      const fits = ranges.every((range) => {
        const partition = range.partitions[i];
        return partition !== undefined && range.isNear(member, partition) && range.room(member) > 0;
      });
      if (!fits) continue;
      for (const range of ranges) range.give(member, range.partitions.slice(i, i + 1), assigned);
      if (ranges.every((range) => range.room(member) === 0)) remaining.delete(member);
      break;
    }
  }
}
