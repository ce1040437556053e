import { ErrorCode, KafkaError } from "@samsa/base";
import { toKafkaError } from "../errors.ts";

/** A producer as brokers know it. */
export interface ProducerIdAndEpoch {
  readonly producerId: number;
  readonly producerEpoch: number;
}

/**
 * Another producer with the same `transactionalId` has taken over, or the coordinator has ended a transaction that was open for too
 * long. This producer can do nothing more: close it. Its open transaction was, or will be, aborted.
 */
export class ProducerFencedError extends KafkaError {
  override readonly name = "ProducerFencedError";
  readonly transactionalId: string;
  readonly fenced: ProducerIdAndEpoch;
  /** Whom the coordinator takes for the producer now, where it says so. */
  readonly by: ProducerIdAndEpoch | undefined;

  constructor(
    transactionalId: string,
    fenced: ProducerIdAndEpoch,
    by: ProducerIdAndEpoch | undefined,
    what: string,
    options?: ErrorOptions,
  ) {
    const who = by === undefined ? "a newer producer" : nameOf(by);
    super(
      ErrorCode.PRODUCER_FENCED,
      `${what}: the transactional id ${transactionalId} belongs to ${who} now, this is ${nameOf(fenced)}. Another producer with this ` +
        "transactionalId has started, or a transaction was open for longer than transactionTimeoutMs",
      options,
    );
    this.transactionalId = transactionalId;
    this.fenced = fenced;
    this.by = by;
  }
}

/** Something has gone wrong in a transaction, which can only be aborted now; the next one may do better. `cause` is what it was. */
export class TransactionAbortableError extends KafkaError {
  override readonly name = "TransactionAbortableError";
  readonly transactionalId: string;

  constructor(transactionalId: string, cause: unknown) {
    const error = toKafkaError(cause);
    super(error.code, `a transaction of ${transactionalId} can only be aborted: ${error.message}`, { cause });
    this.transactionalId = transactionalId;
  }

  override get isRetriable(): boolean {
    return false; // all of the transaction may be tried again, not a part of it
  }
}

/** The record was not sent, or does not count, because its transaction was aborted. */
export class TransactionAbortedError extends KafkaError {
  override readonly name = "TransactionAbortedError";

  constructor(transactionalId: string, cause?: KafkaError) {
    const why = cause === undefined ? "" : `: ${cause.message}`;
    super(ErrorCode.TRANSACTION_ABORTABLE, `its transaction of ${transactionalId} was aborted${why}`, { cause });
  }

  override get isRetriable(): boolean {
    return false;
  }
}

/** Something that may not be done now, such as to send outside of a transaction. */
export class TransactionStateError extends KafkaError {
  override readonly name = "TransactionStateError";

  constructor(message: string) {
    super(ErrorCode.INVALID_TXN_STATE, message);
  }
}

function nameOf({ producerId, producerEpoch }: ProducerIdAndEpoch): string {
  return `producer ${producerId} of epoch ${producerEpoch}`;
}
