import type { Clock } from "@samsa/base";
import type { LogDirs, UnifiedLog } from "@samsa/log";
import { KafkaStorageError } from "@samsa/log";
import type { LogReplacement, Partition } from "./partition.ts";

export interface ReplicaMoveOptions {
  readonly partition: Partition;
  /** The replica to fill, in the directory where the partition is to go. */
  readonly future: UnifiedLog;
  readonly logs: LogDirs;
  readonly clock: Clock;
  /** Has the metadata say that the replica is in the other directory; resolves when it says so. */
  readonly assign: () => Promise<void>;
  /** `replica.alter.log.dirs.io.max.bytes.per.second`, now. */
  readonly maxBytesPerSecond: () => number;
}

const COPY_BYTES = 1024 ** 2;

/**
 * A replica on its way to another data directory of this broker (KIP-113, KIP-858): the log there follows the current one by the
 * way of every append, and takes its place when it has caught up.
 *
 *   copy ┄ flush ─ switch ─ flush ─ assign ─ rename ─ confirm
 *                    └── appends go to the new log, and are acknowledged after the last step
 *
 * Until the metadata names the new directory a restart finds the old log, with all that was acknowledged, and goes on copying;
 * afterwards it finds the new one, with the same.
 */
export class ReplicaMove {
  readonly partition: Partition;
  readonly future: UnifiedLog;
  readonly done: Promise<void>;
  readonly #options: ReplicaMoveOptions;
  #isCancelled = false;
  #isAssigned = false;
  #wake: () => void = () => undefined;

  /** Begins at once. `done` resolves when the move is complete or was cancelled, and rejects with what it failed from. */
  constructor(options: ReplicaMoveOptions) {
    this.partition = options.partition;
    this.future = options.future;
    this.#options = options;
    this.done = this.#run();
    this.done.catch(() => undefined);
  }

  get isCancelled(): boolean {
    return this.#isCancelled;
  }

  /** The partition goes on with the log before if this fails. */
  get mayRevert(): boolean {
    return !this.#isAssigned && this.partition.log === this.future;
  }

  /** Stops as soon as it may. A log that the metadata names already still takes the place of the other. */
  cancel(): void {
    this.#isCancelled = true;
    this.#wake();
  }

  async #run(): Promise<void> {
    await Promise.resolve(); // the owner knows of it first
    await this.#alignWithCurrent();
    if (!(await this.#catchUp())) return;
    const replacement = this.partition.replaceLog(this.future); // in the turn in which the ends were equal
    try {
      await this.#settle(replacement);
      await this.#options.assign();
      this.#isAssigned = true;
      await this.#options.logs.replaceCurrentWithFuture(this.partition.topicPartition);
      replacement.confirm();
    } catch (error) {
      // Once the metadata names the new log, the one before is no place to go back to.
      if (this.#isAssigned) replacement.confirm();
      else replacement.revert(error);
      throw error;
    }
  }

  /** What a crash left of the copy may hold what the current log has lost: the epochs tell from where. */
  async #alignWithCurrent(): Promise<void> {
    const { future } = this;
    const current = this.partition.log;
    while (future.latestEpoch !== undefined) {
      const end = current.endOffsetForEpoch(future.latestEpoch);
      const offset = Math.min(end.endOffset < 0 ? current.logStartOffset : end.endOffset, current.logEndOffset);
      if (offset >= future.logEndOffset) break;
      if (offset <= future.logStartOffset) return await future.truncateFullyAndStartAt(current.logStartOffset);
      await future.truncateTo(offset);
    }
  }

  /** @returns false when it was cancelled before */
  async #catchUp(): Promise<boolean> {
    const { future } = this;
    let isFlushed = false;
    while (!this.#isCancelled) {
      const current = this.partition.log;
      if (future.logEndOffset < current.logStartOffset) {
        await future.truncateFullyAndStartAt(current.logStartOffset);
      } else if (future.logEndOffset < current.logEndOffset) {
        await this.#copy(current);
      } else if (isFlushed) {
        return true;
      } else {
        await future.flush(); // now, while nobody waits for it
        isFlushed = true;
      }
    }
    return false;
  }

  async #copy(current: UnifiedLog): Promise<void> {
    const { future } = this;
    const read = await current.read(future.logEndOffset, COPY_BYTES);
    if (read.sizeInBytes === 0) {
      throw new KafkaStorageError(
        `${current.directory} has no batch at ${future.logEndOffset}, and does not end there`,
      );
    }
    // The log start offset may lie within a batch (DeleteRecords).
    const firstOffset = read.firstBatchOffset ?? future.logEndOffset;
    if (firstOffset < future.logEndOffset) await future.truncateFullyAndStartAt(firstOffset);
    // A copy: the bytes belong to the log they are appended to, and these belong to the current one or to a buffer of reads.
    const records = new Uint8Array(read.sizeInBytes);
    let at = 0;
    for (const chunk of read.records) {
      records.set(chunk, at);
      at += chunk.length;
    }
    await future.appendAsFollower(records).written;
    await this.#throttle(read.sizeInBytes);
  }

  async #throttle(bytes: number): Promise<void> {
    const delayMs = (bytes * 1000) / this.#options.maxBytesPerSecond();
    if (delayMs < 1 || this.#isCancelled) return;
    await new Promise<void>((resolve) => {
      const timer = this.#options.clock.setTimer(delayMs, resolve);
      this.#wake = () => {
        timer.cancel();
        resolve();
      };
    });
  }

  /** All that was acknowledged is on the disk of the new log. */
  async #settle({ previous }: LogReplacement): Promise<void> {
    // Who appended before the switch is answered by the log before; what it says on failing changes nothing here.
    await previous.flush().catch(() => undefined);
    await this.future.flush();
    if (this.#isCancelled) throw new KafkaStorageError(`the move of ${this.future.directory} was cancelled`);
  }
}
