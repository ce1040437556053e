import { KafkaError } from "@samsa/base";
import { TopicRegex } from "./topic-regex.ts";

/** Steps of matching that are made in one go: some tens of milliseconds for the worst of patterns. */
const STEPS_AT_ONCE = 300_000;

/** Looks through all topics for those that regular expressions mean, a part at a time. */
export class TopicRegexScan {
  readonly #regexes: readonly { readonly pattern: string; readonly regex: TopicRegex | undefined }[];
  readonly #names: Iterator<string>;
  readonly topics: ReadonlyMap<string, Set<string>>;
  isDone = false;

  /** One that cannot be read, because another version of Kafka took it, means nothing. */
  constructor(patterns: Iterable<string>, names: Iterable<string>) {
    this.#regexes = Array.from(patterns, (pattern) => ({ pattern, regex: compile(pattern) }));
    this.#names = names[Symbol.iterator]();
    this.topics = new Map(this.#regexes.map(({ pattern }) => [pattern, new Set<string>()]));
  }

  /** Goes on for a while. */
  run(): void {
    const cost = this.#regexes.reduce((sum, { regex }) => sum + (regex?.costPerCharacter ?? 0), 1);
    for (let steps = 0; steps < STEPS_AT_ONCE;) {
      const { done, value: name } = this.#names.next();
      if (done === true) {
        this.isDone = true;
        return;
      }
      steps += cost * name.length;
      for (const { pattern, regex } of this.#regexes) {
        if (regex?.matches(name) === true) this.topics.get(pattern)?.add(name);
      }
    }
  }
}

function compile(pattern: string): TopicRegex | undefined {
  try {
    return new TopicRegex(pattern);
  } catch (error) {
    if (error instanceof KafkaError) return undefined;
    throw error;
  }
}
