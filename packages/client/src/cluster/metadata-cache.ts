import type { ErrorCode, Uuid } from "@samsa/base";
import { ZERO_UUID } from "@samsa/base";
import type { MetadataResponse } from "@samsa/protocol/messages/metadata-response";
import { BrokerError } from "../errors.ts";
import type { BrokerNode, PartitionMetadata, TopicMetadata } from "./topic-metadata.ts";
import { NO_LEADER_EPOCH } from "./topic-metadata.ts";

interface CachedTopic {
  readonly metadata: TopicMetadata;
  readonly updatedMs: number;
}

/** What this client knows of brokers, topics and leaders. It only remembers; `Cluster` asks. */
export class MetadataCache {
  readonly #topics = new Map<string, CachedTopic>();
  readonly #namesById = new Map<Uuid, string>();
  #brokers = new Map<number, BrokerNode>();
  clusterId: string | null = null;
  controllerId = -1;
  /** Counts the changes: whoever keeps something from here knows by it when to look again. */
  version = 0;

  get brokers(): ReadonlyMap<number, BrokerNode> {
    return this.#brokers;
  }

  topic(name: string): TopicMetadata | undefined {
    return this.#topics.get(name)?.metadata;
  }

  /** Monotonic time of the last answer about the topic. */
  updatedMs(name: string): number | undefined {
    return this.#topics.get(name)?.updatedMs;
  }

  topicName(topicId: Uuid): string | undefined {
    return this.#namesById.get(topicId);
  }

  /**
   * Takes an answer in.
   * @returns what the answer says is wrong, by topic
   */
  update(response: MetadataResponse, nowMs: number): ReadonlyMap<string, BrokerError> {
    const errors = new Map<string, BrokerError>();
    this.version++;
    this.#brokers = new Map(
      response.brokers.map(({ nodeId, host, port, rack }) => [nodeId, { nodeId, host, port, rack }]),
    );
    this.clusterId = response.clusterId;
    this.controllerId = response.controllerId;
    for (const topic of response.topics) {
      const name = topic.name ?? this.topicName(topic.topicId) ?? topic.topicId;
      if (topic.errorCode !== 0) {
        errors.set(name, new BrokerError(topic.errorCode as ErrorCode, `topic ${name}`));
        this.forget(name);
        continue;
      }
      const known = this.topic(name);
      const isSameTopic = known !== undefined && known.topicId === topic.topicId;
      if (known !== undefined && !isSameTopic) this.#namesById.delete(known.topicId);
      const partitions: PartitionMetadata[] = topic.partitions
        .toSorted((a, b) => a.partitionIndex - b.partitionIndex)
        .map((partition) => ({
          partition: partition.partitionIndex,
          leaderId: partition.leaderId,
          leaderEpoch: partition.leaderEpoch,
          replicas: partition.replicaNodes,
          isr: partition.isrNodes,
          offlineReplicas: partition.offlineReplicas,
        }))
        .map((partition, index) => newer(partition, isSameTopic ? known.partitions[index] : undefined));
      const metadata = { name, topicId: topic.topicId, isInternal: topic.isInternal, partitions };
      this.#topics.set(name, { metadata, updatedMs: nowMs });
      if (topic.topicId !== ZERO_UUID) this.#namesById.set(topic.topicId, name);
    }
    return errors;
  }

  /** Takes in what an answer to a produce or fetch said of a new leader (KIP-951). @returns whether that was news */
  updateLeader(name: string, partition: number, leaderId: number, leaderEpoch: number): boolean {
    const cached = this.#topics.get(name);
    const known = cached?.metadata.partitions[partition];
    if (cached === undefined || known === undefined || leaderEpoch <= known.leaderEpoch || leaderId < 0) return false;
    this.version++;
    const partitions = cached.metadata.partitions.with(partition, { ...known, leaderId, leaderEpoch });
    this.#topics.set(name, { ...cached, metadata: { ...cached.metadata, partitions } });
    return true;
  }

  addBroker(node: BrokerNode): void {
    this.#brokers.set(node.nodeId, node);
  }

  /** What is known of topics stays, for their ids and leaders are told anew with the next answer. */
  forgetBrokers(): void {
    this.version++;
    this.#brokers = new Map();
    this.controllerId = -1;
  }

  forget(name: string): void {
    const known = this.topic(name);
    if (known === undefined) return;
    this.version++;
    this.#topics.delete(name);
    this.#namesById.delete(known.topicId);
  }
}

/** An answer from a broker that lags does not bring an older leader back (KIP-320). */
function newer(heard: PartitionMetadata, known: PartitionMetadata | undefined): PartitionMetadata {
  const isOlder = known !== undefined && heard.leaderEpoch !== NO_LEADER_EPOCH && heard.leaderEpoch < known.leaderEpoch;
  return isOlder ? known : heard;
}
