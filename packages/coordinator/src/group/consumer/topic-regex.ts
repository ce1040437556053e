import { ErrorCode, KafkaError } from "@samsa/base";
import { RE2JS, RE2JSSyntaxException } from "re2js";

/** Beyond these one topic name may take a tenth of a second, whatever the pattern is meant for. Kafka has no such limits. */
const MAX_PATTERN_LENGTH = 5000;
const MAX_PROGRAM_SIZE = 5000;

/** A subscription by pattern: the syntax of RE2, which takes time linear in the name, so that no pattern can stall the broker. */
export class TopicRegex {
  readonly #pattern: RE2JS;
  /** The most steps that one character of a name can take. */
  readonly costPerCharacter: number;

  /** @throws KafkaError INVALID_REGULAR_EXPRESSION */
  constructor(pattern: string) {
    if (pattern.length > MAX_PATTERN_LENGTH) throw invalid(pattern.slice(0, 100) + "...", "it is too long");
    try {
      this.#pattern = RE2JS.compile(pattern);
    } catch (error) {
      if (error instanceof RE2JSSyntaxException) throw invalid(pattern, error.getDescription());
      throw error;
    }
    this.costPerCharacter = this.#pattern.programSize();
    if (this.costPerCharacter > MAX_PROGRAM_SIZE) throw invalid(pattern, "it takes too many steps");
  }

  /** Whether the whole name is meant. */
  matches(name: string): boolean {
    return this.#pattern.matches(name);
  }
}

function invalid(pattern: string, why: string): KafkaError {
  const message = `SubscribedTopicRegex \`${pattern}\` is not a valid regular expression: ${why}.`;
  return new KafkaError(ErrorCode.INVALID_REGULAR_EXPRESSION, message);
}
