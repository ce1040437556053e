import { ErrorCode } from "@samsa/base";
import type { CreateTopicsRequest } from "@samsa/protocol/messages/create-topics-request";
import {
  CreateTopicsRequest as CreateTopicsRequestCodec,
  createCreateTopicsRequestCreatableTopic,
} from "@samsa/protocol/messages/create-topics-request";
import type { CreateTopicsResponse } from "@samsa/protocol/messages/create-topics-response";
import type { BrokerConfig } from "@samsa/metadata";

export interface AutoTopicCreationOptions {
  readonly config: BrokerConfig;
  readonly createTopics: (request: CreateTopicsRequest) => Promise<CreateTopicsResponse>;
}

/** Topics made because someone asked for their metadata (`auto.create.topics.enable`). Each name is asked for once at a time. */
export class AutoTopicCreation {
  readonly #options: AutoTopicCreationOptions;
  readonly #inFlight = new Map<string, Promise<ErrorCode>>();

  constructor(options: AutoTopicCreationOptions) {
    this.#options = options;
  }

  get isEnabled(): boolean {
    return this.#options.config.boolean("auto.create.topics.enable");
  }

  /** Makes the topics that are missing; returns what each name was answered. */
  async createTopics(names: readonly string[]): Promise<ReadonlyMap<string, ErrorCode>> {
    const results = new Map<string, ErrorCode>();
    await Promise.all(names.map(async (name) => results.set(name, await this.#createOnce(name))));
    return results;
  }

  #createOnce(name: string): Promise<ErrorCode> {
    const running = this.#inFlight.get(name);
    if (running !== undefined) return running;
    const created = this.#create(name).finally(() => this.#inFlight.delete(name));
    this.#inFlight.set(name, created);
    return created;
  }

  async #create(name: string): Promise<ErrorCode> {
    const topic = createCreateTopicsRequestCreatableTopic({ name, numPartitions: -1, replicationFactor: -1 });
    const response = await this.#options.createTopics(CreateTopicsRequestCodec.create({ topics: [topic] }));
    const code = response.topics[0]?.errorCode ?? ErrorCode.UNKNOWN_SERVER_ERROR;
    // Someone else was quicker: there is a topic, and that is what was wanted.
    return (code === ErrorCode.TOPIC_ALREADY_EXISTS ? ErrorCode.NONE : code) as ErrorCode;
  }
}
