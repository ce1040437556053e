import type { KafkaError, Timer } from "@samsa/base";
import { ErrorCode } from "@samsa/base";
import type { RecordHeader } from "@samsa/protocol";
import { RECORD_BATCH_OVERHEAD, recordSizeUpperBound } from "@samsa/protocol";
import type { Cluster } from "../cluster/cluster.ts";
import type { TopicMetadata } from "../cluster/topic-metadata.ts";
import { BrokerError, BufferExhaustedError, ClosedError, RecordTooLargeError, toKafkaError } from "../errors.ts";
import type { Partitioner } from "./partitioner.ts";
import { DefaultPartitioner } from "./partitioner.ts";
import type { DeliveryCallback, ProducerBatch } from "./producer-batch.ts";
import type { ResolvedProducerOptions } from "./producer-options.ts";
import { RecordAccumulator } from "./record-accumulator.ts";
import type { ProducerRecord, RecordMetadata } from "./record.ts";
import { toBytes, toHeaders } from "./record.ts";
import { Sender } from "./sender.ts";

/** A record that cannot be put into a batch yet. */
interface EncodedRecord {
  readonly topic: string;
  readonly partition: number | undefined;
  readonly timestamp: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: readonly RecordHeader[];
  readonly sizeInBytes: number;
  readonly callback: DeliveryCallback | undefined;
}

/** Records of one topic that wait for its metadata or for room, in order. */
interface Waiting {
  readonly records: { readonly record: EncodedRecord; readonly deadlineMs: number }[];
  isFetching: boolean;
  readonly whenEmpty: (() => void)[];
}

const MAX_RECORD_OVERHEAD = recordSizeUpperBound({ key: null, value: null });

/** Records that may wait for room before more are refused; their callers hold them anyway, so this only ends a runaway loop. */
const MAX_WAITING_RECORDS = 1_000_000;

/**
 * Sends records. `send` batches behind the promise; records of one partition arrive in the order of the calls, retries
 * included.
 *
 *   send ─→ partitioner ─→ accumulator (a batch per partition) ─→ sender ─→ leader
 *     └─ waits: metadata unknown, bufferMemory full
 */
export class Producer {
  readonly #cluster: Cluster;
  readonly #options: ResolvedProducerOptions;
  readonly #accumulator: RecordAccumulator;
  readonly #sender: Sender;
  readonly #partitioners = new Map<string, Partitioner>();
  readonly #waiting = new Map<string, Waiting>(); // by topic
  #waitingRecords = 0;
  #waitTimer: Timer | undefined;
  #usedBytes = 0; // of bufferMemory
  #whenReady: (() => void)[] = [];
  #isClosed = false;

