import type { EpochElection } from "../epoch-election.ts";
import type { Endpoint, ReplicaKey } from "../voter-set.ts";

/**
 * Asks the voters whether they would vote for it, and does not disturb anybody's epoch with that (KIP-996).
 *
 * Answers a vote as Unattached does. Leaves for Candidate with a majority; without one, or when the election timeout is over,
 * for Follower of the leader it followed before, or for Unattached.
 */
export interface ProspectiveState {
  readonly kind: "prospective";
  readonly epoch: number;
  readonly leaderId: number | undefined;
  readonly leaderEndpoint: Endpoint | undefined;
  readonly votedKey: ReplicaKey | undefined;
  readonly election: EpochElection;
  readonly electionDeadlineMs: number;
}
