import { assert } from "@samsa/base";
import type { TopicPartition } from "../../cluster/topic-metadata.ts";
import { JavaHashSet, partitionHash } from "./java-order.ts";
import type { GroupMember } from "./partition-assignor.ts";

interface Movement {
  readonly from: GroupMember;
  readonly to: GroupMember;
}

/**
 * What moved from whom to whom while a group was balanced. Before a partition moves from A to B it is seen whether one of the same
 * topic has moved from B to A: then that one goes back, and neither has moved.
 */
export class PartitionMovements {
  readonly #movements = new Map<TopicPartition, Movement>();
  readonly #moved = new Map<string, JavaHashSet<TopicPartition>>(); // by topic, from and to

  move(partition: TopicPartition, from: GroupMember, to: GroupMember): void {
    const before = this.#movements.get(partition);
    if (before === undefined) return this.#record(partition, { from, to });
    assert(before.to === from, "a partition moves on from where it moved to");
    this.#movements.delete(partition);
    this.#moved.get(keyOf(partition.topic, before))?.delete(partition);
    if (before.from !== to) this.#record(partition, { from: before.from, to });
  }

  /** The partition to move in place of this one. */
  instead(partition: TopicPartition, from: GroupMember, to: GroupMember): TopicPartition {
    const origin = this.#movements.get(partition)?.from ?? from;
    return this.#moved.get(keyOf(partition.topic, { from: to, to: origin }))?.first ?? partition;
  }

  #record(partition: TopicPartition, movement: Movement): void {
    this.#movements.set(partition, movement);
    const key = keyOf(partition.topic, movement);
    let moved = this.#moved.get(key);
    if (moved === undefined || moved.isEmpty) {
      moved = new JavaHashSet(({ topic, partition: index }) => partitionHash(topic, index));
      this.#moved.set(key, moved);
    }
    moved.add(partition);
  }
}

function keyOf(topic: string, { from, to }: Movement): string {
  return JSON.stringify([topic, from.memberId, to.memberId]);
}