  /** Made by `kafka.producer()`. */
  constructor(cluster: Cluster, options: ResolvedProducerOptions, purpose: string) {
    const { clock } = cluster.options;
    this.#cluster = cluster;
    this.#options = options;
    this.#accumulator = new RecordAccumulator({ ...options, clock });
    this.#sender = new Sender(cluster, this.#accumulator, {
      ...options,
      acks: options.acks === "all" ? -1 : options.acks,
      purpose,
      retryBackoffMs: cluster.options.retryBackoffMs,
      retryBackoffMaxMs: cluster.options.retryBackoffMaxMs,
      onBatchDone: (batch) => this.#release(batch),
    });
  }

  /**
   * Sends one record and resolves when it has the acknowledgements that `acks` asks for.
   * @throws RecordTooLargeError, BufferExhaustedError, TimeLimitError, ClosedError, BrokerError (what the broker answered)
   */
  send(record: ProducerRecord): Promise<RecordMetadata> {
    return new Promise((resolve, reject) => {
      this.write(record, (error, metadata) => {
        if (metadata === undefined) reject(error);
        else resolve(metadata);
      });
    });
  }

  /** Sends many and resolves when all have arrived; rejects with the first error, when all are done with. */
  sendBatch(records: readonly ProducerRecord[]): Promise<RecordMetadata[]> {
    return new Promise((resolve, reject) => {
      const results = Array.from<RecordMetadata>({ length: records.length });
      let left = records.length;
      let failure: KafkaError | undefined;
      if (left === 0) resolve(results);
      for (const [index, record] of records.entries()) {
        this.write(record, (error, metadata) => {
          if (metadata !== undefined) results[index] = metadata;
          failure ??= error;
          if (--left > 0) return;
          if (failure === undefined) resolve(results);
          else reject(failure);
        });
      }
    });
  }

  /**
   * Sends one record without a promise. Failures go to the callback alone.
   * @returns false when the buffer is full: wait for `ready()` before the next, or records pile up
   */
  write(record: ProducerRecord, callback?: DeliveryCallback): boolean {
    try {
      this.#accept(record, callback);
    } catch (error) {
      callback?.(toKafkaError(error), undefined);
    }
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
  async flush(): Promise<void> {
    const endFlush = this.#sender.beginFlush();
    try {
      await Promise.all(
        Array.from(this.#waiting.values(), ({ whenEmpty }) => new Promise<void>((resolve) => whenEmpty.push(resolve))),
      );
      const batches = [...this.#accumulator.busy].flatMap((queue) => queue.batches);
      await Promise.all(batches.map((batch) => new Promise<void>((resolve) => batch.onceDone(resolve))));
    } finally {
      endFlush();
    }
  }

  /**
   * Takes no more records, sends those it has, and closes.
   * @param options.timeoutMs after this what is left fails; `deliveryTimeoutMs` bounds it in any case
   */
  async close(options: { readonly timeoutMs?: number } = {}): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const { timeoutMs = Number.POSITIVE_INFINITY } = options;
    const flushed = this.flush();
    if (timeoutMs === Number.POSITIVE_INFINITY) await flushed;
    else await this.#within(timeoutMs, flushed);
    this.#sender.close();
    this.#waitTimer?.cancel();
    const error = new ClosedError("the producer");
    for (const topic of this.#waiting.keys()) this.#failWaiting(topic, error);
    for (const batch of this.#accumulator.takeAll()) batch.fail(error);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  get #isFull(): boolean {
    return this.#usedBytes >= this.#options.bufferMemory || this.#waiting.size > 0;
  }

  #hasRoom(sizeInBytes: number): boolean {
    // A record larger than all of the buffer may go alone.
    return this.#usedBytes + sizeInBytes <= this.#options.bufferMemory || this.#usedBytes === 0;
  }

  /** Into a batch at once where nothing stands in the way; this is the path of every record, and makes no object. */
  #accept(record: ProducerRecord, callback: DeliveryCallback | undefined): void {
    if (this.#isClosed) throw new ClosedError("the producer");
    const key = toBytes(record.key);
    const value = toBytes(record.value);
    const headers = toHeaders(record.headers);
    const sizeInBytes = sizeUpperBound(key, value, headers);
    const { maxRequestSize } = this.#options;
    if (sizeInBytes + RECORD_BATCH_OVERHEAD > maxRequestSize) {
      throw new RecordTooLargeError(sizeInBytes + RECORD_BATCH_OVERHEAD, maxRequestSize);
    }
    const timestamp = record.timestamp ?? this.#cluster.options.clock.wallMs();
    const { topic: name, partition } = record;
    const mustWait = this.#waiting.size > 0 && this.#waiting.has(name);
    const topic = mustWait ? undefined : this.#cluster.metadata.topic(name);
    if (topic !== undefined && this.#hasRoom(sizeInBytes)) {
      this.#append(topic, partition, timestamp, key, value, headers, sizeInBytes, callback);
    } else {
      this.#wait({ topic: name, partition, timestamp, key, value, headers, sizeInBytes, callback });
    }
  }

  /** @throws BrokerError for a partition that the topic does not have, InvalidTimestampError */
  #append(
    topic: TopicMetadata,
    wantedPartition: number | undefined,
    timestamp: number,
    key: Uint8Array | null,
    value: Uint8Array | null,
    headers: readonly RecordHeader[],
    sizeInBytes: number,
    callback: DeliveryCallback | undefined,
  ): void {
    const count = topic.partitions.length;
    const partition = wantedPartition ?? this.#partitioner(topic.name).partition(key, count, sizeInBytes);
    if (topic.partitions[partition] === undefined) {
      const have = `the topic has partitions 0 to ${count - 1}`;
      throw new BrokerError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, `${topic.name}-${partition}`, have);
    }
    const { name } = topic;
    const mayBeDue = this.#accumulator.append(name, partition, timestamp, key, value, headers, sizeInBytes, callback);
    this.#usedBytes += sizeInBytes;
    if (mayBeDue) this.#sender.wake();
  }

  #partitioner(topic: string): Partitioner {
    let partitioner = this.#partitioners.get(topic);
    if (partitioner === undefined) {
      partitioner = new DefaultPartitioner(this.#cluster.options.random, this.#options.batchSize);
      this.#partitioners.set(topic, partitioner);
    }
    return partitioner;
  }

  #wait(record: EncodedRecord): void {
    if (this.#waitingRecords >= MAX_WAITING_RECORDS) {
      const message = `${MAX_WAITING_RECORDS} records wait for room already: await send(), or ready() after write()`;
      record.callback?.(new BufferExhaustedError(message), undefined);
      return;
    }
    let waiting = this.#waiting.get(record.topic);
    if (waiting === undefined) {
      waiting = { records: [], isFetching: false, whenEmpty: [] };
      this.#waiting.set(record.topic, waiting);
    }
    const deadlineMs = this.#cluster.options.clock.monotonicMs() + this.#options.maxBlockMs;
    waiting.records.push({ record, deadlineMs });
    this.#waitingRecords++;
    if (waiting.records.length === 1) this.#drain(record.topic);
  }

  /** Moves records from waiting into batches as far as metadata and room allow. */
  #drain(name: string): void {
    const waiting = this.#waiting.get(name);
    if (waiting === undefined) return;
    const topic = this.#cluster.metadata.topic(name);
    if (topic === undefined) return this.#fetchTopic(name, waiting);
    let taken = 0;
    for (; taken < waiting.records.length; taken++) {
      const { record } = waiting.records[taken] as Waiting["records"][number];
      if (!this.#hasRoom(record.sizeInBytes)) break;
      const { partition, timestamp, key, value, headers, sizeInBytes, callback } = record;
      try {
        this.#append(topic, partition, timestamp, key, value, headers, sizeInBytes, callback);
      } catch (error) {
        callback?.(toKafkaError(error), undefined);
      }
    }
    waiting.records.splice(0, taken);
    this.#waitingRecords -= taken;
    if (waiting.records.length === 0) this.#endWaiting(name, waiting);
    else this.#armWaitTimer();
  }

  #fetchTopic(name: string, waiting: Waiting): void {
    if (waiting.isFetching) return;
    waiting.isFetching = true;
    const limits = { timeoutMs: this.#options.maxBlockMs, timeoutOption: "maxBlockMs", allowAutoTopicCreation: true };
    this.#cluster.topic(name, limits).then(
      () => {
        waiting.isFetching = false;
        this.#drain(name);
      },
      (error: unknown) => this.#failWaiting(name, toKafkaError(error)),
    );
  }

  #failWaiting(name: string, error: KafkaError): void {
    const waiting = this.#waiting.get(name);
    if (waiting === undefined) return;
    this.#waitingRecords -= waiting.records.length;
    const records = waiting.records.splice(0);
    this.#endWaiting(name, waiting);
    for (const { record } of records) record.callback?.(error, undefined);
  }

  #endWaiting(name: string, waiting: Waiting): void {
    this.#waiting.delete(name);
    for (const callback of waiting.whenEmpty.splice(0)) callback();
    this.#tellReady();
  }

  #release(batch: ProducerBatch): void {
    this.#usedBytes -= batch.reservedBytes;
    for (const name of this.#waiting.keys()) this.#drain(name);
    this.#tellReady();
  }

  #tellReady(): void {
    if (this.#isFull) return;
    for (const callback of this.#whenReady.splice(0)) callback();
  }

  /** Room that does not come: the oldest records of each topic fail after maxBlockMs. */
  #armWaitTimer(): void {
    if (this.#waitTimer !== undefined) return;
    const { clock } = this.#cluster.options;
    const first = Math.min(...Array.from(this.#waiting.values(), ({ records }) => records[0]?.deadlineMs ?? Infinity));
    if (first === Infinity) return;
    this.#waitTimer = clock.setTimer(Math.max(0, first - clock.monotonicMs()), () => {
      this.#waitTimer = undefined;
      const nowMs = clock.monotonicMs();
      for (const [name, waiting] of this.#waiting) {
        const late = waiting.records.findIndex(({ deadlineMs }) => deadlineMs > nowMs);
        const expired = waiting.records.splice(0, late < 0 ? waiting.records.length : late);
        this.#waitingRecords -= expired.length;
        if (waiting.records.length === 0) this.#endWaiting(name, waiting);
        const { maxBlockMs, bufferMemory } = this.#options;
        const error = new BufferExhaustedError(
          `no room in bufferMemory (${bufferMemory} bytes) for ${maxBlockMs} ms (maxBlockMs)`,
        );
        for (const { record } of expired) record.callback?.(error, undefined);
      }
      this.#armWaitTimer();
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

/** What a record takes of a batch before compression, at most. */
function sizeUpperBound(key: Uint8Array | null, value: Uint8Array | null, headers: readonly RecordHeader[]): number {
  if (headers.length > 0) return recordSizeUpperBound({ key, value, headers });
  return MAX_RECORD_OVERHEAD + (key?.length ?? 0) + (value?.length ?? 0);
}
