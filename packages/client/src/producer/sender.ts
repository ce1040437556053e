import type { Timer } from "@samsa/base";
import { ErrorCode, ERRORS, KafkaError, ProtocolError, ZERO_UUID } from "@samsa/base";
import type { ProduceRequestTopicProduceData } from "@samsa/protocol/messages/produce-request";
import { ProduceRequest } from "@samsa/protocol/messages/produce-request";
import type { ProduceResponsePartitionProduceResponse } from "@samsa/protocol/messages/produce-response";
import { ProduceResponse } from "@samsa/protocol/messages/produce-response";
import type { Cluster } from "../cluster/cluster.ts";
import { api } from "../connection/api.ts";
import type { BrokerConnection } from "../connection/connection.ts";
import { BrokerError, ConnectionError, TimeLimitError, toKafkaError } from "../errors.ts";
import { batchDelivered, batchFailed, batchSent } from "../observability/channels.ts";
import { backoffDelayMs } from "../retry.ts";
import type { PartitionQueue } from "./partition-queue.ts";
import type { ProducerBatch } from "./producer-batch.ts";
import { ProducerIdCall } from "./producer-id-call.ts";
import type { ProducerCounters } from "./producer-counters.ts";
import type { RecordAccumulator } from "./record-accumulator.ts";
import { UNKNOWN_OFFSET } from "./record.ts";
import type { TransactionManager } from "./transaction-manager.ts";
import type { TransactionStatus } from "./transaction-state.ts";

