import { ErrorCode } from "@samsa/base";
import {
  createCreateTopicsRequestCreatableTopic,
  CreateTopicsRequest,
} from "@samsa/protocol/messages/create-topics-request";
import type { CreateTopicsResponse } from "@samsa/protocol/messages/create-topics-response";
import type { BrokerConfig } from "@samsa/metadata";
import { GROUP_METADATA_TOPIC_NAME, TRANSACTION_STATE_TOPIC_NAME } from "@samsa/metadata";

export interface InternalTopicCreationOptions {
  readonly config: BrokerConfig;
  readonly aliveBrokers: () => number;
  readonly createTopics: (request: CreateTopicsRequest) => Promise<CreateTopicsResponse>;
}

/** Makes the topic of a coordinator when someone looks for that coordinator first. Who comes meanwhile shares the attempt. */
export class InternalTopicCreation {
  readonly #options: InternalTopicCreationOptions;
  readonly #underWay = new Map<string, Promise<ErrorCode>>();

  constructor(options: InternalTopicCreationOptions) {
    this.#options = options;
  }

  /** `__consumer_offsets`, compacted, with no more replicas than there are brokers. */
  createOffsetsTopic(): Promise<ErrorCode> {
    const { config } = this.#options;
    return this.#createOnce(GROUP_METADATA_TOPIC_NAME, {
      numPartitions: config.number("offsets.topic.num.partitions"),
      replicationFactor: this.#replicas("offsets.topic.replication.factor"),
      configs: [
        { name: "cleanup.policy", value: "compact" },
        { name: "segment.bytes", value: String(config.number("offsets.topic.segment.bytes")) },
        { name: "compression.type", value: "producer" },
      ],
    });
  }

  /** `__transaction_state`, compacted, with no more replicas than there are brokers, all of which may be asked to be in sync. */
  createTransactionStateTopic(): Promise<ErrorCode> {
    const { config } = this.#options;
    const replicationFactor = this.#replicas("transaction.state.log.replication.factor");
    const minInSyncReplicas = Math.min(config.number("transaction.state.log.min.isr"), replicationFactor);
    return this.#createOnce(TRANSACTION_STATE_TOPIC_NAME, {
      numPartitions: config.number("transaction.state.log.num.partitions"),
      replicationFactor,
      configs: [
        { name: "cleanup.policy", value: "compact" },
        { name: "compression.type", value: "uncompressed" },
        { name: "segment.bytes", value: String(config.number("transaction.state.log.segment.bytes")) },
        { name: "min.insync.replicas", value: String(minInSyncReplicas) },
        { name: "unclean.leader.election.enable", value: "false" },
      ],
    });
  }

  #replicas(key: string): number {
    return Math.min(this.#options.config.number(key), Math.max(1, this.#options.aliveBrokers()));
  }

  #createOnce(name: string, topic: Parameters<typeof createCreateTopicsRequestCreatableTopic>[0]): Promise<ErrorCode> {
    const underWay = this.#underWay.get(name);
    if (underWay !== undefined) return underWay;
    const attempt = this.#create(createCreateTopicsRequestCreatableTopic({ ...topic, name })).finally(() =>
      this.#underWay.delete(name),
    );
    this.#underWay.set(name, attempt);
    return attempt;
  }

  async #create(topic: ReturnType<typeof createCreateTopicsRequestCreatableTopic>): Promise<ErrorCode> {
    const response = await this.#options.createTopics(CreateTopicsRequest.create({ topics: [topic] }));
    const code = (response.topics[0]?.errorCode ?? ErrorCode.UNKNOWN_SERVER_ERROR) as ErrorCode;
    return code === ErrorCode.TOPIC_ALREADY_EXISTS ? ErrorCode.NONE : code;
  }
}
