import type { Clock } from "@samsa/base";
import type { IsolationLevel, Partition, PartitionWatcher } from "@samsa/replication";

/** What waits for the disk is not readable yet, and counts as growth when it is. */
export function writtenBytes({ log }: Partition): number {
  return log.sizeInBytes - log.pendingBytes;
}

export interface DelayedFetchOptions<Result> {
  readonly partitions: readonly Partition[];
  readonly isolationLevel: IsolationLevel;
  readonly maxWaitMs: number;
  /** Bytes that were missing at the first read, beyond the sizes that were given. */
  readonly missingBytes: number;
  readonly clock: Clock;
  /** Reads again; `isLast` when the result is answered whatever it holds. Undefined: not enough yet. */
  readonly tryComplete: (isLast: boolean) => Promise<Result | undefined> | Result | undefined;
  /** Calls when the client is gone; returns how to take that back. */
  readonly onDisconnect: (callback: () => void) => () => void;
}

/**
 * A fetch that waits for records: it is tried again whenever one of its partitions has grown enough, and answered at the
 * latest after `maxWaitMs`. Growth counts from the sizes before the first read, so an append between the two is not missed.
 */
export class DelayedFetch<Result> implements PartitionWatcher {
  readonly #options: DelayedFetchOptions<Result>;
  readonly #sizes = new Map<Partition, number>();
  readonly #stableOffsets = new Map<Partition, number>(); // for read_committed
  #grownBytes = 0;
  readonly #resolve: (result: Result) => void;
  readonly #reject: (error: unknown) => void;
  #release: () => void = () => {};
  #isTrying = false;
  #isDue = false; // something happened during a try
  #isExpired = false;
  #isDone = false;

  private constructor(
    options: DelayedFetchOptions<Result>,
    resolve: (result: Result) => void,
    reject: (error: unknown) => void,
  ) {
    this.#options = options;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  /**
   * Waits; resolves with what `tryComplete` gave.
   * @param sizes what `writtenBytes` was of each partition before the first read
   */
  static wait<Result>(options: DelayedFetchOptions<Result>, sizes: readonly number[]): Promise<Result> {
    return new Promise((resolve, reject) => {
      const fetch = new DelayedFetch(options, resolve, reject);
      fetch.#begin(sizes);
    });
  }

  onPartitionChanged(partition: Partition): void {
    if (this.#isDone) return;
    const isGone = !partition.isLeader || partition.log.failure !== undefined;
    if (this.#hasGrownEnough(partition) || this.#hasSettled(partition) || isGone) this.#try();
  }

  /** The end of a transaction is a few bytes, and lets all of it be read. */
  #hasSettled(partition: Partition): boolean {
    if (this.#options.isolationLevel === "read-uncommitted") return false;
    const { lastStableOffset } = partition.log;
    const isFurther = lastStableOffset > (this.#stableOffsets.get(partition) ?? 0);
    this.#stableOffsets.set(partition, lastStableOffset);
    return isFurther;
  }

  #begin(sizes: readonly number[]): void {
    const { partitions, clock, maxWaitMs, onDisconnect } = this.#options;
    let isDue = this.#options.isolationLevel === "read-committed"; // a marker may have come since the first read
    for (const [index, partition] of partitions.entries()) {
      this.#sizes.set(partition, sizes[index] ?? 0);
      this.#stableOffsets.set(partition, partition.log.lastStableOffset);
      partition.watch(this);
      isDue = this.#hasGrownEnough(partition) || !partition.isLeader || isDue;
    }
    const timer = clock.setTimer(maxWaitMs, () => {
      this.#isExpired = true;
      this.#try();
    });
    // Nobody waits for the answer any more: it is completed at once and dropped with its connection.
    const forget = onDisconnect(() => {
      this.#isExpired = true;
      this.#try();
    });
    this.#release = () => {
      timer.cancel();
      forget();
      for (const partition of partitions) partition.unwatch(this);
    };
    if (isDue) this.#try();
  }

  /** Also when the log has shrunk: old segments were deleted, and its size no longer tells what is new. */
  #hasGrownEnough(partition: Partition): boolean {
    const size = this.#sizes.get(partition) ?? 0;
    const now = writtenBytes(partition);
    this.#sizes.set(partition, now);
    this.#grownBytes += Math.max(0, now - size);
    return now < size || this.#grownBytes >= this.#options.missingBytes;
  }

  #try(): void {
    if (this.#isTrying) {
      this.#isDue = true;
      return;
    }
    this.#isTrying = true;
    void this.#run();
  }

  async #run(): Promise<void> {
    try {
      do {
        this.#isDue = false;
        const result = await this.#options.tryComplete(this.#isExpired);
        if (result === undefined) continue;
        this.#finish();
        this.#resolve(result);
        return;
      } while (this.#isDue);
      this.#isTrying = false;
    } catch (error) {
      this.#finish();
      this.#reject(error);
    }
  }

  #finish(): void {
    this.#isDone = true;
    this.#release();
  }
}
