import { ErrorCode } from "@samsa/base";
import { NO_PRODUCER_EPOCH, NO_PRODUCER_ID } from "@samsa/protocol";
import type { TopicPartitions } from "./topic-partitions.ts";
import { includesAll, NO_PARTITIONS, union } from "./topic-partitions.ts";
import type { TransactionMetadata } from "./transaction-metadata.ts";
import {
  hasEpochBump,
  isEpochExhausted,
  LAST_EPOCH_OF_A_PRODUCER,
  newTransactionMetadata,
  toInitialized,
  toOngoing,
  toPrepared,
} from "./transaction-metadata.ts";
import { isPrepared } from "./transaction-state.ts";

export interface ProducerIdAndEpoch {
  readonly producerId: number;
  readonly producerEpoch: number;
}

export const NO_PRODUCER: ProducerIdAndEpoch = { producerId: NO_PRODUCER_ID, producerEpoch: NO_PRODUCER_EPOCH };

/** What a request comes to: perhaps a move, and what is answered when the move is committed. */
export interface Decision {
  readonly errorCode: ErrorCode;
  readonly producer: ProducerIdAndEpoch; // -1 and -1 with an error, and where nobody asked
  readonly next: TransactionMetadata | undefined; // undefined: nothing changes
}

/** The decision needs a producer id that nobody has had: ask again with one. */
export const NEEDS_PRODUCER_ID: unique symbol = Symbol("needs a producer id");

export interface InitProducerId {
  readonly transactionTimeoutMs: number;
  /** What a producer that goes on after an error had before (KIP-360). */
  readonly expected: ProducerIdAndEpoch | undefined;
}

/** What a decision may look at, beside the transaction. */
export interface DecisionContext {
  readonly nowMs: number;
  readonly transactionVersion: number; // of the cluster
  readonly freshProducerId: number | undefined;
}

/** A producer begins: whoever had the transactional id before is fenced, and what it left open is aborted first. */
export function initProducerId(
  known: TransactionMetadata | undefined,
  { transactionTimeoutMs, expected }: InitProducerId,
  context: DecisionContext,
): Decision | typeof NEEDS_PRODUCER_ID {
  const { nowMs, freshProducerId } = context;
  if (known === undefined && freshProducerId === undefined) return NEEDS_PRODUCER_ID;
  const current = known ?? newTransactionMetadata(freshProducerId ?? NO_PRODUCER_ID, nowMs);
  const { state, producerId, producerEpoch, lastProducerEpoch } = current;
  if (isPrepared(state)) return refuse(ErrorCode.CONCURRENT_TRANSACTIONS);
  if (expected !== undefined && !mayGoOn(current, expected)) return refuse(ErrorCode.PRODUCER_FENCED);
  if (state === "Ongoing") {
    // It is asked again until the abort is through, and gets an epoch above the one that fences here.
    const fenced = fence(current, context);
    return fenced === NEEDS_PRODUCER_ID ? fenced : { ...refuse(ErrorCode.CONCURRENT_TRANSACTIONS), next: fenced };
  }
  const initialize = (producer: ProducerIdAndEpoch, last: number): Decision => {
    const next = { ...producer, lastProducerEpoch: last, transactionTimeoutMs };
    return { errorCode: ErrorCode.NONE, producer, next: toInitialized(current, next, nowMs) };
  };
  if (isEpochExhausted(producerEpoch) && (expected === undefined || expected.producerEpoch === producerEpoch)) {
    if (freshProducerId === undefined) return NEEDS_PRODUCER_ID;
    const last = expected === undefined ? NO_PRODUCER_EPOCH : producerEpoch;
    return initialize({ producerId: freshProducerId, producerEpoch: 0 }, last);
  }
  const bumped = { producerId, producerEpoch: producerEpoch + 1 };
  if (expected === undefined) return initialize(bumped, NO_PRODUCER_EPOCH);
  if (producerEpoch === NO_PRODUCER_EPOCH || expected.producerEpoch === producerEpoch) {
    return initialize(bumped, producerEpoch);
  }
  // The answer to the same question did not arrive: had another producer asked since, the last epoch were forgotten.
  if (expected.producerEpoch === lastProducerEpoch) return initialize({ producerId, producerEpoch }, lastProducerEpoch);
  return refuse(ErrorCode.PRODUCER_FENCED);
}

