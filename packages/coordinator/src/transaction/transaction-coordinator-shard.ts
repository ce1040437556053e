import { ErrorCode, errorCodeOf } from "@samsa/base";
import type { CoordinatorShard, Reply, Step } from "../runtime/coordinator-shard.ts";
import type { TopicPartitions } from "./topic-partitions.ts";
import { filterPartitions } from "./topic-partitions.ts";
import type { TransactionConfig } from "./transaction-config.ts";
import type { AddPartitions, Decision, DecisionContext, EndTxn, InitProducerId } from "./transaction-decisions.ts";
import {
  addPartitions,
  endTxn,
  fence,
  initProducerId,
  NEEDS_PRODUCER_ID,
  NO_PRODUCER,
} from "./transaction-decisions.ts";
import type { TransactionMetadata } from "./transaction-metadata.ts";
import { hasEpochBump, isTimedOut, toComplete } from "./transaction-metadata.ts";
import type { MarkerResults, TransactionPorts } from "./transaction-ports.ts";
import type { TransactionRecord } from "./transaction-records.ts";
import { isAtRest, isPrepared } from "./transaction-state.ts";

/** What a request is answered with, when everything it speaks of is committed. */
export type TransactionAnswer = Omit<Decision, "next">;

type Decide = (
  current: TransactionMetadata | undefined,
  context: DecisionContext,
) => Decision | typeof NEEDS_PRODUCER_ID;
type TransactionStep = Step<TransactionRecord>;

/** Who asked for something of a transactional id, and what it comes to. */
interface TransactionRequest {
  readonly reply: Reply<TransactionAnswer>;
  readonly decide: Decide;
}

const TIMEOUT_TIMER = "abort-timed-out";
const EXPIRATION_TIMER = "remove-expired";
/** Between two attempts to write what is left of the markers of one transaction. */
const MARKER_RETRY_BACKOFF_MS = 100;
/** So long a request waits for the transaction before it to be completed, and so many of one transactional id may. */
const MOST_WAITING_MS = 50;
const MOST_WAITING = 8;
/** So soon after a transaction the abort of the next may have overtaken its records. */
const OVERTAKING_MS = 100;
/** Ids forgotten in one batch. A long id has 32 KiB, and the least `max.message.bytes` that anyone sets is not known. */
const TOMBSTONES_PER_BATCH = 100;

const TOO_EARLY: Decision = { errorCode: ErrorCode.CONCURRENT_TRANSACTIONS, producer: NO_PRODUCER, next: undefined };

/** Errors of a partition that need no marker any more. */
const MARKED: ReadonlySet<ErrorCode> = new Set([
  ErrorCode.NONE,
  // The partition has seen a later epoch of this producer, and no epoch is given out before its predecessor has ended.
  ErrorCode.INVALID_PRODUCER_EPOCH,
]);

/** The transactional ids of one partition of `__transaction_state`. */
export class TransactionCoordinatorShard implements CoordinatorShard<TransactionRecord> {
  readonly #config: TransactionConfig;
  readonly #ports: TransactionPorts;
  readonly #coordinatorEpoch: number;
  readonly #transactions = new Map<string, TransactionMetadata>();
  /** What is left to be marked, of prepared transactions for which some partitions have answered. */
  readonly #unmarked = new Map<string, TopicPartitions>();
  readonly #waiting = new Map<string, TransactionRequest[]>();
  /** The epoch whose end has come once while nothing was open. Until the next move. */
  readonly #endedInVain = new Map<string, number>();

  constructor(config: TransactionConfig, ports: TransactionPorts, coordinatorEpoch: number) {
    this.#config = config;
    this.#ports = ports;
    this.#coordinatorEpoch = coordinatorEpoch;
  }

  get transactions(): ReadonlyMap<string, TransactionMetadata> {
    return this.#transactions;
  }

  replay({ transactionalId, metadata }: TransactionRecord): void {
    this.#endedInVain.delete(transactionalId);
    if (metadata === null) this.#transactions.delete(transactionalId);
    else this.#transactions.set(transactionalId, metadata);
  }

  /** Nobody writes to this topic in a transaction. */
  endTransaction(): void {}

  /** What was decided before a crash is carried out after it. */
  onLoaded(step: TransactionStep): void {
    for (const [transactionalId, metadata] of this.#transactions) {
      if (isPrepared(metadata.state)) this.#writeMarkers(step, transactionalId, metadata);
    }
    this.#abortTimedOutLater(step);
    this.#removeExpiredLater(step);
  }

  initProducerId(
    step: TransactionStep,
    transactionalId: string,
    request: InitProducerId,
    reply: Reply<TransactionAnswer>,
  ): void {
    const { transactionTimeoutMs } = request;
    if (transactionTimeoutMs <= 0 || transactionTimeoutMs > this.#config.maxTimeoutMs) {
      step.reply(reply, { errorCode: ErrorCode.INVALID_TRANSACTION_TIMEOUT, producer: NO_PRODUCER });
      return;
    }
    const decide: Decide = (current, context) => initProducerId(current, request, context);
    this.#decideOrWait(step, transactionalId, { reply, decide });
  }

