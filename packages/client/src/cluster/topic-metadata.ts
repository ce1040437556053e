import type { Uuid } from "@samsa/base";

export const NO_LEADER = -1;
export const NO_LEADER_EPOCH = -1;

export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

export interface PartitionMetadata {
  readonly partition: number;
  readonly leaderId: number; // NO_LEADER while there is none
  readonly leaderEpoch: number; // NO_LEADER_EPOCH when unknown
  readonly replicas: readonly number[];
  readonly isr: readonly number[];
  readonly offlineReplicas: readonly number[];
}

export interface TopicMetadata {
  readonly name: string;
  readonly topicId: Uuid; // ZERO_UUID from brokers before 2.8
  readonly isInternal: boolean;
  readonly partitions: readonly PartitionMetadata[]; // by partition, without gaps
}

/** Where a broker is reached. */
export interface BrokerNode {
  readonly nodeId: number;
  readonly host: string;
  readonly port: number;
  readonly rack: string | null;
}
