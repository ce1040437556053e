export const CLUSTER_METADATA_TOPIC_NAME = "__cluster_metadata";
export const GROUP_METADATA_TOPIC_NAME = "__consumer_offsets";
export const TRANSACTION_STATE_TOPIC_NAME = "__transaction_state";
export const SHARE_GROUP_STATE_TOPIC_NAME = "__share_group_state";

const INTERNAL_TOPICS: ReadonlySet<string> = new Set([
  GROUP_METADATA_TOPIC_NAME,
  TRANSACTION_STATE_TOPIC_NAME,
  SHARE_GROUP_STATE_TOPIC_NAME,
]);

/** Whether the name holds a character for which another topic's name could be mistaken in a metric. */
export function hasCollisionChars(name: string): boolean {
  return name.includes(".") || name.includes("_");
}

/** The form in which `.` and `_` are the same: two topics may not share it, because metric names would not tell them apart. */
export function unifyCollisionChars(name: string): string {
  return name.replaceAll(".", "_");
}

export function topicNamesCollide(a: string, b: string): boolean {
  return unifyCollisionChars(a) === unifyCollisionChars(b);
}

/** Topics of the coordinators. `__cluster_metadata` is not among them, as in Kafka. */
export function isInternalTopic(name: string): boolean {
  return INTERNAL_TOPICS.has(name);
}
