import type { KafkaError, Timer } from "@samsa/base";
import { ErrorCode } from "@samsa/base";
import { RECORD_BATCH_OVERHEAD, recordSizeUpperBound } from "@samsa/protocol";
import type { Cluster } from "../cluster/cluster.ts";
import type { TopicMetadata } from "../cluster/topic-metadata.ts";
import { BrokerError, ClosedError, ConfigurationError, RecordTooLargeError, TimeLimitError } from "../errors.ts";
import { aFunction, checkList, checkNames } from "../options.ts";
import type { OpenTelemetryApi } from "../observability/open-telemetry.ts";
import { withTrace } from "../observability/open-telemetry.ts";
import type { Serializer } from "../serialisers/serialiser.ts";
import { BatchSink } from "./batch-sink.ts";
import type { Waiter } from "./delivery.ts";
import type { PartitionExplanation, PartitionerInput } from "./partitioner.ts";
import { recordPartitioner, sizeUpperBound, toBytes } from "./partitioner.ts";
import type { ProducerCounters } from "./producer-counters.ts";
import { newProducerCounters } from "./producer-counters.ts";
import type { ResolvedProducerOptions } from "./producer-options.ts";
import { compressionLevelOf } from "./producer-options.ts";
import { RecordAccumulator } from "./record-accumulator.ts";
import type { Data, DeliveryCallback, ProducerHeader, ProducerRecord, RecordMetadata } from "./record.ts";
import { NO_HEADERS } from "./record.ts";
import { Sender } from "./sender.ts";
import { explained, serialise, sizeOf } from "./serialise.ts";
import type { TopicQueuesOptions } from "./topic-queues.ts";
import { TopicQueues } from "./topic-queues.ts";
import { ProducerTransactions } from "./producer-transactions.ts";
import { TransactionCalls } from "./transaction-calls.ts";
import { Transaction } from "./transaction.ts";
import { TransactionManager } from "./transaction-manager.ts";
import { TransactionStatus } from "./transaction-state.ts";
import { WaitingRecords } from "./waiting-records.ts";

const MAX_RECORD_OVERHEAD = recordSizeUpperBound({ key: null, value: null });

/** What the client hands its producers beside their options. */
export interface ProducerContext {
  readonly cluster: Cluster;
  readonly purpose: string; // of the connections
  readonly clientRack: string;
  readonly openTelemetry: OpenTelemetryApi | undefined;
  readonly onFirstSend: ((queuedMs: number) => void) | undefined;
  readonly onClosed: () => void;
}

export interface SendOptions {
  /**
   * Ends the wait. A record that has not got into a batch yet is not sent; one that has, may arrive all the same, for what has left
   * cannot be called back.
   */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Sends records. `send` batches behind the promise; records of one partition arrive in the order of the calls, retries
 * included, and once each (unless `enableIdempotence` is off).
 *
 *   send ─→ serialisers ─→ partitioner ─→ accumulator (a batch per partition) ─→ sender ─→ leader
 *     └─ waits: metadata unknown, bufferMemory full
 */
export class Producer<K = Data, V = Data> {
  readonly #context: ProducerContext;
  readonly #cluster: Cluster;
  readonly #options: ResolvedProducerOptions;
  readonly #accumulator: RecordAccumulator;
  readonly #manager: TransactionManager;
  readonly #sender: Sender;
  readonly #counters = newProducerCounters();
  readonly #topicOptions: TopicQueuesOptions;
  readonly #transactions: ProducerTransactions | undefined;
  readonly #topics = new Map<string, TopicQueues>();
  #lastTopic: TopicQueues | undefined;
  readonly #waiting: WaitingRecords;
  #whenReady: (() => void)[] = [];
  #isClosed = false;

