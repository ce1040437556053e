import type { TopicPartition } from "../../cluster/topic-metadata.ts";

/**
 * Told of what comes and goes, and waited for. With the cooperative assignors and the consumer protocol only the difference is named,
 * and reading of the others goes on meanwhile. What a listener throws reaches whoever reads; the rebalance goes on.
 */
export interface RebalanceListener {
  /** Before the first record of these: the place to `seek`. */
  onAssigned?(partitions: readonly TopicPartition[]): Promise<void> | void;
  /**
   * Nothing of these is handed out any more, what was is completed, and they are ours until this returns: the place to commit what
   * `enableAutoCommit` does not.
   */
  onRevoked?(partitions: readonly TopicPartition[]): Promise<void> | void;
  /** These were somebody else's before we knew: commits would be refused. `onRevoked` is called where this is missing. */
  onLost?(partitions: readonly TopicPartition[]): Promise<void> | void;
}
