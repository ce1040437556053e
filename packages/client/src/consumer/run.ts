import type { Clock, Random } from "@samsa/base";
import { toKafkaError } from "../errors.ts";
import type { OpenTelemetryApi } from "../observability/open-telemetry.ts";
import { inTraceOf } from "../observability/open-telemetry.ts";
import { backoffDelayMs } from "../retry.ts";
import type { AssignedPartition } from "./assigned-partition.ts";
import type { Breath } from "./breath.ts";
import type { ConsumerBatch, ConsumerRecord } from "./consumer-record.ts";
import { applyPolicy, DecodeError } from "./decode-error.ts";
import type { DecodeErrorPolicy } from "./decode-error.ts";
import type { Collected, FetchCollector } from "./fetch-collector.ts";
import { moveBehind } from "./fetch-collector.ts";
import { CompletedPositions } from "./processing/completed-positions.ts";
import type { FailedRecord } from "./processing/failed-record.ts";
import { failedToDecode } from "./processing/failed-record.ts";
import type { CompletedPosition } from "./processing/position-committer.ts";
import { PositionCommitter } from "./processing/position-committer.ts";
import type { ResolvedRunOptions } from "./processing/run-options.ts";

/** What a run has from its consumer. */
export interface RunContext<K, V> {
  readonly collector: FetchCollector;
  readonly makeBatch: (collected: Collected) => ConsumerBatch<K, V>;
  readonly maxPollRecords: number;
  readonly onDecodeError: DecodeErrorPolicy;
  readonly clock: Clock;
  readonly random: Random;
  readonly breath: Breath | undefined;
  readonly openTelemetry: OpenTelemetryApi | undefined;
}

/** What was handed over of a partition since it was sought last. */
interface Progress {
  readonly partition: AssignedPartition;
  readonly epoch: number; // of the partition
  readonly positions: CompletedPositions;
}

interface Task<K, V> {
  readonly progress: Progress;
  readonly offset: number;
  readonly batch: ConsumerBatch<K, V>;
  /** Of `eachRecord`. */
  readonly record: ConsumerRecord<K, V> | DecodeError | undefined;
}

/** Tasks that wait beyond those under way, for each handler. */
const WAITING_PER_HANDLER = 64;

/**
 * Hands records or batches to handlers, several at once where the order allows. What was begun and not finished, because a
 * handler threw or the run was ended, is handed out again by the next run: the positions move back to it.
 */
export class Run<K, V> {
  readonly #context: RunContext<K, V>;
  readonly #options: ResolvedRunOptions<K, V>;
  readonly #committer: PositionCommitter | undefined;
  /** Tasks that wait for the one under way of the same key or partition; a lane is here while one is under way. */
  readonly #lanes = new Map<string, Task<K, V>[]>();
  readonly #ready: (readonly [lane: string, task: Task<K, V>])[] = [];
  readonly #progresses = new Map<AssignedPartition, Progress>();
  #underWay = 0;
  #waiting = 0;
  #keyless = 0;
  #failure: { readonly error: unknown } | undefined;
  #whenMoved: (() => void)[] = [];
  #whenEnding: (() => void)[] = [];
  #progress: Promise<void> | undefined; // one for many turns of the loop

  constructor(context: RunContext<K, V>, options: ResolvedRunOptions<K, V>) {
    this.#context = context;
    this.#options = options;
    const { commit, commitIntervalMs } = options;
    if (commit !== undefined && !this.#commitsFirst) {
      const fail = (error: unknown): void => this.#fail(error);
      this.#committer = new PositionCommitter(commit, commitIntervalMs, context.clock, () => this.#completed(), fail);
    }
  }