function mayGoOn(current: TransactionMetadata, expected: ProducerIdAndEpoch): boolean {
  if (current.producerEpoch === NO_PRODUCER_EPOCH || expected.producerId === current.producerId) return true;
  // It used up its epochs, got a new id, and did not hear of it.
  return expected.producerId === current.previousProducerId && isEpochExhausted(expected.producerEpoch);
}

/** Aborts what is open, under an epoch that its producer does not have. */
export function fence(
  current: TransactionMetadata,
  { nowMs, transactionVersion, freshProducerId }: DecisionContext,
): TransactionMetadata | typeof NEEDS_PRODUCER_ID {
  if (hasEpochBump(transactionVersion)) {
    const isExhausted = isEpochExhausted(current.producerEpoch);
    if (isExhausted && freshProducerId === undefined) return NEEDS_PRODUCER_ID;
    const nextProducerId = isExhausted ? (freshProducerId ?? NO_PRODUCER_ID) : NO_PRODUCER_ID;
    const prepared = toPrepared(current, false, transactionVersion, nextProducerId, nowMs);
    return { ...prepared, lastProducerEpoch: NO_PRODUCER_EPOCH };
  }
  const producerEpoch = Math.min(current.producerEpoch + 1, LAST_EPOCH_OF_A_PRODUCER + 1);
  const fenced = { ...current, producerEpoch, lastProducerEpoch: NO_PRODUCER_EPOCH };
  return toPrepared(fenced, false, transactionVersion, NO_PRODUCER_ID, nowMs);
}

export interface AddPartitions extends ProducerIdAndEpoch {
  readonly partitions: TopicPartitions;
  readonly clientTransactionVersion: number;
}

/** Partitions join the transaction; the first one begins it. */
export function addPartitions(
  current: TransactionMetadata | undefined,
  { producerId, producerEpoch, partitions, clientTransactionVersion }: AddPartitions,
  nowMs: number,
): Decision {
  if (current === undefined) return refuse(ErrorCode.INVALID_PRODUCER_ID_MAPPING);
  // Before all else: the producer may come under the id that takes over when the markers are written.
  if (isPrepared(current.state)) return refuse(ErrorCode.CONCURRENT_TRANSACTIONS);
  if (current.producerId !== producerId) return refuse(ErrorCode.INVALID_PRODUCER_ID_MAPPING);
  if (current.producerEpoch !== producerEpoch) return refuse(ErrorCode.PRODUCER_FENCED);
  if (current.state === "Ongoing" && includesAll(current.partitions, partitions)) return nothingToDo();
  const all = union(current.state === "Ongoing" ? current.partitions : NO_PARTITIONS, partitions);
  return moveTo(toOngoing(current, all, clientTransactionVersion, nowMs));
}

/**
 * Whether this producer may append to partitions right now, asked by their leaders for clients that add partitions themselves
 * (KIP-890).
 * @returns NONE when each partition may be looked up in the transaction, else the error of all of them
 */
export function verifyProducer(
  current: TransactionMetadata | undefined,
  { producerId, producerEpoch }: ProducerIdAndEpoch,
): ErrorCode {
  if (current === undefined || current.producerId !== producerId) return ErrorCode.INVALID_PRODUCER_ID_MAPPING;
  if (current.producerEpoch !== producerEpoch) return ErrorCode.PRODUCER_FENCED;
  return isPrepared(current.state) ? ErrorCode.CONCURRENT_TRANSACTIONS : ErrorCode.NONE;
}

export interface EndTxn extends ProducerIdAndEpoch {
  readonly isCommit: boolean;
  readonly clientTransactionVersion: number;
}

/** A producer ends its transaction. What it sends twice is answered as it was the first time. */
export function endTxn(
  current: TransactionMetadata | undefined,
  request: EndTxn,
  context: DecisionContext,
): Decision | typeof NEEDS_PRODUCER_ID {
  if (current === undefined) return refuse(ErrorCode.INVALID_PRODUCER_ID_MAPPING);
  return hasEpochBump(request.clientTransactionVersion)
    ? endTxnWithEpochBump(current, request, context)
    : endTxnOfOneEpoch(current, request, context.nowMs);
}

