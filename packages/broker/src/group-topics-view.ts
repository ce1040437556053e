import type { Uuid } from "@samsa/base";
import type { GroupTopic, GroupTopics, GroupTopicsChange } from "@samsa/coordinator";
import type { MetadataDelta, MetadataImage, TopicImage } from "@samsa/metadata";
import type { MetadataCache } from "./metadata-cache.ts";

/** The topics of the metadata as groups see them. What has not changed stays the same object. */
export class GroupTopicsView {
  readonly #metadata: MetadataCache;
  #brokers: MetadataImage["cluster"]["brokers"];
  #seen = new WeakMap<TopicImage, GroupTopic>();

  constructor(metadata: MetadataCache) {
    this.#metadata = metadata;
    this.#brokers = metadata.image.cluster.brokers;
  }

  get current(): GroupTopics {
    const { topics, provenance } = this.#metadata.image;
    return {
      version: provenance.lastContainedOffset,
      names: topics.byName.keys(),
      topic: (name) => this.#view(topics.byName.get(name)),
      topicById: (id: Uuid) => this.#view(topics.byId.get(id)),
    };
  }

  #view(topic: TopicImage | undefined): GroupTopic | undefined {
    if (topic === undefined) return undefined;
    const { brokers } = this.#metadata.image.cluster;
    if (brokers !== this.#brokers) {
      // Racks may be others.
      this.#brokers = brokers;
      this.#seen = new WeakMap();
    }
    const known = this.#seen.get(topic);
    if (known !== undefined) return known;
    const { id, name, partitions } = topic;
    const racks = (partition: number): readonly string[] =>
      (partitions.get(partition)?.replicas ?? []).flatMap((broker) => brokers.get(broker)?.rack ?? []);
    const view = { id, name, partitionCount: partitions.size, racks };
    this.#seen.set(topic, view);
    return view;
  }
}

/** Undefined when no group can tell the difference. */
export function changedTopics(delta: MetadataDelta, image: MetadataImage): GroupTopicsChange | undefined {
  const { created, changed, deleted } = delta.topics;
  if (changed.size === 0 && deleted.size === 0) return undefined;
  const names = new Set<string>();
  for (const { name } of deleted.values()) names.add(name);
  for (const { id, name } of changed.values()) {
    const before = delta.topics.image.byId.get(id);
    const after = image.topics.byId.get(id);
    if (before !== undefined && after !== undefined && isSameForGroups(before, after)) continue;
    names.add(name);
  }
  return names.size === 0 ? undefined : { names, haveOtherNames: created.size > 0 || deleted.size > 0 };
}

/** A change of leaders or of in-sync replicas is none. */
function isSameForGroups(before: TopicImage, after: TopicImage): boolean {
  if (before.partitions.size !== after.partitions.size) return false;
  for (const [index, { replicas }] of after.partitions) {
    const others = before.partitions.get(index)?.replicas;
    if (others?.join() !== replicas.join()) return false;
  }
  return true;
}
