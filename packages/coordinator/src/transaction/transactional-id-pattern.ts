import { ErrorCode, KafkaError } from "@samsa/base";
import { TopicRegex } from "../group/consumer/topic-regex.ts";

/** Steps for each character of an id. All ids of a broker are held against the pattern in one go. */
const MOST_STEPS = 200;

/**
 * Which transactional ids are meant (KIP-1152): the whole id, in the syntax of RE2; an empty pattern means all.
 * @throws KafkaError INVALID_REGULAR_EXPRESSION
 */
export function transactionalIdPattern(pattern: string | null): (transactionalId: string) => boolean {
  if (pattern === null || pattern === "") return () => true;
  const regex = new TopicRegex(pattern);
  if (regex.costPerCharacter > MOST_STEPS) {
    throw new KafkaError(ErrorCode.INVALID_REGULAR_EXPRESSION, "the pattern takes too many steps");
  }
  return (transactionalId) => regex.matches(transactionalId);
}
