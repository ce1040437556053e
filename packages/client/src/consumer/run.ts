import { ConfigurationError, toKafkaError } from "../errors.ts";
import type { AssignedPartition } from "./assigned-partition.ts";
import type { ConsumerBatch, ConsumerRecord } from "./consumer-record.ts";
import { applyPolicy, DecodeError } from "./decode-error.ts";
import type { DecodeErrorPolicy } from "./decode-error.ts";
import type { Collected, FetchCollector } from "./fetch-collector.ts";
import { moveBehind } from "./fetch-collector.ts";

/** What to do with what comes; one of `eachRecord` and `eachBatch`. */
export interface RunOptions<K, V> {
  readonly eachRecord?: (record: ConsumerRecord<K, V>) => Promise<void> | void;
  readonly eachBatch?: (batch: ConsumerBatch<K, V>) => Promise<void> | void;
  /** Handlers under way at once. Default 1. */
  readonly concurrency?: number;
  /**
   * Whose records come one after another: those of a partition, or those of a key within a partition (records without a key then
   * wait for nobody). Default "partition".
   */
  readonly orderedBy?: "partition" | "key";
  /** Ends the run once the handlers under way have ended; `run` then resolves. */
  readonly signal?: AbortSignal;
}

interface Task {
  readonly partition: AssignedPartition;
  readonly epoch: number;
  readonly offset: number;
  /** @returns what ended it, if that was wanted */
  readonly work: () => Promise<void> | void;
}

/** Tasks that wait beyond those under way, for each handler. */
const WAITING_PER_HANDLER = 64;

/**
 * Hands records or batches to handlers, several at once where the order allows. What was begun and not finished, because a
 * handler threw or the run was ended, is handed out again by the next run: the positions move back to it.
 */
export class Run<K, V> {
  readonly #collector: FetchCollector;
  readonly #makeBatch: (collected: Collected) => ConsumerBatch<K, V>;
  readonly #maxPollRecords: number;
  readonly #policy: DecodeErrorPolicy;
  readonly #options: RunOptions<K, V>;
  readonly #concurrency: number;
  /** Tasks that wait for the one under way of the same key or partition; a lane is here while one is under way. */
  readonly #lanes = new Map<string, Task[]>();
  readonly #ready: (readonly [lane: string, task: Task])[] = [];
  readonly #unfinished = new Map<AssignedPartition, Set<number>>(); // offsets, in order
  #underWay = 0;
  #waiting = 0;
  #keyless = 0;
  #failure: { readonly error: unknown } | undefined;
  #whenMoved: (() => void)[] = [];
  #progress: Promise<void> | undefined; // one for many turns of the loop

  constructor(
    collector: FetchCollector,
    makeBatch: (collected: Collected) => ConsumerBatch<K, V>,
    maxPollRecords: number,
    policy: DecodeErrorPolicy,
    options: RunOptions<K, V>,
  ) {
    const { eachRecord, eachBatch, concurrency = 1, orderedBy = "partition" } = options;
    if ((eachRecord === undefined) === (eachBatch === undefined)) {
      throw new ConfigurationError("consumer.run: one of eachRecord and eachBatch is wanted");
    }
    if (!Number.isInteger(concurrency) || concurrency < 1) {
      throw new ConfigurationError(`consumer.run: concurrency is ${concurrency}; wanted is a whole number from 1`);
    }
    if (orderedBy !== "partition" && orderedBy !== "key") {
      throw new ConfigurationError(`consumer.run: orderedBy is ${String(orderedBy)}; wanted is one of partition, key`);
    }
    if (eachBatch !== undefined && orderedBy === "key") {
      throw new ConfigurationError("consumer.run: a batch has records of many keys; orderedBy key is for eachRecord");
    }
    this.#collector = collector;
    this.#makeBatch = makeBatch;
    this.#maxPollRecords = maxPollRecords;
    this.#policy = policy;
    this.#options = options;
    this.#concurrency = concurrency;
  }

