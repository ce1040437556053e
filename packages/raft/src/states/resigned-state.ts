/**
 * Led this epoch and does not any more: it stops, was removed, lost its majority, or has been started again. It may not vote in
 * an epoch that it led.
 *
 * Grants no vote; a pre-vote to a log that is up to date. Tells the voters (EndQuorumEpoch) in order of how far they have come.
 * Leaves for Unattached in the next epoch when the election timeout is over.
 */
export interface ResignedState {
  readonly kind: "resigned";
  readonly epoch: number;
  readonly electionDeadlineMs: number;
  readonly preferredSuccessors: readonly number[];
  /** Voters that have not acknowledged that this one resigned. */
  readonly unackedVoters: Set<number>;
}
