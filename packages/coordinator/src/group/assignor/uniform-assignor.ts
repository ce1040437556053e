import type { Uuid } from "@samsa/base";
import { compareText } from "../consumer/metadata-hash.ts";
import type { Assignment, MemberSubscription, PartitionAssignor } from "./partition-assignor.ts";

type MutableAssignment = Map<Uuid, Set<number>>;
type TopicPartition = readonly [topicId: Uuid, partition: number];

/**
 * As many partitions for one as for the other, and as few moved as can be. Where all read the same topics nobody has more than one
 * partition beyond another; else a partition goes from one to another as long as that makes the two more alike.
 */
export const UNIFORM_ASSIGNOR: PartitionAssignor = {
  name: "uniform",
  assign(members, partitionCount) {
    const builder = new UniformAssignmentBuilder(members, partitionCount);
    return members.every(({ topicIds }) => isSameSet(topicIds, members[0]?.topicIds))
      ? builder.buildHomogeneous()
      : builder.buildHeterogeneous();
  },
};

interface Owner {
  readonly memberId: string;
  readonly topicIds: ReadonlySet<Uuid>;
  readonly partitions: MutableAssignment;
  count: number;
}

class UniformAssignmentBuilder {
  readonly #owners: readonly Owner[];
  readonly #unassigned: TopicPartition[] = [];

  /** Everyone keeps what it has and still reads; the rest is to be given away. */
  constructor(members: readonly MemberSubscription[], partitionCount: (topicId: Uuid) => number) {
    const free = new Map<Uuid, Set<number>>();
    for (const { topicIds } of members) {
      for (const topicId of topicIds) {
        if (!free.has(topicId)) free.set(topicId, new Set(Array(partitionCount(topicId)).keys()));
      }
    }
    this.#owners = members
      .toSorted((a, b) => compareText(a.memberId, b.memberId))
      .map(({ memberId, topicIds, assigned }) => {
        const owner: Owner = { memberId, topicIds, partitions: new Map(), count: 0 };
        for (const [topicId, partitions] of assigned) {
          if (!topicIds.has(topicId)) continue;
          for (const partition of partitions) {
            if (free.get(topicId)?.delete(partition) === true) give(owner, [topicId, partition]);
          }
        }
        return owner;
      });
    for (const [topicId, partitions] of free) {
      for (const partition of partitions) this.#unassigned.push([topicId, partition]);
    }
  }

  buildHomogeneous(): ReadonlyMap<string, Assignment> {
    const owned = this.#owners.reduce((sum, { count }) => sum + count, 0);
    const total = owned + this.#unassigned.length;
    const least = Math.floor(total / Math.max(1, this.#owners.length));
    let extra = total - least * this.#owners.length;
    const quotas = new Map<Owner, number>();
    // One more goes to those who have it already, as far as it lasts.
    for (const owner of this.#owners) {
      const keepsExtra = owner.count > least && extra > 0;
      if (keepsExtra) extra--;
      quotas.set(owner, keepsExtra ? least + 1 : least);
      for (const partition of surplus(owner, owner.count - (keepsExtra ? least + 1 : least))) {
        take(owner, partition);
        this.#unassigned.push(partition);
      }
    }
    let next = 0;
    for (const owner of this.#owners) {
      let quota = quotas.get(owner) ?? least;
      if (quota === least && extra > 0) {
        extra--;
        quota++;
      }
      for (; owner.count < quota; next++) {
        const partition = this.#unassigned[next];
        if (partition === undefined) break;
        give(owner, partition);
      }
    }
    return this.#result();
  }

  buildHeterogeneous(): ReadonlyMap<string, Assignment> {
    const readers = new Map<Uuid, Owner[]>();
    for (const owner of this.#owners) {
      for (const topicId of owner.topicIds) {
        const list = readers.get(topicId) ?? [];
        list.push(owner);
        readers.set(topicId, list);
      }
    }
    // Topics with few readers first: those with many can even it out.
    const byReaders = [...readers].toSorted(([, a], [, b]) => a.length - b.length);
    const rank = new Map(byReaders.map(([topicId], index) => [topicId, index]));
    this.#unassigned.sort(([a], [b]) => (rank.get(a) ?? 0) - (rank.get(b) ?? 0));
    for (const partition of this.#unassigned) {
      const owner = leastLoaded(readers.get(partition[0]) ?? []);
      if (owner !== undefined) give(owner, partition);
    }
    // Each move makes the sum of the squares of the counts smaller: it comes to an end.
    for (let hasMoved = true; hasMoved;) {
      hasMoved = false;
      for (const [topicId, owners] of byReaders) while (moveOne(topicId, owners)) hasMoved = true;
    }
    return this.#result();
  }

  #result(): ReadonlyMap<string, Assignment> {
    return new Map(this.#owners.map(({ memberId, partitions }) => [memberId, partitions]));
  }
}

/** From who has most to who has least of those that read the topic, when that makes them more alike. */
function moveOne(topicId: Uuid, owners: readonly Owner[]): boolean {
  let most: Owner | undefined;
  for (const owner of owners) {
    if (owner.partitions.has(topicId) && (most === undefined || owner.count > most.count)) most = owner;
  }
  const least = leastLoaded(owners);
  if (most === undefined || least === undefined || most.count - least.count < 2) return false;
  const [partition] = [...(most.partitions.get(topicId) ?? [])].slice(-1);
  if (partition === undefined) return false;
  take(most, [topicId, partition]);
  give(least, [topicId, partition]);
  return true;
}

function leastLoaded(owners: readonly Owner[]): Owner | undefined {
  let least: Owner | undefined;
  for (const owner of owners) if (least === undefined || owner.count < least.count) least = owner;
  return least;
}

/** The last of what it has. */
function surplus({ partitions }: Owner, count: number): readonly TopicPartition[] {
  if (count <= 0) return [];
  const all = [...partitions].flatMap(([topicId, list]) => [...list].map((each): TopicPartition => [topicId, each]));
  return all.slice(-count);
}

function give(owner: Owner, [topicId, partition]: TopicPartition): void {
  const partitions = owner.partitions.get(topicId) ?? new Set<number>();
  partitions.add(partition);
  owner.partitions.set(topicId, partitions);
  owner.count++;
}

function take(owner: Owner, [topicId, partition]: TopicPartition): void {
  const partitions = owner.partitions.get(topicId);
  if (partitions?.delete(partition) !== true) return;
  owner.count--;
  if (partitions.size === 0) owner.partitions.delete(topicId);
}

function isSameSet(a: ReadonlySet<Uuid>, b: ReadonlySet<Uuid> | undefined): boolean {
  if (a === b) return true;
  return b !== undefined && a.size === b.size && [...a].every((each) => b.has(each));
}
