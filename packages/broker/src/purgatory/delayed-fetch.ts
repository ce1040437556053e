import type { Clock } from "@samsa/base";
import type { Partition, PartitionWatcher } from "@samsa/replication";

export interface DelayedFetchOptions<Result> {
  readonly partitions: readonly Partition[];
  readonly maxWaitMs: number;
  /** Bytes that were missing at the first read. */
  readonly missingBytes: number;
  readonly clock: Clock;
  /** Reads again; `isLast` when the result is answered whatever it holds. Undefined: not enough yet. */
  readonly tryComplete: (isLast: boolean) => Promise<Result | undefined> | Result | undefined;
  /** Calls when the client is gone; returns how to take that back. */
  readonly onDisconnect: (callback: () => void) => () => void;
}

/**
 * A fetch that waits for records: it is tried again whenever one of its partitions has grown enough, and answered at the
 * latest after `maxWaitMs`. The highest watermarks that the first read saw are compared once more when the wait begins, so an
 * append between the two is not missed.
 */
export class DelayedFetch<Result> implements PartitionWatcher {
  readonly #options: DelayedFetchOptions<Result>;
  readonly #sizes = new Map<Partition, number>();
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
   * @param watermarks the high watermark of each partition as the first read saw it
   */
  static wait<Result>(options: DelayedFetchOptions<Result>, watermarks: readonly number[]): Promise<Result> {
    return new Promise((resolve, reject) => {
      const fetch = new DelayedFetch(options, resolve, reject);
      fetch.#begin(watermarks);
    });
  }

  onPartitionChanged(partition: Partition): void {
    if (this.#isDone) return;
    const isGone = !partition.isLeader || partition.log.failure !== undefined;
    if (isGone || this.#grownBytes() >= this.#options.missingBytes) this.#try();
  }

  #begin(watermarks: readonly number[]): void {
    const { partitions, clock, maxWaitMs, onDisconnect } = this.#options;
    let hasMoved = false;
    for (const [index, partition] of partitions.entries()) {
      // What waits for the disk was not readable yet, and counts as growth when it is.
      this.#sizes.set(partition, partition.log.sizeInBytes - partition.log.pendingBytes);
      partition.watch(this);
      if (partition.highWatermark !== watermarks[index]) hasMoved = true;
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
    if (hasMoved) this.#try();
  }

  #grownBytes(): number {
    let grown = 0;
    for (const [partition, size] of this.#sizes) grown += Math.max(0, partition.log.sizeInBytes - size);
    return grown;
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
