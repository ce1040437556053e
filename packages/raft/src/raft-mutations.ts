/**
 * Mistakes that have been made in quorums, to be made on purpose: the simulation proves with them that it would find them. None
 * is ever set outside of tests.
 */
export interface RaftMutations {
  /** Votes for a log that is behind its own. */
  readonly ignoresLogOfCandidate: boolean;
  /** Counts copies of records of older epochs as committed (Raft, figure 8). */
  readonly commitsOlderEpochs: boolean;
  /** Cuts all of a log that diverges, instead of what diverges, and fetches it again. */
  readonly truncatesCommitted: boolean;
  /** Does not compare epochs, and appends whatever continues its offsets. */
  readonly ignoresDivergence: boolean;
  /** Fetches on before the disk has what it fetched. */
  readonly fetchesBeforeSync: boolean;
  /** The leader counts itself before its disk has the records. */
  readonly countsUnsyncedLeader: boolean;
  /** Begins a second change of the voters before the first is committed. */
  readonly overlapsVoterChanges: boolean;
}

export const NO_MUTATIONS: RaftMutations = {
  ignoresLogOfCandidate: false,
  commitsOlderEpochs: false,
  truncatesCommitted: false,
  ignoresDivergence: false,
  fetchesBeforeSync: false,
  countsUnsyncedLeader: false,
  overlapsVoterChanges: false,
};