  /** @throws what a handler threw, what `commit` threw, DecodeError, and what ends the fetching */
  async run(): Promise<void> {
    const { signal } = this.#options;
    const { inHand } = this.#context.collector;
    inHand.completeTaken(); // by a loop before it
    const onAbort = (): void => this.#ending();
    signal?.addEventListener("abort", onAbort, { once: true });
    try {
      do {
        await this.#read();
        while (!this.#isEnding && this.#underWay > 0) await this.#moved();
      } while (!this.#isEnding && !this.#context.collector.isDone); // a handler may have sought back
    } catch (error) {
      this.#fail(error);
    }
    if (!this.#commitsFirst) {
      this.#ready.length = 0;
      for (const lane of this.#lanes.values()) lane.length = 0;
    }
    while (this.#underWay > 0) await this.#moved();
    signal?.removeEventListener("abort", onAbort);
    try {
      await this.#committer?.finish();
    } catch (error) {
      this.#fail(error);
    }
    if (!this.#commitsFirst) this.#moveBack();
    inHand.endRun();
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  async #read(): Promise<void> {
    const { collector, maxPollRecords } = this.#context;
    while (!this.#isEnding) {
      if (this.#waiting >= this.#options.concurrency * WAITING_PER_HANDLER) {
        await this.#moved();
        continue;
      }
      const next = collector.next(maxPollRecords);
      if (next !== undefined) {
        next.memory.keep(); // handlers take the time they want
        if (this.#commitsFirst) await this.#commitFirst(next);
        if (next.partition.epoch === next.epoch) this.#dispatch(next);
      } else if (collector.isDone) return;
      else await this.#progressOrMoved();
    }
  }

  get #isEnding(): boolean {
    return this.#failure !== undefined || this.#options.signal?.aborted === true;
  }

  /** What is committed has to be handled: it is nobody's any more. So a run that commits first ends when all of it has been. */
  get #commitsFirst(): boolean {
    return this.#options.deliveryGuarantee === "at-most-once";
  }

  #fail(error: unknown): void {
    this.#failure ??= { error: error instanceof Error ? error : toKafkaError(error) };
    this.#ending();
  }

  #ending(): void {
    for (const callback of this.#whenEnding.splice(0)) callback();
    this.#hasMoved();
  }

  async #commitFirst({ partition, nextPosition, reader }: Collected): Promise<void> {
    const { topic, partition: index } = partition;
    const leaderEpoch = reader.batch.partitionLeaderEpoch;
    await this.#options.commit?.([{ topic, partition: index, offset: nextPosition, leaderEpoch }]);
  }

  #dispatch(collected: Collected): void {
    const { partition, epoch, from } = collected;
    const { eachRecord, orderedBy } = this.#options;
    const batch = this.#context.makeBatch(collected);
    const progress = this.#progressOf(partition, epoch);
    if (eachRecord === undefined) this.#add(partition.name, { progress, offset: from, batch, record: undefined });
    else {
      for (const record of batch.results()) {
        const key = orderedBy === "key" ? keyOf(record) : "";
        const lane = key === null ? `${++this.#keyless}` : `${partition.name}/${key}`;
        this.#add(lane, { progress, offset: record.offset, batch, record });
      }
    }
    moveBehind(collected);
  }

  #progressOf(partition: AssignedPartition, epoch: number): Progress {
    const known = this.#progresses.get(partition);
    if (known?.epoch === epoch) return known;
    const progress = { partition, epoch, positions: new CompletedPositions() };
    this.#progresses.set(partition, progress);
    // What is committed before it is handed over is done as far as commits go.
    if (!this.#commitsFirst) this.#context.collector.inHand.track(partition, epoch, progress.positions);
    return progress;
  }

  #add(lane: string, task: Task<K, V>): void {
    task.progress.positions.begin(task.offset);
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
    while (this.#underWay < this.#options.concurrency) {
      const next = this.#ready.shift();
      if (next === undefined) return;
      this.#underWay++;
      this.#waiting--;
      void this.#perform(...next);
    }
  }

