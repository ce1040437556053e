import type { Uuid } from "@samsa/base";
import type { ClearElrRecord } from "@samsa/protocol/messages/clear-elr-record";
import type { PartitionChangeRecord } from "@samsa/protocol/messages/partition-change-record";
import type { PartitionRecord } from "@samsa/protocol/messages/partition-record";
import type { RemoveTopicRecord } from "@samsa/protocol/messages/remove-topic-record";
import type { TopicRecord } from "@samsa/protocol/messages/topic-record";
import { MetadataReplayError } from "./metadata-replay-error.ts";
import type { PartitionRegistration } from "./partition-registration.ts";
import { mergePartition, partitionFromRecord } from "./partition-registration.ts";
import { SortedMap } from "./sorted-map.ts";
import type { TopicImage, TopicsImage } from "./topics-image.ts";
import { addTopic, removeTopic } from "./topics-image.ts";

export interface TopicDelta {
  readonly name: string;
  readonly id: Uuid;
  /** Each changed or new partition as it is now. */
  readonly partitionChanges: ReadonlyMap<number, PartitionRegistration>;
}

interface MutableTopicDelta extends TopicDelta {
  readonly partitionChanges: Map<number, PartitionRegistration>;
}

/** What records change about topics. */
export class TopicsDelta {
  readonly image: TopicsImage;
  readonly #created = new Set<Uuid>();
  readonly #deleted = new Map<Uuid, TopicImage>();
  readonly #changed = new Map<Uuid, MutableTopicDelta>();
  readonly #createdNames = new Map<string, Uuid>();

  constructor(image: TopicsImage) {
    this.image = image;
  }

  /** Topics that the image before did not have. */
  get created(): ReadonlySet<Uuid> {
    return this.#created;
  }

  /** Topics that the image before had, as they were. One that came and went in between is in no list. */
  get deleted(): ReadonlyMap<Uuid, TopicImage> {
    return this.#deleted;
  }

  /** New topics, and those of which partitions changed. */
  get changed(): ReadonlyMap<Uuid, TopicDelta> {
    return this.#changed;
  }

  get isEmpty(): boolean {
    return this.#changed.size === 0 && this.#deleted.size === 0;
  }

  replayTopic(record: TopicRecord): void {
    const { name, topicId } = record;
    const namesake = this.#createdNames.get(name) ?? this.image.byName.get(name)?.id;
    if (namesake !== undefined && !this.#deleted.has(namesake)) {
      throw new MetadataReplayError("TopicRecord", `topic ${name} exists under the id ${namesake}`);
    }
    const isKnown = this.#changed.has(topicId) || (this.image.byId.has(topicId) && !this.#deleted.has(topicId));
    if (isKnown) throw new MetadataReplayError("TopicRecord", `the id ${topicId} is that of another topic`);
    this.#created.add(topicId);
    this.#createdNames.set(name, topicId);
    this.#changed.set(topicId, { name, id: topicId, partitionChanges: new Map() });
  }

  replayPartition(record: PartitionRecord): void {
    const delta = this.#deltaOf(record.topicId, "PartitionRecord");
    delta.partitionChanges.set(record.partitionId, partitionFromRecord(record));
  }

  replayPartitionChange(record: PartitionChangeRecord): void {
    const { topicId, partitionId } = record;
    const delta = this.#deltaOf(topicId, "PartitionChangeRecord");
    const partition = this.partition(topicId, partitionId);
    if (partition === undefined) {
      throw new MetadataReplayError("PartitionChangeRecord", `there is no partition ${delta.name}-${partitionId}`);
    }
    delta.partitionChanges.set(partitionId, mergePartition(partition, record));
  }

  /** @returns the name of the topic that is gone */
  replayRemoveTopic(record: Pick<RemoveTopicRecord, "topicId">): string {
    const { topicId } = record;
    const { name } = this.#deltaOf(topicId, "RemoveTopicRecord");
    const before = this.image.byId.get(topicId);
    if (before !== undefined) this.#deleted.set(topicId, before);
    if (this.#createdNames.get(name) === topicId) this.#createdNames.delete(name);
    this.#created.delete(topicId);
    this.#changed.delete(topicId);
    return name;
  }

  /** Forgets the eligible leader replicas of a topic, of all topics without a name. */
  replayClearElr(record: ClearElrRecord): void {
    const topics = record.topicName === "" ? [...this.#allIds()] : [this.#idOf(record.topicName)];
    for (const topicId of topics) {
      if (topicId === undefined)
        throw new MetadataReplayError("ClearElrRecord", `there is no topic ${record.topicName}`);
      for (const [partitionId, partition] of this.#partitionsOf(topicId)) {
        if (partition.elr.length === 0 && partition.lastKnownElr.length === 0) continue;
        this.#deltaOf(topicId, "ClearElrRecord").partitionChanges.set(partitionId, {
          ...partition,
          elr: [],
          lastKnownElr: [],
        });
      }
    }
  }

  /** The partition as it is now. */
  partition(topicId: Uuid, partitionId: number): PartitionRegistration | undefined {
    const changed = this.#changed.get(topicId)?.partitionChanges.get(partitionId);
    if (changed !== undefined || this.#created.has(topicId) || this.#deleted.has(topicId)) return changed;
    return this.image.byId.get(topicId)?.partitions.get(partitionId);
  }

  apply(): TopicsImage {
    if (this.isEmpty) return this.image;
    let topics = this.image;
    for (const topic of this.#deleted.values()) topics = removeTopic(topics, topic);
    for (const { name, id, partitionChanges } of this.#changed.values()) {
      let partitions = this.#created.has(id) ? undefined : topics.byId.get(id)?.partitions;
      partitions ??= SortedMap.empty();
      for (const [partitionId, partition] of partitionChanges) partitions = partitions.set(partitionId, partition);
      topics = addTopic(topics, { name, id, partitions });
    }
    return topics;
  }

  #deltaOf(topicId: Uuid, recordType: string): MutableTopicDelta {
    const known = this.#changed.get(topicId);
    if (known !== undefined) return known;
    const topic = this.#deleted.has(topicId) ? undefined : this.image.byId.get(topicId);
    if (topic === undefined) throw new MetadataReplayError(recordType, `there is no topic with the id ${topicId}`);
    const delta = { name: topic.name, id: topicId, partitionChanges: new Map<number, PartitionRegistration>() };
    this.#changed.set(topicId, delta);
    return delta;
  }

  #idOf(name: string): Uuid | undefined {
    const created = this.#createdNames.get(name);
    if (created !== undefined) return created;
    const id = this.image.byName.get(name)?.id;
    return id === undefined || this.#deleted.has(id) ? undefined : id;
  }

  *#allIds(): Iterable<Uuid> {
    for (const id of this.image.byId.keys()) if (!this.#deleted.has(id)) yield id;
    for (const id of this.#created) if (!this.image.byId.has(id)) yield id;
  }

  #partitionsOf(topicId: Uuid): Map<number, PartitionRegistration> {
    const partitions = this.#created.has(topicId) ? [] : (this.image.byId.get(topicId)?.partitions ?? []);
    return new Map([...partitions, ...(this.#changed.get(topicId)?.partitionChanges ?? [])]);
  }
}
