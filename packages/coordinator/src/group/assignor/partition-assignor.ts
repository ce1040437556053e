import type { Uuid } from "@samsa/base";

/** Partitions by topic. A topic is there only with partitions. */
export type Assignment = ReadonlyMap<Uuid, ReadonlySet<number>>;
export const NO_PARTITIONS: Assignment = new Map();

/** A member, to whom partitions may be assigned. */
export interface MemberSubscription {
  readonly memberId: string;
  readonly instanceId: string | null;
  /** Topics that exist. */
  readonly topicIds: ReadonlySet<Uuid>;
  /** What it was to have until now. */
  readonly assigned: Assignment;
}

/** Decides on the broker which member reads what (KIP-848). Everyone who asks it the same gets the same answer. */
export interface PartitionAssignor {
  readonly name: string;
  /** @returns what each member is to have; each partition of a topic that somebody reads has one owner */
  assign(
    members: readonly MemberSubscription[],
    partitionCount: (topicId: Uuid) => number,
  ): ReadonlyMap<string, Assignment>;
}

export function isSameAssignment(a: Assignment, b: Assignment): boolean {
  if (a.size !== b.size) return false;
  for (const [topicId, partitions] of a) {
    const others = b.get(topicId);
    if (others === undefined || others.size !== partitions.size) return false;
    for (const partition of partitions) if (!others.has(partition)) return false;
  }
  return true;
}