  async #perform(lane: string, task: Task<K, V>): Promise<void> {
    const { breath } = this.#context;
    try {
      if (breath?.isDue() === true) await breath.take();
      if (await this.#isDone(task)) {
        task.progress.positions.complete(task.offset);
        this.#committer?.completed();
      }
    } catch (error) {
      this.#fail(error);
    }
    this.#underWay--;
    const goesOn = this.#failure === undefined || this.#commitsFirst;
    const following = goesOn ? this.#lanes.get(lane)?.shift() : undefined;
    if (following === undefined) this.#lanes.delete(lane);
    else this.#ready.push([lane, following]);
    if (goesOn) this.#start();
    this.#hasMoved();
  }

  /** @returns whether it needs not be handed out again */
  async #isDone(task: Task<K, V>): Promise<boolean> {
    const { delayUntil, retry } = this.#options;
    const { clock, random, collector } = this.#context;
    const { record, progress, offset } = task;
    if (record instanceof DecodeError) return await this.#isDecodeErrorDone(task, record);
    const dueMs = record === undefined ? undefined : delayUntil?.(record);
    if (dueMs !== undefined && dueMs > clock.wallMs() && !(await this.#slept(dueMs - clock.wallMs()))) return false;
    for (let attempt = 1; ; attempt++) {
      if (!isWanted(task)) return true;
      if (progress.partition.isHeld) return false; // it is about to be another member's
      const work = collector.inHand.begin(progress.partition, offset, clock.monotonicMs());
      try {
        const handling = record === undefined ? this.#options.eachBatch?.(task.batch) : this.#handle(record);
        if (handling !== undefined) await handling;
        progress.positions.complete(offset); // before anyone hears that it is no longer in hand
        return true;
      } catch (error) {
        if (attempt >= retry.attempts || !retry.isRetriable(error)) {
          await this.#onFailure(error, () => failedHandler(task, error, attempt, clock.wallMs()));
          progress.positions.complete(offset);
          return true;
        }
        collector.inHand.end(work);
        if (!(await this.#slept(backoffDelayMs(retry, attempt - 1, random)))) return false;
      } finally {
        collector.inHand.end(work);
      }
    }
  }

  #handle(record: ConsumerRecord<K, V>): Promise<void> | void {
    const { openTelemetry } = this.#context;
    if (openTelemetry === undefined) return this.#options.eachRecord?.(record);
    return inTraceOf(openTelemetry, record.headers, () => this.#options.eachRecord?.(record));
  }

  async #isDecodeErrorDone(task: Task<K, V>, error: DecodeError): Promise<boolean> {
    const { onDecodeError, clock, collector } = this.#context;
    const { partition } = task.progress;
    if (!isWanted(task)) return true;
    if (partition.isHeld) return false;
    const work = collector.inHand.begin(partition, task.offset, clock.monotonicMs());
    try {
      // The default of the consumer leaves it to the run, if that has an opinion.
      if (onDecodeError !== "stop") await applyPolicy(onDecodeError, error);
      else await this.#onFailure(error, () => failedToDecode(error, clock.wallMs()));
      task.progress.positions.complete(task.offset);
    } finally {
      collector.inHand.end(work);
    }
    return true;
  }

  /** @throws the error, or what the function throws */
  async #onFailure(error: unknown, failed: () => FailedRecord): Promise<void> {
    const { onFailure } = this.#options;
    if (onFailure === "stop") throw error;
    if (typeof onFailure === "function") await onFailure(failed());
  }

  /** @returns false when the run ends meanwhile */
  #slept(delayMs: number): Promise<boolean> {
    const { inHand } = this.#context.collector;
    return new Promise((resolve) => {
      if (this.#isEnding) return resolve(false);
      inHand.waiting++;
      const timer = this.#context.clock.setTimer(delayMs, () => {
        this.#whenEnding = this.#whenEnding.filter((callback) => callback !== onEnding);
        inHand.waiting--;
        resolve(true);
      });
      const onEnding = (): void => {
        timer.cancel();
        inHand.waiting--;
        resolve(false);
      };
      this.#whenEnding.push(onEnding);
    });
  }

  async #progressOrMoved(): Promise<void> {
    this.#progress ??= this.#context.collector.whenProgress(this.#options.signal).then(() => {
      this.#progress = undefined;
    });
    await Promise.race([this.#progress, this.#moved()]);
  }

  #moved(): Promise<void> {
    return new Promise((resolve) => this.#whenMoved.push(resolve));
  }

  #hasMoved(): void {
    for (const callback of this.#whenMoved.splice(0)) callback();
  }

  #completed(): readonly CompletedPosition[] {
    const completed: CompletedPosition[] = [];
    for (const { partition, epoch, positions } of this.#progresses.values()) {
      if (partition.epoch !== epoch || partition.position === undefined) continue;
      const { topic, partition: index, position, positionEpoch } = partition;
      const offset = positions.committable(position);
      const leaderEpoch = offset < position || positionEpoch < 0 ? undefined : positionEpoch;
      completed.push({ topic, partition: index, offset, leaderEpoch });
    }
    return completed;
  }

  #moveBack(): void {
    for (const { partition, epoch, positions } of this.#progresses.values()) {
      const first = positions.firstUnfinished;
      if (first === undefined || partition.epoch !== epoch || partition.position === undefined) continue;
      if (first < partition.position) partition.seek(first);
    }
  }
}

/** What was sought away from meanwhile is not wanted any more. */
function isWanted({ progress }: Task<unknown, unknown>): boolean {
  return progress.partition.epoch === progress.epoch;
}

function failedHandler(
  { batch, offset, record }: Task<unknown, unknown>,
  error: unknown,
  attempts: number,
  failedAtMs: number,
): FailedRecord {
  const { topic, partition } = batch;
  for (const view of batch.views()) {
    if (view.offset !== offset) continue;
    const { timestamp, key: keyBytes, value: valueBytes } = view;
    const headers = record?.headers ?? [];
    return { topic, partition, offset, timestamp, keyBytes, valueBytes, headers, error, attempts, failedAtMs };
  }
  throw error; // the batch has been read before: it has the record
}

function keyOf(result: ConsumerRecord<unknown, unknown> | DecodeError): string | null {
  const key = result instanceof DecodeError ? result.keyBytes : result.key;
  if (key === null) return null;
  if (key instanceof Uint8Array) return Buffer.from(key.buffer, key.byteOffset, key.length).toString("latin1");
  return typeof key === "string" ? key : typeof key === "bigint" ? `${key}` : JSON.stringify(key);
}
