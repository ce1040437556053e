import type { Cluster } from "../cluster/cluster.ts";
import type { TopicMetadata } from "../cluster/topic-metadata.ts";
import { NO_LEADER } from "../cluster/topic-metadata.ts";
import { PartitionQueue } from "./partition-queue.ts";
import type { PartitionedTopic, RecordPartitioner } from "./partitioner.ts";

export interface TopicQueuesOptions {
  readonly cluster: Cluster;
  /** In which to prefer leaders; undefined where racks do not matter. */
  readonly rack: string | undefined;
  /** Whether a broker takes what it is sent. */
  readonly isReachable: (nodeId: number) => boolean;
  readonly hasRoomInBatch: (queue: PartitionQueue | undefined, sizeInBytes: number) => boolean;
  readonly makePartitioner: (topic: PartitionedTopic) => RecordPartitioner;
}

/** What a producer has of one topic: its partitions, as far as they were written to, and who chooses among them. */
export class TopicQueues implements PartitionedTopic {
  readonly name: string;
  readonly partitioner: RecordPartitioner;
  readonly #options: TopicQueuesOptions;
  readonly #queues: (PartitionQueue | undefined)[] = [];
  #metadata: TopicMetadata;
  #version = -1; // of the metadata that #metadata was taken from
  #available: readonly number[] | undefined;

  constructor(metadata: TopicMetadata, options: TopicQueuesOptions) {
    this.name = metadata.name;
    this.#metadata = metadata;
    this.#options = options;
    this.partitioner = options.makePartitioner(this);
  }

  get partitionCount(): number {
    return this.#metadata.partitions.length;
  }

  /** Takes a change of the metadata in. @returns whether the topic is known */
  refresh(): boolean {
    const { metadata } = this.#options.cluster;
    if (metadata.version === this.#version) return true;
    const found = metadata.topic(this.name);
    if (found === undefined) return false;
    this.#version = metadata.version;
    this.#metadata = found;
    this.#available = undefined;
    return true;
  }

  /** @returns undefined for a partition that the topic does not have */
  queue(partition: number): PartitionQueue | undefined {
    const known = this.#queues[partition];
    if (known !== undefined) return known;
    // A partition as text would be found, and spoil the request that names it.
    if (typeof partition !== "number" || this.#metadata.partitions[partition] === undefined) return undefined;
    const made = new PartitionQueue(this.name, partition);
    this.#queues[partition] = made;
    return made;
  }

  availablePartitions(): readonly number[] {
    this.#available ??= this.#findAvailable();
    return this.#available;
  }

  /** What can be reached has perhaps changed, and not by the metadata. */
  forgetAvailable(): void {
    this.#available = undefined;
  }

  queueLength(partition: number): number {
    return this.#queues[partition]?.waiting.length ?? 0;
  }

  hasRoom(partition: number, sizeInBytes: number): boolean {
    return this.#options.hasRoomInBatch(this.#queues[partition], sizeInBytes);
  }

  #findAvailable(): readonly number[] {
    const { cluster, rack, isReachable } = this.#options;
    const all = this.#metadata.partitions;
    const { brokers } = cluster.metadata;
    const led = all.filter(({ leaderId }) => leaderId !== NO_LEADER && brokers.has(leaderId) && isReachable(leaderId));
    const near = rack === undefined ? [] : led.filter(({ leaderId }) => brokers.get(leaderId)?.rack === rack);
    const chosen = near.length > 0 ? near : led.length > 0 ? led : all;
    return chosen.map(({ partition }) => partition);
  }
}
