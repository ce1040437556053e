import type { KafkaError } from "@samsa/base";
import { ErrorCode } from "@samsa/base";
import type { Cluster } from "../../cluster/cluster.ts";
import type { TopicMetadata } from "../../cluster/topic-metadata.ts";
import type { AssignorTopic } from "../assignors/partition-assignor.ts";

export interface SubscribedTopicsOptions {
  readonly excludeInternalTopics: boolean;
  /** Whether asking for a topic by name makes it, where the brokers have `auto.create.topics.enable`. */
  readonly allowAutoCreateTopics: boolean;
  readonly onRetry: (error: KafkaError) => void;
}

/** What a subscription comes to: the topics it names, or those that match now. */
export class SubscribedTopics {
  readonly #cluster: Cluster;
  readonly #wanted: readonly string[] | RegExp;
  readonly #options: SubscribedTopicsOptions;
  readonly #told = new Set<string>(); // topics whose errors were told of
  readonly #made = new Set<string>(); // topics that asking for them may just have made
  topics: readonly string[];
  /** Whether a topic that is named does not exist: it is looked for more often then. */
  isIncomplete = false;

  constructor(cluster: Cluster, wanted: readonly string[] | RegExp, options: SubscribedTopicsOptions) {
    this.#cluster = cluster;
    this.#wanted = wanted instanceof RegExp ? new RegExp(wanted.source, wanted.flags.replaceAll(/[gy]/gu, "")) : wanted;
    this.#options = options;
    this.topics = wanted instanceof RegExp ? [] : [...new Set(wanted)];
  }

  /** Asks for the metadata. @returns whether `topics` are others now */
  async refresh(alsoWanted: readonly string[] = []): Promise<boolean> {
    const wanted = this.#wanted;
    if (!(wanted instanceof RegExp)) {
      const asked = new Set([...this.topics, ...alsoWanted]);
      if (asked.size === 0) return false;
      const errors = await this.#cluster.refreshMetadata(asked, this.#options.allowAutoCreateTopics);
      this.isIncomplete = this.topics.some((topic) => errors.has(topic));
      for (const [topic, error] of errors) this.#tell(topic, error);
      return false;
    }
    const matching = (await this.#cluster.allTopics()).filter((topic) => this.#matches(topic, wanted));
    const topics = matching.map(({ name }) => name).toSorted();
    const isOther = topics.join() !== this.topics.join();
    this.topics = topics;
    return isOther;
  }

  /** That it does not exist may change; that we may not read it deserves a word, once. */
  #tell(topic: string, error: KafkaError): void {
    if (this.#told.has(topic)) return;
    const mayBeMade = this.#options.allowAutoCreateTopics && error.code === ErrorCode.UNKNOWN_TOPIC_OR_PARTITION;
    if (mayBeMade && !this.#made.has(topic)) {
      this.#made.add(topic); // Kafka answers so to the request that makes it
      return;
    }
    this.#told.add(topic);
    this.#options.onRetry(error);
  }

  #matches({ name, isInternal }: TopicMetadata, pattern: RegExp): boolean {
    return pattern.test(name) && !(this.#options.excludeInternalTopics && isInternal);
  }
}

/** What an assignor is told of these topics; those that do not exist are missing. */
export function describeTopics(cluster: Cluster, names: readonly string[]): ReadonlyMap<string, AssignorTopic> {
  const topics = new Map<string, AssignorTopic>();
  for (const name of names) {
    const known = cluster.metadata.topic(name);
    if (known === undefined) continue;
    const racks = known.partitions.map(({ replicas }) =>
      replicas.flatMap((id) => cluster.metadata.brokers.get(id)?.rack ?? []),
    );
    topics.set(name, { partitionCount: known.partitions.length, racks });
  }
  return topics;
}