  addPartitions(
    step: TransactionStep,
    transactionalId: string,
    request: AddPartitions,
    reply: Reply<TransactionAnswer>,
  ): void {
    const decide: Decide = (current, { nowMs }) => addPartitions(current, request, nowMs);
    this.#decideOrWait(step, transactionalId, { reply, decide });
  }

  endTxn(step: TransactionStep, transactionalId: string, request: EndTxn, reply: Reply<TransactionAnswer>): void {
    const decide: Decide = (current, context) =>
      this.#sendBackOnce(transactionalId, current, request, context.nowMs)
        ? TOO_EARLY
        : endTxn(current, request, context);
    this.#decideOrWait(step, transactionalId, { reply, decide });
  }

  /**
   * Sends the first end of an epoch back that finds no partition, and notes that it did. Java's producer looks whether records wait, and then takes
   * the next request from its queue. When its thread loses the core in between, the commit of records that were sent meanwhile goes out
   * before them. Told CONCURRENT_TRANSACTIONS it sends the records first; INVALID_TXN_STATE is its end. Kafka says the former while markers are
   * on their way, which is when this happens to it, and here they are hardly ever. An abort that has nothing to abort is no mistake: it is
   * suspected of this only soon after the transaction before.
   */
  #sendBackOnce(
    transactionalId: string,
    current: TransactionMetadata | undefined,
    { producerId, producerEpoch, clientTransactionVersion, isCommit }: EndTxn,
    nowMs: number,
  ): boolean {
    if (current === undefined || !isAtRest(current.state) || !hasEpochBump(clientTransactionVersion)) return false;
    if (current.producerId !== producerId || current.producerEpoch !== producerEpoch) return false;
    if (!isCommit && nowMs - current.lastUpdateTimestampMs > OVERTAKING_MS) return false;
    if (this.#endedInVain.get(transactionalId) === producerEpoch) return false;
    this.#endedInVain.set(transactionalId, producerEpoch);
    return true;
  }

  /**
   * The end of a transaction is answered when it is decided, as in Kafka, and what comes before its markers are written would be told
   * CONCURRENT_TRANSACTIONS, to ask again some 20 or 100 ms later. That is a matter of less than one, so it waits here first.
   */
  #decideOrWait(step: TransactionStep, transactionalId: string, request: TransactionRequest): void {
    const current = this.#transactions.get(transactionalId);
    const waiting = this.#waiting.get(transactionalId) ?? [];
    const mayWait = current !== undefined && isPrepared(current.state) && waiting.length < MOST_WAITING;
    if (!mayWait || !isTooEarly(request.decide(current, this.#context(step, undefined)))) {
      this.#decide(step, transactionalId, request);
      return;
    }
    waiting.push(request);
    if (waiting.length > 1) return;
    this.#waiting.set(transactionalId, waiting);
    step.setTimer(`waiting ${transactionalId}`, MOST_WAITING_MS, (later) =>
      this.#decideWaiting(later, transactionalId),
    );
  }

  #decideWaiting(step: TransactionStep, transactionalId: string): void {
    const waiting = this.#waiting.get(transactionalId);
    if (waiting === undefined) return;
    this.#waiting.delete(transactionalId);
    step.cancelTimer(`waiting ${transactionalId}`);
    // Each in a step of its own, with what the one before it has moved.
    for (const request of waiting) {
      step.append([], { onCommitted: (later) => this.#decide(later, transactionalId, request) });
    }
  }

  #decide(step: TransactionStep, transactionalId: string, request: TransactionRequest, freshProducerId?: number): void {
    const { reply, decide } = request;
    const decision = decide(this.#transactions.get(transactionalId), this.#context(step, freshProducerId));
    if (decision === NEEDS_PRODUCER_ID) {
      step.ask(
        () => this.#ports.generateProducerId(),
        (later, id) => this.#decide(later, transactionalId, request, id),
        (later, error) => later.reply(reply, { errorCode: errorCodeOf(error), producer: NO_PRODUCER }),
      );
      return;
    }
    const { next, errorCode, producer } = decision;
    if (next === undefined) {
      step.reply(reply, { errorCode, producer });
      return;
    }
    step.append([{ transactionalId, metadata: next }], {
      onCommitted: (later) => {
        later.reply(reply, { errorCode, producer });
        this.#onMoved(later, transactionalId, next);
      },
      onFailed: (later, error) => later.fail(reply, error),
    });
  }

  #context(step: TransactionStep, freshProducerId: number | undefined): DecisionContext {
    return { nowMs: step.nowMs, transactionVersion: this.#ports.transactionVersion(), freshProducerId };
  }

  /** No marker leaves before the decision can no longer be lost. */
  #onMoved(step: TransactionStep, transactionalId: string, next: TransactionMetadata): void {
    if (isPrepared(next.state)) this.#writeMarkers(step, transactionalId, next);
  }

  #writeMarkers(step: TransactionStep, transactionalId: string, prepared: TransactionMetadata): void {
    if (this.#transactions.get(transactionalId) !== prepared) return;
    const partitions = this.#unmarked.get(transactionalId) ?? prepared.partitions;
    if (partitions.size === 0) {
      this.#complete(step, transactionalId, prepared);
      return;
    }
    const marker = {
      producerId: prepared.producerId,
      producerEpoch: prepared.producerEpoch,
      isCommitted: prepared.state === "PrepareCommit",
      coordinatorEpoch: this.#coordinatorEpoch,
      transactionVersion: prepared.clientTransactionVersion,
    };
    step.ask(
      () => this.#ports.writeMarkers(marker, partitions),
      (later, results) => this.#onMarkersWritten(later, transactionalId, prepared, results),
      (later) => this.#writeMarkersLater(later, transactionalId, prepared),
    );
  }

  #onMarkersWritten(
    step: TransactionStep,
    transactionalId: string,
    prepared: TransactionMetadata,
    results: MarkerResults,
  ): void {
    // What completes is this very decision, never one that came after it (KAFKA-16352).
    if (this.#transactions.get(transactionalId) !== prepared) return;
    const asked = this.#unmarked.get(transactionalId) ?? prepared.partitions;
    const left = filterPartitions(asked, (topic, partition) => {
      const code = results.get(topic)?.get(partition);
      return code === undefined || !MARKED.has(code);
    });
    this.#unmarked.set(transactionalId, left);
    if (left.size === 0) this.#complete(step, transactionalId, prepared);
    else this.#writeMarkersLater(step, transactionalId, prepared);
  }

  #writeMarkersLater(step: TransactionStep, transactionalId: string, prepared: TransactionMetadata): void {
    step.setTimer(`markers ${transactionalId}`, MARKER_RETRY_BACKOFF_MS, (later) =>
      this.#writeMarkers(later, transactionalId, prepared),
    );
  }

  #complete(step: TransactionStep, transactionalId: string, prepared: TransactionMetadata): void {
    step.append([{ transactionalId, metadata: toComplete(prepared, step.nowMs) }], {
      onCommitted: (later) => this.#decideWaiting(later, transactionalId),
      onFailed: (later) => this.#writeMarkersLater(later, transactionalId, prepared),
    });
    this.#unmarked.delete(transactionalId);
  }

  #abortTimedOutLater(step: TransactionStep): void {
    step.setTimer(TIMEOUT_TIMER, this.#config.abortTimedOutIntervalMs, (later) => {
      for (const transactionalId of this.#transactions.keys()) this.#abortTimedOut(later, transactionalId);
      this.#abortTimedOutLater(later);
    });
  }

  #abortTimedOut(step: TransactionStep, transactionalId: string, freshProducerId?: number): void {
    const current = this.#transactions.get(transactionalId);
    if (current === undefined || !isTimedOut(current, step.nowMs)) return;
    const next = fence(current, this.#context(step, freshProducerId));
    if (next === NEEDS_PRODUCER_ID) {
      step.ask(
        () => this.#ports.generateProducerId(),
        (later, id) => this.#abortTimedOut(later, transactionalId, id),
        () => undefined, // the next round tries again
      );
      return;
    }
    step.append([{ transactionalId, metadata: next }], {
      onCommitted: (later) => this.#onMoved(later, transactionalId, next),
    });
  }

  #removeExpiredLater(step: TransactionStep): void {
    step.setTimer(EXPIRATION_TIMER, this.#config.removeExpiredIntervalMs, (later) => {
      this.#removeExpired(later);
      this.#removeExpiredLater(later);
    });
  }

  #removeExpired(step: TransactionStep): void {
    const lastUse = step.nowMs - this.#config.expirationMs;
    const tombstones: TransactionRecord[] = [];
    for (const [transactionalId, { state, lastUpdateTimestampMs }] of this.#transactions) {
      if (isAtRest(state) && lastUpdateTimestampMs <= lastUse) tombstones.push({ transactionalId, metadata: null });
    }
    for (let start = 0; start < tombstones.length; start += TOMBSTONES_PER_BATCH) {
      step.append(tombstones.slice(start, start + TOMBSTONES_PER_BATCH));
    }
  }
}

function isTooEarly(decision: Decision | typeof NEEDS_PRODUCER_ID): boolean {
  return decision !== NEEDS_PRODUCER_ID && decision.errorCode === ErrorCode.CONCURRENT_TRANSACTIONS;
}
