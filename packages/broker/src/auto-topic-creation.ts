import { ErrorCode } from "@samsa/base";
import type { CreateTopicsRequest } from "@samsa/protocol/messages/create-topics-request";
import {
  CreateTopicsRequest as CreateTopicsRequestCodec,
  createCreateTopicsRequestCreatableTopic,
} from "@samsa/protocol/messages/create-topics-request";
import type { CreateTopicsResponse } from "@samsa/protocol/messages/create-topics-response";
import type { BrokerConfig } from "@samsa/metadata";

/** Counts the partitions that are made. @throws KafkaError THROTTLING_QUOTA_EXCEEDED */
export type PartitionQuota = (partitions: number) => void;

export interface AutoTopicCreationOptions {
  readonly config: BrokerConfig;
  readonly createTopics: (request: CreateTopicsRequest, quota: PartitionQuota) => Promise<CreateTopicsResponse>;
}

const AGAIN: ReadonlySet<number> = new Set([ErrorCode.TOPIC_ALREADY_EXISTS, ErrorCode.THROTTLING_QUOTA_EXCEEDED]);

/**
 * Topics made because someone asked for their metadata (`auto.create.topics.enable`). Each name is asked for once at a time, and
 * the names of one request together: the controller bounds what one request may make.
 */
export class AutoTopicCreation {
  readonly #options: AutoTopicCreationOptions;
  readonly #inFlight = new Map<string, Promise<ReadonlyMap<string, ErrorCode>>>();

  constructor(options: AutoTopicCreationOptions) {
    this.#options = options;
  }

  get isEnabled(): boolean {
    return this.#options.config.boolean("auto.create.topics.enable");
  }

  /** Makes the topics that are missing, for a client with this quota; returns what each name was answered. */
  async createTopics(names: readonly string[], quota: PartitionQuota): Promise<ReadonlyMap<string, ErrorCode>> {
    const mine = names.filter((name) => !this.#inFlight.has(name));
    if (mine.length > 0) {
      const created = this.#create(mine, quota).finally(() => {
        for (const name of mine) this.#inFlight.delete(name);
      });
      for (const name of mine) this.#inFlight.set(name, created);
    }
    const running = new Set(names.map((name) => this.#inFlight.get(name)).filter((creation) => creation !== undefined));
    const answers = await Promise.all(running);
    return new Map(answers.flatMap((codes) => [...codes]));
  }

  async #create(names: readonly string[], quota: PartitionQuota): Promise<ReadonlyMap<string, ErrorCode>> {
    const topics = names.map((name) =>
      createCreateTopicsRequestCreatableTopic({ name, numPartitions: -1, replicationFactor: -1 }),
    );
    const response = await this.#options.createTopics(CreateTopicsRequestCodec.create({ topics }), quota);
    // Someone else was quicker: there is a topic, and that is what was wanted.
    // Who has made too many is told that there is none yet, as in Kafka: clients ask again.
    const codeOf = (code: number) => (AGAIN.has(code) ? ErrorCode.NONE : code) as ErrorCode;
    return new Map(response.topics.map(({ name, errorCode }) => [name, codeOf(errorCode)]));
  }
}
