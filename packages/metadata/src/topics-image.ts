import type { Uuid } from "@samsa/base";
import type { PartitionRegistration } from "./partition-registration.ts";
import { SortedMap } from "./sorted-map.ts";

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
}

export const EMPTY_TOPICS: TopicsImage = { byName: SortedMap.empty(), byId: SortedMap.empty() };

export function partitionOf(
  topics: TopicsImage,
  topicId: Uuid,
  partitionId: number,
): PartitionRegistration | undefined {
  return topics.byId.get(topicId)?.partitions.get(partitionId);
}
