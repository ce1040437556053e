import type { Clock, KafkaError, Random } from "@samsa/base";
import { ProtocolError } from "@samsa/base";
import type { BrokerConnection } from "../connection/connection.ts";
import { batchDelivered, batchFailed } from "../observability/channels.ts";
import { backoffDelayMs } from "../retry.ts";
import { Arrivals } from "./arrivals.ts";
import type { PartitionQueue } from "./partition-queue.ts";
import type { ProduceAnswer } from "./produce-exchange.ts";
import type { ProducerBatch } from "./producer-batch.ts";
import type { ProducerCounters } from "./producer-counters.ts";
import type { RecordAccumulator } from "./record-accumulator.ts";
import { UNKNOWN_OFFSET } from "./record.ts";
import type { TransactionManager } from "./transaction-manager.ts";

export interface CompletionOptions {
  readonly retries: number;
  readonly retryBackoffMs: number;
  readonly retryBackoffMaxMs: number;
  readonly clock: Clock;
  readonly random: Random;
  /** A batch is done with: its part of `bufferMemory` is free. */
  readonly onBatchDone: () => void;
}

/** What becomes of batches: delivered, given up on, or tried again. */
export class BatchCompletion {
  readonly #accumulator: RecordAccumulator;
  readonly #manager: TransactionManager;
  readonly #counters: ProducerCounters;
  readonly #options: CompletionOptions;
  readonly #arrivals = new Arrivals();

  constructor(
    accumulator: RecordAccumulator,
    manager: TransactionManager,
    counters: ProducerCounters,
    options: CompletionOptions,
  ) {
    this.#accumulator = accumulator;
    this.#manager = manager;
    this.#counters = counters;
    this.#options = options;
  }

  /** The broker has it. @param baseOffset UNKNOWN_OFFSET where it does not know any more where */
  acknowledge(batch: ProducerBatch, baseOffset: number, logAppendTimeMs: number): void {
    this.#succeedDoubted(batch);
    this.#manager.onAcknowledged(batch.queue, batch, baseOffset);
    this.succeed(batch, baseOffset, logAppendTimeMs, true);
  }

  /** A broker takes a sequence only behind those before it: they have arrived, nobody knows where. */
  #succeedDoubted({ queue, isDone }: ProducerBatch): void {
    if (isDone || queue.doubted === 0) return;
    for (const before of queue.underWay.slice(0, queue.doubted)) this.succeed(before, UNKNOWN_OFFSET, -1, true);
  }

  /** `tell` is to follow. */
  succeed(batch: ProducerBatch, baseOffset: number, logAppendTimeMs: number, isAnswered: boolean): void {
    if (batch.isDone) return; // too late for whoever waited
    this.#counters.batchesDelivered++;
    this.#counters.recordsDelivered += batch.recordCount;
    if (batchDelivered.hasSubscribers) batchDelivered.publish({ ...facts(batch), baseOffset });
    this.#accumulator.remove(batch, isAnswered);
    this.#options.onBatchDone();
    this.#arrivals.add(batch, baseOffset, logAppendTimeMs);
  }

  /** Callers are told of what has succeeded, when all of an answer has been looked at. */
  tell(): void {
    this.#arrivals.tell();
  }

  /** Nobody is kept waiting for their turn. */
  tellAll(): void {
    this.#arrivals.tellAll();
  }

  /** Gives a batch up. @param isRefused the broker said that it does not take it; otherwise nobody knows */
  fail(batch: ProducerBatch, error: KafkaError, isRefused: boolean): void {
    this.#counters.batchesFailed++;
    this.#counters.recordsFailed += batch.recordCount;
    if (batchFailed.hasSubscribers) batchFailed.publish({ ...facts(batch), error });
    this.#accumulator.remove(batch, false);
    this.#manager.onFailed(batch.queue, batch, error, isRefused);
    this.#options.onBatchDone();
    this.#arrivals.tellAll(); // what became of the records of a partition is told in their order
    batch.fail(error);
  }

  /** Tries a batch again after a while, unless that is of no use. @param answer undefined when there was none */
  retryOrFail(batch: ProducerBatch, error: KafkaError, answer: ProduceAnswer | undefined): void {
    const isWorthIt =
      answer === undefined
        ? isWorthRetrying(error)
        : this.#manager.canRetry(batch.queue, batch, error, answer.logStartOffset);
    if (!isWorthIt || batch.attempts > this.#options.retries) {
      this.fail(batch, error, answer !== undefined && !error.isRetriable);
      return;
    }
    batch.lastError = error;
    batch.retryAtMs = this.#options.clock.monotonicMs() + this.backoffMs(batch.attempts - 1);
  }

  /** Keeps a queue back for a while. @returns until when */
  backOff(queue: PartitionQueue, nowMs: number): number {
    queue.retryAtMs = nowMs + this.backoffMs(0);
    return queue.retryAtMs;
  }

  backoffMs(attempt: number): number {
    const { retryBackoffMs: backoffMs, retryBackoffMaxMs: backoffMaxMs, random } = this.#options;
    return backoffDelayMs({ backoffMs, backoffMaxMs }, attempt, random);
  }
}

/** Garbage in place of an answer says as little as no answer, and its connection is gone. */
export function isWorthRetrying(error: KafkaError): boolean {
  return error.isRetriable || error instanceof ProtocolError;
}

/** What diagnostics channels tell of a batch. */
export function facts(batch: ProducerBatch, connection?: BrokerConnection): Readonly<Record<string, unknown>> {
  const { queue, recordCount, sizeInBytes, attempts } = batch;
  const { topic, partition } = queue;
  return { topic, partition, recordCount, sizeInBytes, attempts, ...(connection && { broker: connection.address }) };
}
