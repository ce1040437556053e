import type { Timer } from "@samsa/base";
import type { TopicPartition } from "./cluster/topic-metadata.ts";
import type { Consumer } from "./consumer/consumer.ts";
import type { ConsumerOptions } from "./consumer/consumer-options.ts";
import type { ConsumerBatch, ConsumerRecord } from "./consumer/consumer-record.ts";
import type { TopicSelection } from "./consumer/group/topic-selection.ts";
import { isSelection } from "./consumer/group/topic-selection.ts";
import type { OffsetToCommit } from "./consumer/group/offset-requests.ts";
import { ConfigurationError } from "./errors.ts";
import type { OptionRule } from "./options.ts";
import { aFunction, aName, milliseconds, optional, resolveOptions, whole } from "./options.ts";
import type { Producer } from "./producer/producer.ts";
import type { ProducerOptions } from "./producer/producer-options.ts";
import type { Data, ProducerRecord } from "./producer/record.ts";
import type { Transaction } from "./producer/transaction.ts";
import { abandon, isRecoverable } from "./producer/transaction-recovery.ts";
import type { RetryContext } from "./retry.ts";
import { backoffDelayMs, sleep } from "./retry.ts";

/** What comes of a record: it goes to `to`, unless it names a topic itself. */
export type ProducedRecord<K = Data, V = Data> = Omit<ProducerRecord<K, V>, "topic"> & { readonly topic?: string };
export type Produced<K, V> = ProducedRecord<K, V> | readonly ProducedRecord<K, V>[] | undefined;

export interface ExactlyOnceOptions<K = Uint8Array, V = Uint8Array, OutKey = Data, OutValue = Data> {
  /** Topics to read, as `consumer.subscribe` takes them. */
  readonly from: TopicSelection;
  /** Topic of what comes out, where the records name none. */
  readonly to?: string | undefined;
  /** Those with the same group share the partitions. */
  readonly groupId: string;
  /**
   * Makes of a record what is to be written: one record, many, or nothing. What it does otherwise may happen more than once. What it
   * throws ends the pipeline, with nothing written of the transaction it was in.
   */
  readonly process: (
    record: ConsumerRecord<K, V>,
  ) => Produced<OutKey, OutValue> | void | Promise<Produced<OutKey, OutValue> | void>;
  /**
   * One for each instance that runs at the same time, and the same after a restart: then what a crash has left open is aborted at
   * once, and not only after `transactionTimeoutMs`. Default: a new one for each start, with a `transactionTimeoutMs` of 10000.
   */
  readonly transactionalId?: string | undefined;
  /** How long a transaction gathers records. Default 100. */
  readonly commitIntervalMs?: number | undefined;
  /** … and how many it takes at most, give or take a batch. Default 10000. */
  readonly maxRecordsPerTransaction?: number | undefined;
  /** Default: from the first record on where the group has committed nothing. */
  readonly consumer?: Omit<ConsumerOptions<K, V>, "groupId" | "isolationLevel" | "enableAutoCommit"> | undefined;
  readonly producer?: Omit<ProducerOptions<OutKey, OutValue>, "transactionalId"> | undefined;
}

export interface ExactlyOnceCounters {
  recordsRead: number;
  recordsWritten: number;
  committed: number; // transactions
  aborted: number;
}

/** What the pipeline is made of. */
export interface ExactlyOnceParts<K, V, OutKey, OutValue> {
  readonly consumer: Consumer<K, V>;
  readonly producer: Producer<OutKey, OutValue>;
  readonly retries: RetryContext;
  readonly retryBackoffMs: number;
  readonly retryBackoffMaxMs: number;
  readonly onClosed: () => void;
}

interface OpenTransaction<K, V> {
  readonly transaction: Transaction<K, V>;
  readonly offsets: Map<string, OffsetToCommit>;
  readonly dueMs: number; // monotonic
  records: number;
}

