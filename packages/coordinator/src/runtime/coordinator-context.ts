import type { Clock, Timer } from "@samsa/base";
import { ErrorCode, InvariantError, KafkaError } from "@samsa/base";
import type { TransactionChecks } from "@samsa/log";
import type { CompressionType } from "@samsa/protocol";
import {
  ControlRecordType,
  controlRecordType,
  endTransactionMarker,
  NO_PRODUCER_EPOCH,
  NO_PRODUCER_ID,
  NO_SEQUENCE,
  recordBatches,
  RecordBatchBuilder,
} from "@samsa/protocol";
import { batchMemory } from "./batch-memory.ts";
import type { Command } from "./coordinator-runtime.ts";
import type {
  CoordinatorAppend,
  CoordinatorLog,
  CoordinatorShard,
  RecordSerde,
  Step,
  TransactionMarker,
  WriteOutcome,
} from "./coordinator-shard.ts";
import { coordinatorError } from "./coordinator-error.ts";
import { OwedReply } from "./owed-reply.ts";

const NO_HEADERS: readonly [] = [];

export interface CoordinatorContextOptions<R, S extends CoordinatorShard<R>> {
  readonly leaderEpoch: number;
  readonly log: CoordinatorLog;
  readonly clock: Clock;
  readonly serde: RecordSerde<R>;
  readonly compressionType: CompressionType;
  readonly shard: S;
  readonly onWriteFailed: (error: KafkaError) => void;
  readonly onLoadFailed: (error: unknown) => void;
}

/** An answer that is owed, whatever it is. */
type Refusable = Pick<OwedReply<unknown>, "reject">;

/** An append on its way, and what waits behind it. */
interface PendingWrite<R> {
  readonly append: CoordinatorAppend;
  readonly outcome: WriteOutcome<R>;
  isCommitted: boolean;
  readonly answers: (() => void)[];
}

interface Input<R> {
  readonly run: (step: Step<R>) => void;
  /** The outcome of a write: what it answers speaks of that write, and need not wait for younger ones. */
  readonly isOutcome: boolean;
}

/**
 * One partition under one leader epoch: loading, then active, then closed. It holds every answer that is owed, so that closing
 * settles them all whatever the shard thinks of it (an unload that throws would leave a coordinator that is none).
 */
export class CoordinatorContext<R, S extends CoordinatorShard<R>> {
  readonly leaderEpoch: number;
  readonly #options: CoordinatorContextOptions<R, S>;
  readonly #shard: S;
  readonly #timers = new Map<string, Timer>();
  readonly #owed = new Set<Refusable>();
  readonly #writes: PendingWrite<R>[] = []; // oldest first
  #unheard: PendingWrite<R>[] = []; // whose log is not listened to yet
  readonly #inputs: Input<R>[] = [];
  #lastWrite: PendingWrite<R> | undefined;
  #isRunning = false;
  #state: "loading" | "active" | "failed" | "closed" = "loading";

  constructor(options: CoordinatorContextOptions<R, S>) {
    this.leaderEpoch = options.leaderEpoch;
    this.#options = options;
    this.#shard = options.shard;
  }

