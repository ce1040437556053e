import type { KafkaError } from "@samsa/base";
import { ErrorCode } from "@samsa/base";
import { incrementSequence, NO_PRODUCER_EPOCH, NO_PRODUCER_ID } from "@samsa/protocol";
import type { PartitionQueue } from "./partition-queue.ts";
import type { ProducerBatch } from "./producer-batch.ts";
import type { ProducerIdAndEpoch } from "./transaction-errors.ts";
import type { TransactionStatus } from "./transaction-state.ts";

const MAX_PRODUCER_EPOCH = 0x7fff - 1;
const NO_LOG_START_OFFSET = -1;

/**
 * Who this producer is to the brokers, and the sequences that let them tell a retry from a record (KIP-98, KIP-360). A decider: it
 * sends nothing. Kafka's name; the state of a transaction is `TransactionStatus`. In a transaction a gap is no matter for a bump: the
 * transaction is aborted, and the next one has another epoch.
 *
 *   no id ── onProducerId ──→ id, epoch ── a gap in a partition ──→ bump wanted
 *                                 ↑                                      │ nothing of these partitions is on the wire
 *                                 └──── epoch + 1, their sequences from 0 ┘
 */
export class TransactionManager {
  readonly isIdempotent: boolean;
  #producerId: number = NO_PRODUCER_ID;
  #producerEpoch: number = NO_PRODUCER_EPOCH;
  #fatal: KafkaError | undefined;
  readonly #toRewrite = new Set<PartitionQueue>();
  epochBumps = 0;
  /** Of a transactional producer. */
  readonly transaction: TransactionStatus | undefined;

  constructor(isIdempotent: boolean, transaction?: TransactionStatus) {
    this.isIdempotent = isIdempotent;
    this.transaction = transaction;
  }