const PRODUCE = api(ProduceRequest, ProduceResponse);
/** From version 12 on a write adds its partition to the transaction (KIP-890), which brokers before transactions V2 do not know. */
const PRODUCE_TRANSACTION_V1 = api(ProduceRequest, ProduceResponse, { highestVersion: 11 });
const PRODUCE_TRANSACTION_V2 = api(ProduceRequest, ProduceResponse, { lowestVersion: 12 });
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
  readonly #connecting = new Set<number>(); // node ids
  readonly #unreadySinceMs = new Map<number, number>(); // by node id
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
    this.#idCall = new ProducerIdCall(cluster, manager, this.#backoff(), {
      failure: (error) => this.#noteFailure(error),
      done: () => this.wake(),
    });
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
  }

  readonly #run = (): void => {
    this.#isAwake = false;
    if (this.#isClosed) return;
    const { busy } = this.#accumulator;
    const nowMs = this.#cluster.options.clock.monotonicMs();
    const due = new Map<number, PartitionQueue[]>(); // by leader
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
      const leader = this.#cluster.leaderOf(queue.topic, queue.partition);
      if (leader === undefined) {
        leaderless ??= new Set();
        leaderless.add(queue.topic);
        nextMs = Math.min(nextMs, this.#backOff(queue, nowMs));
        continue;
      }
      const queues = due.get(leader.leaderId);
      if (queues === undefined) due.set(leader.leaderId, [queue]);
      else queues.push(queue);
    }
    if (leaderless !== undefined) this.#refreshMetadata(leaderless);
    for (const [nodeId, queues] of due) nextMs = Math.min(nextMs, this.#sendTo(nodeId, queues, nowMs));
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
      this.#finish(batch, error, false);
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
      for (const batch of [...queue.underWay, ...queue.waiting]) if (!batch.isOnWire) this.#finish(batch, error, false);
    }
  }

  #failAll(error: KafkaError): void {
    for (const queue of this.#accumulator.busy) {
      for (const batch of [...queue.underWay, ...queue.waiting]) this.#finish(batch, error, false);
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
      this.#connect(nodeId, queues);
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
            this.#finish(batch, error, false);
            continue;
          }
          batch.lastError = error;
          this.#backOff(queue, nowMs); // the connection has its own back-off, which grows
        }
        // Perhaps the leader is another by now.
        this.#refreshMetadata(new Set(queues.map(({ topic }) => topic)));
        this.wake();
      },
    );
  }

  #send(connection: BrokerConnection, batches: readonly ProducerBatch[]): void {
    const { acks, requestTimeoutMs } = this.#options;
    const topics = new Map<string, ProducerBatch[]>();
    for (const batch of batches) {
      const { topic } = batch.queue;
      const sameTopic = topics.get(topic);
      if (sameTopic === undefined) topics.set(topic, [batch]);
      else sameTopic.push(batch);
      if (batchSent.hasSubscribers) batchSent.publish(facts(batch, connection));
    }
    this.#counters.requests++;
    const { transaction } = this.#manager;
    if (transaction?.isV2 === true) transaction.hasBegun = true;
    const topicData: ProduceRequestTopicProduceData[] = [];
    for (const [name, sameTopic] of topics) {
      const partitionData = sameTopic.map((batch) => ({ index: batch.queue.partition, records: batch.seal() }));
      topicData.push({ name, topicId: this.#topicId(name), partitionData });
    }
    const request = ProduceRequest.create({
      transactionalId: transaction?.transactionalId ?? null,
      acks,
      timeoutMs: requestTimeoutMs,
      topicData,
    });
    if (acks === 0) return this.#sendWithoutAnswer(connection, request, batches);
    connection.send(produceApi(transaction), request, { timeoutMs: requestTimeoutMs }).then(
      (response) => this.#onResponse(connection, request, response, topics),
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
      this.#leaveWire(batch);
      this.#succeed(batch, UNKNOWN_OFFSET, -1, false);
    }
    this.wake();
  }

  #onResponse(
    connection: BrokerConnection,
    request: ProduceRequest,
    response: ProduceResponse,
    topics: ReadonlyMap<string, readonly ProducerBatch[]>,
  ): void {
    const answers = new Map<string, ProduceResponsePartitionProduceResponse>();
    for (const topic of response.responses) {
      // From version 13 on the answer has ids, before that names; the other is empty.
      const name = topic.name === "" ? nameOf(request, topic.topicId) : topic.name;
      for (const partition of topic.partitionResponses) answers.set(`${name}/${partition.index}`, partition);
    }
    let stale: Set<string> | undefined;
    for (const [topic, batches] of topics) {
      for (const batch of batches) {
        const { queue } = batch;
        const answer = answers.get(`${topic}/${queue.partition}`);
        this.#leaveWire(batch);
        if (answer?.errorCode === ErrorCode.NONE) {
          this.#succeedDoubted(batch);
          this.#manager.onAcknowledged(queue, batch, answer.baseOffset);
          this.#succeed(batch, answer.baseOffset, answer.logAppendTimeMs, true);
          continue;
        }
        if (batch.isDone) continue;
        if (answer?.errorCode === ErrorCode.DUPLICATE_SEQUENCE_NUMBER) {
          // It is there, and has been for so long that the broker does not know any more where.
          this.#succeedDoubted(batch);
          this.#manager.onAcknowledged(queue, batch, UNKNOWN_OFFSET);
          this.#succeed(batch, UNKNOWN_OFFSET, -1, true);
          continue;
        }
        if (answer?.errorCode === ErrorCode.MESSAGE_TOO_LARGE && batch.recordCount > 1) {
          this.#counters.splits++;
          this.#accumulator.split(batch);
          continue;
        }
        const error = refusal(connection, queue, answer);
        if (!this.#retryOrFinish(batch, error, answer)) continue;
        const { leaderId = -1, leaderEpoch = -1 } = answer?.currentLeader ?? {};
        const { partition } = queue;
        const isKnown = this.#cluster.updateLeader(topic, partition, leaderId, leaderEpoch, response.nodeEndpoints);
        if (isKnown) batch.retryAtMs = 0; // the new leader has not refused yet (KIP-951)
        else {
          stale ??= new Set();
          stale.add(topic);
        }
      }
    }
    if (stale !== undefined) this.#refreshMetadata(stale);
    this.wake();
  }

  /** The request as a whole: nobody knows whether it was done. */
  #onFailure(batches: readonly ProducerBatch[], failure: KafkaError): void {
    const stale = new Set<string>();
    for (const batch of batches) {
      this.#leaveWire(batch);
      if (!batch.isDone && this.#retryOrFinish(batch, failure, undefined)) stale.add(batch.queue.topic);
    }
    if (stale.size > 0) this.#refreshMetadata(stale);
    this.wake();
  }

  /** @returns whether the metadata should be looked at before the retry */
  #retryOrFinish(
    batch: ProducerBatch,
    error: KafkaError,
    answer: ProduceResponsePartitionProduceResponse | undefined,
  ): boolean {
    const { queue } = batch;
    const isWorthIt =
      answer === undefined
        ? isWorthRetrying(error)
        : this.#manager.canRetry(queue, batch, error, answer.logStartOffset);
    if (!isWorthIt || batch.attempts > this.#options.retries) {
      this.#finish(batch, error, answer !== undefined && !error.isRetriable);
    } else {
      const { clock, random } = this.#cluster.options;
      batch.lastError = error;
      batch.retryAtMs = clock.monotonicMs() + backoffDelayMs(this.#backoff(), batch.attempts - 1, random);
    }
    return ERRORS.get(error.code)?.isInvalidMetadata ?? false;
  }

  #leaveWire(batch: ProducerBatch): void {
    batch.isOnWire = false;
    batch.queue.onWire--;
  }

  /** A broker takes a sequence only behind those before it: they have arrived, nobody knows where. */
  #succeedDoubted({ queue, isDone }: ProducerBatch): void {
    if (isDone) return;
    for (const before of queue.underWay.slice(0, queue.doubted)) this.#succeed(before, UNKNOWN_OFFSET, -1, true);
  }

  #succeed(batch: ProducerBatch, baseOffset: number, logAppendTimeMs: number, isAnswered: boolean): void {
    if (batch.isDone) return; // too late for whoever waited
    this.#counters.batchesDelivered++;
    this.#counters.recordsDelivered += batch.recordCount;
    if (batchDelivered.hasSubscribers) batchDelivered.publish({ ...facts(batch), baseOffset });
    this.#accumulator.remove(batch, isAnswered);
    this.#options.onBatchDone();
    batch.succeed(baseOffset, logAppendTimeMs);
  }

  /** @param isRefused the broker said that it does not take it; otherwise nobody knows */
  #finish(batch: ProducerBatch, error: KafkaError, isRefused: boolean): void {
    this.#counters.batchesFailed++;
    this.#counters.recordsFailed += batch.recordCount;
    if (batchFailed.hasSubscribers) batchFailed.publish({ ...facts(batch), error });
    this.#accumulator.remove(batch, false);
    this.#manager.onFailed(batch.queue, batch, error, isRefused);
    this.#options.onBatchDone();
    batch.fail(error);
  }

  /** @returns when the queue may be tried again */
  #backOff(queue: PartitionQueue, nowMs: number): number {
    queue.retryAtMs = nowMs + backoffDelayMs(this.#backoff(), 0, this.#cluster.options.random);
    return queue.retryAtMs;
  }

  #backoff(): { readonly backoffMs: number; readonly backoffMaxMs: number } {
    const { retryBackoffMs, retryBackoffMaxMs } = this.#options;
    return { backoffMs: retryBackoffMs, backoffMaxMs: retryBackoffMaxMs };
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

  #topicId(name: string): ProduceRequest["topicData"][number]["topicId"] {
    return this.#cluster.metadata.topic(name)?.topicId ?? ZERO_UUID;
  }

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

