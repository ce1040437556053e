import type { Timer } from "@samsa/base";
import { ErrorCode, ERRORS, KafkaError, ZERO_UUID } from "@samsa/base";
import { ProduceRequest } from "@samsa/protocol/messages/produce-request";
import type { ProduceResponsePartitionProduceResponse } from "@samsa/protocol/messages/produce-response";
import { ProduceResponse } from "@samsa/protocol/messages/produce-response";
import type { Cluster } from "../cluster/cluster.ts";
import { api } from "../connection/api.ts";
import type { BrokerConnection } from "../connection/connection.ts";
import { BrokerError, TimeLimitError, toKafkaError } from "../errors.ts";
import { backoffDelayMs } from "../retry.ts";
import type { ProducerBatch } from "./producer-batch.ts";
import type { PartitionQueue, RecordAccumulator } from "./record-accumulator.ts";
import { UNKNOWN_OFFSET } from "./record.ts";

const PRODUCE = api(ProduceRequest, ProduceResponse);

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
  /** A batch is done with: its part of `bufferMemory` is free. */
  readonly onBatchDone: (batch: ProducerBatch) => void;
}

/**
 * Takes batches that are due to the leaders of their partitions, as many in one request as fit. It works whenever something
 * may have changed (`wake`), and otherwise sleeps until the first batch is due.
 */
export class Sender {
  readonly #cluster: Cluster;
  readonly #accumulator: RecordAccumulator;
  readonly #options: SenderOptions;
  readonly #connecting = new Set<number>(); // node ids
  #isAwake = false;
  #timer: Timer | undefined;
  #timerAtMs = Number.POSITIVE_INFINITY;
  #flushes = 0;
  #isClosed = false;

  constructor(cluster: Cluster, accumulator: RecordAccumulator, options: SenderOptions) {
    this.#cluster = cluster;
    this.#accumulator = accumulator;
    this.#options = options;
  }

