import type { Clock, DiskSpace, Uuid } from "@samsa/base";
import { DiskError, ErrorCode, KafkaError, withoutStack, ZERO_UUID } from "@samsa/base";
import type { KafkaStorageError, LogConfig, LogDir, LogDirs, TopicPartition, UnifiedLog } from "@samsa/log";
import { isFutureLogDir, logDirName, NO_BROKER_EPOCH } from "@samsa/log";
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
import { NotLeaderOrFollowerError, UnknownTopicOrPartitionError } from "./errors.ts";
import { Partition } from "./partition.ts";
import { ReplicaMove } from "./replica-move.ts";
import { logConfigOf } from "./topic-log-config.ts";

export interface ReplicaManagerOptions {
  readonly brokerId: number;
  readonly config: BrokerConfig;
  readonly clock: Clock;
  /** Opens the data directories; called once, with the first image, because topic configurations and strays are known from then. */
  readonly openLogs: (
    image: MetadataImage,
    configFor: (topic: string) => LogConfig,
    isCordoned: (path: string) => boolean,
  ) => Promise<LogDirs>;
  /** Has the metadata say in which directory a replica is; resolves when it does. */
  readonly assignDirectory: (assignment: DirectoryAssignment) => Promise<void>;
  /** The configuration of brokers has changed, and with it perhaps which directories are cordoned. */
  readonly onBrokerConfigChanged?: () => void;
  /** A replica that could not be loaded, created or removed; it stays offline and the broker goes on. */
  readonly onReplicaError: (name: string, error: unknown) => void;
}

/** In which directory of this broker a replica is. */
export interface DirectoryAssignment {
  readonly topicId: Uuid;
  readonly partition: number;
  readonly directoryId: Uuid;
}

/** A data directory and what lies in it, for DescribeLogDirs. */
export interface LogDirDescription {
  readonly path: string;
  readonly directoryId: Uuid | undefined; // undefined where its meta.properties could not be read
  readonly isOffline: boolean;
  /** It gets no new replicas (KIP-1066). */
  readonly isCordoned: boolean;
  /** @throws DiskError */
  space(): Promise<DiskSpace>;
  replicas(): Iterable<LogDirReplica>;
}

export interface LogDirReplica extends TopicPartition {
  readonly size: number; // bytes
  /** What a replica on its way still lacks; else how far the log ends below the high watermark, which is 0 or more. */
  readonly offsetLag: number;
  /** On its way to this directory. */
  readonly isFuture: boolean;
}

const REPLICA_ALTER_LOG_DIRS_RATE = "replica.alter.log.dirs.io.max.bytes.per.second";

/**
 * The partitions of this broker. It follows the metadata: a partition that the image gives to this broker has a log here and
 * leads it before the image is shown to any client.
 */
export class ReplicaManager implements MetadataPublisher {
  readonly name = "ReplicaManager";
  readonly #options: ReplicaManagerOptions;
  readonly #partitions = new Map<string, Map<number, Partition>>();
  readonly #offline = new Map<string, KafkaError>(); // by name of the folder
  readonly #moves = new Map<string, ReplicaMove>(); // by name of the folder
  #logs: LogDirs | undefined;
  #image: MetadataImage | undefined;

  constructor(options: ReplicaManagerOptions) {
    this.#options = options;
  }

