import { ErrorCode } from "@samsa/base";
import type { ClusterImage, PartitionRegistration } from "@samsa/metadata";
import { hasOnlineDirectory } from "@samsa/metadata";

/** How a client is told of a partition's replicas. */
export interface ReplicaStatus {
  readonly errorCode: ErrorCode;
  readonly leaderId: number; // -1 while nobody leads
  readonly leaderEpoch: number;
  readonly replicaNodes: readonly number[];
  readonly isrNodes: readonly number[];
  readonly offlineReplicas: readonly number[];
}

/** A broker that is fenced or gone leads nothing and is offline. */
export function replicaStatus(
  { leader, leaderEpoch, replicas, isr, directories }: PartitionRegistration,
  { brokers }: ClusterImage,
): ReplicaStatus {
  const isOnline = (id: number) => brokers.get(id)?.fenced === false;
  return {
    errorCode: isOnline(leader) ? ErrorCode.NONE : ErrorCode.LEADER_NOT_AVAILABLE,
    leaderId: isOnline(leader) ? leader : -1,
    leaderEpoch,
    replicaNodes: replicas,
    isrNodes: isr,
    offlineReplicas: replicas.filter((id, at) => {
      const broker = brokers.get(id);
      return broker === undefined || broker.fenced || !hasOnlineDirectory(broker, directories[at]);
    }),
  };
}
