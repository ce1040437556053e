import type { Clock, Random } from "@samsa/base";
import { GroupCoordinator } from "@samsa/coordinator";
import type { BrokerConfig, MetadataDelta, MetadataImage } from "@samsa/metadata";
import { GROUP_METADATA_TOPIC_NAME } from "@samsa/metadata";
import { compressionTypeOf } from "@samsa/protocol";
import type { ReplicaManager } from "@samsa/replication";
import { leadPartitions } from "./coordinator-leadership.ts";
import { groupConfigOf } from "./group-config.ts";
import { changedTopics, GroupTopicsView } from "./group-topics-view.ts";
import type { Logger } from "./logger.ts";
import type { MetadataCache } from "./metadata-cache.ts";

export interface GroupCoordinatorServiceOptions {
  readonly nodeId: number;
  readonly config: BrokerConfig;
  readonly metadata: MetadataCache;
  readonly replicas: ReplicaManager;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** Has the group coordinator lead what the metadata gives to this broker, on the logs of the replica manager. */
export class GroupCoordinatorService {
  readonly coordinator: GroupCoordinator;
  readonly #options: GroupCoordinatorServiceOptions;
  #isClosed = false;

  constructor(options: GroupCoordinatorServiceOptions) {
    const { config, clock, random, logger, metadata } = options;
    this.#options = options;
    const topics = new GroupTopicsView(metadata);
    this.coordinator = new GroupCoordinator({
      config: groupConfigOf(config, metadata),
      topics: () => topics.current,
      compressionType: compressionTypeOf(config.number("offsets.topic.compression.codec")),
      clock,
      random,
      onProblem: (partition, error) =>
        logger.error({ topic: GROUP_METADATA_TOPIC_NAME, partition, err: error }, "groups cannot be coordinated"),
    });
    metadata.subscribe((delta, image) => this.#onMetadataUpdate(delta, image));
    this.#follow(metadata.image);
  }

  /** Whoever waits for a group is told to look elsewhere. */
  close(): void {
    this.#isClosed = true;
    this.coordinator.close();
  }

  #onMetadataUpdate(delta: MetadataDelta, image: MetadataImage): void {
    if (this.#isClosed) return;
    this.#follow(image);
    const change = changedTopics(delta, image);
    if (change !== undefined) this.coordinator.onTopicsChanged(change);
    const deleted = new Set([...delta.topics.deleted.values()].map(({ name }) => name));
    if (deleted.size > 0) this.coordinator.onTopicsDeleted(deleted);
  }

  #follow(image: MetadataImage): void {
    const { nodeId, replicas, config } = this.#options;
    const loadBufferBytes = config.number("offsets.load.buffer.size");
    leadPartitions(this.coordinator, image, {
      topicName: GROUP_METADATA_TOPIC_NAME,
      nodeId,
      replicas,
      loadBufferBytes,
    });
  }
}
