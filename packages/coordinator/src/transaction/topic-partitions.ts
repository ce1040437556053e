/** Partitions by topic, both in the order they were added in. */
export type TopicPartitions = ReadonlyMap<string, ReadonlySet<number>>;

export const NO_PARTITIONS: TopicPartitions = new Map();

export function topicPartitions(from: Iterable<readonly [string, Iterable<number>]>): TopicPartitions {
  return union(NO_PARTITIONS, from);
}

export function union(some: TopicPartitions, others: Iterable<readonly [string, Iterable<number>]>): TopicPartitions {
  const all = new Map(some);
  const own = new Map<string, Set<number>>(); // not shared with `some`
  for (const [topic, partitions] of others) {
    const indexes = own.get(topic) ?? new Set(some.get(topic));
    own.set(topic, indexes);
    all.set(topic, indexes);
    for (const partition of partitions) indexes.add(partition);
  }
  return all;
}

/** Whether all of `others` are among `some`. */
export function includesAll(some: TopicPartitions, others: TopicPartitions): boolean {
  for (const [topic, partitions] of others) {
    const known = some.get(topic);
    for (const partition of partitions) if (known?.has(partition) !== true) return false;
  }
  return true;
}

/** Those for which the function says so. */
export function filterPartitions(
  all: TopicPartitions,
  isMeant: (topic: string, partition: number) => boolean,
): TopicPartitions {
  const some = new Map<string, ReadonlySet<number>>();
  for (const [topic, partitions] of all) {
    const meant = [...partitions].filter((partition) => isMeant(topic, partition));
    if (meant.length > 0) some.set(topic, new Set(meant));
  }
  return some;
}
