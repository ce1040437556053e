import { ErrorCode, KafkaError } from "@samsa/base";

/**
 * Says that the transaction coordinator is being asked whether a partition is in a producer's transaction (KIP-890). It stands from
 * before the question until the first record of the transaction is appended or a marker ends it: an answer that comes after
 * the marker speaks of a transaction that is over, and the guard it was asked under is gone. Where each transaction has its epoch, the
 * marker of the one before does not end it.
 */
export class VerificationGuard {
  readonly createdMs: number; // wall clock
  #producerEpoch: number;
  #lowestSequence: number;
  /** The producer raises its epoch with every transaction, so each of them begins with sequence 0. */
  #isEpochPerTransaction: boolean;

  constructor(createdMs: number, { producerEpoch, baseSequence, isEpochPerTransaction }: VerificationStart) {
    this.createdMs = createdMs;
    this.#producerEpoch = producerEpoch;
    this.#lowestSequence = baseSequence;
    this.#isEpochPerTransaction = isEpochPerTransaction;
  }

  /** Of the newest transaction that is asked for. */
  get producerEpoch(): number {
    return this.#producerEpoch;
  }

  /** Another batch asks while this guard stands. */
  join({ producerEpoch, baseSequence, isEpochPerTransaction }: VerificationStart): void {
    if (producerEpoch > this.#producerEpoch) {
      this.#producerEpoch = producerEpoch;
      this.#lowestSequence = baseSequence;
    } else if (producerEpoch === this.#producerEpoch) {
      this.#lowestSequence = Math.min(this.#lowestSequence, baseSequence);
    }
    this.#isEpochPerTransaction = isEpochPerTransaction;
  }

  /**
   * For a producer that the partition does not know: any sequence of its would be taken for the first, and answers may overtake
   * each other.
   * @throws KafkaError OUT_OF_ORDER_SEQUENCE_NUMBER for a batch that was not the first to be sent
   */
  checkFirstSequence(producerId: number, baseSequence: number): void {
    const first = this.#isEpochPerTransaction ? 0 : this.#lowestSequence;
    if (baseSequence === first) return;
    throw new KafkaError(
      ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER,
      `sequence ${baseSequence} of producer ${producerId}, which nobody knows here and which has sent ${first} first`,
    );
  }
}

/** The batch for which the coordinator is asked. */
export interface VerificationStart {
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly baseSequence: number;
  /** Transactions V2 (`transaction.version` 2). */
  readonly isEpochPerTransaction: boolean;
}
