/** The states of a transactional id by Kafka's names, in the order of the ids they are stored under. */
export const TRANSACTION_STATES = [
  "Empty",
  "Ongoing",
  "PrepareCommit",
  "PrepareAbort",
  "CompleteCommit",
  "CompleteAbort",
  "Dead",
  "PrepareEpochFence",
] as const;

export type TransactionState = (typeof TRANSACTION_STATES)[number];

/**
 * | state | what it answers | what makes it leave |
 * | --- | --- | --- |
 * | Empty | partitions are taken | the first partition; an abort of who cannot know that there is nothing to abort (KIP-890) |
 * | Ongoing | partitions are taken | the end, by its producer, by one that fences it, or by the time |
 * | PrepareCommit, PrepareAbort | CONCURRENT_TRANSACTIONS | every partition has its marker |
 * | CompleteCommit, CompleteAbort | as Empty; the same end once more is answered as the first was | as Empty |
 * | Dead | there is no such id | never; the tombstone is written |
 *
 * PrepareEpochFence is Kafka's name for the moment between raising an epoch and aborting under it. Here both are one step, so
 * nothing is ever in it; it is known because it can be asked for.
 */
const NEXT_STATES: Record<TransactionState, readonly TransactionState[]> = {
  Empty: ["Empty", "Ongoing", "PrepareAbort", "Dead"],
  Ongoing: ["Ongoing", "PrepareCommit", "PrepareAbort", "PrepareEpochFence"],
  PrepareCommit: ["CompleteCommit"],
  PrepareAbort: ["CompleteAbort"],
  CompleteCommit: ["Empty", "Ongoing", "PrepareAbort", "Dead"],
  CompleteAbort: ["Empty", "Ongoing", "PrepareAbort", "Dead"],
  Dead: [],
  PrepareEpochFence: ["PrepareAbort"],
};

export function mayFollow(from: TransactionState, to: TransactionState): boolean {
  return NEXT_STATES[from].includes(to);
}

/** Nothing is open, and nothing is on its way: the id may be forgotten when it has been unused for long. */
export function isAtRest(state: TransactionState): boolean {
  return state === "Empty" || state === "CompleteCommit" || state === "CompleteAbort";
}

/** The end is decided, and markers are on their way. */
export function isPrepared(state: TransactionState): state is "PrepareCommit" | "PrepareAbort" {
  return state === "PrepareCommit" || state === "PrepareAbort";
}

export function isTransactionState(name: string): name is TransactionState {
  return (TRANSACTION_STATES as readonly string[]).includes(name);
}
