import type { TopicPartition } from "../../cluster/topic-metadata.ts";

export function partitionName({ topic, partition }: TopicPartition): string {
  return `${topic}-${partition}`;
}

/** Those of the first that are not in the second. */
export function without(
  partitions: readonly TopicPartition[],
  others: readonly TopicPartition[],
): readonly TopicPartition[] {
  if (partitions.length === 0 || others.length === 0) return partitions;
  const names = new Set(others.map((one) => partitionName(one)));
  return partitions.filter((one) => !names.has(partitionName(one)));
}