  /** Made by `kafka.producer()`. */
  constructor(context: ProducerContext, options: ResolvedProducerOptions) {
    const { cluster, purpose, clientRack } = context;
    const { clock } = cluster.options;
    const acks = options.acks === "all" ? -1 : options.acks;
    this.#context = context;
    this.#cluster = cluster;
    this.#options = options;
    const compressionLevel = compressionLevelOf(options);
    this.#accumulator = new RecordAccumulator({ ...options, compressionLevel, clock });
    const { transactionalId } = options;
    const status = transactionalId === undefined ? undefined : new TransactionStatus(transactionalId);
    this.#manager = new TransactionManager(options.enableIdempotence, status);
    this.#sender = new Sender(cluster, this.#accumulator, this.#manager, this.#counters, {
      ...options,
      acks,
      purpose,
      isExhausted: () => !this.#waiting.isEmpty,
      onBatchDone: () => this.#onRoom(),
      onFirstSend: context.onFirstSend,
      addPartitions: (queues) => this.#transactions?.addPartitions(queues),
    });
    this.#transactions =
      status &&
      new ProducerTransactions({
        status,
        manager: this.#manager,
        calls: new TransactionCalls({ ...options, cluster, transactionalId: status.transactionalId }),
        clock,
        maxBlockMs: options.maxBlockMs,
        flush: () => this.#flush(),
        failWaiting: (error) => {
          this.#waiting.failAll(error);
        },
        wake: () => this.#sender.wake(),
      });
    this.#waiting = new WaitingRecords({
      clock,
      counters: this.#counters,
      maxBlockMs: options.maxBlockMs,
      bufferMemory: options.bufferMemory,
      wake: () => this.#sender.wake(),
      checkedSize: (key, value, headers) => this.#checkedSize(key, value, headers),
      topic: (name) => this.#topic(name),
      fetchTopic: (name) => this.#cluster.topic(name, this.#topicLimits()),
      hasRoom: (sizeInBytes) => this.#accumulator.hasRoom(sizeInBytes),
      append: (topic, waiting) => {
        const { record, timestamp, key, value, headers, sizeInBytes, waiter, tag } = waiting;
        this.#append(topic, record, timestamp, key, value, headers, sizeInBytes, waiter, tag);
      },
      refuse: (waiting, error) => this.#refuse(waiting.waiter, waiting.tag, error),
      onEmpty: () => this.#tellReady(),
    });
    const { partitionerAvailabilityTimeoutMs: timeoutMs } = options;
    this.#topicOptions = {
      cluster,
      rack: options.partitionerRackAware ? clientRack : undefined,
      isReachable: (nodeId) => {
        const sinceMs = timeoutMs === 0 ? undefined : this.#sender.unreadySinceMs(nodeId);
        return sinceMs === undefined || clock.monotonicMs() - sinceMs <= timeoutMs;
      },
      hasRoomInBatch: (queue, sizeInBytes) => this.#accumulator.hasRoomInBatch(queue, sizeInBytes),
      makePartitioner: (topic) =>
        recordPartitioner(topic, {
          partitioner: typeof options.partitioner === "function" ? "default" : options.partitioner,
          partitionerIgnoreKeys: options.partitionerIgnoreKeys,
          stickyBytes: options.batchSize,
          isAdaptive: options.partitionerAdaptivePartitioningEnable,
          random: cluster.options.random,
        }),
    };
  }

  /**
   * Sends one record and resolves when it has the acknowledgements that `acks` asks for.
   * @throws RecordTooLargeError, SerialisationError, BufferExhaustedError, TimeLimitError, ClosedError, BrokerError (what the broker
   *   answered); the signal's reason
   */
  send(record: ProducerRecord<K, V>, options: SendOptions = {}): Promise<RecordMetadata> {
    const { signal } = options;
    if (signal !== undefined) return this.#abortable(signal, () => this.#send(record, signal));
    return this.#send(record, undefined);
  }

  #send(record: ProducerRecord<K, V>, signal: AbortSignal | undefined): Promise<RecordMetadata> {
    return new Promise((resolve, reject) => {
      const waiter: DeliveryCallback = (error, metadata) => {
        if (metadata === undefined) reject(error);
        else resolve(metadata);
      };
      this.#accept(record, waiter, 0, signal);
    });
  }

  /** Sends many and resolves when all have arrived; rejects with the first error, when all are done with. */
  sendBatch(records: readonly ProducerRecord<K, V>[], options: SendOptions = {}): Promise<RecordMetadata[]> {
    const { signal } = options;
    if (signal !== undefined) return this.#abortable(signal, () => this.#sendBatch(records, signal));
    return this.#sendBatch(records, undefined);
  }

  #sendBatch(records: readonly ProducerRecord<K, V>[], signal: AbortSignal | undefined): Promise<RecordMetadata[]> {
    return new Promise((resolve, reject) => {
      checkList("producer.sendBatch", records);
      if (records.length === 0) return resolve([]);
      const sink = new BatchSink(records.length, resolve, reject);
      for (let i = 0; i < records.length; i++) this.#accept(records[i] as ProducerRecord<K, V>, sink, i, signal);
    });
  }

  /**
   * Sends one record without a promise. Failures go to the callback alone; what the callback throws is an unhandled rejection.
   * @returns false when the buffer is full: wait for `ready()` before the next, or records pile up
   */
  write(record: ProducerRecord<K, V>, callback?: DeliveryCallback): boolean {
    this.#accept(record, callback, 0, undefined);
    return !this.#isFull;
  }

  /** Resolves when there is room for more; a `write` that returned false asks for this. */
  ready(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#isFull) this.#whenReady.push(resolve);
      else resolve();
    });
  }

  /** Sends what has been handed over so far without lingering, and resolves when it is done with, for better or worse. */
  async flush(options: SendOptions = {}): Promise<void> {
    const { signal } = options;
    if (signal === undefined) await this.#flush();
    else await this.#abortable(signal, () => this.#flush());
  }

  async #flush(): Promise<void> {
    const endFlush = this.#sender.beginFlush();
    try {
      await this.#waiting.whenEmpty();
      const batches = [...this.#accumulator.busy].flatMap((queue) => [...queue.underWay, ...queue.waiting]);
      await Promise.all(batches.map((batch) => new Promise<void>((resolve) => batch.onceDone(resolve))));
    } finally {
      endFlush();
    }
  }

  /**
   * A web stream of records, with back-pressure by `bufferMemory`. The first record that fails fails the stream; closing it flushes.
   * The producer stays open.
   */
  writable(): WritableStream<ProducerRecord<K, V>> {
    let fail = (_error: KafkaError): void => {};
    const onDelivery: DeliveryCallback = (error) => {
      if (error !== undefined) fail(error);
    };
    return new WritableStream<ProducerRecord<K, V>>({
      start: (controller) => {
        fail = (error) => controller.error(error);
      },
      write: async (record) => {
        if (!this.write(record, onDelivery)) await this.ready();
      },
      close: () => this.#flush(),
    });
  }

  /**
   * Asks the coordinator for this producer's transactions (needs `transactionalId`): whoever had the name before is fenced, and what
   * they have left open is aborted. The first transaction does this too.
   * @throws BrokerError, TimeLimitError
   */
  async initTransactions(): Promise<void> {
    await this.#transactional("initTransactions").init();
  }

  /**
   * Begins a transaction, to be ended by its `commit` or `abort`. `transaction` does that by itself.
   * @throws TransactionStateError while another is open, ProducerFencedError, TimeLimitError
   */
  async beginTransaction(): Promise<Transaction<K, V>> {
    const transactions = this.#transactional("beginTransaction");
    await transactions.begin();
    return new Transaction<K, V>(this, transactions);
  }

  /**
   * Does something in a transaction, which is committed when the function returns and aborted when it throws. What was sent in it
   * need not be awaited.
   *
   * @returns what the function returned, once the transaction is committed
   * @throws what the function throws, or what kept the transaction from committing, when it has been aborted; ProducerFencedError and
   *   other errors that are fatal for the producer; TimeLimitError when it is not known whether it was committed
   */
  async transaction<T>(work: (transaction: Transaction<K, V>) => Promise<T> | T): Promise<T> {
    const wanted = aFunction(work);
    if (wanted !== undefined) throw new ConfigurationError(`producer.transaction: wanted is ${wanted}`);
    const transaction = await this.beginTransaction();
    let result: T;
    try {
      result = await work(transaction);
    } catch (error) {
      // An abort that takes long goes on, and the next transaction waits for it: what went wrong first says more.
      await transaction.abort().catch((failure: unknown) => {
        if (!(failure instanceof TimeLimitError)) throw failure;
      });
      throw error;
    }
    await transaction.commitOrAbort();
    return result;
  }

  #transactional(what: string): ProducerTransactions {
    if (this.#isClosed) throw new ClosedError("the producer");
    if (this.#transactions !== undefined) return this.#transactions;
    throw new ConfigurationError(`producer.${what} needs the option transactionalId`);
  }

  /** Which partition a record would go to now, by which rule, and the numbers that led there. It sends nothing. */
  async explainPartition(record: ProducerRecord<K, V>): Promise<PartitionExplanation> {
    const { topic } = record;
    await this.#cluster.topic(topic, this.#topicLimits());
    const queues = this.#topic(topic);
    if (queues === undefined) throw new BrokerError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, `topic ${topic}`);
    const { partitionCount } = queues;
    const common = { topic, partitionCount };
    if (record.partition !== undefined) {
      const arithmetic = `the record names partition ${record.partition}`;
      return { ...common, partition: record.partition, rule: "partition given", arithmetic };
    }
    const key = await this.#serialised(this.#options.keySerializer, record.key ?? null, topic, true);
    if (typeof this.#options.partitioner === "function") {
      const partition = this.#askFunction(queues, record, key);
      return { ...common, partition, rule: "custom function", arithmetic: `the function said ${partition}` };
    }
    return { ...common, ...queues.partitioner.explain(key) };
  }

  /** What this producer has done so far. */
  get counters(): Readonly<ProducerCounters> {
    const counters = { ...this.#counters };
    counters.epochBumps = this.#manager.epochBumps;
    counters.bufferedBytes = this.#accumulator.usedBytes;
    return counters;
  }

  /**
   * Takes no more records, sends those it has, and closes.
   * @param options.timeoutMs after this what is left fails; `deliveryTimeoutMs` bounds it in any case
   */
  async close(options: { readonly timeoutMs?: number | undefined } = {}): Promise<void> {
    if (this.#isClosed) return;
    checkNames("producer.close", options, ["timeoutMs"]);
    this.#isClosed = true;
    const { timeoutMs = Number.POSITIVE_INFINITY } = options;
    const flushed = this.#transactions === undefined ? this.#flush() : this.#transactions.close();
    if (timeoutMs === Number.POSITIVE_INFINITY) await flushed;
    else await this.#within(timeoutMs, flushed);
    this.#sender.close();
    const error = new ClosedError("the producer");
    this.#waiting.close(error);
    for (const batch of this.#accumulator.takeAll()) batch.fail(error);
    this.#context.onClosed();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  get #isFull(): boolean {
    return this.#accumulator.isFull || !this.#waiting.isEmpty;
  }

  #accept(record: ProducerRecord<K, V>, waiter: Waiter | undefined, tag: number, signal?: AbortSignal): void {
    this.#counters.records++;
    try {
      this.#take(record, waiter, tag, signal);
    } catch (thrown) {
      this.#refuse(waiter, tag, explained(thrown, record));
    }
  }

  /** Into a batch at once where nothing stands in the way; this is the path of every record, and makes no object. */
  #take(record: ProducerRecord<K, V>, waiter: Waiter | undefined, tag: number, signal: AbortSignal | undefined): void {
    if (this.#isClosed) throw new ClosedError("the producer");
    const { fatalError } = this.#manager;
    if (fatalError !== undefined) throw fatalError;
    this.#manager.transaction?.checkOpen();
    const { keySerializer, valueSerializer } = this.#options;
    const name = record.topic;
    if (record.value === undefined || typeof name !== "string" || name === "") throw explained(undefined, record);
    const key = serialise(keySerializer, record.key ?? null, name, true);
    const value = serialise(valueSerializer, record.value, name, false);
    const { openTelemetry } = this.#context;
    const given = record.headers ?? NO_HEADERS;
    const headers = openTelemetry === undefined ? given : withTrace(openTelemetry, given);
    const timestamp = record.timestamp ?? this.#cluster.options.clock.wallMs();
    if (key instanceof Promise || value instanceof Promise) {
      const content = { key: null, value: null, sizeInBytes: 0, isReady: false };
      const waiting = this.#waiting.add({ record, timestamp, headers, waiter, tag, signal, ...content });
      this.#waiting.finishSerialising(waiting, key, value);
      return;
    }
    const sizeInBytes = this.#checkedSize(key, value, headers);
    const mustWait = this.#waiting.has(name);
    const topic = mustWait ? undefined : this.#topic(name);
    if (topic !== undefined && this.#accumulator.hasRoom(sizeInBytes)) {
      this.#append(topic, record, timestamp, key, value, headers, sizeInBytes, waiter, tag);
    } else {
      const content = { key, value, sizeInBytes, isReady: true };
      this.#waiting.add({ record, timestamp, headers, waiter, tag, signal, ...content });
      this.#waiting.drain(name);
    }
  }

  /** @throws BrokerError for a partition that the topic does not have, InvalidTimestampError */
  #append(
    topic: TopicQueues,
    record: ProducerRecord<unknown, unknown>,
    timestamp: number,
    key: Data | null,
    value: Data | null,
    headers: readonly ProducerHeader[],
    sizeInBytes: number,
    waiter: Waiter | undefined,
    tag: number,
  ): void {
    let { partition } = record;
    if (partition === undefined) {
      partition =
        typeof this.#options.partitioner === "function"
          ? this.#askFunction(topic, record, key)
          : topic.partitioner.partition(key, sizeInBytes);
    }
    const queue = topic.queue(partition);
    if (queue === undefined) {
      const have = `the topic has partitions 0 to ${topic.partitionCount - 1}`;
      throw new BrokerError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, `${topic.name}-${partition}`, have);
    }
    if (this.#accumulator.append(queue, timestamp, key, value, headers, sizeInBytes, waiter, tag)) this.#sender.wake();
  }

  #askFunction(topic: TopicQueues, record: ProducerRecord<unknown, unknown>, key: Data | null): number {
    const { partitioner } = this.#options;
    if (typeof partitioner !== "function") return 0;
    if (this.#options.partitionerAvailabilityTimeoutMs > 0) topic.forgetAvailable();
    const input: PartitionerInput = {
      topic: topic.name,
      key: record.key ?? null,
      value: record.value,
      keyBytes: key === null ? null : toBytes(key),
      headers: record.headers ?? NO_HEADERS,
      partitionCount: topic.partitionCount,
      availablePartitions: topic.availablePartitions(),
    };
    return partitioner(input);
  }

  /** The topic if its metadata is known. */
  #topic(name: string): TopicQueues | undefined {
    let topic = this.#lastTopic;
    if (topic === undefined || topic.name !== name) {
      topic = this.#topics.get(name);
      if (topic === undefined) {
        const metadata: TopicMetadata | undefined = this.#cluster.metadata.topic(name);
        if (metadata === undefined) return undefined;
        topic = new TopicQueues(metadata, this.#topicOptions);
        this.#topics.set(name, topic);
      }
      this.#lastTopic = topic;
    }
    return topic.refresh() ? topic : undefined;
  }

  /** Bytes the record takes of a batch before compression, at most. @throws RecordTooLargeError */
  #checkedSize(key: Data | null, value: Data | null, headers: readonly ProducerHeader[]): number {
    let bound = MAX_RECORD_OVERHEAD + sizeUpperBound(key) + sizeUpperBound(value);
    for (const header of headers) bound += 10 + sizeUpperBound(header.key) + sizeUpperBound(header.value);
    const { maxRequestSize } = this.#options;
    if (bound + RECORD_BATCH_OVERHEAD <= maxRequestSize) return bound;
    let size = MAX_RECORD_OVERHEAD + sizeOf(key) + sizeOf(value);
    for (const header of headers) size += 10 + sizeOf(header.key) + sizeOf(header.value);
    if (size + RECORD_BATCH_OVERHEAD <= maxRequestSize) return size;
    throw new RecordTooLargeError(size + RECORD_BATCH_OVERHEAD, maxRequestSize);
  }

  #topicLimits(): {
    readonly timeoutMs: number;
    readonly timeoutOption: string;
    readonly allowAutoTopicCreation: boolean;
  } {
    return { timeoutMs: this.#options.maxBlockMs, timeoutOption: "maxBlockMs", allowAutoTopicCreation: true };
  }

  /** A record that got into no batch. Without it the transaction is not what it was meant to be. */
  #refuse(waiter: Waiter | undefined, tag: number, error: KafkaError): void {
    this.#counters.recordsFailed++;
    this.#manager.onTransactionError(error);
    if (typeof waiter === "function") waiter(error, undefined);
    else waiter?.onDelivery(tag, error, undefined);
  }

  #onRoom(): void {
    this.#waiting.drainAll();
    this.#tellReady();
  }

  #tellReady(): void {
    if (this.#isFull || this.#whenReady.length === 0) return;
    for (const callback of this.#whenReady.splice(0)) callback();
  }

  async #serialised(
    serializer: Serializer<unknown> | undefined,
    data: unknown,
    topic: string,
    isKey: boolean,
  ): Promise<Data | null> {
    return await serialise(serializer, data, topic, isKey);
  }

  /** Work that its caller may stop waiting for. */
  #abortable<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason as Error);
      const onAbort = (): void => reject(signal.reason as Error);
      signal.addEventListener("abort", onAbort, { once: true });
      work()
        .then(resolve, reject)
        .finally(() => signal.removeEventListener("abort", onAbort));
    });
  }

  /** Resolves with the work or after the time, whichever comes first. */
  async #within(timeoutMs: number, work: Promise<void>): Promise<void> {
    let timer: Timer | undefined;
    const over = new Promise<void>((resolve) => {
      timer = this.#cluster.options.clock.setTimer(timeoutMs, resolve);
    });
    try {
      await Promise.race([work, over]);
    } finally {
      timer?.cancel();
    }
  }
}