/** The epoch stays: a retry and the end of the next transaction look alike, and are told apart by the state alone. */
function endTxnOfOneEpoch(
  current: TransactionMetadata,
  { producerId, producerEpoch, isCommit, clientTransactionVersion }: EndTxn,
  nowMs: number,
): Decision {
  if (current.producerId !== producerId) return refuse(ErrorCode.INVALID_PRODUCER_ID_MAPPING);
  // Not a higher one either: only this coordinator raises epochs (KAFKA-9600).
  if (current.producerEpoch !== producerEpoch) return refuse(ErrorCode.PRODUCER_FENCED);
  if (isPrepared(current.state)) return refuse(ErrorCode.CONCURRENT_TRANSACTIONS);
  if (current.state === "Ongoing") {
    return moveTo(toPrepared(current, isCommit, clientTransactionVersion, NO_PRODUCER_ID, nowMs));
  }
  return isEndedSo(current, isCommit) ? nothingToDo() : refuse(ErrorCode.INVALID_TXN_STATE);
}

/** Each transaction has an epoch of its own: a retry comes under the epoch before. */
function endTxnWithEpochBump(
  current: TransactionMetadata,
  { producerId, producerEpoch, isCommit, clientTransactionVersion }: EndTxn,
  { nowMs, freshProducerId }: DecisionContext,
): Decision | typeof NEEDS_PRODUCER_ID {
  if (isPrepared(current.state)) return refuse(ErrorCode.CONCURRENT_TRANSACTIONS);
  // One of a single epoch, of an older client that has the transactional id now, says nothing of a retry: had it been taken for
  // one, a producer that is fenced were told the epoch of the one that fenced it.
  const isComplete =
    (current.state === "CompleteCommit" || current.state === "CompleteAbort") &&
    hasEpochBump(current.clientTransactionVersion);
  const isRetryAfterNewId =
    isComplete &&
    producerId === current.previousProducerId &&
    producerEpoch === LAST_EPOCH_OF_A_PRODUCER &&
    current.producerEpoch === 0;
  const isRetry = isRetryAfterNewId || (isComplete && producerEpoch + 1 === current.producerEpoch);
  if (current.producerId !== producerId && !isRetryAfterNewId) return refuse(ErrorCode.INVALID_PRODUCER_ID_MAPPING);
  if (isRetry) return isEndedSo(current, isCommit) ? told(current) : refuse(ErrorCode.INVALID_TXN_STATE);
  if (current.producerEpoch !== producerEpoch) return refuse(ErrorCode.PRODUCER_FENCED);
  // The producer may not know whether its first records came to add their partition: it may abort what is not there.
  if (isCommit && current.state !== "Ongoing") return refuse(ErrorCode.INVALID_TXN_STATE);
  const isExhausted = isEpochExhausted(producerEpoch);
  if (isExhausted && freshProducerId === undefined) return NEEDS_PRODUCER_ID;
  const nextProducerId = isExhausted ? (freshProducerId ?? NO_PRODUCER_ID) : NO_PRODUCER_ID;
  const next = toPrepared(current, isCommit, clientTransactionVersion, nextProducerId, nowMs);
  const producer = isExhausted
    ? { producerId: nextProducerId, producerEpoch: 0 }
    : { producerId, producerEpoch: next.producerEpoch };
  return { errorCode: ErrorCode.NONE, producer, next };
}

function isEndedSo({ state }: TransactionMetadata, isCommit: boolean): boolean {
  return state === (isCommit ? "CompleteCommit" : "CompleteAbort");
}

function told({ producerId, producerEpoch }: TransactionMetadata): Decision {
  return { errorCode: ErrorCode.NONE, producer: { producerId, producerEpoch }, next: undefined };
}

function nothingToDo(): Decision {
  return { errorCode: ErrorCode.NONE, producer: NO_PRODUCER, next: undefined };
}

function moveTo(next: TransactionMetadata): Decision {
  return { errorCode: ErrorCode.NONE, producer: NO_PRODUCER, next };
}

function refuse(errorCode: ErrorCode): Decision {
  return { errorCode, producer: NO_PRODUCER, next: undefined };
}
