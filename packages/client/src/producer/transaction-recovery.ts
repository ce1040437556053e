import { ErrorCode } from "@samsa/base";
import { TimeLimitError, toKafkaError } from "../errors.ts";
import type { Transaction } from "./transaction.ts";

/** The transaction is lost, and what was read in it is read again; with anything else that would not help. */
const RECOVERABLE: ReadonlySet<ErrorCode> = new Set([
  ErrorCode.TRANSACTION_ABORTABLE,
  ErrorCode.INVALID_PRODUCER_EPOCH,
  ErrorCode.INVALID_TXN_STATE,
  ErrorCode.INVALID_PRODUCER_ID_MAPPING,
  ErrorCode.UNKNOWN_PRODUCER_ID,
  ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER,
  ErrorCode.ILLEGAL_GENERATION,
  ErrorCode.UNKNOWN_MEMBER_ID,
  ErrorCode.STALE_MEMBER_EPOCH,
  ErrorCode.REBALANCE_IN_PROGRESS,
]);

/** Whether another transaction with the same records may come to a good end. */
export function isRecoverable(thrown: unknown): boolean {
  const error = toKafkaError(thrown);
  return error.isRetriable || error instanceof TimeLimitError || RECOVERABLE.has(error.code);
}

/** When this returns nothing of the transaction is under way any more: it is aborted, or a commit that took long is decided. */
export async function abandon<K, V>(
  transaction: Transaction<K, V>,
  producer: { initTransactions(): Promise<void> },
): Promise<void> {
  await transaction[Symbol.asyncDispose]().catch((error: unknown) => {
    if (!(error instanceof TimeLimitError)) throw error;
  });
  await producer.initTransactions(); // waits for an end that is under way
}
