import { assert } from "@samsa/base";
import type { TopicPartition } from "../../cluster/topic-metadata.ts";
import { compareText } from "./consumer-protocol.ts";
import type { GroupRacks } from "./group-racks.ts";
import type { GroupTopics } from "./group-topics.ts";
import type { Ownership } from "./ownership.ts";
import type { GroupMember } from "./partition-assignor.ts";

export interface ConstrainedResult {
  readonly assigned: ReadonlyMap<GroupMember, TopicPartition[]>;
  /** New to the member, and not yet given up by whoever has it. */
  readonly moving: ReadonlyMap<TopicPartition, GroupMember>;
}

/**
 * The sticky assignment of a group whose members all read the same topics. Each gets `low` partitions and some get one more, so
 * members keep of what they have as much as fits, and the rest is dealt out: first within racks, where they matter, then to all.
 */
export class ConstrainedAssignment {
  readonly #group: GroupTopics;
  readonly #racks: GroupRacks;
  readonly #ownership: Ownership;
  readonly #assigned: ReadonlyMap<GroupMember, TopicPartition[]>;
  readonly #moving = new Map<TopicPartition, GroupMember>();
  readonly #givenUp = new Map<TopicPartition, GroupMember>();
  readonly #low: number;
  readonly #high: number;
  readonly #mayHaveHigh: number; // members, when low and high differ
  #haveHigh = 0;
  #belowLow: GroupMember[] = [];
  #atLow: GroupMember[] = []; // and may get one more
  #turn = 0; // among those below, while partitions are given within racks

  constructor(group: GroupTopics, racks: GroupRacks, ownership: Ownership) {
    this.#group = group;
    this.#racks = racks;
    this.#ownership = ownership;
    const share = group.partitionCount / group.members.length;
    this.#low = Math.floor(share);
    this.#high = Math.ceil(share);
    this.#mayHaveHigh = group.partitionCount % group.members.length;
    this.#assigned = new Map(group.members.map((member) => [member, []]));
  }

  build(): ConstrainedResult {
    for (const member of this.#group.members) this.#keep(member);
    this.#belowLow.sort(byMemberId);
    this.#atLow.sort(byMemberId);
    const kept = new Set([...this.#assigned.values()].flat());
    const open = this.#group.names
      .toSorted()
      .flatMap((topic) => this.#group.partitionsOf(topic))
      .filter((partition) => !kept.has(partition));
    let unassigned = this.#racks.fewestNeighboursFirst(open);
    if (this.#racks.matter) unassigned = unassigned.filter((partition) => !this.#giveNearby(partition));
    this.#dealOut(unassigned);
    return { assigned: this.#assigned, moving: this.#moving };
  }

  #partitionsOf(member: GroupMember): TopicPartition[] {
    const partitions = this.#assigned.get(member);
    assert(partitions !== undefined, "a member of the group has an assignment");
    return partitions;
  }

  #keep(member: GroupMember): void {
    const { owned, disputed } = this.#ownership;
    const all = owned.get(member) ?? [];
    for (const partition of all) if (this.#racks.isFar(member, partition)) this.#givenUp.set(partition, member);
    const wanted = all
      .filter((partition) => !this.#racks.isFar(member, partition) && !disputed.has(partition))
      .toSorted((a, b) => a.partition - b.partition || compareText(a.topic, b.topic));
    if (wanted.length < this.#low) {
      this.#partitionsOf(member).push(...wanted);
      this.#belowLow.push(member);
      return;
    }
    let count = this.#low;
    if (wanted.length >= this.#high && this.#haveHigh < this.#mayHaveHigh) {
      count = this.#high;
      this.#countHigh();
    } else if (this.#haveHigh < this.#mayHaveHigh) this.#atLow.push(member);
    this.#partitionsOf(member).push(...wanted.slice(0, count));
    for (const partition of wanted.slice(count)) this.#givenUp.set(partition, member);
  }

  /** Once as many have one more as may, nobody else can get another. */
  #countHigh(): void {
    this.#haveHigh++;
    if (this.#haveHigh === this.#mayHaveHigh) this.#atLow.length = 0;
  }

  #giveNearby(partition: TopicPartition): boolean {
    const next = this.#racks.nextNear(partition, this.#belowLow, this.#turn);
    const member = this.#belowLow[next];
    if (member !== undefined) {
      const count = this.#partitionsOf(member).length + 1;
      let following = next + 1;
      if (count >= this.#low) {
        this.#belowLow.splice(next, 1);
        following = next;
        if (count < this.#high && this.#haveHigh < this.#mayHaveHigh) this.#atLow.push(member);
      }
      this.#turn = this.#belowLow.length === 0 ? 0 : following % this.#belowLow.length;
      this.#give(partition, member);
      return true;
    }
    const index = this.#racks.nextNear(partition, this.#atLow, 0);
    const other = this.#atLow[index];
    if (other === undefined) return false;
    if (this.#partitionsOf(other).length + 1 === this.#high) {
      this.#atLow.splice(index, 1);
      this.#countHigh();
    }
    this.#give(partition, other);
    return true;
  }

  #dealOut(unassigned: readonly TopicPartition[]): void {
    let turn = 0;
    for (const partition of unassigned) {
      if (turn >= this.#belowLow.length) turn = 0;
      const member = this.#belowLow[turn] ?? this.#atLow.shift();
      assert(member !== undefined, "there is room for every partition");
      this.#give(partition, member);
      turn++;
      if (this.#partitionsOf(member).length === this.#low) {
        this.#belowLow.splice(--turn, 1);
        this.#atLow.push(member);
      }
    }
  }

  #give(partition: TopicPartition, member: GroupMember): void {
    this.#partitionsOf(member).push(partition);
    const before = this.#givenUp.get(partition);
    if ((before !== undefined && before !== member) || this.#ownership.disputed.has(partition)) {
      this.#moving.set(partition, member);
    }
  }
}

function byMemberId(a: GroupMember, b: GroupMember): number {
  return compareText(a.memberId, b.memberId);
}
