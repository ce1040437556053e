import { assert } from "@samsa/base";
import type { TopicPartition } from "../../cluster/topic-metadata.ts";
import { compareText } from "./consumer-protocol.ts";
import type { GroupRacks } from "./group-racks.ts";
import type { GroupTopics } from "./group-topics.ts";
import { MembersByLoad } from "./members-by-load.ts";
import type { ClaimOf, Ownership } from "./ownership.ts";
import type { GroupMember } from "./partition-assignor.ts";
import { UNKNOWN_GENERATION } from "./partition-assignor.ts";
import { PartitionMovements } from "./partition-movements.ts";

type Assigned = Map<GroupMember, TopicPartition[]>;

interface FormerOwner {
  readonly member: GroupMember;
  readonly generation: number;
}

/**
 * The sticky assignment of a group whose members read different topics: what they have and may keep stays, what is left goes to
 * whoever has least, and then partitions move one by one for as long as that makes the loads more even.
 */
export class GeneralAssignment {
  readonly #group: GroupTopics;
  readonly #racks: GroupRacks;
  readonly #readersOf = new Map<string, GroupMember[]>();
  readonly #topicsOf = new Map<GroupMember, ReadonlySet<string>>();
  readonly #mostOf = new Map<GroupMember, number>(); // partitions a member could have
  readonly #assigned: Assigned;
  readonly #ownerOf = new Map<TopicPartition, GroupMember>();
  readonly #formerOwners: ReadonlyMap<TopicPartition, FormerOwner>;
  readonly #movements = new PartitionMovements();
  readonly #byLoad: MembersByLoad;
  #isRevoking = false;

  constructor(group: GroupTopics, racks: GroupRacks, ownership: Ownership, claimOf: ClaimOf) {
    this.#group = group;
    this.#racks = racks;
    for (const topic of group.names) this.#readersOf.set(topic, []);
    for (const member of group.members) {
      const topics = new Set(member.topics.filter((topic) => group.has(topic)));
      this.#topicsOf.set(member, topics);
      let most = 0;
      for (const topic of topics) {
        this.#readersOf.get(topic)?.push(member);
        most += group.partitionsOf(topic).length;
      }
      this.#mostOf.set(member, most);
    }
    this.#formerOwners = formerOwners(group, claimOf, ownership.maxGeneration);
    this.#assigned = new Map(group.members.map((member) => [member, this.#kept(member, ownership)]));
    for (const [member, partitions] of this.#assigned) {
      for (const partition of partitions) this.#ownerOf.set(partition, member);
    }
    this.#byLoad = new MembersByLoad((member) => this.#partitionsOf(member).length);
  }