/** A batch, and after how many recoveries it was fetched: one that is older than the last was read again from where the group stands. */
interface Fetched<K, V> {
  readonly batch: ConsumerBatch<K, V> | undefined; // undefined at the end
  readonly recoveries: number;
}

const partOf: OptionRule = (value) =>
  typeof value === "object" && value !== null ? undefined : "an object with options";

const RULES: { readonly [Name in keyof Required<ExactlyOnceOptions>]: OptionRule } = {
  from: isSelection,
  to: optional(aName),
  groupId: aName,
  process: aFunction,
  transactionalId: optional(aName),
  commitIntervalMs: optional(milliseconds),
  maxRecordsPerTransaction: optional(whole(1)),
  consumer: optional(partOf),
  producer: optional(partOf),
};
/** What the guarantee itself is made of. */
const SET_HERE = {
  consumer: ["groupId", "isolationLevel", "enableAutoCommit"],
  producer: ["transactionalId"],
} as const;
const WHO = "kafka.exactlyOnce()";

/** @throws ConfigurationError; what is in `consumer` and `producer` is checked where these are made */
export function checkExactlyOnceOptions(given: object): void {
  const none = Object.fromEntries(Object.keys(RULES).map((option) => [option, undefined]));
  const resolved: Readonly<Record<string, unknown>> = resolveOptions(WHO, given, none, RULES);
  for (const required of ["groupId", "from", "process"] as const) {
    const missing = RULES[required](resolved[required]);
    if (missing !== undefined) throw new ConfigurationError(`${WHO}: ${required} is missing; wanted is ${missing}`);
  }
  for (const [part, names] of Object.entries(SET_HERE)) {
    const taken = names.find((option) => Object.hasOwn(Object(resolved[part]) as object, option));
    if (taken === undefined) continue;
    const instead = Object.hasOwn(RULES, taken) ? `say ${taken} beside ${part}` : "it is what makes it exactly once";
    throw new ConfigurationError(`${WHO}: ${taken} is no option of its ${part}; ${instead}`);
  }
}

const DEFAULT_COMMIT_INTERVAL_MS = 100;
const DEFAULT_MAX_RECORDS = 10_000;

/**
 * Reads, processes and writes so that each record read has its effect on what is written once, whatever crashes in between: what
 * comes out and how far was read are committed in one transaction (KIP-447). Made by `kafka.exactlyOnce()`; it runs until it is
 * closed or fails.
 *
 *   batch ─→ process ─→ records ┐
 *                               ├─ transaction, every `commitIntervalMs`
 *         offset behind it ─────┘
 *
 * When a transaction fails, or partitions are lost, reading begins again at what the group has committed.
 */
export class ExactlyOnce<K = Uint8Array, V = Uint8Array, OutKey = Data, OutValue = Data> {
  readonly #options: ExactlyOnceOptions<K, V, OutKey, OutValue>;
  readonly #parts: ExactlyOnceParts<K, V, OutKey, OutValue>;
  readonly #stop = new AbortController();
  readonly #counters: ExactlyOnceCounters = { recordsRead: 0, recordsWritten: 0, committed: 0, aborted: 0 };
  #open: OpenTransaction<OutKey, OutValue> | undefined;
  /** Batches, commits and rebalances, one after another. */
  #turns: Promise<void> = Promise.resolve();
  #recoveries = 0;
  #failuresInARow = 0;
  /** Where reading began in partitions of which the group has committed nothing. */
  readonly #firstOffsets = new Map<string, number>();
  /** Resolves when the pipeline is closed; rejects with what has ended it. */
  readonly done: Promise<void>;

  constructor(options: ExactlyOnceOptions<K, V, OutKey, OutValue>, parts: ExactlyOnceParts<K, V, OutKey, OutValue>) {
    this.#options = options;
    this.#parts = parts;
    this.done = this.#run();
    this.done.catch(() => undefined); // `close` tells it, too
  }

