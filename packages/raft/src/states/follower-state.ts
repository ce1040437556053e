import type { OffsetAndEpoch } from "../raft-log.ts";
import type { Endpoint, ReplicaKey } from "../voter-set.ts";

/** A snapshot that comes from the leader in chunks. */
export interface FetchingSnapshot extends OffsetAndEpoch {
  /** Bytes that have been handed to the disk. */
  position: number;
  /** The disk has all of it and puts it in the place of the log; no fetch leaves meanwhile. */
  isInstalling: boolean;
}

/**
 * Fetches from the leader.
 *
 * Grants a vote to nobody, a pre-vote to a log that is up to date unless it has fetched from this leader. Leaves for Prospective
 * when the fetch timeout is over and it votes, for Unattached or Follower on an epoch above its own.
 */
export interface FollowerState {
  readonly kind: "follower";
  readonly epoch: number;
  readonly leaderId: number;
  leaderEndpoint: Endpoint;
  readonly votedKey: ReplicaKey | undefined;
  fetchDeadlineMs: number;
  hasFetchedFromLeader: boolean;
  /** What the leader said of the high watermark; ours follows when the disk has what is below. */
  leaderHighWatermark: number | undefined;
  fetchingSnapshot: FetchingSnapshot | undefined;
  /** When the voters' record is compared with this node the next time (KIP-853). */
  updateVoterDeadlineMs: number;
}
