import { assert } from "@samsa/base";
import { NO_PRODUCER_EPOCH, NO_PRODUCER_ID } from "@samsa/protocol";
import type { TopicPartitions } from "./topic-partitions.ts";
import { NO_PARTITIONS } from "./topic-partitions.ts";
import type { TransactionState } from "./transaction-state.ts";
import { mayFollow } from "./transaction-state.ts";

/** The level of `transaction.version` from which on every transaction has an epoch of its own (KIP-890). */
export const TRANSACTION_VERSION_WITH_EPOCH_BUMP = 2;
const MAX_EPOCH = 32_767;
/** The highest epoch that a producer is given: one more is kept to fence it with. */
export const LAST_EPOCH_OF_A_PRODUCER = MAX_EPOCH - 1;
export const NO_TIMESTAMP = -1;
/** Of a transaction that is prepared by someone else's protocol and never aborted for its age (KIP-939). */
const NO_TIMEOUT_MS = 0x7fff_ffff;

/** What is known of a transactional id. Never changed: each move yields the next, and the record of it is the next in whole. */
export interface TransactionMetadata {
  readonly producerId: number;
  /** The one that the last move found; it tells a retry of what made the id change (KIP-890). */
  readonly previousProducerId: number;
  /** Takes the place of the producer id when the prepared transaction is complete; -1 when it stays. */
  readonly nextProducerId: number;
  readonly nextProducerEpoch: number; // -1; of KIP-939, kept as it was read
  readonly producerEpoch: number;
  /** The one before the producer asked for the next, -1 when nobody did. Not stored, as in Kafka: a reload forgets it. */
  readonly lastProducerEpoch: number;
  readonly transactionTimeoutMs: number;
  readonly state: TransactionState;
  readonly partitions: TopicPartitions;
  readonly startTimestampMs: number; // -1 before the first transaction
  readonly lastUpdateTimestampMs: number;
  /** The transaction.version that the client works with. */
  readonly clientTransactionVersion: number;
}

/** A transactional id before its first epoch. It is not stored like this. */
export function newTransactionMetadata(producerId: number, nowMs: number): TransactionMetadata {
  return {
    producerId,
    previousProducerId: NO_PRODUCER_ID,
    nextProducerId: NO_PRODUCER_ID,
    nextProducerEpoch: NO_PRODUCER_EPOCH,
    producerEpoch: NO_PRODUCER_EPOCH,
    lastProducerEpoch: NO_PRODUCER_EPOCH,
    transactionTimeoutMs: 0,
    state: "Empty",
    partitions: NO_PARTITIONS,
    startTimestampMs: NO_TIMESTAMP,
    lastUpdateTimestampMs: nowMs,
    clientTransactionVersion: 0,
  };
}

/** The producer id has no epoch left that could be given to a producer. */
export function isEpochExhausted(epoch: number): boolean {
  return epoch >= LAST_EPOCH_OF_A_PRODUCER;
}

export function hasEpochBump(transactionVersion: number): boolean {
  return transactionVersion >= TRANSACTION_VERSION_WITH_EPOCH_BUMP;
}

/** The transaction has been open for longer than its producer allowed. */
export function isTimedOut(metadata: TransactionMetadata, nowMs: number): boolean {
  const { state, startTimestampMs, transactionTimeoutMs } = metadata;
  if (state !== "Ongoing" || transactionTimeoutMs === NO_TIMEOUT_MS) return false;
  return startTimestampMs + transactionTimeoutMs < nowMs;
}

/** A producer begins, and nothing is open. */
export function toInitialized(
  current: TransactionMetadata,
  next: Pick<TransactionMetadata, "producerId" | "producerEpoch" | "lastProducerEpoch" | "transactionTimeoutMs">,
  nowMs: number,
): TransactionMetadata {
  return move(current, "Empty", {
    ...next,
    partitions: NO_PARTITIONS,
    startTimestampMs: NO_TIMESTAMP,
    lastUpdateTimestampMs: nowMs,
  });
}

/** Partitions belong to the transaction, which begins with the first. */
export function toOngoing(
  current: TransactionMetadata,
  partitions: TopicPartitions,
  clientTransactionVersion: number,
  nowMs: number,
): TransactionMetadata {
  return move(current, "Ongoing", {
    partitions,
    clientTransactionVersion,
    startTimestampMs: current.state === "Ongoing" ? current.startTimestampMs : nowMs,
    lastUpdateTimestampMs: nowMs,
  });
}

/**
 * The end is decided. Where transactions have epochs of their own, the markers carry the next one: nothing that was sent under
 * the old one is taken after them.
 * @param nextProducerId for an id whose epochs are used up, else -1
 */
export function toPrepared(
  current: TransactionMetadata,
  isCommit: boolean,
  clientTransactionVersion: number,
  nextProducerId: number,
  nowMs: number,
): TransactionMetadata {
  const isBumped = hasEpochBump(clientTransactionVersion);
  const producerEpoch = isBumped ? Math.min(current.producerEpoch + 1, MAX_EPOCH) : current.producerEpoch;
  return move(current, isCommit ? "PrepareCommit" : "PrepareAbort", {
    producerEpoch,
    lastProducerEpoch: isBumped ? current.producerEpoch : current.lastProducerEpoch,
    nextProducerId,
    clientTransactionVersion,
    // One that nobody began is aborted because its producer cannot know: it begins now.
    startTimestampMs: current.state === "Ongoing" ? current.startTimestampMs : nowMs,
    lastUpdateTimestampMs: nowMs,
  });
}

/** Every partition has its marker. */
export function toComplete(current: TransactionMetadata, nowMs: number): TransactionMetadata {
  const hasNextId = hasEpochBump(current.clientTransactionVersion) && current.nextProducerId !== NO_PRODUCER_ID;
  return move(current, current.state === "PrepareCommit" ? "CompleteCommit" : "CompleteAbort", {
    producerId: hasNextId ? current.nextProducerId : current.producerId,
    producerEpoch: hasNextId ? 0 : current.producerEpoch,
    nextProducerId: NO_PRODUCER_ID,
    partitions: NO_PARTITIONS,
    lastUpdateTimestampMs: nowMs,
  });
}

/** Field by field: those of an object that is spread over another V8 looks up by name, one at a time. */
function move(
  current: TransactionMetadata,
  state: TransactionState,
  changes: Partial<Omit<TransactionMetadata, "state" | "previousProducerId" | "nextProducerEpoch">>,
): TransactionMetadata {
  assert(mayFollow(current.state, state), `a transaction never goes from ${current.state} to ${state}`);
  const next: TransactionMetadata = {
    producerId: changes.producerId ?? current.producerId,
    previousProducerId: current.producerId,
    nextProducerId: changes.nextProducerId ?? current.nextProducerId,
    nextProducerEpoch: current.nextProducerEpoch,
    producerEpoch: changes.producerEpoch ?? current.producerEpoch,
    lastProducerEpoch: changes.lastProducerEpoch ?? current.lastProducerEpoch,
    transactionTimeoutMs: changes.transactionTimeoutMs ?? current.transactionTimeoutMs,
    state,
    partitions: changes.partitions ?? current.partitions,
    startTimestampMs: changes.startTimestampMs ?? current.startTimestampMs,
    lastUpdateTimestampMs: changes.lastUpdateTimestampMs ?? current.lastUpdateTimestampMs,
    clientTransactionVersion: changes.clientTransactionVersion ?? current.clientTransactionVersion,
  };
  assert(next.producerId >= 0 && next.producerEpoch >= 0, "a transaction has a producer id and an epoch");
  return next;
}
