import { ErrorCode, KafkaError } from "@samsa/base";

export const MAX_TOPIC_NAME_LENGTH = 249;
export const CLUSTER_METADATA_TOPIC_NAME = "__cluster_metadata";
export const GROUP_METADATA_TOPIC_NAME = "__consumer_offsets";
export const TRANSACTION_STATE_TOPIC_NAME = "__transaction_state";
export const SHARE_GROUP_STATE_TOPIC_NAME = "__share_group_state";

const INTERNAL_TOPICS: ReadonlySet<string> = new Set([
  GROUP_METADATA_TOPIC_NAME,
  TRANSACTION_STATE_TOPIC_NAME,
  SHARE_GROUP_STATE_TOPIC_NAME,
]);

/** A topic name that may not be, or collides with another. */
export class InvalidTopicError extends KafkaError {
  override readonly name = "InvalidTopicError";

  constructor(message: string) {
    super(ErrorCode.INVALID_TOPIC_EXCEPTION, message);
  }
}

/**
 * Refuses what Kafka refuses as the name of a topic, with Kafka's words.
 * @throws InvalidTopicError
 */
export function validateTopicName(name: string): void {
  const problem = topicNameProblem(name);
  if (problem !== undefined) throw new InvalidTopicError(`Topic name is invalid: ${problem}`);
}

function topicNameProblem(name: string): string | undefined {
  if (name === "") return "the empty string is not allowed";
  if (name === ".") return "'.' is not allowed";
  if (name === "..") return "'..' is not allowed";
  if (name.length > MAX_TOPIC_NAME_LENGTH) {
    return `the length of '${name}' is longer than the max allowed length ${MAX_TOPIC_NAME_LENGTH}`;
  }
  if (!/^[a-zA-Z0-9._-]+$/.test(name)) {
    return `'${name}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'`;
  }
  return undefined;
}

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
