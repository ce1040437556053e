import type { Uuid } from "@samsa/base";
import { ZERO_UUID } from "@samsa/base";
import type { PartitionChangeRecord } from "@samsa/protocol/messages/partition-change-record";
import type { PartitionRecord } from "@samsa/protocol/messages/partition-record";
import type { MetadataRecordOf } from "./metadata-record.ts";
import { metadataRecord } from "./metadata-record.ts";

export const NO_LEADER = -1;
/** In a PartitionChangeRecord: the leader stays. */
export const NO_LEADER_CHANGE = -2;

export const LeaderRecoveryState = {
  RECOVERED: 0,
  /** Elected although not in sync: records may be missing. */
  RECOVERING: 1,
} as const;
/** In a PartitionChangeRecord: the state stays. */
const NO_RECOVERY_STATE_CHANGE = -1;

/** What the cluster has agreed on about one partition. */
export interface PartitionRegistration {
  /** Node ids, the preferred leader first. */
  readonly replicas: readonly number[];
  /** The directory of each replica, in the order of `replicas`. */
  readonly directories: readonly Uuid[];
  readonly isr: readonly number[];
  readonly removingReplicas: readonly number[];
  readonly addingReplicas: readonly number[];
  /** Replicas outside the ISR that hold everything below the high watermark and may lead (KIP-966). */
  readonly elr: readonly number[];
  readonly lastKnownElr: readonly number[];
  /** NO_LEADER when there is none. */
  readonly leader: number;
  readonly leaderRecoveryState: number;
  /** Grows with each change of the leader. */
  readonly leaderEpoch: number;
  /** Grows with each change. */
  readonly partitionEpoch: number;
}

export function partitionFromRecord(record: PartitionRecord): PartitionRegistration {
  return {
    replicas: record.replicas,
    directories: directoriesFor(record.replicas, record.directories),
    isr: record.isr,
    removingReplicas: record.removingReplicas,
    addingReplicas: record.addingReplicas,
    elr: record.eligibleLeaderReplicas ?? [],
    lastKnownElr: record.lastKnownElr ?? [],
    leader: record.leader,
    leaderRecoveryState: record.leaderRecoveryState,
    leaderEpoch: record.leaderEpoch,
    partitionEpoch: record.partitionEpoch,
  };
}

/** The partition after a change. Fields that the record does not hold stay. */
export function mergePartition(partition: PartitionRegistration, change: PartitionChangeRecord): PartitionRegistration {
  const hasNewLeader = change.leader !== NO_LEADER_CHANGE;
  const replicas = change.replicas ?? partition.replicas;
  return {
    replicas,
    directories: change.directories ?? moveDirectories(partition, replicas),
    isr: change.isr ?? partition.isr,
    removingReplicas: change.removingReplicas ?? partition.removingReplicas,
    addingReplicas: change.addingReplicas ?? partition.addingReplicas,
    elr: change.eligibleLeaderReplicas ?? partition.elr,
    lastKnownElr: change.lastKnownElr ?? partition.lastKnownElr,
    leader: hasNewLeader ? change.leader : partition.leader,
    leaderRecoveryState:
      change.leaderRecoveryState === NO_RECOVERY_STATE_CHANGE
        ? partition.leaderRecoveryState
        : change.leaderRecoveryState,
    leaderEpoch: partition.leaderEpoch + (hasNewLeader ? 1 : 0),
    partitionEpoch: partition.partitionEpoch + 1,
  };
}

/** The PartitionRecord that gives this partition back, in the version that the cluster's metadata.version allows. */
export function partitionRecord(
  partitionId: number,
  topicId: Uuid,
  partition: PartitionRegistration,
  version: number,
): MetadataRecordOf<"PartitionRecord"> {
  const fields = {
    partitionId,
    topicId,
    replicas: partition.replicas,
    isr: partition.isr,
    removingReplicas: partition.removingReplicas,
    addingReplicas: partition.addingReplicas,
    leader: partition.leader,
    leaderRecoveryState: partition.leaderRecoveryState,
    leaderEpoch: partition.leaderEpoch,
    partitionEpoch: partition.partitionEpoch,
    directories: version >= 1 ? partition.directories : [],
    eligibleLeaderReplicas: partition.elr.length === 0 ? null : partition.elr,
    lastKnownElr: partition.lastKnownElr.length === 0 ? null : partition.lastKnownElr,
  };
  return metadataRecord("PartitionRecord", fields, version);
}

/** Records from before directories (KIP-858) have none: every replica's is unknown then. */
function directoriesFor(replicas: readonly number[], directories: readonly Uuid[]): readonly Uuid[] {
  return directories.length === replicas.length ? directories : replicas.map(() => ZERO_UUID);
}

function moveDirectories(partition: PartitionRegistration, replicas: readonly number[]): readonly Uuid[] {
  if (replicas === partition.replicas) return partition.directories;
  return replicas.map((replica) => partition.directories[partition.replicas.indexOf(replica)] ?? ZERO_UUID);
}
