import type { OffsetCommitKey } from "@samsa/protocol/messages/offset-commit-key";
import type { OffsetCommitValue } from "@samsa/protocol/messages/offset-commit-value";
import { NO_PRODUCER_ID } from "@samsa/protocol";
import type { GroupRecord } from "./group-records.ts";
import type { OffsetExpiry } from "./offset-expiry.ts";

export interface TopicPartitionName {
  readonly topic: string;
  readonly partition: number;
}

/** What a group has committed for one partition, as it is stored. */
export type CommittedOffset = OffsetCommitValue;
export type TopicOffsets = ReadonlyMap<number, CommittedOffset>;

interface StoredOffset {
  readonly value: CommittedOffset;
  readonly order: number; // among all records that were replayed
}

interface PendingCommit extends StoredOffset {
  readonly key: OffsetCommitKey;
}

type OffsetsByTopic = Map<string, Map<number, StoredOffset>>;
const NO_OFFSETS: ReadonlyMap<string, TopicOffsets> = new Map();
const NO_STORED: OffsetsByTopic = new Map();
const NO_EXPIRY = -1;

/** The committed offsets of all groups of a partition. The records alone change it. */
export class OffsetManager {
  readonly #groups = new Map<string, OffsetsByTopic>();
  /** Commits of open transactions, by producer and by what they are for: they count when the transaction commits. */
  readonly #pending = new Map<number, Map<string, PendingCommit>>();
  #order = 0;

  /** Groups that have committed something, or have something in a transaction. */
  get groupIds(): Iterable<string> {
    const ids = new Set(this.#groups.keys());
    for (const commits of this.#pending.values()) for (const { key } of commits.values()) ids.add(key.group);
    return ids;
  }

  /** A copy, by topic and partition. */
  offsets(groupId: string): ReadonlyMap<string, TopicOffsets> {
    const topics = this.#groups.get(groupId);
    if (topics === undefined) return NO_OFFSETS;
    const offsets = new Map<string, Map<number, CommittedOffset>>();
    for (const [topic, partitions] of topics) {
      offsets.set(topic, new Map(Array.from(partitions, ([partition, { value }]) => [partition, value])));
    }
    return offsets;
  }

  offset(groupId: string, topic: string, partition: number): CommittedOffset | undefined {
    return this.#groups.get(groupId)?.get(topic)?.get(partition)?.value;
  }

  /** Whether an open transaction may still change the offset (KIP-447). */
  isPending(groupId: string, topic: string, partition: number): boolean {
    if (this.#pending.size === 0) return false;
    const name = nameOf({ group: groupId, topic, partition });
    for (const commits of this.#pending.values()) if (commits.has(name)) return true;
    return false;
  }

  /** What open transactions may still commit for the group, each partition once. */
  pendingPartitions(groupId: string): readonly TopicPartitionName[] {
    const found = new Map<string, TopicPartitionName>();
    for (const commits of this.#pending.values()) {
      for (const [name, { key }] of commits) if (key.group === groupId) found.set(name, key);
    }
    return [...found.values()];
  }

  /** A tombstone forgets what is in transactions, too: the partition or the group is gone. */
  replay(key: OffsetCommitKey, value: OffsetCommitValue | null, producerId: number): void {
    const order = this.#order++;
    if (value === null) {
      this.#remove(key);
      return;
    }
    if (producerId === NO_PRODUCER_ID) {
      this.#put(key, { value, order });
      return;
    }
    const commits = this.#pending.get(producerId) ?? new Map<string, PendingCommit>();
    commits.set(nameOf(key), { key, value, order });
    this.#pending.set(producerId, commits);
  }

  /**
   * What was committed without a transaction after the transaction's own commit stays: compaction would have left only that.
   * @returns the groups whose offsets were in the transaction
   */
  endTransaction(producerId: number, isCommitted: boolean): readonly string[] {
    const commits = [...(this.#pending.get(producerId)?.values() ?? [])];
    this.#pending.delete(producerId);
    if (isCommitted) {
      for (const commit of commits) {
        const { group, topic, partition } = commit.key;
        const held = this.#groups.get(group)?.get(topic)?.get(partition);
        if (held === undefined || held.order < commit.order) this.#put(commit.key, commit);
      }
    }
    return commits.map(({ key }) => key.group);
  }

  #put({ group, topic, partition }: OffsetCommitKey, { value, order }: StoredOffset): void {
    const topics: OffsetsByTopic = this.#groups.get(group) ?? new Map<string, Map<number, StoredOffset>>();
    const partitions = topics.get(topic) ?? new Map<number, StoredOffset>();
    this.#groups.set(group, topics);
    topics.set(topic, partitions);
    partitions.set(partition, { value, order });
  }

  #remove(key: OffsetCommitKey): void {
    const topics = this.#groups.get(key.group);
    const partitions = topics?.get(key.topic);
    partitions?.delete(key.partition);
    if (partitions?.size === 0) topics?.delete(key.topic);
    if (topics?.size === 0) this.#groups.delete(key.group);
    const name = nameOf(key);
    for (const [producerId, commits] of this.#pending) {
      if (commits.delete(name) && commits.size === 0) this.#pending.delete(producerId);
    }
  }

  /** The tombstones of everything a group has committed, or may commit in a transaction. */
  tombstonesOf(groupId: string): readonly GroupRecord[] {
    return [...this.#select(groupId, () => true), ...this.#pendingTombstones(groupId, () => true)];
  }

  /** The tombstones of what a group has committed for these topics. */
  tombstonesOfTopics(groupId: string, topics: ReadonlySet<string>): readonly GroupRecord[] {
    const isMeant = (topic: string): boolean => topics.has(topic);
    return [...this.#select(groupId, isMeant), ...this.#pendingTombstones(groupId, isMeant)];
  }

  /** The tombstones of what may be forgotten. A commit of long ago may have said itself when (OffsetCommit 2-4). */
  expired(expiry: OffsetExpiry, nowMs: number, retentionMs: number): readonly GroupRecord[] {
    const { groupId, emptySinceMs } = expiry;
    return [
      ...this.#select(groupId, (topic, partition, { commitTimestamp, expireTimestamp }) => {
        if (expiry.isSubscribedTo(topic)) return false;
        if (this.#pending.size > 0 && this.isPending(groupId, topic, partition)) return false;
        if (expireTimestamp !== NO_EXPIRY) return nowMs >= expireTimestamp;
        return nowMs - (emptySinceMs ?? commitTimestamp) >= retentionMs;
      }),
    ];
  }

  /** Of what is in transactions only: one tombstone is enough for both. */
  #pendingTombstones(groupId: string, isMeant: (topic: string) => boolean): readonly GroupRecord[] {
    return this.pendingPartitions(groupId)
      .filter(({ topic, partition }) => isMeant(topic) && this.offset(groupId, topic, partition) === undefined)
      .map(({ topic, partition }) => offsetTombstone(groupId, topic, partition));
  }

  *#select(
    groupId: string,
    isMeant: (topic: string, partition: number, offset: CommittedOffset) => boolean,
  ): Iterable<GroupRecord> {
    for (const [topic, partitions] of this.#groups.get(groupId) ?? NO_STORED) {
      for (const [partition, { value }] of partitions) {
        if (isMeant(topic, partition, value)) yield offsetTombstone(groupId, topic, partition);
      }
    }
  }
}

export function offsetTombstone(group: string, topic: string, partition: number): GroupRecord {
  return { kind: "offset-commit", key: { group, topic, partition }, value: null };
}

function nameOf({ group, topic, partition }: OffsetCommitKey): string {
  return `${partition} ${topic} ${group}`; // a topic's name has no blank
}
