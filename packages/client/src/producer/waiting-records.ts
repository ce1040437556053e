import type { Clock, KafkaError, Timer } from "@samsa/base";
import { BufferExhaustedError, toKafkaError } from "../errors.ts";
import type { Waiter } from "./delivery.ts";
import type { ProducerCounters } from "./producer-counters.ts";
import type { Data, ProducerHeader, ProducerRecord } from "./record.ts";
import { serialisationError } from "./serialise.ts";
import type { TopicQueues } from "./topic-queues.ts";

/** Records that may wait for room before more are refused; their callers hold them anyway, so this only ends a runaway loop. */
const MAX_WAITING_RECORDS = 1_000_000;

/** A record that cannot be put into a batch yet: no metadata, no room, or a serialiser that takes its time. */
export interface WaitingRecord {
  readonly record: ProducerRecord<unknown, unknown>;
  readonly timestamp: number;
  readonly headers: readonly ProducerHeader[];
  readonly waiter: Waiter | undefined;
  readonly tag: number;
  readonly signal: AbortSignal | undefined;
  key: Data | null;
  value: Data | null;
  sizeInBytes: number;
  /** Its serialisers are done. */
  isReady: boolean;
}

interface Held extends WaitingRecord {
  readonly deadlineMs: number;
}

/** Records of one topic that wait, in order. */
interface WaitingTopic {
  readonly records: Held[];
  isFetching: boolean;
  readonly whenEmpty: (() => void)[];
}

export interface WaitingRecordsOptions {
  readonly clock: Clock;
  readonly counters: ProducerCounters;
  readonly maxBlockMs: number;
  readonly bufferMemory: number;
  /** What lingers makes room. */
  readonly wake: () => void;
  /** @throws RecordTooLargeError */
  readonly checkedSize: (key: Data | null, value: Data | null, headers: readonly ProducerHeader[]) => number;
  /** The topic if its metadata is known. */
  readonly topic: (name: string) => TopicQueues | undefined;
  readonly fetchTopic: (name: string) => Promise<unknown>;
  readonly hasRoom: (sizeInBytes: number) => boolean;
  readonly append: (topic: TopicQueues, record: WaitingRecord) => void;
  readonly refuse: (record: WaitingRecord, error: KafkaError) => void;
  /** Nothing of a topic waits any more. */
  readonly onEmpty: () => void;
}

/** The records that got into no batch yet, in order for each topic, until there is metadata and room or their time is over. */
export class WaitingRecords {
  readonly #options: WaitingRecordsOptions;
  readonly #topics = new Map<string, WaitingTopic>();
  #timer: Timer | undefined;

  constructor(options: WaitingRecordsOptions) {
    this.#options = options;
  }

  get isEmpty(): boolean {
    return this.#topics.size === 0;
  }

  /** Whether records of the topic wait: those after them have to as well. */
  has(topic: string): boolean {
    return this.#topics.size > 0 && this.#topics.has(topic);
  }