function produceApi(transaction: TransactionStatus | undefined): typeof PRODUCE {
  if (transaction === undefined) return PRODUCE;
  return transaction.isV2 ? PRODUCE_TRANSACTION_V2 : PRODUCE_TRANSACTION_V1;
}

/** Garbage in place of an answer says as little as no answer, and its connection is gone. */
function isWorthRetrying(error: KafkaError): boolean {
  return error.isRetriable || error instanceof ProtocolError;
}

function nameOf(request: ProduceRequest, topicId: string): string | undefined {
  return request.topicData.find((topic) => topic.topicId === topicId)?.name;
}

function facts(batch: ProducerBatch, connection?: BrokerConnection): Readonly<Record<string, unknown>> {
  const { queue, recordCount, sizeInBytes, attempts } = batch;
  const { topic, partition } = queue;
  return { topic, partition, recordCount, sizeInBytes, attempts, ...(connection && { broker: connection.address }) };
}

function refusal(
  connection: BrokerConnection,
  queue: PartitionQueue,
  answer: ProduceResponsePartitionProduceResponse | undefined,
): KafkaError {
  const what = `Produce to ${queue.topic}-${queue.partition}`;
  if (answer === undefined) {
    return new ConnectionError(connection.address, `${what}: the answer does not speak of it`);
  }
  const [first] = answer.recordErrors;
  const message = answer.errorMessage ?? first?.batchIndexErrorMessage;
  return new BrokerError(answer.errorCode as ErrorCode, what, message, connection.address);
}
