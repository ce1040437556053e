import type { OffsetCommitKey } from "@samsa/protocol/messages/offset-commit-key";
import type { OffsetCommitValue } from "@samsa/protocol/messages/offset-commit-value";
import { NO_PRODUCER_ID } from "@samsa/protocol";
import type { ClassicGroup } from "./classic-group.ts";
import type { GroupRecord } from "./group-records.ts";

/** What a group has committed for one partition, as it is stored. */
export type CommittedOffset = OffsetCommitValue;
export type TopicOffsets = ReadonlyMap<number, CommittedOffset>;

type OffsetsByTopic = Map<string, Map<number, CommittedOffset>>;
const NO_OFFSETS: ReadonlyMap<string, TopicOffsets> = new Map();
const NO_EXPIRY = -1;

/** The committed offsets of all groups of a partition. The records alone change it. */
export class OffsetManager {
  readonly #groups = new Map<string, OffsetsByTopic>();
  /** Commits of open transactions, by producer: they count when it commits. */
  readonly #pending = new Map<number, { readonly key: OffsetCommitKey; readonly value: OffsetCommitValue | null }[]>();

  get groupIds(): Iterable<string> {
    return this.#groups.keys();
  }

  /** By topic and partition. */
  offsets(groupId: string): ReadonlyMap<string, TopicOffsets> {
    return this.#groups.get(groupId) ?? NO_OFFSETS;
  }

  offset(groupId: string, topic: string, partition: number): CommittedOffset | undefined {
    return this.#groups.get(groupId)?.get(topic)?.get(partition);
  }

  /** Whether an open transaction may still change the offset (KIP-447). */
  isPending(groupId: string, topic: string, partition: number): boolean {
    for (const commits of this.#pending.values()) {
      const isMeant = commits.some(
        ({ key }) => key.group === groupId && key.topic === topic && key.partition === partition,
      );
      if (isMeant) return true;
    }
    return false;
  }

  replay(key: OffsetCommitKey, value: OffsetCommitValue | null, producerId: number): void {
    if (producerId !== NO_PRODUCER_ID) {
      const commits = this.#pending.get(producerId) ?? [];
      commits.push({ key, value });
      this.#pending.set(producerId, commits);
      return;
    }
    const topics: OffsetsByTopic = this.#groups.get(key.group) ?? new Map<string, Map<number, CommittedOffset>>();
    const partitions = topics.get(key.topic) ?? new Map<number, CommittedOffset>();
    if (value !== null) {
      this.#groups.set(key.group, topics);
      topics.set(key.topic, partitions);
      partitions.set(key.partition, value);
      return;
    }
    partitions.delete(key.partition);
    if (partitions.size === 0) topics.delete(key.topic);
    if (topics.size === 0) this.#groups.delete(key.group);
  }

  /** @returns the groups whose offsets it changed */
  endTransaction(producerId: number, isCommitted: boolean): readonly string[] {
    const commits = this.#pending.get(producerId) ?? [];
    this.#pending.delete(producerId);
    if (!isCommitted) return [];
    for (const { key, value } of commits) this.replay(key, value, NO_PRODUCER_ID);
    return commits.map(({ key }) => key.group);
  }

  /** The tombstones of everything a group has committed. */
  tombstonesOf(groupId: string): readonly GroupRecord[] {
    return [...this.#select(groupId, () => true)];
  }

  /** The tombstones of what a group has committed for these topics. */
  tombstonesOfTopics(groupId: string, topics: ReadonlySet<string>): readonly GroupRecord[] {
    return [...this.#select(groupId, (topic) => topics.has(topic))];
  }

  /**
   * The tombstones of what may be forgotten, by Kafka's rules (KIP-211): the offsets of an empty group when it has been empty
   * for the whole retention; those of a simple consumer, and of topics that a stable group reads no more, when they were
   * committed so long ago; never those of a group in a rebalance.
   */
  expired(group: ClassicGroup, nowMs: number, retentionMs: number): readonly GroupRecord[] {
    const { groupId, state, protocolType, stateTimestampMs } = group;
    const isSimple = protocolType === undefined;
    const isEmpty = !isSimple && state === "Empty";
    if (!isSimple && !isEmpty && !(state === "Stable" && group.hasKnownSubscriptions)) return [];
    return [
      ...this.#select(groupId, (topic, partition, { commitTimestamp, expireTimestamp }) => {
        if (group.isSubscribedTo(topic) && !isEmpty) return false;
        if (this.#pending.size > 0 && this.isPending(groupId, topic, partition)) return false;
        if (expireTimestamp !== NO_EXPIRY) return nowMs >= expireTimestamp;
        const since = isEmpty && stateTimestampMs >= 0 ? stateTimestampMs : commitTimestamp;
        return nowMs - since >= retentionMs;
      }),
    ];
  }

  *#select(
    groupId: string,
    isMeant: (topic: string, partition: number, offset: CommittedOffset) => boolean,
  ): Iterable<GroupRecord> {
    for (const [topic, partitions] of this.offsets(groupId)) {
      for (const [partition, offset] of partitions) {
        if (isMeant(topic, partition, offset)) yield offsetTombstone(groupId, topic, partition);
      }
    }
  }
}

export function offsetTombstone(group: string, topic: string, partition: number): GroupRecord {
  return { kind: "offset-commit", key: { group, topic, partition }, value: null };
}
