import { ErrorCode } from "@samsa/base";
import {
  createCreateTopicsRequestCreatableTopic,
  CreateTopicsRequest,
} from "@samsa/protocol/messages/create-topics-request";
import type { CreateTopicsResponse } from "@samsa/protocol/messages/create-topics-response";
import type { BrokerConfig } from "@samsa/metadata";
import { GROUP_METADATA_TOPIC_NAME } from "@samsa/metadata";

export interface InternalTopicCreationOptions {
  readonly config: BrokerConfig;
  readonly aliveBrokers: () => number;
  readonly createTopics: (request: CreateTopicsRequest) => Promise<CreateTopicsResponse>;
}

/** Makes the topic of a coordinator when someone looks for that coordinator first. Who comes meanwhile shares the attempt. */
export class InternalTopicCreation {
  readonly #options: InternalTopicCreationOptions;
  #offsetsTopic: Promise<ErrorCode> | undefined;

  constructor(options: InternalTopicCreationOptions) {
    this.#options = options;
  }

  /** `__consumer_offsets`, compacted, with no more replicas than there are brokers. */
  createOffsetsTopic(): Promise<ErrorCode> {
    this.#offsetsTopic ??= this.#create().finally(() => (this.#offsetsTopic = undefined));
    return this.#offsetsTopic;
  }

  async #create(): Promise<ErrorCode> {
    const { config, aliveBrokers, createTopics } = this.#options;
    const topic = createCreateTopicsRequestCreatableTopic({
      name: GROUP_METADATA_TOPIC_NAME,
      numPartitions: config.number("offsets.topic.num.partitions"),
      replicationFactor: Math.min(config.number("offsets.topic.replication.factor"), Math.max(1, aliveBrokers())),
      configs: [
        { name: "cleanup.policy", value: "compact" },
        { name: "segment.bytes", value: String(config.number("offsets.topic.segment.bytes")) },
        { name: "compression.type", value: "producer" },
      ],
    });
    const response = await createTopics(CreateTopicsRequest.create({ topics: [topic] }));
    const code = (response.topics[0]?.errorCode ?? ErrorCode.UNKNOWN_SERVER_ERROR) as ErrorCode;
    return code === ErrorCode.TOPIC_ALREADY_EXISTS ? ErrorCode.NONE : code;
  }
}
