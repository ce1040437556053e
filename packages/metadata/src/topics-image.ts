import type { Uuid } from "@samsa/base";
import type { PartitionRegistration } from "./partition-registration.ts";
import { SortedMap } from "./sorted-map.ts";
import { hasCollisionChars, unifyCollisionChars } from "./topic-name.ts";

export interface TopicImage {
  readonly name: string;
  readonly id: Uuid;
  /** By partition id, in order. */
  readonly partitions: SortedMap<number, PartitionRegistration>;
}

/** All topics, under their names and under their ids. */
export interface TopicsImage {
  readonly byName: SortedMap<string, TopicImage>;
  readonly byId: SortedMap<Uuid, TopicImage>;
  /** Names that hold `.` or `_`, under the form in which both are the same: whom a new name would collide with. */
  readonly collidingNames: SortedMap<string, readonly string[]>;
}

export const EMPTY_TOPICS: TopicsImage = {
  byName: SortedMap.empty(),
  byId: SortedMap.empty(),
  collidingNames: SortedMap.empty(),
};

/** The image with one more topic. */
export function addTopic(topics: TopicsImage, topic: TopicImage): TopicsImage {
  const { name, id } = topic;
  return {
    byName: topics.byName.set(name, topic),
    byId: topics.byId.set(id, topic),
    collidingNames: topics.byName.has(name) ? topics.collidingNames : withName(topics.collidingNames, name, true),
  };
}

/** The image without the topic. */
export function removeTopic(topics: TopicsImage, { name, id }: TopicImage): TopicsImage {
  return {
    byName: topics.byName.delete(name),
    byId: topics.byId.delete(id),
    collidingNames: withName(topics.collidingNames, name, false),
  };
}

function withName(
  names: TopicsImage["collidingNames"],
  name: string,
  isPresent: boolean,
): TopicsImage["collidingNames"] {
  if (!hasCollisionChars(name)) return names;
  const unified = unifyCollisionChars(name);
  const others = (names.get(unified) ?? []).filter((other) => other !== name);
  const next = isPresent ? [...others, name] : others;
  return next.length === 0 ? names.delete(unified) : names.set(unified, next);
}

export function partitionOf(
  topics: TopicsImage,
  topicId: Uuid,
  partitionId: number,
): PartitionRegistration | undefined {
  return topics.byId.get(topicId)?.partitions.get(partitionId);
}