  /**
   * The partition, or why there is none: as a code, because a request may name a hundred thousand that are not here, and an
   * error with its stack for each would hold up the event loop for a second.
   */
  find(topic: string, index: number): Partition | ErrorCode {
    const partition = this.#partitions.get(topic)?.get(index);
    if (partition !== undefined) return partition;
    if (this.#offline.size === 0) return ErrorCode.UNKNOWN_TOPIC_OR_PARTITION;
    const offline = this.#offline.get(logDirName({ topic, partition: index }));
    return offline?.code ?? ErrorCode.UNKNOWN_TOPIC_OR_PARTITION;
  }

  /** @throws KafkaError UNKNOWN_TOPIC_OR_PARTITION, or KAFKA_STORAGE_ERROR for a log that is offline */
  partition(topic: string, index: number): Partition {
    const partition = this.#partitions.get(topic)?.get(index);
    if (partition !== undefined) return partition;
    const offline = this.#offline.get(logDirName({ topic, partition: index }));
    if (offline !== undefined) throw offline;
    throw withoutStack(() => new UnknownTopicOrPartitionError(topic, index));
  }

  /** The broker's epoch at its last clean stop (KIP-966); -1 after an unclean one, and before the first image. */
  get previousBrokerEpoch(): number {
    return this.#logs?.previousBrokerEpoch ?? NO_BROKER_EPOCH;
  }

  *partitions(): Iterable<Partition> {
    for (const byIndex of this.#partitions.values()) yield* byIndex.values();
  }

  /** The data directories, in the order of `log.dirs`. */
  logDirs(): readonly LogDirDescription[] {
    const logs = this.#logs;
    if (logs === undefined) return [];
    return logs.directories.map((directory) => ({
      path: directory.path,
      directoryId: directory.directoryId,
      isOffline: directory.isOffline,
      isCordoned: logs.isCordoned(directory),
      space: () => logs.space(directory),
      replicas: () => replicasOf(directory, logs),
    }));
  }

  /**
   * Moves a replica to another data directory, in the background; a move that is under way to a third one ends. A replica that is
   * there stays.
   * @throws KafkaError see LogDirs.checkDestination; REPLICA_NOT_AVAILABLE for a replica that is not here, which will be made
   * there if it comes, UNKNOWN_TOPIC_OR_PARTITION, KAFKA_STORAGE_ERROR
   */
  async alterLogDir(topicPartition: TopicPartition, path: string): Promise<void> {
    const logs = this.#logs;
    if (logs === undefined) throw new UnknownTopicOrPartitionError(topicPartition.topic, topicPartition.partition);
    logs.checkDestination(topicPartition, path);
    const name = logDirName(topicPartition);
    const move = this.#moves.get(name);
    if (move !== undefined && logs.directoryOf(move.future).path !== path) await this.#endMove(logs, move);
    logs.prefer(topicPartition, path);
    let partition: Partition;
    try {
      partition = this.partition(topicPartition.topic, topicPartition.partition);
    } catch (error) {
      if (!(error instanceof NotLeaderOrFollowerError)) throw error;
      throw new KafkaError(ErrorCode.REPLICA_NOT_AVAILABLE, error.message);
    }
    if (this.#moves.has(name) || logs.directoryOf(partition.log).path === path) return;
    const { topicId } = partition;
    this.#startMove(logs, partition, await logs.createFuture(topicPartition, topicId, partition.log.config, path));
  }

  /**
   * A directory has failed, and its logs are closed: what is in it is offline.
   * @returns the names of these replicas
   */
  onDirectoryFailure(path: string): readonly string[] {
    const logs = this.#logs;
    const lost: string[] = [];
    if (logs === undefined) return lost; // while they are opened
    for (const move of this.#moves.values()) {
      if (logs.directoryOf(move.future).path === path) move.cancel();
    }
    for (const partition of this.partitions()) {
      if (logs.directoryOf(partition.log).path !== path) continue;
      const name = logDirName(partition.topicPartition);
      const move = this.#moves.get(name);
      if (move !== undefined && !move.mayRevert) move.cancel();
      if (move?.mayRevert === true) continue; // goes back to the log in the other directory
      const refusal = new KafkaError(ErrorCode.KAFKA_STORAGE_ERROR, `${name} is in ${path}, which is offline`);
      if (this.#takeOffline(partition, refusal)) lost.push(name);
    }
    return lost;
  }

  async onMetadataUpdate(delta: MetadataDelta, image: MetadataImage): Promise<void> {
    this.#image = image;
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
    const moves = [...this.#moves.values()];
    for (const move of moves) move.cancel();
    await Promise.allSettled(moves.map(({ done }) => done));
    for (const partition of this.partitions()) partition.remove();
    await this.#logs?.close({ brokerEpoch });
  }

  async #openLogs(image: MetadataImage): Promise<LogDirs> {
    const logs = await this.#options.openLogs(
      image,
      (topic) => this.#logConfig(image, topic),
      (path) => isCordoned(path, this.#brokerConfig()),
    );
    for (const [name, error] of logs.offlineLogs()) this.#offline.set(name, error); // told when they were loaded
    return logs;
  }

  async #updatePartition(
    logs: LogDirs,
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
    const assigned = assignedDirectory(registration, this.#options.brokerId);
    if (assigned === "none" || this.#offline.has(folder)) return;
    if (logs.current(topicPartition) === undefined && !logs.mayCreate(assigned)) {
      // It may be in a directory that is offline. The metadata gives it no leader as long as that is so.
      this.#setOffline(folder, new NotLeaderOrFollowerError(topic.name, index));
      return;
    }
    try {
      const log = await logs.getOrCreate(topicPartition, topic.id, this.#logConfig(image, topic.name), assigned);
      const partition = new Partition(this.#options.brokerId, log, registration);
      log.onFailure = (_log, error) => this.#onLogFailure(partition, log, error);
      const byIndex = this.#partitions.get(topic.name) ?? new Map<number, Partition>();
      byIndex.set(index, partition);
      this.#partitions.set(topic.name, byIndex);
      const { directoryId } = logs.directoryOf(log);
      if (directoryId !== undefined && directoryId !== assigned) this.#tellDirectory(partition, directoryId);
      const future = logs.future(topicPartition);
      if (future !== undefined) this.#startMove(logs, partition, future);
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
      this.#moves.get(folder)?.cancel();
      this.#moves.delete(folder);
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
      const broker = new EffectiveBrokerConfig(image.configs, this.#options.config);
      this.#logs?.reconfigureCleaner(logCleanerConfigOf(broker));
      this.#logs?.reconfigureProducerIdExpiration(broker.number("producer.id.expiration.ms"));
      this.#options.onBrokerConfigChanged?.();
    }
    for (const [topic, byIndex] of this.#partitions) {
      if (!isBroker && !(isTopic && topic === resourceName)) continue;
      const config = this.#logConfig(image, topic);
      for (const partition of byIndex.values()) {
        partition.log.updateConfig(config);
        this.#logs?.future(partition.topicPartition)?.updateConfig(config);
      }
    }
  }

  #startMove(logs: LogDirs, partition: Partition, future: UnifiedLog): void {
    const { clock, assignDirectory } = this.#options;
    const name = logDirName(partition.topicPartition);
    const { directoryId = ZERO_UUID } = logs.directoryOf(future);
    const { topicId } = partition;
    future.onFailure = (log, error) => this.#onLogFailure(partition, log, error);
    const move = new ReplicaMove({
      partition,
      future,
      logs,
      clock,
      assign: () => assignDirectory({ topicId, partition: partition.topicPartition.partition, directoryId }),
      maxBytesPerSecond: () => this.#moveRate(),
    });
    this.#moves.set(name, move);
    const forget = (): void => {
      if (this.#moves.get(name) === move) this.#moves.delete(name);
    };
    move.done.then(forget, (error: unknown) => {
      if (!move.isCancelled) this.#options.onReplicaError(`${name} on its way to ${future.directory}`, error);
      forget();
    });
  }

  async #endMove(logs: LogDirs, move: ReplicaMove): Promise<void> {
    move.cancel();
    await move.done.catch(() => undefined);
    if (logs.future(move.partition.topicPartition) === move.future)
      await logs.deleteFuture(move.partition.topicPartition);
  }

  #moveRate(): number {
    const { dynamic, dynamicDefault } = this.#brokerConfig();
    const rate = Number(dynamic.get(REPLICA_ALTER_LOG_DIRS_RATE) ?? dynamicDefault.get(REPLICA_ALTER_LOG_DIRS_RATE));
    return rate > 0 ? rate : Infinity;
  }

  #brokerConfig(): EffectiveBrokerConfig {
    return new EffectiveBrokerConfig(this.#image?.configs, this.#options.config);
  }

  #tellDirectory(partition: Partition, directoryId: Uuid): void {
    const { topicId, topicPartition } = partition;
    this.#options
      .assignDirectory({ topicId, partition: topicPartition.partition, directoryId })
      .catch((error: unknown) => this.#options.onReplicaError(logDirName(topicPartition), error));
  }

  /** What the disk says of one file counts for the directory, as in Kafka; damage does not. */
  #onLogFailure(partition: Partition, log: UnifiedLog, error: KafkaStorageError): void {
    if (partition.log === log && this.#takeOffline(partition, error)) {
      this.#options.onReplicaError(logDirName(partition.topicPartition), error);
    }
    if (error.cause instanceof DiskError) this.#logs?.fail(this.#logs.directoryOf(log), error.cause);
  }

  /** @returns false when it was not served any more */
  #takeOffline(partition: Partition, refusal: KafkaError): boolean {
    const { topic, partition: index } = partition.topicPartition;
    if (this.#partitions.get(topic)?.get(index) !== partition) return false;
    this.#partitions.get(topic)?.delete(index);
    this.#offline.set(logDirName(partition.topicPartition), refusal);
    partition.remove();
    return true;
  }

  #logConfig(image: MetadataImage, topic: string): LogConfig {
    return logConfigOf(TopicConfig.resolve(image.configs, topic, this.#options.config));
  }

  #setOffline(folder: string, error: unknown): void {
    const refusal =
      error instanceof NotLeaderOrFollowerError ||
      (error instanceof KafkaError && error.code === ErrorCode.KAFKA_STORAGE_ERROR)
        ? error
        : new KafkaError(ErrorCode.KAFKA_STORAGE_ERROR, `the log ${folder} is offline`, { cause: error });
    this.#offline.set(folder, refusal);
    this.#options.onReplicaError(folder, error);
  }
}

/** Where the metadata says that the replica is: undefined where it says nothing, "none" when this broker has no replica. */
function assignedDirectory(registration: PartitionRegistration, brokerId: number): Uuid | undefined | "none" {
  const at = registration.replicas.indexOf(brokerId);
  if (at < 0) return "none";
  const directory = registration.directories[at];
  return directory === undefined || directory === ZERO_UUID ? undefined : directory;
}

function* replicasOf(directory: LogDir, logs: LogDirs): Iterable<LogDirReplica> {
  for (const log of logs.logsOf(directory)) {
    const { topicPartition, sizeInBytes: size, logEndOffset, highWatermark } = log;
    const isFuture = isFutureLogDir(log.directory);
    const lag =
      (isFuture ? (logs.current(topicPartition)?.logEndOffset ?? logEndOffset) : highWatermark) - logEndOffset;
    yield { ...topicPartition, size, offsetLag: Math.max(0, lag), isFuture };
  }
}

/** `cordoned.log.dirs` names directories, or all of them by `*` (KIP-1066). */
function isCordoned(path: string, config: EffectiveBrokerConfig): boolean {
  const cordoned = config.value("cordoned.log.dirs");
  return Array.isArray(cordoned) && (cordoned.includes("*") || cordoned.includes(path));
}