  load(): void {
    const { log, onLoadFailed } = this.#options;
    log
      .load((batches) => {
        if (this.#state === "loading") this.#replayAll(batches);
      })
      .then(() => {
        if (this.#state !== "loading") return;
        this.#state = "active";
        this.run((step, shard) => shard.onLoaded(step));
      })
      .catch((error: unknown) => {
        if (this.#state === "closed") return;
        this.close();
        this.#state = "failed";
        onLoadFailed(error);
      });
  }

  /**
   * The answer to a command; a promise of it where it has to wait. Who waits for an answer appends nothing more in this callback, so that
   * the records of the command need not wait either.
   */
  schedule<T>(command: Command<R, S, T>): T | Promise<T> {
    if (this.#state === "loading") {
      return Promise.reject(new KafkaError(ErrorCode.COORDINATOR_LOAD_IN_PROGRESS));
    }
    if (this.#state !== "active") return Promise.reject(notCoordinator());
    const reply = new OwedReply<T>();
    this.#owed.add(reply);
    const run = (step: Step<R>): void => {
      try {
        command(step, this.#shard, reply);
      } catch (error) {
        if (error instanceof InvariantError || !(error instanceof KafkaError)) this.#refuse(reply, error);
        else step.fail(reply, error);
      }
    };
    this.#enqueue({ run, isOutcome: false }, true);
    return reply.answer;
  }

  /** One step. Called from within one, it comes after it. */
  run(input: (step: Step<R>, shard: S) => void): void {
    this.#enqueue({ run: (step) => input(step, this.#shard), isOutcome: false });
  }

  #enqueue(input: Input<R>, isLast = false): void {
    if (this.#state !== "active") return;
    this.#inputs.push(input);
    if (this.#isRunning) return;
    this.#isRunning = true;
    try {
      this.#runInputs();
      if (isLast && this.#commitNow()) this.#runInputs();
    } finally {
      this.#isRunning = false;
      this.#listen();
    }
  }

  #runInputs(): void {
    for (let next = this.#inputs.shift(); next !== undefined; next = this.#inputs.shift()) this.#runOne(next);
  }

  close(): void {
    this.#state = "closed";
    for (const timer of this.#timers.values()) timer.cancel();
    this.#timers.clear();
    this.#inputs.length = 0;
    this.#writes.length = 0;
    this.#unheard = [];
    const owed = [...this.#owed];
    this.#owed.clear();
    for (const reply of owed) reply.reject(notCoordinator());
  }

  #runOne({ run, isOutcome }: Input<R>): void {
    const writesBefore = this.#lastWrite;
    const effects: (() => void)[] = [];
    const step: Step<R> = {
      nowMs: this.#options.clock.wallMs(),
      append: (records, outcome = {}) => effects.push(() => this.#append(records, outcome)),
      endTransaction: (marker, outcome = {}) => effects.push(() => this.#endTransaction(marker, outcome)),
      reply: (to, response) => {
        const answer = (): void => {
          const owed = to as OwedReply<typeof response>;
          this.#owed.delete(owed);
          owed.resolve(response);
        };
        effects.push(() => (isOutcome && this.#lastWrite === writesBefore ? answer() : this.#answer(answer)));
      },
      fail: (to, error) => effects.push(() => this.#refuse(to as OwedReply<unknown>, error)),
      setTimer: (key, delayMs, onExpired) => effects.push(() => this.#setTimer(key, delayMs, onExpired)),
      ask: (question, onAnswer, onFailure) =>
        effects.push(() => {
          if (this.#state !== "active") return;
          void question().then(
            (answer) => this.run((later) => onAnswer(later, answer)),
            (error: unknown) => this.run((later) => onFailure(later, error)),
          );
        }),
      cancelTimer: (key) => effects.push(() => this.#cancelTimer(key)),
    };
    run(step);
    for (const effect of effects) effect();
  }

  #append(records: readonly R[], outcome: WriteOutcome<R>): void {
    if (this.#state !== "active") return;
    if (records.length === 0) {
      this.#answer(() => this.#runOutcome(outcome.onCommitted));
      return;
    }
    const { serde, clock, compressionType } = this.#options;
    const { transaction } = outcome;
    const { producerId = NO_PRODUCER_ID, producerEpoch = NO_PRODUCER_EPOCH } = transaction ?? {};
    const isTransactional = transaction !== undefined;
    const baseSequence = isTransactional ? 0 : NO_SEQUENCE; // our own writes are not checked for their order
    const isWritten = this.#write(outcome, transaction, () => {
      const producer = { producerId, producerEpoch, baseSequence, isTransactional };
      const builder = new RecordBatchBuilder({ compressionType, buffer: batchMemory.free });
      const timestamp = clock.wallMs();
      for (const record of records) {
        const { key, value } = serde.encode(record);
        builder.add(timestamp, key, value, NO_HEADERS);
      }
      const batch = builder.build(producer);
      batchMemory.keep(batch);
      return batch;
    });
    if (!isWritten) return;
    if (outcome.replay !== false) for (const record of records) this.#shard.replay(record, producerId);
    outcome.onAppended?.();
  }

  #endTransaction(marker: TransactionMarker, outcome: WriteOutcome<R>): void {
    if (this.#state !== "active") return;
    const { producerId, producerEpoch, coordinatorEpoch, isCommitted, transactionVersion } = marker;
    const type = isCommitted ? ControlRecordType.COMMIT : ControlRecordType.ABORT;
    const isWritten = this.#write(outcome, { transactionVersion }, () => {
      const timestamp = this.#options.clock.wallMs();
      return endTransactionMarker({ type, producerId, producerEpoch, coordinatorEpoch, timestamp });
    });
    if (isWritten) this.#shard.endTransaction(producerId, isCommitted);
  }

  /** @returns whether the batch has its offsets; else the outcome is told */
  #write(outcome: WriteOutcome<R>, transaction: TransactionChecks | undefined, build: () => Uint8Array): boolean {
    try {
      const append = this.#options.log.append(build(), transaction);
      const write: PendingWrite<R> = { append, outcome, isCommitted: false, answers: [] };
      this.#writes.push(write);
      this.#unheard.push(write);
      this.#lastWrite = write;
      return true;
    } catch (error) {
      if (error instanceof InvariantError) throw error;
      const refusal = coordinatorError(error);
      this.#runOutcome((step) => outcome.onFailed?.(step, refusal));
      return false;
    }
  }

  /** Now, or when the newest write is committed. */
  #answer(answer: () => void): void {
    const last = this.#writes.at(-1);
    if (last === undefined) answer();
    else last.answers.push(answer);
  }

  /** Whether all writes are committed, and there was one. */
  #commitNow(): boolean {
    const last = this.#writes.at(-1);
    if (last === undefined || !last.append.commitNow()) return false;
    this.#unheard = [];
    for (const write of this.#writes) write.isCommitted = true;
    this.#onCommitted(last);
    return true;
  }

  /** To what is not committed by now. */
  #listen(): void {
    for (const write of this.#unheard.splice(0)) {
      write.append.committed().then(
        () => this.#onCommitted(write),
        (error: unknown) => this.#onWriteFailed(error),
      );
    }
  }

  #onCommitted(write: PendingWrite<R>): void {
    write.isCommitted = true;
    while (this.#writes[0]?.isCommitted === true) {
      const first = this.#writes.shift();
      if (first === undefined) return;
      for (const answer of first.answers) answer();
      this.#runOutcome(first.outcome.onCommitted);
    }
  }

  #runOutcome(run: ((step: Step<R>) => void) | undefined): void {
    if (run !== undefined) this.#enqueue({ run, isOutcome: true });
  }

  #onWriteFailed(error: unknown): void {
    if (this.#state !== "active") return;
    const refusal = coordinatorError(error);
    this.close();
    this.#options.onWriteFailed(refusal);
  }

  #setTimer(key: string, delayMs: number, onExpired: (step: Step<R>) => void): void {
    this.#cancelTimer(key);
    if (this.#state !== "active") return;
    const timer = this.#options.clock.setTimer(delayMs, () => {
      if (this.#timers.get(key) !== timer) return;
      this.#timers.delete(key);
      this.run(onExpired);
    });
    this.#timers.set(key, timer);
  }

  #cancelTimer(key: string): void {
    this.#timers.get(key)?.cancel();
    this.#timers.delete(key);
  }

  #refuse<T>(reply: OwedReply<T>, error: unknown): void {
    this.#owed.delete(reply);
    reply.reject(error);
  }

  #replayAll(bytes: Uint8Array): void {
    const { serde } = this.#options;
    for (const batch of recordBatches(bytes)) {
      if (batch.isControlBatch) {
        for (const record of batch.records()) {
          const type = controlRecordType(record.key);
          if (type === ControlRecordType.COMMIT || type === ControlRecordType.ABORT) {
            this.#shard.endTransaction(batch.producerId, type === ControlRecordType.COMMIT);
          }
        }
        continue;
      }
      const producerId = batch.isTransactional ? batch.producerId : NO_PRODUCER_ID;
      for (const { key, value } of batch.records()) {
        const record = key === null ? undefined : serde.decode(key, value);
        if (record !== undefined) this.#shard.replay(record, producerId);
      }
    }
  }
}

function notCoordinator(): KafkaError {
  return new KafkaError(ErrorCode.NOT_COORDINATOR, "this broker has ceased to be the coordinator");
}