  get counters(): Readonly<ExactlyOnceCounters> {
    return { ...this.#counters };
  }

  /** Commits what is processed, leaves the group and closes. @throws what has ended the pipeline before */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.done;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #run(): Promise<void> {
    const { consumer, producer, onClosed } = this.#parts;
    try {
      // Whoever had the transactional id may have died with offsets in a transaction: until it is aborted nobody in the group can
      // tell where to begin, and the first record, at which the producer would ask by itself, never comes.
      const initialized = this.#initialize();
      initialized.catch(() => undefined); // told below, unless the pipeline is closed before
      await Promise.race([initialized, this.#stopped()]);
      if (this.#stop.signal.aborted) return;
      consumer.subscribe(this.#options.from, {
        onAssigned: (partitions) => {
          for (const partition of partitions) this.#firstOffsets.delete(nameOf(partition));
        },
        onRevoked: () => this.#inTurn(() => this.#commit()),
        onLost: () => this.#inTurn(() => this.#recover()),
      });
      await this.#loop();
      await this.#inTurn(() => this.#commit());
    } finally {
      // What is open is aborted with the producer, before the group goes on without us.
      await producer.close();
      await consumer.close();
      onClosed();
    }
  }

  async #initialize(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      try {
        await this.#parts.producer.initTransactions();
        return;
      } catch (error) {
        await this.#backOff(error);
      }
    }
  }

  #stopped(): Promise<void> {
    const { signal } = this.#stop;
    return new Promise((resolve) => {
      if (signal.aborted) resolve();
      else signal.addEventListener("abort", () => resolve(), { once: true });
    });
  }

  async #loop(): Promise<void> {
    const { signal } = this.#stop;
    const batches = this.#parts.consumer.batches({ signal });
    try {
      let next = this.#fetch(batches);
      for (;;) {
        const fetched = await this.#nextOrDue(next);
        if (fetched === "due") {
          await this.#inTurn(() => this.#commit());
          continue;
        }
        const { batch } = fetched;
        if (batch === undefined) return;
        await this.#inTurn(async () => {
          if (fetched.recoveries === this.#recoveries) await this.#processBatch(batch);
        });
        if (this.#isDue()) await this.#inTurn(() => this.#commit());
        if (signal.aborted) return;
        next = this.#fetch(batches);
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      this.#stop.abort(); // a batch may be asked for, and what ends the generator waits for it
      await batches.return();
    }
  }

  /** May be left to itself: what it rejects with then is no matter any more. */
  #fetch(batches: AsyncGenerator<ConsumerBatch<K, V>, void>): Promise<Fetched<K, V>> {
    const next = this.#fetchNext(batches);
    next.catch(() => undefined);
    return next;
  }

  /** Noted as soon as it is handed out: a recovery may come before it is processed. */
  async #fetchNext(batches: AsyncGenerator<ConsumerBatch<K, V>, void>): Promise<Fetched<K, V>> {
    const { value: batch } = await batches.next();
    if (batch instanceof Object && !this.#firstOffsets.has(nameOf(batch))) {
      this.#firstOffsets.set(nameOf(batch), batch.firstOffset);
    }
    return { batch: batch ?? undefined, recoveries: this.#recoveries };
  }

  #isDue(): boolean {
    const { maxRecordsPerTransaction = DEFAULT_MAX_RECORDS } = this.#options;
    const open = this.#open;
    if (open === undefined) return false;
    return open.records >= maxRecordsPerTransaction || this.#parts.retries.clock.monotonicMs() >= open.dueMs;
  }

  async #nextOrDue(next: Promise<Fetched<K, V>>): Promise<Fetched<K, V> | "due"> {
    const { clock } = this.#parts.retries;
    const open = this.#open;
    if (open === undefined) return await next;
    let timer: Timer | undefined;
    const due = new Promise<"due">((resolve) => {
      timer = clock.setTimer(Math.max(0, open.dueMs - clock.monotonicMs()), () => resolve("due"));
    });
    try {
      return await Promise.race([next, due]);
    } finally {
      timer?.cancel();
    }
  }

  async #processBatch(batch: ConsumerBatch<K, V>): Promise<void> {
    try {
      const open = (this.#open ??= await this.#begin());
      for (const record of batch.records()) {
        const produced = await this.#options.process(record);
        this.#counters.recordsRead++;
        if (produced !== undefined) await this.#write(open.transaction, produced);
      }
      open.records += batch.lastOffset - batch.firstOffset + 1;
      const { topic, partition, lastOffset, leaderEpoch } = batch;
      open.offsets.set(nameOf(batch), { topic, partition, offset: lastOffset + 1, leaderEpoch });
    } catch (error) {
      await this.#onFailure(error);
    }
  }

  async #begin(): Promise<OpenTransaction<OutKey, OutValue>> {
    const { producer, retries } = this.#parts;
    const { commitIntervalMs = DEFAULT_COMMIT_INTERVAL_MS } = this.#options;
    const transaction = await producer.beginTransaction();
    return { transaction, offsets: new Map(), dueMs: retries.clock.monotonicMs() + commitIntervalMs, records: 0 };
  }

  async #write(
    transaction: Transaction<OutKey, OutValue>,
    produced: ProducedRecord<OutKey, OutValue> | readonly ProducedRecord<OutKey, OutValue>[],
  ): Promise<void> {
    const { to } = this.#options;
    for (const record of isList(produced) ? produced : [produced]) {
      const topic = record.topic ?? to;
      if (topic === undefined)
        throw new ConfigurationError("kafka.exactlyOnce(): a record names no topic, nor is there `to`");
      this.#counters.recordsWritten++;
      // What becomes of it is told by the commit.
      if (!transaction.write({ ...record, topic })) await transaction.ready();
    }
  }

  async #commit(): Promise<void> {
    const open = this.#open;
    if (open === undefined) return;
    const { consumer } = this.#parts;
    try {
      const group = consumer.groupMetadata();
      // Between two generations nobody can say whose the partitions are.
      if (group.generationId < 0) return await this.#recover();
      await open.transaction.commitOffsets([...open.offsets.values()], group);
      await open.transaction.commitOrAbort();
      this.#open = undefined;
      this.#counters.committed++;
      this.#failuresInARow = 0;
    } catch (error) {
      await this.#onFailure(error);
    }
  }

  /** @throws what a new attempt would not mend */
  async #onFailure(thrown: unknown): Promise<void> {
    await this.#backOff(thrown);
    await this.#recover();
  }

  /** @throws what a new attempt would not mend; what is open is aborted before */
  async #backOff(thrown: unknown): Promise<void> {
    if (!isRecoverable(thrown)) {
      await this.#abort().catch(() => undefined);
      throw thrown;
    }
    const { retries, retryBackoffMs: backoffMs, retryBackoffMaxMs: backoffMaxMs } = this.#parts;
    await sleep(backoffDelayMs({ backoffMs, backoffMaxMs }, this.#failuresInARow++, retries.random), retries);
  }

  /** Aborts, and reads on from what the group has committed. */
  async #recover(): Promise<void> {
    const { consumer } = this.#parts;
    await this.#abort();
    const { assignment } = consumer;
    const committed = await consumer.committed(assignment);
    for (const [index, partition] of assignment.entries()) {
      const offset = committed[index]?.offset ?? this.#firstOffsets.get(nameOf(partition));
      const isOurs = consumer.assignment.some((one) => nameOf(one) === nameOf(partition));
      if (offset !== undefined && isOurs) consumer.seek(partition, offset);
    }
    this.#recoveries++;
  }

  async #abort(): Promise<void> {
    const open = this.#open;
    if (open === undefined) return;
    this.#open = undefined;
    this.#counters.aborted++;
    await abandon(open.transaction, this.#parts.producer);
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.#turns.then(work);
    this.#turns = done.catch(() => undefined);
    return done;
  }
}

function nameOf({ topic, partition }: TopicPartition): string {
  return `${topic}-${partition}`;
}

function isList<T>(one: T | readonly T[]): one is readonly T[] {
  return Array.isArray(one);
}
