import type { TopicPartition } from "../../cluster/topic-metadata.ts";
import type { GroupTopics } from "./group-topics.ts";
import type { GroupMember } from "./partition-assignor.ts";
import { UNKNOWN_GENERATION } from "./partition-assignor.ts";

/** What a member says it had, and when; no generation when it does not say. */
export interface Claim {
  readonly partitions: readonly TopicPartition[];
  readonly generation: number | undefined;
}

export type ClaimOf = (member: GroupMember) => Claim;

/** Who owns what, as the members have it, with the contradictions between them resolved. */
export interface Ownership {
  /** By member, in the order of the members; partitions that are gone are left out. */
  readonly owned: ReadonlyMap<GroupMember, readonly TopicPartition[]>;
  /** Two members claim these in the same generation: neither is believed. */
  readonly disputed: ReadonlySet<TopicPartition>;
  readonly maxGeneration: number;
}

/** The claim of the newer generation wins. */
export function ownershipOf(group: GroupTopics, claimOf: ClaimOf): Ownership {
  const owned = new Map<GroupMember, Set<TopicPartition>>();
  const disputed = new Set<TopicPartition>();
  const owners = new Map<TopicPartition, GroupMember>();
  let maxGeneration = UNKNOWN_GENERATION;
  for (const member of group.members) {
    const claim = claimOf(member);
    const generation = claim.generation ?? UNKNOWN_GENERATION;
    maxGeneration = Math.max(maxGeneration, generation);
    const mine = new Set<TopicPartition>();
    owned.set(member, mine);
    for (const named of claim.partitions) {
      const partition = group.find(named);
      if (partition === undefined) continue;
      const other = owners.get(partition);
      const otherGeneration =
        other === undefined ? UNKNOWN_GENERATION : Math.max(other.generationId, UNKNOWN_GENERATION);
      if (other === undefined || generation > otherGeneration) mine.add(partition);
      else if (generation === otherGeneration) disputed.add(partition);
      else continue;
      if (other !== undefined) owned.get(other)?.delete(partition);
      owners.set(partition, member);
    }
  }
  return {
    owned: new Map(Array.from(owned, ([member, partitions]) => [member, [...partitions]])),
    disputed,
    maxGeneration,
  };
}
