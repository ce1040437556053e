import type { TopicPartition } from "../../cluster/topic-metadata.ts";
import { compareText } from "./consumer-protocol.ts";
import { inJavaOrder, javaHash } from "./java-order.ts";
import type { AssignorTopic, GroupMember } from "./partition-assignor.ts";

/** What is to be given to whom, each partition as one object, and everything in the order in which Java walks over it. */
export class GroupTopics {
  readonly members: readonly GroupMember[];
  /** Of those subscribed to, the ones that exist and have partitions. */
  readonly names: readonly string[];
  readonly partitionCount: number;
  readonly #partitions = new Map<string, readonly TopicPartition[]>();
  readonly #racks = new Map<TopicPartition, ReadonlySet<string>>();

  constructor(topics: ReadonlyMap<string, AssignorTopic>, members: readonly GroupMember[]) {
    this.members = inJavaOrder(members, ({ memberId }) => javaHash(memberId));
    const subscribed = new Set(this.members.flatMap((member) => member.topics));
    const known = inJavaOrder([...subscribed], javaHash).filter((name) => (topics.get(name)?.partitionCount ?? 0) > 0);
    this.names = inJavaOrder(known, javaHash);
    let total = 0;
    for (const topic of this.names) {
      const { partitionCount = 0, racks = [] } = topics.get(topic) ?? {};
      const partitions = Array.from({ length: partitionCount }, (_, partition) => ({ topic, partition }));
      this.#partitions.set(topic, partitions);
      for (const one of partitions) this.#racks.set(one, new Set(racks[one.partition]));
      total += partitionCount;
    }
    this.partitionCount = total;
  }

  has(topic: string): boolean {
    return this.#partitions.has(topic);
  }

  partitionsOf(topic: string): readonly TopicPartition[] {
    return this.#partitions.get(topic) ?? [];
  }

  /** The one object for a partition that a member speaks of; undefined when there is no such partition any more. */
  find({ topic, partition }: TopicPartition): TopicPartition | undefined {
    return this.#partitions.get(topic)?.[partition];
  }

  racksOf(partition: TopicPartition): ReadonlySet<string> {
    return this.#racks.get(partition) ?? new Set();
  }
}

/** Static members first, by their instance ids; the others by their member ids, which change with each start. */
export function compareMembers(a: GroupMember, b: GroupMember): number {
  if (a.groupInstanceId !== null && b.groupInstanceId !== null) {
    return compareText(a.groupInstanceId, b.groupInstanceId);
  }
  if (a.groupInstanceId !== null) return -1;
  if (b.groupInstanceId !== null) return 1;
  return compareText(a.memberId, b.memberId);
}

export function rackOf({ rackId }: GroupMember): string | undefined {
  return rackId === null || rackId === "" ? undefined : rackId;
}

/** Racks are worth a thought when consumers and replicas share some, and not every partition is in all of them (KIP-881). */
export function racksMatter(
  consumerRacks: ReadonlySet<string>,
  racksOfPartitions: readonly ReadonlySet<string>[],
): boolean {
  const all = new Set(racksOfPartitions.flatMap((racks) => [...racks]));
  if (![...consumerRacks].some((rack) => all.has(rack))) return false;
  return racksOfPartitions.some((racks) => racks.size < all.size);
}
