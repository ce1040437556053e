import type { TopicPartition } from "../../cluster/topic-metadata.ts";
import { ConstrainedAssignment } from "./constrained-assignment.ts";
import { GeneralAssignment } from "./general-assignment.ts";
import { GroupRacks } from "./group-racks.ts";
import { GroupTopics } from "./group-topics.ts";
import type { Claim, ClaimOf } from "./ownership.ts";
import { ownershipOf } from "./ownership.ts";
import type {
  AssignorTopic,
  GroupMember,
  LastAssignment,
  MemberAssignment,
  PartitionAssignor,
} from "./partition-assignor.ts";
import { UNKNOWN_GENERATION } from "./partition-assignor.ts";
import { decodeGeneration, decodeStickyUserData, encodeGeneration, encodeStickyUserData } from "./sticky-user-data.ts";

type Assignments = Map<string, MemberAssignment>;
type Assigned = ReadonlyMap<GroupMember, readonly TopicPartition[]>;

/**
 * As even as it can be, and so that as many partitions as possible stay where they are. Members give everything up when they
 * rejoin, so what they had travels in the bytes of the assignor.
 */
export const stickyAssignor: PartitionAssignor = {
  name: "sticky",
  rebalanceProtocols: ["eager"],

  subscriptionUserData(_topics: readonly string[], last: LastAssignment | undefined): Uint8Array | null {
    return last === undefined ? null : encodeStickyUserData(last);
  },

  assign(topics: ReadonlyMap<string, AssignorTopic>, members: readonly GroupMember[]): Assignments {
    return byMemberId(assignSticky(topics, members, ({ userData }) => decodeStickyUserData(userData)).assigned);
  },
};

/**
 * As the sticky one, and members go on reading what stays with them: a partition that is to move is given to nobody at first, and
 * to its new owner in the rebalance that follows, when the old one has let go of it (KIP-429).
 */
export const cooperativeStickyAssignor: PartitionAssignor = {
  name: "cooperative-sticky",
  rebalanceProtocols: ["cooperative", "eager"],

  subscriptionUserData(_topics: readonly string[], last: LastAssignment | undefined): Uint8Array {
    return encodeGeneration(last?.generationId ?? UNKNOWN_GENERATION);
  },

  assign(topics: ReadonlyMap<string, AssignorTopic>, members: readonly GroupMember[]): Assignments {
    const { group, assigned, moving } = assignSticky(topics, members, claimOfCooperative);
    const held = moving ?? movingFrom(group, assigned);
    return byMemberId(
      new Map(
        Array.from(assigned, ([member, partitions]) => [
          member,
          partitions.filter((partition) => held.get(partition) !== member),
        ]),
      ),
    );
  },
};

function claimOfCooperative({ ownedPartitions, generationId, userData }: GroupMember): Claim {
  return {
    partitions: ownedPartitions,
    generation: generationId >= 0 ? generationId : decodeGeneration(userData),
  };
}

interface StickyResult {
  readonly group: GroupTopics;
  readonly assigned: Assigned;
  /** Undefined when it is not known. */
  readonly moving: ReadonlyMap<TopicPartition, GroupMember> | undefined;
}

function assignSticky(
  topics: ReadonlyMap<string, AssignorTopic>,
  members: readonly GroupMember[],
  claimOf: ClaimOf,
): StickyResult {
  const group = new GroupTopics(topics, members);
  const racks = new GroupRacks(group);
  const claims = new Map(members.map((member) => [member, claimOf(member)]));
  const claimed: ClaimOf = (member) => claims.get(member) ?? { partitions: [], generation: undefined };
  const ownership = ownershipOf(group, claimed);
  if (allReadTheSame(members)) {
    return { group, ...new ConstrainedAssignment(group, racks, ownership).build() };
  }
  return { group, assigned: new GeneralAssignment(group, racks, ownership, claimed).build(), moving: undefined };
}

function allReadTheSame([first, ...others]: readonly GroupMember[]): boolean {
  const topics = new Set(first?.topics);
  return others.every(
    (member) => new Set(member.topics).size === topics.size && member.topics.every((one) => topics.has(one)),
  );
}

/** What its new owner did not have, and somebody else did. */
function movingFrom(group: GroupTopics, assigned: Assigned): ReadonlyMap<TopicPartition, GroupMember> {
  const added = new Map<TopicPartition, GroupMember>();
  const revoked = new Set<TopicPartition>();
  for (const [member, partitions] of assigned) {
    const owned = new Set(member.ownedPartitions.map((one) => group.find(one)));
    const now = new Set(partitions);
    for (const partition of partitions) if (!owned.has(partition)) added.set(partition, member);
    for (const partition of owned) if (partition !== undefined && !now.has(partition)) revoked.add(partition);
  }
  return new Map([...added].filter(([partition]) => revoked.has(partition)));
}

function byMemberId(assigned: Assigned): Assignments {
  return new Map(Array.from(assigned, ([{ memberId }, partitions]) => [memberId, { partitions }]));
}
