import { ErrorCode, KafkaError } from "@samsa/base";
import type { QuorumController } from "@samsa/controller";
import { isInternalTopic } from "@samsa/metadata";
import {
  createCreateTopicsRequestCreatableTopic,
  CreateTopicsRequest,
} from "@samsa/protocol/messages/create-topics-request";
import { DeleteTopicsRequest } from "@samsa/protocol/messages/delete-topics-request";

export interface TopicOptions {
  /** Default: the broker's `num.partitions`. */
  readonly partitions?: number;
  /** Kafka's topic configuration by its dotted names. */
  readonly configs?: Readonly<Record<string, string>>;
}

/** The topics of an embedded broker, without a client. */
export class BrokerTopics {
  readonly #controller: () => QuorumController;

  constructor(controller: () => QuorumController) {
    this.#controller = controller;
  }

  names(): readonly string[] {
    return [...this.#controller().image.topics.byName.keys()].filter((name) => !isInternalTopic(name)).sort();
  }

  /** @throws KafkaError in Kafka's words */
  async create(name: string, options: TopicOptions = {}): Promise<void> {
    const unknown = Object.keys(options).find((option) => option !== "partitions" && option !== "configs");
    if (unknown !== undefined) {
      const have = "there are partitions and configs";
      throw new KafkaError(ErrorCode.INVALID_REQUEST, `broker.createTopic: there is no option ${unknown}; ${have}`);
    }
    const { partitions = -1, configs = {} } = options;
    const topic = createCreateTopicsRequestCreatableTopic({
      name,
      numPartitions: partitions,
      replicationFactor: -1,
      configs: Object.entries(configs).map(([key, value]) => ({ name: key, value })),
    });
    const { topics } = await this.#controller().createTopics(CreateTopicsRequest.create({ topics: [topic] }));
    throwFirstError(topics);
  }

  async deleteAll(): Promise<void> {
    const topicNames = this.names();
    if (topicNames.length === 0) return;
    const { responses } = await this.#controller().deleteTopics(DeleteTopicsRequest.create({ topicNames }));
    throwFirstError(responses);
  }
}

function throwFirstError(
  results: readonly { readonly errorCode: number; readonly errorMessage: string | null }[],
): void {
  const failed = results.find(({ errorCode }) => errorCode !== 0);
  if (failed !== undefined)
    throw new KafkaError(failed.errorCode as KafkaError["code"], failed.errorMessage ?? undefined);
}
