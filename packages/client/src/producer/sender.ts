import type { KafkaError, Timer, Uuid } from "@samsa/base";
import { ErrorCode, ERRORS, ZERO_UUID } from "@samsa/base";
import { ProduceRequest } from "@samsa/protocol/messages/produce-request";
import type { ProduceResponse } from "@samsa/protocol/messages/produce-response";
import type { Cluster } from "../cluster/cluster.ts";
import type { BrokerConnection } from "../connection/connection.ts";
import { TimeLimitError, toKafkaError } from "../errors.ts";
import { batchSent } from "../observability/channels.ts";
import { BatchCompletion, facts, isWorthRetrying } from "./batch-completion.ts";
import type { PartitionQueue } from "./partition-queue.ts";
import type { TopicBatches } from "./produce-exchange.ts";
import { answersOf, byTopic, PRODUCE, produceApi, refusal, topicData } from "./produce-exchange.ts";
import type { ProducerBatch } from "./producer-batch.ts";
import { ProducerIdCall } from "./producer-id-call.ts";
import type { ProducerCounters } from "./producer-counters.ts";
import type { RecordAccumulator } from "./record-accumulator.ts";
import { UNKNOWN_OFFSET } from "./record.ts";
import type { TransactionManager } from "./transaction-manager.ts";
import type { TransactionStatus } from "./transaction-state.ts";

const NEVER = Number.POSITIVE_INFINITY;
/** What follows it is a microtask, without the resource for hooks that Node makes of each `queueMicrotask`. */
const SETTLED = Promise.resolve();

export interface SenderOptions {
  readonly acks: -1 | 0 | 1;
  readonly purpose: string; // of the connections
  readonly requestTimeoutMs: number;
  readonly deliveryTimeoutMs: number;
  readonly retries: number;
  readonly retryBackoffMs: number;
  readonly retryBackoffMaxMs: number;
  readonly maxRequestSize: number;
  readonly maxInFlightRequestsPerConnection: number;
  /** Records wait for room, so what there is should leave. */
  readonly isExhausted: () => boolean;
  /** A batch is done with: its part of `bufferMemory` is free. */
  readonly onBatchDone: () => void;
  /** Told how long a batch has waited to be sent first, where somebody measures. */
  readonly onFirstSend?: ((queuedMs: number) => void) | undefined;
  /** The transaction writes to these partitions, and its coordinator has to know before. */
  readonly addPartitions: (queues: readonly PartitionQueue[]) => void;
}

/**
 * Takes batches that are due to the leaders of their partitions, as many in one request as fit. It works whenever something
 * may have changed (`wake`), and otherwise sleeps until the first batch is due.
 */
export class Sender {
  readonly #cluster: Cluster;
  readonly #accumulator: RecordAccumulator;
  readonly #manager: TransactionManager;
  readonly #counters: ProducerCounters;
  readonly #options: SenderOptions;
  readonly #completion: BatchCompletion;
  readonly #connecting = new Set<number>(); // node ids
  readonly #unreadySinceMs = new Map<number, number>(); // by node id
  /** By leader, those of which something is due; empty between two looks. */
  readonly #due = new Map<number, PartitionQueue[]>();
  #isAwake = false;
  readonly #idCall: ProducerIdCall;
  #timer: Timer | undefined;
  #timerAtMs = NEVER;
  #flushes = 0;
  #isClosed = false;