  /** Resolves when everything that waits now is in a batch or was refused. */
  async whenEmpty(): Promise<void> {
    const topics = [...this.#topics.values()];
    await Promise.all(topics.map(({ whenEmpty }) => new Promise<void>((resolve) => whenEmpty.push(resolve))));
  }

  /** @throws BufferExhaustedError */
  add(record: WaitingRecord): WaitingRecord {
    const { counters, clock, maxBlockMs, wake } = this.#options;
    if (counters.waitingRecords >= MAX_WAITING_RECORDS) {
      const message = `${MAX_WAITING_RECORDS} records wait for room already: await send(), or ready() after write()`;
      throw new BufferExhaustedError(message);
    }
    const name = record.record.topic;
    let topic = this.#topics.get(name);
    if (topic === undefined) {
      topic = { records: [], isFetching: false, whenEmpty: [] };
      this.#topics.set(name, topic);
    }
    const held = { ...record, deadlineMs: clock.monotonicMs() + maxBlockMs };
    topic.records.push(held);
    counters.waitingRecords++;
    wake();
    return held;
  }

  /** Records behind it wait, or they would overtake it. @param waiting what `add` returned */
  finishSerialising(
    waiting: WaitingRecord,
    key: Data | null | Promise<Data>,
    value: Data | null | Promise<Data>,
  ): void {
    const { topic } = waiting.record;
    Promise.all([key, value])
      .then(([keyData, valueData]) => {
        waiting.key = keyData;
        waiting.value = valueData;
        waiting.sizeInBytes = this.#options.checkedSize(keyData, valueData, waiting.headers);
        waiting.isReady = true;
      })
      .catch((thrown: unknown) => {
        this.#drop(waiting, serialisationError(thrown, topic));
      })
      .finally(() => this.drain(topic));
    this.drain(topic); // asks for the metadata meanwhile
  }

  /** Moves records of a topic into batches as far as metadata and room allow. */
  drain(name: string): void {
    const waiting = this.#topics.get(name);
    if (waiting === undefined) return;
    if (waiting.records.length === 0) return this.#end(name, waiting);
    const { topic: topicOf, hasRoom, append, refuse, counters } = this.#options;
    const topic = topicOf(name);
    if (topic === undefined) return this.#fetchTopic(name, waiting);
    let taken = 0;
    for (; taken < waiting.records.length; taken++) {
      const next = waiting.records[taken] as Held;
      if (!next.isReady || !hasRoom(next.sizeInBytes)) break;
      if (next.signal?.aborted === true) continue; // its caller has been told
      try {
        append(topic, next);
      } catch (error) {
        refuse(next, toKafkaError(error));
      }
    }
    waiting.records.splice(0, taken);
    counters.waitingRecords -= taken;
    if (waiting.records.length === 0) this.#end(name, waiting);
    else this.#armTimer();
  }

  /** There is room. */
  drainAll(): void {
    for (const name of this.#topics.keys()) this.drain(name);
  }

  failAll(error: KafkaError): void {
    for (const name of this.#topics.keys()) this.#fail(name, error);
  }

  close(error: KafkaError): void {
    this.#timer?.cancel();
    this.failAll(error);
  }

  #drop(waiting: WaitingRecord, error: KafkaError): void {
    const topic = this.#topics.get(waiting.record.topic);
    const at = topic?.records.findIndex((held) => held === waiting) ?? -1;
    if (topic === undefined || at < 0) return;
    topic.records.splice(at, 1);
    this.#options.counters.waitingRecords--;
    this.#options.refuse(waiting, error);
  }

  #fetchTopic(name: string, waiting: WaitingTopic): void {
    if (waiting.isFetching) return;
    waiting.isFetching = true;
    this.#options.fetchTopic(name).then(
      () => {
        waiting.isFetching = false;
        this.drain(name);
      },
      (error: unknown) => this.#fail(name, toKafkaError(error)),
    );
  }

  #fail(name: string, error: KafkaError): void {
    const waiting = this.#topics.get(name);
    if (waiting === undefined) return;
    const records = waiting.records.splice(0);
    this.#options.counters.waitingRecords -= records.length;
    this.#end(name, waiting);
    for (const record of records) this.#options.refuse(record, error);
  }

  #end(name: string, waiting: WaitingTopic): void {
    this.#topics.delete(name);
    for (const callback of waiting.whenEmpty.splice(0)) callback();
    this.#options.onEmpty();
  }

  /** Room that does not come: the oldest records of each topic fail after maxBlockMs. */
  #armTimer(): void {
    if (this.#timer !== undefined) return;
    const { clock, counters, maxBlockMs, bufferMemory, refuse } = this.#options;
    let firstMs = Number.POSITIVE_INFINITY;
    for (const { records } of this.#topics.values()) firstMs = Math.min(firstMs, records[0]?.deadlineMs ?? firstMs);
    if (firstMs === Number.POSITIVE_INFINITY) return;
    this.#timer = clock.setTimer(Math.max(0, firstMs - clock.monotonicMs()), () => {
      this.#timer = undefined;
      const nowMs = clock.monotonicMs();
      const why = `no room in bufferMemory (${bufferMemory} bytes) for ${maxBlockMs} ms (maxBlockMs)`;
      for (const [name, waiting] of this.#topics) {
        const late = waiting.records.findIndex(({ deadlineMs }) => deadlineMs > nowMs);
        const expired = waiting.records.splice(0, late < 0 ? waiting.records.length : late);
        counters.waitingRecords -= expired.length;
        if (waiting.records.length === 0) this.#end(name, waiting);
        const error = new BufferExhaustedError(why);
        for (const record of expired) refuse(record, error);
      }
      this.#armTimer();
    });
  }
}