  /** Looks at the queues once whoever calls has finished: what is appended at one go leaves at one go. */
  wake(): void {
    if (this.#isAwake || this.#isClosed) return;
    this.#isAwake = true;
    queueMicrotask(() => this.#run());
  }

  /** While one of these is open nothing lingers. @returns closes it */
  beginFlush(): () => void {
    this.#flushes++;
    this.wake();
    return () => {
      this.#flushes--;
    };
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
  }

  #run(): void {
    this.#isAwake = false;
    if (this.#isClosed) return;
    const nowMs = this.#cluster.options.clock.monotonicMs();
    const due = new Map<number, PartitionQueue[]>(); // by leader
    const leaderless = new Set<string>(); // topics
    let nextMs = Number.POSITIVE_INFINITY;
    for (const queue of this.#accumulator.busy) {
      if (this.#expire(queue, nowMs)) continue;
      const dueMs = this.#accumulator.dueMs(queue, this.#flushes > 0);
      if (dueMs > nowMs) {
        nextMs = Math.min(nextMs, dueMs);
        continue;
      }
      const leader = this.#cluster.leaderOf(queue.topic, queue.partition);
      if (leader === undefined) {
        leaderless.add(queue.topic);
        nextMs = Math.min(nextMs, this.#backOff(queue, nowMs, 0));
        continue;
      }
      const queues = due.get(leader.leaderId);
      if (queues === undefined) due.set(leader.leaderId, [queue]);
      else queues.push(queue);
    }
    if (leaderless.size > 0) this.#refreshMetadata(leaderless);
    for (const [nodeId, queues] of due) this.#sendTo(nodeId, queues);
    this.#armTimer(nextMs);
  }

  /** Gives batches up whose time is over. @returns whether the queue has none left */
  #expire(queue: PartitionQueue, nowMs: number): boolean {
    const { deliveryTimeoutMs } = this.#options;
    while (!queue.isInFlight) {
      const batch = queue.batches[0];
      if (batch === undefined) return true;
      if (nowMs < batch.createdMs + deliveryTimeoutMs) return false;
      const what = `${batch.recordCount} records to ${batch.topic}-${batch.partition}`;
      this.#finish(queue, batch, new TimeLimitError(what, deliveryTimeoutMs, "deliveryTimeoutMs", batch.lastError));
    }
    return false;
  }

  #sendTo(nodeId: number, queues: readonly PartitionQueue[]): void {
    const { purpose, maxInFlightRequestsPerConnection, maxRequestSize } = this.#options;
    const connection = this.#cluster.liveConnection(nodeId, purpose);
    if (connection === undefined) return this.#connect(nodeId, queues);
    let from = 0;
    while (from < queues.length) {
      if (connection.pendingRequests >= maxInFlightRequestsPerConnection) return; // an answer wakes us
      if (!connection.isWritable) return connection.onceWritable(() => this.wake());
      let bytes = 0;
      let to = from;
      for (; to < queues.length; to++) {
        const size = queues[to]?.batches[0]?.sizeInBytes ?? 0;
        if (to > from && bytes + size > maxRequestSize) break;
        bytes += size;
      }
      this.#send(connection, queues.slice(from, to));
      from = to;
    }
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
          const batch = queue.batches[0];
          if (batch === undefined || queue.isInFlight) continue;
          if (!error.isRetriable) {
            this.#finish(queue, batch, error);
            continue;
          }
          batch.lastError = error;
          this.#backOff(queue, nowMs, 0); // the connection has its own back-off, which grows
        }
        // Perhaps the leader is another by now.
        this.#refreshMetadata(new Set(queues.map(({ topic }) => topic)));
        this.wake();
      },
    );
  }

  #send(connection: BrokerConnection, queues: readonly PartitionQueue[]): void {
    const { acks, requestTimeoutMs } = this.#options;
    const topics = new Map<string, PartitionQueue[]>();
    for (const queue of queues) {
      queue.isInFlight = true;
      const batch = queue.batches[0] as ProducerBatch;
      batch.attempts++;
      const sameTopic = topics.get(queue.topic);
      if (sameTopic === undefined) topics.set(queue.topic, [queue]);
      else sameTopic.push(queue);
    }
    const request = ProduceRequest.create({
      acks,
      timeoutMs: requestTimeoutMs,
      topicData: [...topics].map(([name, topicQueues]) => ({
        name,
        topicId: this.#topicId(name),
        partitionData: topicQueues.map(({ partition, batches }) => ({
          index: partition,
          records: batches[0]?.seal() ?? null,
        })),
      })),
    });
    if (acks === 0) return this.#sendWithoutAnswer(connection, request, queues);
    connection.send(PRODUCE, request, { timeoutMs: requestTimeoutMs }).then(
      (response) => this.#onResponse(request, response, topics),
      (error: unknown) => this.#onFailure(queues, toKafkaError(error)),
    );
  }

  #sendWithoutAnswer(connection: BrokerConnection, request: ProduceRequest, queues: readonly PartitionQueue[]): void {
    try {
      connection.sendOneWay(PRODUCE, () => request);
    } catch (error) {
      return this.#onFailure(queues, toKafkaError(error));
    }
    for (const queue of queues) {
      const batch = queue.batches[0];
      if (batch === undefined) continue;
      this.#accumulator.removeFirst(queue);
      this.#options.onBatchDone(batch);
      batch.succeed(UNKNOWN_OFFSET, -1);
    }
    this.wake();
  }

  #onResponse(
    request: ProduceRequest,
    response: ProduceResponse,
    topics: ReadonlyMap<string, readonly PartitionQueue[]>,
  ): void {
    const namesById = new Map(request.topicData.map(({ topicId, name }) => [topicId, name]));
    const answers = new Map<string, ProduceResponsePartitionProduceResponse>();
    for (const topic of response.responses) {
      // From version 13 on the answer has ids, before that names; the other is empty.
      const name = topic.name === "" ? namesById.get(topic.topicId) : topic.name;
      for (const partition of topic.partitionResponses) answers.set(`${name}/${partition.index}`, partition);
    }
    const stale = new Set<string>();
    for (const [topic, queues] of topics) {
      for (const queue of queues) {
        const answer = answers.get(`${topic}/${queue.partition}`);
        const batch = queue.batches[0];
        if (batch === undefined) continue;
        if (answer?.errorCode === ErrorCode.NONE) {
          this.#accumulator.removeFirst(queue);
          this.#options.onBatchDone(batch);
          batch.succeed(answer.baseOffset, answer.logAppendTimeMs);
          continue;
        }
        const isStale = this.#retryOrFinish(queue, batch, refusal(queue, answer));
        if (!isStale) continue;
        const { leaderId = -1, leaderEpoch = -1 } = answer?.currentLeader ?? {};
        const isKnown = this.#cluster.updateLeader(
          topic,
          queue.partition,
          leaderId,
          leaderEpoch,
          response.nodeEndpoints,
        );
        if (!isKnown) stale.add(topic);
      }
    }
    if (stale.size > 0) this.#refreshMetadata(stale);
    this.wake();
  }

  /** The request as a whole: nobody knows whether it was done, so with retries a record may be there twice. */
  #onFailure(queues: readonly PartitionQueue[], error: KafkaError): void {
    const stale = new Set<string>();
    for (const queue of queues) {
      const batch = queue.batches[0];
      if (batch !== undefined && this.#retryOrFinish(queue, batch, error)) stale.add(queue.topic);
    }
    if (stale.size > 0) this.#refreshMetadata(stale);
    this.wake();
  }

  /** @returns whether the metadata should be looked at before the retry */
  #retryOrFinish(queue: PartitionQueue, batch: ProducerBatch, error: KafkaError): boolean {
    const { retries, deliveryTimeoutMs } = this.#options;
    const nowMs = this.#cluster.options.clock.monotonicMs();
    if (!error.isRetriable || batch.attempts > retries) {
      this.#finish(queue, batch, error);
    } else {
      batch.lastError = error;
      queue.isInFlight = false;
      const retryAtMs = this.#backOff(queue, nowMs, batch.attempts - 1);
      if (retryAtMs >= batch.createdMs + deliveryTimeoutMs) queue.retryAtMs = batch.createdMs + deliveryTimeoutMs;
    }
    return ERRORS.get(error.code)?.isInvalidMetadata ?? false;
  }

  #finish(queue: PartitionQueue, batch: ProducerBatch, error: KafkaError): void {
    this.#accumulator.removeFirst(queue);
    this.#options.onBatchDone(batch);
    batch.fail(error);
  }

  /** @returns when the queue may be tried again */
  #backOff(queue: PartitionQueue, nowMs: number, attempt: number): number {
    const { retryBackoffMs, retryBackoffMaxMs } = this.#options;
    const backoff = { backoffMs: retryBackoffMs, backoffMaxMs: retryBackoffMaxMs };
    queue.retryAtMs = nowMs + backoffDelayMs(backoff, attempt, this.#cluster.options.random);
    return queue.retryAtMs;
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

  #armTimer(atMs: number): void {
    if (atMs === this.#timerAtMs) return;
    this.#timer?.cancel();
    this.#timerAtMs = atMs;
    if (atMs === Number.POSITIVE_INFINITY) return;
    const { clock } = this.#cluster.options;
    this.#timer = clock.setTimer(Math.max(0, atMs - clock.monotonicMs()), () => {
      this.#timerAtMs = Number.POSITIVE_INFINITY;
      this.wake();
    });
  }
}

function refusal(queue: PartitionQueue, answer: ProduceResponsePartitionProduceResponse | undefined): KafkaError {
  const what = `Produce to ${queue.topic}-${queue.partition}`;
  if (answer === undefined)
    return new KafkaError(ErrorCode.UNKNOWN_SERVER_ERROR, `${what}: the answer does not speak of it`);
  const [first] = answer.recordErrors;
  const message = answer.errorMessage ?? first?.batchIndexErrorMessage;
  return new BrokerError(answer.errorCode as ErrorCode, what, message);
}
