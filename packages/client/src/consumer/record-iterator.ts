import type { TimestampType } from "@samsa/protocol";
import type { Breath } from "./breath.ts";
import type { ConsumerCounters } from "./consumer-counters.ts";
import type { ConsumerRecord, RecordDecoder } from "./consumer-record.ts";
import { applyPolicy, DecodeError } from "./decode-error.ts";
import type { DecodeErrorPolicy } from "./decode-error.ts";
import type { Collected, FetchCollector } from "./fetch-collector.ts";
import { moveBehind } from "./fetch-collector.ts";

type Cursor = NonNullable<ReturnType<Collected["reader"]["cursor"]>>;
type Result<K, V> = IteratorResult<ConsumerRecord<K, V>, undefined>;

/**
 * Record after record. While there are some at hand the promise is settled when it is made, and nothing is awaited but by the
 * loop itself; a generator would await each of them twice more.
 */
export class RecordIterator<K, V> implements AsyncIterableIterator<ConsumerRecord<K, V>, undefined> {
  readonly #collector: FetchCollector;
  readonly #decoder: RecordDecoder<K, V>;
  readonly #policy: DecodeErrorPolicy;
  readonly #signal: AbortSignal | undefined;
  readonly #breath: Breath | undefined;
  readonly #counters: ConsumerCounters;
  #held: Collected | undefined;
  #cursor: Cursor | undefined;
  #timestampType: TimestampType = "create-time";
  #leaderEpoch = -1;
  #isEnded = false;

  constructor(
    collector: FetchCollector,
    decoder: RecordDecoder<K, V>,
    policy: DecodeErrorPolicy,
    signal: AbortSignal | undefined,
    breath: Breath | undefined,
    counters: ConsumerCounters,
  ) {
    this.#breath = breath;
    this.#counters = counters;
    this.#collector = collector;
    this.#decoder = decoder;
    this.#policy = policy;
    this.#signal = signal;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<Result<K, V>> {
    this.#collector.inHand.completeTaken(); // who asks for the next is done with the one before
    if (this.#breath?.isDue() === true) return this.#breath.take().then(() => this.#next());
    return this.#next();
  }

  #next(): Promise<Result<K, V>> {
    try {
      const result = this.#take();
      if (result === undefined) return this.#wait();
      if (result instanceof DecodeError) return this.#onDecodeError(result);
      return Promise.resolve({ done: false, value: result });
    } catch (error) {
      this.#letGo();
      return Promise.reject(error);
    }
  }

  /** The loop was left: what it has not seen is handed out to the next one. */
  return(): Promise<Result<K, V>> {
    this.#isEnded = true;
    this.#collector.inHand.leave();
    this.#letGo();
    return Promise.resolve({ done: true, value: undefined });
  }

  #letGo(): void {
    this.#held = undefined;
    this.#cursor = undefined;
  }

  /** The next record that is at hand, with the position behind it. */
  #take(): ConsumerRecord<K, V> | DecodeError | undefined {
    if (this.#signal !== undefined) this.#signal.throwIfAborted();
    for (;;) {
      const held = this.#held;
      const cursor = this.#cursor;
      if (held === undefined || cursor === undefined) {
        if (this.#isEnded || !this.#hold()) return undefined;
        continue;
      }
      const { partition, epoch, until, memory } = held;
      if (partition.epoch !== epoch || partition.isPaused || partition.isHeld || memory.isGone) {
        this.#letGo(); // sought elsewhere meanwhile, paused, about to be given up, or read by another loop
        continue;
      }
      const { offset } = cursor;
      if (offset >= until) {
        moveBehind(held); // compaction may have taken the last records away
        this.#letGo();
        continue;
      }
      const decoded = this.#decoder.decode(
        partition.topic,
        partition.partition,
        this.#timestampType,
        this.#leaderEpoch,
        cursor,
      );
      if (this.#decoder.handsOutBytes(cursor, decoded)) memory.keep();
      if (decoded instanceof DecodeError) return decoded; // the position stays until it is decided
      partition.position = offset + 1;
      partition.positionEpoch = this.#leaderEpoch;
      this.#collector.inHand.take(partition, offset);
      this.#counters.recordsConsumed++;
      this.#step();
      return decoded;
    }
  }

  #hold(): boolean {
    const next = this.#collector.next();
    if (next === undefined) return false;
    const cursor = next.reader.cursor(next.from);
    if (cursor === undefined) moveBehind(next);
    else {
      this.#held = next;
      this.#cursor = cursor;
      this.#timestampType = next.reader.batch.timestampType;
      this.#leaderEpoch = next.reader.batch.partitionLeaderEpoch;
    }
    return true;
  }

  #step(): void {
    const held = this.#held;
    if (held === undefined || this.#cursor?.advance() === true) return;
    moveBehind(held);
    this.#letGo();
  }

  async #wait(): Promise<Result<K, V>> {
    if (this.#isEnded || this.#collector.isDone) return { done: true, value: undefined };
    await this.#collector.whenProgress(this.#signal);
    this.#breath?.taken();
    return await this.#next();
  }

  async #onDecodeError(error: DecodeError): Promise<Result<K, V>> {
    const held = this.#held;
    try {
      await applyPolicy(this.#policy, error);
    } catch (thrown) {
      this.#letGo();
      throw thrown;
    }
    if (held !== undefined && held === this.#held && held.partition.epoch === held.epoch) {
      held.partition.position = error.offset + 1;
      this.#counters.recordsConsumed++;
      this.#step();
    }
    return await this.#next();
  }
}
