import type { TopicPartition } from "../../cluster/topic-metadata.ts";
import type { GroupTopics } from "./group-topics.ts";
import { rackOf, racksMatter } from "./group-topics.ts";
import type { GroupMember } from "./partition-assignor.ts";

/** Who is in a rack with a replica of what, as the sticky assignors weigh it (KIP-881). */
export class GroupRacks {
  /** Whether racks are worth a thought at all. */
  readonly matter: boolean;
  readonly #group: GroupTopics;
  readonly #membersByRack = new Map<string, number>();

  constructor(group: GroupTopics) {
    this.#group = group;
    for (const member of group.members) {
      const rack = rackOf(member);
      if (rack !== undefined) this.#membersByRack.set(rack, (this.#membersByRack.get(rack) ?? 0) + 1);
    }
    const ofPartitions = group.names.flatMap((topic) => group.partitionsOf(topic)).map((one) => group.racksOf(one));
    this.matter = racksMatter(new Set(this.#membersByRack.keys()), ofPartitions);
  }

  /** Undefined when racks do not matter. */
  #rackOf(member: GroupMember): string | undefined {
    return this.matter ? rackOf(member) : undefined;
  }

  isFar(member: GroupMember, partition: TopicPartition): boolean {
    const rack = this.#rackOf(member);
    return rack !== undefined && !this.#group.racksOf(partition).has(rack);
  }

  /** In the rack of a replica; false for a member without a rack. */
  isNear(member: GroupMember, partition: TopicPartition): boolean {
    const rack = this.#rackOf(member);
    return rack !== undefined && this.#group.racksOf(partition).has(rack);
  }

  /** Those that few could have nearby come first. */
  fewestNeighboursFirst(partitions: readonly TopicPartition[]): TopicPartition[] {
    if (this.#membersByRack.size === 0) return [...partitions];
    const neighbours = new Map(partitions.map((partition) => [partition, this.#neighbours(partition)]));
    return partitions.toSorted((a, b) => (neighbours.get(a) ?? 0) - (neighbours.get(b) ?? 0));
  }

  #neighbours(partition: TopicPartition): number {
    let count = 0;
    for (const rack of this.#group.racksOf(partition)) count += this.#membersByRack.get(rack) ?? 0;
    return count;
  }

  /** The first of the members, going round from `start`, that is near; -1 for none. */
  nextNear(partition: TopicPartition, members: readonly GroupMember[], start: number): number {
    for (let i = 0; i < members.length; i++) {
      const index = (start + i) % members.length;
      const member = members[index];
      if (member !== undefined && this.isNear(member, partition)) return index;
    }
    return -1;
  }
}