  build(): ReadonlyMap<GroupMember, TopicPartition[]> {
    const all = this.#group.names
      .toSorted((a, b) => this.#readers(a).length - this.#readers(b).length || compareText(a, b))
      .flatMap((topic) => this.#group.partitionsOf(topic));
    const unassigned = all.filter((partition) => !this.#ownerOf.has(partition));
    for (const member of this.#group.members) this.#byLoad.add(member);
    const isFresh = this.#partitionsOf(this.#byLoad.last).length === 0;

    const far = this.#racks.matter
      ? unassigned.filter(
          (partition) => !this.#giveToLeast(partition, (member) => !this.#racks.isFar(member, partition)),
        )
      : unassigned;
    for (const partition of far) this.#giveToLeast(partition, () => true);

    const settled = this.#setAsideTheSettled();
    const before = copyOf(this.#assigned);
    const canMove = (partition: TopicPartition): boolean => this.#isShared(partition.topic);
    // New partitions first: they cost nobody anything.
    if (!this.#isRevoking) this.#balance(unassigned.filter(canMove));
    const hasMoved = this.#balance(all.filter(canMove));
    const isBetter = isFresh || !hasMoved || unevenness(this.#assigned) < unevenness(before);
    return new Map([...(isBetter ? this.#assigned : before), ...settled]);
  }

  #partitionsOf(member: GroupMember): TopicPartition[] {
    const partitions = this.#assigned.get(member);
    assert(partitions !== undefined, "a member of the group has an assignment");
    return partitions;
  }

  #readers(topic: string): readonly GroupMember[] {
    return this.#readersOf.get(topic) ?? [];
  }

  #isShared(topic: string): boolean {
    return this.#readers(topic).length >= 2;
  }

  #reads(member: GroupMember, topic: string): boolean {
    return this.#topicsOf.get(member)?.has(topic) === true;
  }

  #kept(member: GroupMember, { owned }: Ownership): TopicPartition[] {
    const all = owned.get(member) ?? [];
    const kept = all.filter((one) => this.#reads(member, one.topic) && !this.#racks.isFar(member, one));
    if (kept.length < all.length) this.#isRevoking = true;
    return kept;
  }

  #giveToLeast(partition: TopicPartition, isWanted: (member: GroupMember) => boolean): boolean {
    const member = this.#byLoad.find((one) => this.#reads(one, partition.topic) && isWanted(one));
    if (member === undefined) return false;
    this.#byLoad.delete(member);
    this.#partitionsOf(member).push(partition);
    this.#ownerOf.set(partition, member);
    this.#byLoad.add(member);
    return true;
  }

  /** Those to whom nothing can be given and from whom nothing can be taken. */
  #setAsideTheSettled(): Assigned {
    const settled: Assigned = new Map();
    for (const member of this.#group.members) {
      const partitions = this.#partitionsOf(member);
      const hasAll = partitions.length >= (this.#mostOf.get(member) ?? 0);
      if (!hasAll || partitions.some(({ topic }) => this.#isShared(topic))) continue;
      this.#byLoad.delete(member);
      settled.set(member, partitions);
    }
    for (const member of settled.keys()) this.#assigned.delete(member);
    return settled;
  }

  /** Nobody who could have one more has two fewer than whoever has it. */
  get #isBalanced(): boolean {
    const least = this.#partitionsOf(this.#byLoad.first).length;
    const most = this.#partitionsOf(this.#byLoad.last).length;
    if (least >= most - 1) return true;
    return !this.#byLoad.some((member) => {
      const count = this.#partitionsOf(member).length;
      // The others have no more than most, so nothing is gained for who has nearly as many.
      if (count + 1 >= most || count === this.#mostOf.get(member)) return false;
      for (const topic of this.#topicsOf.get(member) ?? []) {
        for (const partition of this.#group.partitionsOf(topic)) {
          const owner = this.#ownerOf.get(partition);
          if (owner !== undefined && owner !== member && count + 1 < this.#load(owner)) return true;
        }
      }
      return false;
    });
  }

  #load(member: GroupMember): number {
    return this.#assigned.get(member)?.length ?? 0;
  }

  /** @returns whether anything moved */
  #balance(partitions: readonly TopicPartition[]): boolean {
    let hasMoved = false;
    for (;;) {
      let hasMovedNow = false;
      for (const partition of partitions) {
        if (this.#isBalanced) break;
        const target = this.#betterOwner(partition);
        if (target === undefined) continue;
        this.#moveTo(partition, target);
        hasMovedNow = true;
        hasMoved = true;
      }
      if (!hasMovedNow) return hasMoved;
    }
  }

  #betterOwner(partition: TopicPartition): GroupMember | undefined {
    const owner = this.#ownerOf.get(partition);
    assert(owner !== undefined, "every partition that is read has an owner by now");
    const load = this.#load(owner);
    const former = this.#formerOwners.get(partition)?.member;
    // Java forgets to ask whether it still reads the topic, and fails when it is settled.
    const canReturn = former !== undefined && this.#assigned.has(former) && this.#reads(former, partition.topic);
    if (canReturn && load > this.#load(former) + 1) return former;
    const isUneven = this.#readers(partition.topic).some((member) => load > this.#load(member) + 1);
    return isUneven ? this.#byLoad.find((member) => this.#reads(member, partition.topic)) : undefined;
  }

  #moveTo(wanted: TopicPartition, to: GroupMember): void {
    const owner = this.#ownerOf.get(wanted);
    assert(owner !== undefined, "what moves has an owner");
    const partition = this.#movements.instead(wanted, owner, to);
    const from = this.#ownerOf.get(partition);
    assert(from !== undefined, "what has moved before has an owner");
    this.#byLoad.delete(from);
    this.#byLoad.delete(to);
    this.#movements.move(partition, from, to);
    const left = this.#partitionsOf(from);
    left.splice(left.indexOf(partition), 1);
    this.#partitionsOf(to).push(partition);
    this.#ownerOf.set(partition, to);
    this.#byLoad.add(to);
    this.#byLoad.add(from);
  }
}

/** Who had a partition in the newest of the generations before the last: to go back there is the better of two equal moves. */
function formerOwners(
  group: GroupTopics,
  claimOf: ClaimOf,
  maxGeneration: number,
): ReadonlyMap<TopicPartition, FormerOwner> {
  const owners = new Map<TopicPartition, FormerOwner>();
  for (const member of group.members) {
    const { partitions, generation = UNKNOWN_GENERATION } = claimOf(member);
    if (generation >= maxGeneration) continue;
    for (const named of partitions) {
      const partition = group.find(named);
      if (partition === undefined) continue;
      const known = owners.get(partition);
      if (known === undefined || generation > known.generation) owners.set(partition, { member, generation });
    }
  }
  return owners;
}

function copyOf(assigned: Assigned): Assigned {
  return new Map(Array.from(assigned, ([member, partitions]) => [member, [...partitions]]));
}

/** The sum of the differences between the loads of each two members: zero when all have as many. */
function unevenness(assigned: Assigned): number {
  const loads = Array.from(assigned.values(), ({ length }) => length).toSorted((a, b) => a - b);
  // In order, the i-th is the larger of a pair i times and the smaller of one n - 1 - i times.
  return loads.reduce((sum, load, i) => sum + load * (2 * i - loads.length + 1), 0);
}
