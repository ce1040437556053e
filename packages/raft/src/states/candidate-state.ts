import type { EpochElection } from "../epoch-election.ts";
import type { ReplicaKey } from "../voter-set.ts";

/**
 * Has voted for itself in an epoch of its own and asks the others.
 *
 * Grants nobody else a vote; a pre-vote to a log that is up to date. Leaves for Leader with a majority, for Prospective when the
 * majority is lost and it has waited a while, or when the election timeout is over.
 */
export interface CandidateState {
  readonly kind: "candidate";
  readonly epoch: number;
  readonly votedKey: ReplicaKey;
  readonly election: EpochElection;
  readonly electionDeadlineMs: number;
  /** Elections lost one after the other, this one not counted. */
  readonly retries: number;
  /** Since the election was lost: when the next one may begin. */
  backoffDeadlineMs: number | undefined;
}
