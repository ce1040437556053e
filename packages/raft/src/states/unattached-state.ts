import type { ReplicaKey } from "../voter-set.ts";

/**
 * Knows the epoch and nobody to fetch from: at the start, after an epoch above its own, after a vote.
 *
 * Grants a pre-vote to every log that is up to date; a vote too, unless it voted for another or knows of a leader. Leaves for
 * Follower when it hears of a leader, for Prospective when the election timeout is over and it votes.
 */
export interface UnattachedState {
  readonly kind: "unattached";
  readonly epoch: number;
  /** Known, but not where it is reached. */
  readonly leaderId: number | undefined;
  readonly votedKey: ReplicaKey | undefined;
  /** Infinity for an observer. */
  readonly electionDeadlineMs: number;
}