  /** @throws what a handler threw, DecodeError, and what ends the fetching */
  async run(): Promise<void> {
    try {
      while (!this.#isEnding) {
        if (this.#waiting >= this.#concurrency * WAITING_PER_HANDLER) {
          await this.#moved();
          continue;
        }
        const next = this.#collector.next(this.#maxPollRecords);
        if (next !== undefined) this.#dispatch(next);
        else if (this.#collector.isDone) break;
        else await this.#progressOrMoved();
      }
      while (!this.#isEnding && this.#underWay > 0) await this.#moved();
    } catch (error) {
      this.#failure ??= { error };
    }
    this.#ready.length = 0;
    for (const lane of this.#lanes.values()) lane.length = 0;
    while (this.#underWay > 0) await this.#moved();
    this.#moveBack();
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  get #isEnding(): boolean {
    return this.#failure !== undefined || this.#options.signal?.aborted === true;
  }

  #dispatch(collected: Collected): void {
    const { partition, epoch, from } = collected;
    const { eachBatch, eachRecord, orderedBy } = this.#options;
    const batch = this.#makeBatch(collected);
    if (eachBatch !== undefined) {
      this.#add(partition.name, { partition, epoch, offset: from, work: () => eachBatch(batch) });
    } else if (eachRecord !== undefined) {
      for (const result of batch.results()) {
        const { offset } = result;
        const key = orderedBy === "key" ? keyOf(result) : "";
        const lane = key === null ? `${++this.#keyless}` : `${partition.name}/${key}`;
        const work =
          result instanceof DecodeError
            ? (): Promise<void> => applyPolicy(this.#policy, result)
            : () => eachRecord(result);
        this.#add(lane, { partition, epoch, offset, work });
      }
    }
    moveBehind(collected);
  }

  #add(lane: string, task: Task): void {
    const { partition, offset } = task;
    const offsets = this.#unfinished.get(partition);
    if (offsets === undefined) this.#unfinished.set(partition, new Set([offset]));
    else offsets.add(offset);
    this.#waiting++;
    const before = this.#lanes.get(lane);
    if (before !== undefined) before.push(task);
    else {
      this.#lanes.set(lane, []);
      this.#ready.push([lane, task]);
      this.#start();
    }
  }

  #start(): void {
    while (this.#underWay < this.#concurrency) {
      const next = this.#ready.shift();
      if (next === undefined) return;
      this.#underWay++;
      this.#waiting--;
      void this.#perform(...next);
    }
  }

  async #perform(lane: string, task: Task): Promise<void> {
    const { partition, epoch, offset } = task;
    try {
      // What was sought away from meanwhile is not wanted any more.
      if (partition.epoch === epoch) await task.work();
      this.#unfinished.get(partition)?.delete(offset);
    } catch (error) {
      this.#failure ??= { error: error instanceof Error ? error : toKafkaError(error) };
    }
    this.#underWay--;
    const following = this.#failure === undefined ? this.#lanes.get(lane)?.shift() : undefined;
    if (following === undefined) this.#lanes.delete(lane);
    else this.#ready.push([lane, following]);
    if (this.#failure === undefined) this.#start();
    for (const callback of this.#whenMoved.splice(0)) callback();
  }

  async #progressOrMoved(): Promise<void> {
    this.#progress ??= this.#collector.whenProgress(this.#options.signal).then(() => {
      this.#progress = undefined;
    });
    await Promise.race([this.#progress, this.#moved()]);
  }

  #moved(): Promise<void> {
    return new Promise((resolve) => this.#whenMoved.push(resolve));
  }

  #moveBack(): void {
    for (const [partition, offsets] of this.#unfinished) {
      const [first] = offsets;
      if (first !== undefined && partition.position !== undefined && first < partition.position) {
        partition.seek(first);
      }
    }
  }
}

function keyOf(result: ConsumerRecord<unknown, unknown> | DecodeError): string | null {
  const key = result instanceof DecodeError ? result.keyBytes : result.key;
  if (key === null) return null;
  if (key instanceof Uint8Array) return Buffer.from(key.buffer, key.byteOffset, key.length).toString("latin1");
  return typeof key === "string" ? key : typeof key === "bigint" ? `${key}` : JSON.stringify(key);
}