  get current(): ProducerIdAndEpoch {
    return { producerId: this.#producerId, producerEpoch: this.#producerEpoch };
  }

  get producerId(): number {
    return this.#producerId;
  }

  get producerEpoch(): number {
    return this.#producerEpoch;
  }

  /** The producer is of no use any more, as when it may not write idempotently. */
  get fatalError(): KafkaError | undefined {
    return this.#fatal;
  }

  get needsProducerId(): boolean {
    if (this.transaction !== undefined) return false; // it asks its coordinator, before the first transaction
    return this.isIdempotent && this.#producerId === NO_PRODUCER_ID && this.#fatal === undefined;
  }

  fail(error: KafkaError): void {
    this.#fatal ??= error;
  }

  onProducerId(producerId: number, producerEpoch: number): void {
    this.#producerId = producerId;
    this.#producerEpoch = producerEpoch;
    this.#rewrite();
  }

  /** Whether a batch that never left may leave now. */
  mayDrain(queue: PartitionQueue): boolean {
    if (!this.isIdempotent) return queue.underWay.length === 0; // one at a time is what keeps the order then
    if (this.#producerId === NO_PRODUCER_ID || this.#toRewrite.has(queue)) return false;
    const { sequences } = queue;
    const { transaction } = this;
    if (transaction?.maySend(queue) === false) return false;
    if (sequences.unresolvedSequence !== undefined) return false;
    if (queue.underWay.length === 0) return true;
    // A batch of a new epoch must not overtake those of the old one: the broker would take them to be out of order. And a broker
    // that knows nothing of a producer takes any sequence for its first, so until one has been acknowledged there is only one.
    // With transactions V2 it knows that the first is 0.
    return this.#isCurrent(queue) && (sequences.lastAckedSequence >= 0 || transaction?.isV2 === true);
  }

  /** Whether a batch may leave again: the first that is under way, the others wait for it. */
  mayRetry(queue: PartitionQueue): boolean {
    return !this.#toRewrite.has(queue);
  }

  /** Gives a batch that leaves for the first time its sequence. */
  assign(queue: PartitionQueue, batch: ProducerBatch): void {
    if (!this.isIdempotent) return;
    if (!this.#isCurrent(queue)) this.#restart(queue);
    const { sequences } = queue;
    batch.producer = this.#stateAt(sequences.nextSequence);
    sequences.nextSequence = incrementSequence(sequences.nextSequence, batch.recordCount);
  }

  onAcknowledged(queue: PartitionQueue, batch: ProducerBatch, baseOffset: number): void {
    if (!this.isIdempotent || !this.#isOfQueue(queue, batch)) return;
    const { sequences } = queue;
    const lastSequence = incrementSequence(batch.baseSequence, batch.recordCount - 1);
    if (isAfter(lastSequence, sequences.lastAckedSequence)) sequences.lastAckedSequence = lastSequence;
    if (baseOffset >= 0) {
      sequences.lastAckedOffset = Math.max(sequences.lastAckedOffset, baseOffset + batch.recordCount - 1);
    }
  }

  /** What a broker refused: whether the batch may be sent again, if need be as another epoch (Java's `canRetry`). */
  canRetry(queue: PartitionQueue, batch: ProducerBatch, error: KafkaError, logStartOffset: number): boolean {
    if (!this.isIdempotent || batch.producer === undefined) return error.isRetriable;
    const { sequences } = queue;
    const mayBump = this.transaction === undefined;
    if (error.code === ErrorCode.UNKNOWN_PRODUCER_ID) {
      if (!mayBump) return false;
      // The broker has forgotten us, by retention of the log or by producer.id.expiration.ms. What it had acknowledged is safe; we
      // begin anew. Unless the leader has only just come up and says no log start offset: then it may know later.
      const mayKnowLater = logStartOffset === NO_LOG_START_OFFSET || batch.hasSequenceBeenReset;
      if (!mayKnowLater && this.#isOfQueue(queue, batch)) this.#requestBump(queue);
      return true;
    }
    if (error.code === ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER) {
      if (mayBump && this.#mayHaveArrived(queue, batch)) return true;
      const isNext = batch.baseSequence === incrementSequence(sequences.lastAckedSequence, 1);
      if (sequences.unresolvedSequence === undefined) {
        // Out of order because one before it has failed and is on its way again.
        if (batch.hasSequenceBeenReset || !isNext) return true;
        if (!mayBump) return false;
        this.#requestBump(queue);
      } else if (batch.baseSequence === sequences.unresolvedSequence) {
        this.#requestBump(queue); // the one before it never arrived
      }
      return true;
    }
    return error.isRetriable;
  }

  /**
   * A broker that was killed remembers no more than the last batch of a producer, where Kafka keeps five while it runs. It refuses the
   * ones before it as out of order when they are sent again, as it would if it had lost some; and Java's producer, which then
   * sends all of them in a new epoch, doubles them. So the ones behind are asked about first: when one of them is known, or is taken as the next, all before
   * it are there. Only if none is there is a gap.
   */
  #mayHaveArrived(queue: PartitionQueue, batch: ProducerBatch): boolean {
    if (queue.retried !== batch || !this.#isOfQueue(queue, batch)) return false;
    if (batch.attempts > 1 && queue.underWay.length > queue.doubted + 1) {
      queue.doubted++;
      return true;
    }
    if (queue.doubted === 0) return false;
    this.#requestBump(queue);
    return true;
  }

  /** A batch was given up on. @param isRefused whether the broker said that it did not take it */
  onFailed(queue: PartitionQueue, batch: ProducerBatch, error: KafkaError, isRefused: boolean): void {
    if (this.transaction !== undefined) {
      if (batch.producer !== undefined) this.transaction.needsEpochBump = true;
      this.onTransactionError(error);
      return;
    }
    if (error.code === ErrorCode.CLUSTER_AUTHORIZATION_FAILED || error.code === ErrorCode.PRODUCER_FENCED) {
      this.fail(error);
    }
    if (!this.isIdempotent || batch.producer === undefined || !this.#isOfQueue(queue, batch)) return;
    if (isRefused) this.#requestBump(queue);
    else queue.sequences.unresolvedSequence = incrementSequence(batch.baseSequence, batch.recordCount);
  }

  /** Something in or about the transaction went wrong: it can only be aborted, or nothing can be done any more. */
  onTransactionError(error: KafkaError): void {
    if (this.transaction?.onError(error) === true) this.fail(error);
  }

  /** Looks whether what is not known can be known now, and bumps the epoch once nothing of the partitions concerned is on the wire. */
  poll(busy: ReadonlySet<PartitionQueue>): void {
    if (!this.isIdempotent) return;
    for (const queue of busy) this.#resolve(queue);
    if (this.#toRewrite.size === 0 || this.#producerId === NO_PRODUCER_ID) return;
    for (const queue of this.#toRewrite) if (queue.onWire > 0) return; // their answers wake us
    this.epochBumps++;
    if (this.#producerEpoch >= MAX_PRODUCER_EPOCH) {
      this.#producerId = NO_PRODUCER_ID; // asks for another
      this.#producerEpoch = NO_PRODUCER_EPOCH;
      return;
    }
    this.#producerEpoch++;
    this.#rewrite();
  }

  #resolve(queue: PartitionQueue): void {
    const { sequences } = queue;
    const { unresolvedSequence } = sequences;
    if (unresolvedSequence === undefined) return;
    if (unresolvedSequence === incrementSequence(sequences.lastAckedSequence, 1)) {
      sequences.unresolvedSequence = undefined;
    } else if (isAfter(sequences.lastAckedSequence, unresolvedSequence)) {
      sequences.unresolvedSequence = undefined; // one after it was taken, so it was too
    } else if (queue.underWay.length === 0 && queue.onWire === 0) {
      this.#requestBump(queue);
    }
  }

  #requestBump(queue: PartitionQueue): void {
    this.#toRewrite.add(queue);
  }

  #rewrite(): void {
    for (const queue of this.#toRewrite) this.#restart(queue);
    this.#toRewrite.clear();
  }

  /** Numbers the batches of a partition from 0 in the current epoch. */
  #restart(queue: PartitionQueue): void {
    const { sequences } = queue;
    sequences.producerId = this.#producerId;
    sequences.producerEpoch = this.#producerEpoch;
    sequences.nextSequence = 0;
    sequences.lastAckedSequence = -1;
    sequences.lastAckedOffset = -1;
    sequences.unresolvedSequence = undefined;
    queue.doubted = 0;
    for (const batch of queue.underWay) {
      batch.resetProducerState(this.#stateAt(sequences.nextSequence));
      sequences.nextSequence = incrementSequence(sequences.nextSequence, batch.recordCount);
    }
  }

  #stateAt(baseSequence: number): NonNullable<ProducerBatch["producer"]> {
    const { producerId, producerEpoch } = this;
    return { producerId, producerEpoch, baseSequence, isTransactional: this.transaction !== undefined };
  }

  #isCurrent({ sequences }: PartitionQueue): boolean {
    return sequences.producerId === this.#producerId && sequences.producerEpoch === this.#producerEpoch;
  }

  /** An answer to what was sent in an epoch that the partition has left says nothing about its sequence now. */
  #isOfQueue({ sequences }: PartitionQueue, { producer }: ProducerBatch): boolean {
    return sequences.producerId === producer?.producerId && sequences.producerEpoch === producer.producerEpoch;
  }
}

/** In a circle of 2^31 sequences, where what is less than half of it ahead is after. */
function isAfter(sequence: number, other: number): boolean {
  const ahead = (sequence - other) & 0x7fffffff;
  return other < 0 ? sequence >= 0 : sequence >= 0 && ahead > 0 && ahead < 0x40000000;
}
