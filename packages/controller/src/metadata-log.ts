import type { MetadataBatch, MetadataRecord, Snapshot, SnapshotId } from "@samsa/metadata";
import type { AddRaftVoterRequest } from "@samsa/protocol/messages/add-raft-voter-request";
import type { AddRaftVoterResponse } from "@samsa/protocol/messages/add-raft-voter-response";
import type { DescribeQuorumRequest } from "@samsa/protocol/messages/describe-quorum-request";
import type { DescribeQuorumResponse } from "@samsa/protocol/messages/describe-quorum-response";
import type { RemoveRaftVoterRequest } from "@samsa/protocol/messages/remove-raft-voter-request";
import type { RemoveRaftVoterResponse } from "@samsa/protocol/messages/remove-raft-voter-response";

export interface LeaderAndEpoch {
  /** -1 while there is no leader. */
  readonly leaderId: number;
  readonly epoch: number;
}

/** Told of the log, in order and never twice. */
export interface MetadataLogListener {
  /** The state below the first batch; also when this node has fallen behind what the log still holds. */
  handleLoadSnapshot(id: SnapshotId, snapshot: Snapshot): void;
  /** Records that the quorum has committed. */
  handleCommit(batch: MetadataBatch): void;
  /** The log is committed up to here, where the quorum's own records end that no batch tells of. */
  handleControlRecords(lastOffset: number, epoch: number, timestampMs: number): void;
  /** Comes to a new leader when everything before its epoch has been committed and handed over. */
  handleLeaderChange(leader: LeaderAndEpoch): void;
  /** The log can be trusted no more; nothing follows. */
  handleFailure(error: unknown): void;
}

/**
 * The replicated log `__cluster_metadata-0`, as the controller sees it. One voter or many, it is the same: what was appended
 * counts when it comes back through `handleCommit`.
 */
export interface MetadataLog {
  /** The offset that the next appended record gets. */
  readonly endOffset: number;
  /** The level of the feature kraft.version, which the quorum keeps and the image does not. */
  readonly kraftVersion: number;
  /** Records of formatting, which the first controller writes. */
  readonly bootstrapRecords: readonly MetadataRecord[];
  /** Begins to tell the listener; resolves when it knows what was committed before. */
  register(listener: MetadataLogListener): Promise<void>;
  /**
   * Queues the records as one batch.
   * @param epoch in which the caller believes to lead
   * @returns the offset of the last record
   * @throws KafkaError NOT_CONTROLLER when that is no longer so, RECORD_LIST_TOO_LARGE beyond the largest batch
   */
  append(epoch: number, records: readonly MetadataRecord[]): number;
  /** Bytes of the log since the newest snapshot, as far as it is committed. */
  readonly bytesSinceSnapshot: number;
  /**
   * Writes a snapshot of everything below its id's end, which is committed; then old snapshots and what only they need may go.
   * Resolves when it is on the platter. One that is not newer than the last is not written.
   */
  createSnapshot(id: SnapshotId, lastContainedLogTimeMs: number, records: Iterable<MetadataRecord>): Promise<void>;
  /** Who votes, who follows, and how far they have come. */
  describeQuorum(request: DescribeQuorumRequest): Promise<DescribeQuorumResponse>;
  /** Has a node vote that does not yet (KIP-853). */
  addRaftVoter(request: AddRaftVoterRequest): Promise<AddRaftVoterResponse>;
  removeRaftVoter(request: RemoveRaftVoterRequest): Promise<RemoveRaftVoterResponse>;
  /** Waits for what was appended. */
  close(): Promise<void>;
}
