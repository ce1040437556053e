import type { ErrorCode } from "@samsa/base";
import type { TopicPartitionName } from "@samsa/coordinator";

/** What the leader of partitions asks the coordinator of a transaction (KIP-890). */
export interface TransactionPartitions {
  readonly transactionalId: string;
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly partitions: readonly TopicPartitionName[];
  /**
   * `verify`: whether the producer has added them to the transaction that is open, TRANSACTION_ABORTABLE when not. `add`: they
   * belong to it from now on, as with transactions V2.
   */
  readonly mode: "verify" | "add";
}

/** The transaction coordinator, as those see it who write the records of a transaction. */
export interface TransactionPort {
  /**
   * @returns a code for each partition, in order, at once where nothing has to be waited for; rejects with what concerns all of them, such
   *   as NOT_COORDINATOR
   */
  verifyOrAddPartitions(request: TransactionPartitions): readonly ErrorCode[] | Promise<readonly ErrorCode[]>;
}
