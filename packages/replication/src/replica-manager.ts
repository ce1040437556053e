import { ErrorCode, KafkaError } from "@samsa/base";
import type { LogConfig, LogManager } from "@samsa/log";
import { logDirName, NO_BROKER_EPOCH } from "@samsa/log";
import type {
  BrokerConfig,
  MetadataDelta,
  MetadataImage,
  MetadataPublisher,
  PartitionRegistration,
  TopicImage,
} from "@samsa/metadata";
import { ConfigResourceType, EffectiveBrokerConfig, TopicConfig } from "@samsa/metadata";
import { logCleanerConfigOf } from "./broker-log-config.ts";
import { UnknownTopicOrPartitionError } from "./errors.ts";
import { Partition } from "./partition.ts";
import { logConfigOf } from "./topic-log-config.ts";

export interface ReplicaManagerOptions {
  readonly brokerId: number;
  readonly config: BrokerConfig;
  /** Opens the data directory; called once, with the first image, because topic configurations and strays are known from then. */
  readonly openLogs: (image: MetadataImage, configFor: (topic: string) => LogConfig) => Promise<LogManager>;
  /** A replica that could not be loaded, created or removed; it stays offline and the broker goes on. */
  readonly onReplicaError: (name: string, error: unknown) => void;
}

/**
 * The partitions of this broker. It follows the metadata: a partition that the image gives to this broker has a log here and
 * leads it before the image is shown to any client.
 */
export class ReplicaManager implements MetadataPublisher {
  readonly name = "ReplicaManager";
  readonly #options: ReplicaManagerOptions;
  readonly #partitions = new Map<string, Map<number, Partition>>();
  readonly #offline = new Map<string, KafkaError>(); // by name of the folder
  #logs: LogManager | undefined;

  constructor(options: ReplicaManagerOptions) {
    this.#options = options;
  }

  /** @throws KafkaError UNKNOWN_TOPIC_OR_PARTITION, or KAFKA_STORAGE_ERROR for a log that is offline */
  partition(topic: string, index: number): Partition {
    const partition = this.#partitions.get(topic)?.get(index);
    if (partition !== undefined) return partition;
    const offline = this.#offline.get(logDirName({ topic, partition: index }));
    if (offline !== undefined) throw offline;
    throw new UnknownTopicOrPartitionError(topic, index);
  }

  /** The broker's epoch at its last clean stop (KIP-966); -1 after an unclean one, and before the first image. */
  get previousBrokerEpoch(): number {
    return this.#logs?.previousBrokerEpoch ?? NO_BROKER_EPOCH;
  }

  *partitions(): Iterable<Partition> {
    for (const byIndex of this.#partitions.values()) yield* byIndex.values();
  }

  async onMetadataUpdate(delta: MetadataDelta, image: MetadataImage): Promise<void> {
    this.#logs ??= await this.#openLogs(image);
    for (const topic of delta.topics.deleted.values()) await this.#removeTopic(topic);
    for (const [topicId, change] of delta.topics.changed) {
      const topic = image.topics.byId.get(topicId);
      if (topic === undefined) continue; // made and removed within one delta
      for (const [index, registration] of change.partitionChanges) {
        await this.#updatePartition(this.#logs, image, topic, index, registration);
      }
    }
    for (const { type, name } of delta.configs.changed) this.#updateConfig(image, type, name);
  }

  /** Writes what is pending, then the checkpoints and the clean marker. */
  async close(brokerEpoch: number): Promise<void> {
    for (const partition of this.partitions()) partition.remove();
    await this.#logs?.close({ brokerEpoch });
  }

  async #openLogs(image: MetadataImage): Promise<LogManager> {
    const logs = await this.#options.openLogs(image, (topic) => this.#logConfig(image, topic));
    for (const [name, error] of logs.offlineLogs()) this.#setOffline(name, error);
    return logs;
  }

  async #updatePartition(
    logs: LogManager,
    image: MetadataImage,
    topic: TopicImage,
    index: number,
    registration: PartitionRegistration,
  ): Promise<void> {
    const known = this.#partitions.get(topic.name)?.get(index);
    if (known !== undefined && known.topicId === topic.id) {
      known.update(registration);
      return;
    }
    const topicPartition = { topic: topic.name, partition: index };
    const folder = logDirName(topicPartition);
    if (!registration.replicas.includes(this.#options.brokerId) || this.#offline.has(folder)) return;
    try {
      const log = await logs.getOrCreate(topicPartition, topic.id, this.#logConfig(image, topic.name));
      log.onFailure = (_log, error) => this.#setOffline(folder, error);
      const byIndex = this.#partitions.get(topic.name) ?? new Map<number, Partition>();
      byIndex.set(index, new Partition(this.#options.brokerId, log, registration));
      this.#partitions.set(topic.name, byIndex);
    } catch (error) {
      this.#setOffline(folder, error);
    }
  }

  async #removeTopic(topic: TopicImage): Promise<void> {
    for (const index of topic.partitions.keys()) {
      const folder = logDirName({ topic: topic.name, partition: index });
      this.#offline.delete(folder);
      const partition = this.#partitions.get(topic.name)?.get(index);
      if (partition === undefined || partition.topicId !== topic.id) continue;
      this.#partitions.get(topic.name)?.delete(index);
      partition.remove();
      try {
        await this.#logs?.delete(partition.topicPartition);
      } catch (error) {
        this.#options.onReplicaError(folder, error);
      }
    }
    if (this.#partitions.get(topic.name)?.size === 0) this.#partitions.delete(topic.name);
  }

  #updateConfig(image: MetadataImage, resourceType: number, resourceName: string): void {
    const isBroker = resourceType === ConfigResourceType.BROKER; // a synonym may reach every topic
    const isTopic = resourceType === ConfigResourceType.TOPIC;
    if (isBroker) {
      this.#logs?.reconfigureCleaner(
        logCleanerConfigOf(new EffectiveBrokerConfig(image.configs, this.#options.config)),
      );
    }
    for (const [topic, byIndex] of this.#partitions) {
      if (!isBroker && !(isTopic && topic === resourceName)) continue;
      const config = this.#logConfig(image, topic);
      for (const partition of byIndex.values()) partition.log.updateConfig(config);
    }
  }

  #logConfig(image: MetadataImage, topic: string): LogConfig {
    return logConfigOf(TopicConfig.resolve(image.configs, topic, this.#options.config));
  }

  #setOffline(folder: string, error: unknown): void {
    const refusal =
      error instanceof KafkaError && error.code === ErrorCode.KAFKA_STORAGE_ERROR
        ? error
        : new KafkaError(ErrorCode.KAFKA_STORAGE_ERROR, `the log ${folder} is offline`, { cause: error });
    this.#offline.set(folder, refusal);
    this.#options.onReplicaError(folder, error);
  }
}