  constructor(
    cluster: Cluster,
    accumulator: RecordAccumulator,
    manager: TransactionManager,
    counters: ProducerCounters,
    options: SenderOptions,
  ) {
    this.#cluster = cluster;
    this.#accumulator = accumulator;
    this.#manager = manager;
    this.#counters = counters;
    this.#options = options;
    const { retryBackoffMs: backoffMs, retryBackoffMaxMs: backoffMaxMs } = options;
    const { clock, random } = cluster.options;
    this.#completion = new BatchCompletion(accumulator, manager, counters, { ...options, clock, random });
    this.#idCall = new ProducerIdCall(
      cluster,
      manager,
      { backoffMs, backoffMaxMs },
      {
        failure: (error) => this.#noteFailure(error),
        done: () => this.wake(),
      },
    );
  }

  /** Looks at the queues once whoever calls has finished: what is appended at one go leaves at one go. */
  wake(): void {
    if (this.#isAwake || this.#isClosed) return;
    this.#isAwake = true;
    void SETTLED.then(this.#run);
  }

  /** While one of these is open nothing lingers. @returns closes it */
  beginFlush(): () => void {
    this.#flushes++;
    this.wake();
    return () => {
      this.#flushes--;
    };
  }

  /** Since when a node has had work that it could not be given (monotonic); undefined when it takes what there is. */
  unreadySinceMs(nodeId: number): number | undefined {
    return this.#unreadySinceMs.get(nodeId);
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
    this.#completion.tellAll();
  }

  readonly #run = (): void => {
    this.#isAwake = false;
    if (this.#isClosed) return;
    const { busy } = this.#accumulator;
    const nowMs = this.#cluster.options.clock.monotonicMs();
    let leaderless: Set<string> | undefined; // topics
    let nextMs = NEVER;
    if (this.#manager.fatalError !== undefined) this.#failAll(this.#manager.fatalError);
    const { transaction } = this.#manager;
    if (transaction !== undefined) this.#serveTransaction(transaction);
    this.#manager.poll(busy);
    if (this.#manager.needsProducerId && busy.size > 0) nextMs = this.#idCall.begin(nowMs);
    for (const queue of busy) {
      nextMs = Math.min(nextMs, this.#expire(queue, nowMs));
      const readyMs = this.#readyMs(queue);
      if (readyMs > nowMs) {
        nextMs = Math.min(nextMs, readyMs);
        continue;
      }
      const leader = this.#cluster.leaderOf(queue.topic, queue.partition, nowMs);
      if (leader === undefined) {
        leaderless ??= new Set();
        leaderless.add(queue.topic);
        nextMs = Math.min(nextMs, this.#completion.backOff(queue, nowMs));
        continue;
      }
      const queues = this.#due.get(leader.leaderId);
      if (queues === undefined) this.#due.set(leader.leaderId, [queue]);
      else queues.push(queue);
    }
    if (leaderless !== undefined) this.#refreshMetadata(leaderless);
    for (const [nodeId, queues] of this.#due) {
      if (queues.length > 0) nextMs = Math.min(nextMs, this.#sendTo(nodeId, queues, nowMs));
      queues.length = 0;
    }
    this.#armTimer(nextMs);
  };

  /** When something of the queue may leave (monotonic): infinite while it waits for an answer. */
  #readyMs(queue: PartitionQueue): number {
    const { underWay } = queue;
    const first = queue.retried;
    const isRetrying = first !== undefined && underWay.some(({ isOnWire }) => !isOnWire);
    if (isRetrying) {
      // The first alone, or a later one that overtakes it would be taken for a gap.
      if (first.isOnWire || !this.#manager.mayRetry(queue)) return NEVER;
      return Math.max(first.retryAtMs, queue.retryAtMs);
    }
    if (queue.waiting.length === 0 || !this.#manager.mayDrain(queue)) return NEVER;
    const isUrgent = this.#flushes > 0 || this.#options.isExhausted();
    return Math.max(this.#accumulator.lingersUntilMs(queue, isUrgent), queue.retryAtMs);
  }

  /** Gives batches up whose time is over. @returns when the next one's will be */
  #expire(queue: PartitionQueue, nowMs: number): number {
    const { deliveryTimeoutMs } = this.#options;
    for (;;) {
      const batch = queue.underWay[0] ?? queue.waiting[0];
      if (batch === undefined) return NEVER;
      const atMs = batch.createdMs + deliveryTimeoutMs;
      if (nowMs < atMs) return atMs;
      const what = `${batch.recordCount} records to ${queue.topic}-${queue.partition}`;
      const error = new TimeLimitError(what, deliveryTimeoutMs, "deliveryTimeoutMs", batch.lastError);
      this.#completion.fail(batch, error, false);
    }
  }

  #serveTransaction(transaction: TransactionStatus): void {
    const reason = transaction.dropReason;
    if (reason !== undefined) return this.#dropUnsent(reason);
    const toAdd = transaction.takePartitionsToAdd(this.#accumulator.busy);
    if (toAdd.length > 0) this.#options.addPartitions(toAdd);
  }

  /** What is on the wire is waited for: it may be in the log already. */
  #dropUnsent(error: KafkaError): void {
    for (const queue of this.#accumulator.busy) {
      for (const batch of [...queue.underWay, ...queue.waiting])
        if (!batch.isOnWire) this.#completion.fail(batch, error, false);
    }
  }

  #failAll(error: KafkaError): void {
    for (const queue of this.#accumulator.busy) {
      for (const batch of [...queue.underWay, ...queue.waiting]) this.#completion.fail(batch, error, false);
    }
  }

  /** What keeps everything from leaving is told to whoever's time is over meanwhile. */
  #noteFailure(error: KafkaError): void {
    for (const queue of this.#accumulator.busy) {
      const first = queue.waiting[0];
      if (first !== undefined) first.lastError = error;
    }
  }

  /** @returns when to look again for what had to stay */
  #sendTo(nodeId: number, queues: readonly PartitionQueue[], nowMs: number): number {
    const { purpose, maxInFlightRequestsPerConnection } = this.#options;
    const connection = this.#cluster.liveConnection(nodeId, purpose);
    if (connection === undefined) {
      this.#noteUnready(nodeId, nowMs);
      this.#connect(nodeId, [...queues]);
      return NEVER;
    }
    for (;;) {
      const throttledUntilMs = connection.throttledUntilMs;
      if (throttledUntilMs > nowMs) return throttledUntilMs;
      if (connection.pendingRequests >= maxInFlightRequestsPerConnection) break; // an answer wakes us
      if (!connection.isWritable) {
        connection.onceWritable(() => this.wake());
        break;
      }
      const batches = this.#take(queues, nowMs);
      if (batches.length > 0) this.#send(connection, batches);
      if (batches.length === 0 || !queues.some(hasUnsent)) {
        this.#unreadySinceMs.delete(nodeId);
        return NEVER;
      }
    }
    this.#noteUnready(nodeId, nowMs);
    return NEVER;
  }

  /** A batch of each queue that has one due, as many as make a request. */
  #take(queues: readonly PartitionQueue[], nowMs: number): readonly ProducerBatch[] {
    const { maxRequestSize } = this.#options;
    const batches: ProducerBatch[] = [];
    let bytes = 0;
    for (const queue of queues) {
      if (this.#readyMs(queue) > nowMs) continue;
      const { retried } = queue;
      const next = retried !== undefined && !retried.isOnWire ? retried : queue.waiting[0];
      if (next === undefined) continue;
      if (batches.length > 0 && bytes + next.sizeInBytes > maxRequestSize) continue;
      if (next.attempts === 0) {
        this.#manager.assign(queue, next);
        this.#accumulator.beginFirst(queue);
        next.seal();
        this.#accumulator.noteCompression(next);
        this.#options.onFirstSend?.(nowMs - next.createdMs);
      } else {
        this.#counters.retries++;
      }
      next.attempts++;
      next.isOnWire = true;
      queue.onWire++;
      bytes += next.sizeInBytes;
      batches.push(next);
    }
    this.#counters.bytesSent += bytes;
    return batches;
  }

  #connect(nodeId: number, queues: readonly PartitionQueue[]): void {
    if (this.#connecting.has(nodeId)) return;
    this.#connecting.add(nodeId);
    this.#cluster.connectionTo(nodeId, this.#options.purpose).then(
      () => {
        this.#connecting.delete(nodeId);
        this.wake();
      },
      (thrown: unknown) => {
        this.#connecting.delete(nodeId);
        const error = toKafkaError(thrown);
        const nowMs = this.#cluster.options.clock.monotonicMs();
        for (const queue of queues) {
          const batch = queue.underWay[0] ?? queue.waiting[0];
          if (batch === undefined || batch.isOnWire) continue;
          if (!isWorthRetrying(error)) {
            this.#completion.fail(batch, error, false);
            continue;
          }
          batch.lastError = error;
          this.#completion.backOff(queue, nowMs); // the connection has its own back-off, which grows
        }
        // Perhaps the leader is another by now.
        this.#refreshMetadata(new Set(queues.map(({ topic }) => topic)));
        this.wake();
      },
    );
  }

  #send(connection: BrokerConnection, batches: readonly ProducerBatch[]): void {
    const { acks, requestTimeoutMs } = this.#options;
    if (batchSent.hasSubscribers) for (const batch of batches) batchSent.publish(facts(batch, connection));
    this.#counters.requests++;
    const { transaction } = this.#manager;
    if (transaction?.isV2 === true) transaction.hasBegun = true;
    const topics = byTopic(batches, this.#idOf);
    const request = ProduceRequest.create({
      transactionalId: transaction?.transactionalId ?? null,
      acks,
      timeoutMs: requestTimeoutMs,
      topicData: topicData(topics),
    });
    if (acks === 0) return this.#sendWithoutAnswer(connection, request, batches);
    connection.send(produceApi(transaction), request, { timeoutMs: requestTimeoutMs }).then(
      (response) => this.#onResponse(connection, topics, response),
      (error: unknown) => this.#onFailure(batches, toKafkaError(error)),
    );
  }

  #sendWithoutAnswer(connection: BrokerConnection, request: ProduceRequest, batches: readonly ProducerBatch[]): void {
    try {
      connection.sendOneWay(PRODUCE, () => request);
    } catch (error) {
      return this.#onFailure(batches, toKafkaError(error));
    }
    for (const batch of batches) {
      leaveWire(batch);
      this.#completion.succeed(batch, UNKNOWN_OFFSET, -1, false);
    }
    this.#completion.tell();
    this.wake();
  }

  #onResponse(connection: BrokerConnection, topics: readonly TopicBatches[], response: ProduceResponse): void {
    const answers = answersOf(topics, response);
    let stale: Set<string> | undefined;
    for (let at = 0; at < topics.length; at++) {
      const { name, batches } = topics[at] as TopicBatches;
      for (let index = 0; index < batches.length; index++) {
        const batch = batches[index] as ProducerBatch;
        const { queue } = batch;
        const answer = answers[at]?.[index];
        leaveWire(batch);
        if (answer?.errorCode === ErrorCode.NONE) {
          this.#completion.acknowledge(batch, answer.baseOffset, answer.logAppendTimeMs);
          continue;
        }
        if (batch.isDone) continue;
        if (answer?.errorCode === ErrorCode.DUPLICATE_SEQUENCE_NUMBER) {
          // It is there, and has been for so long that the broker does not know any more where.
          this.#completion.acknowledge(batch, UNKNOWN_OFFSET, -1);
          continue;
        }
        if (answer?.errorCode === ErrorCode.MESSAGE_TOO_LARGE && batch.recordCount > 1) {
          this.#counters.splits++;
          this.#accumulator.split(batch);
          continue;
        }
        const error = refusal(connection.address, queue, answer);
        this.#completion.retryOrFail(batch, error, answer);
        if (!pointsToStaleMetadata(error)) continue;
        const { leaderId = -1, leaderEpoch = -1 } = answer?.currentLeader ?? {};
        const isKnown = this.#cluster.updateLeader(
          name,
          queue.partition,
          leaderId,
          leaderEpoch,
          response.nodeEndpoints,
        );
        if (isKnown) batch.retryAtMs = 0; // the new leader has not refused yet (KIP-951)
        else {
          stale ??= new Set();
          stale.add(name);
        }
      }
    }
    this.#completion.tell();
    if (stale !== undefined) this.#refreshMetadata(stale);
    this.wake();
  }

  /** The request as a whole: nobody knows whether it was done. */
  #onFailure(batches: readonly ProducerBatch[], failure: KafkaError): void {
    const stale = new Set<string>();
    for (const batch of batches) {
      leaveWire(batch);
      if (batch.isDone) continue;
      this.#completion.retryOrFail(batch, failure, undefined);
      if (pointsToStaleMetadata(failure)) stale.add(batch.queue.topic);
    }
    if (stale.size > 0) this.#refreshMetadata(stale);
    this.wake();
  }

  #noteUnready(nodeId: number, nowMs: number): void {
    if (!this.#unreadySinceMs.has(nodeId)) this.#unreadySinceMs.set(nodeId, nowMs);
  }

  #refreshMetadata(topics: Iterable<string>): void {
    this.#cluster.refreshMetadata(topics).then(
      () => this.wake(),
      () => {}, // the queues are backed off and will ask again
    );
  }

  readonly #idOf = (topic: string): Uuid => this.#cluster.metadata.topic(topic)?.topicId ?? ZERO_UUID;

  /** A timer that goes off too early only looks once in vain, so one that is set stays. */
  #armTimer(atMs: number): void {
    if (atMs >= this.#timerAtMs) return;
    this.#timer?.cancel();
    this.#timerAtMs = atMs;
    const { clock } = this.#cluster.options;
    this.#timer = clock.setTimer(Math.max(0, atMs - clock.monotonicMs()), () => {
      this.#timerAtMs = NEVER;
      this.wake();
    });
  }
}

function hasUnsent({ waiting, underWay }: PartitionQueue): boolean {
  return waiting.length > 0 || underWay.some(({ isOnWire }) => !isOnWire);
}

function leaveWire(batch: ProducerBatch): void {
  batch.isOnWire = false;
  batch.queue.onWire--;
}

/** Whether the metadata should be looked at before a retry. */
function pointsToStaleMetadata(error: KafkaError): boolean {
  return ERRORS.get(error.code)?.isInvalidMetadata ?? false;
}
