import type { KafkaError as KafkaErrorType } from "@samsa/base";
import { KafkaError } from "@samsa/base";

/**
 * The offsets were not committed and will not be: the partitions are, or are about to be, somebody else's, because this
 * member was expelled, fenced, or had them taken in a rebalance. What was read since the last commit is read again there.
 */
export class CommitFailedError extends KafkaError {
  override readonly name = "CommitFailedError";

  constructor(reason: string, cause: KafkaErrorType) {
    super(cause.code, `${reason}: ${cause.message}`, { cause });
  }

  override get isRetriable(): boolean {
    return false;
  }
}

/** A commit that is not tried again by itself failed for a reason that goes by. A later commit covers it. */
export class RetriableCommitFailedError extends KafkaError {
  override readonly name = "RetriableCommitFailedError";

  constructor(cause: KafkaErrorType) {
    super(cause.code, `the commit failed, and another may not: ${cause.message}`, { cause });
  }

  override get isRetriable(): boolean {
    return true;
  }
}
