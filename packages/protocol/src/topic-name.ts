import { ErrorCode, KafkaError } from "@samsa/base";

/** Leaves room for "-" and the partition within the 255 bytes that a file name may have. */
export const MAX_TOPIC_NAME_LENGTH = 249;

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

/** Why this cannot be the name of a topic; undefined when it can. */
export function topicNameProblem(name: string): string | undefined {
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
