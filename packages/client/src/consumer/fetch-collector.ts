import { CorruptRecordError } from "@samsa/protocol";
import { ClosedError } from "../errors.ts";
import type { AnswerMemory } from "./answer-memory.ts";
import type { AssignedPartition } from "./assigned-partition.ts";
import type { BatchReader } from "./consumer-record.ts";
import type { Fetched } from "./fetched.ts";
import type { Fetcher } from "./fetcher.ts";
import type { InHand } from "./in-hand.ts";

/** That wait for somebody to be told. */
const MAX_FAILURES = 100;

/** Records of one partition that lie together and may be handed out now. */
export interface Collected {
  readonly partition: AssignedPartition;
  readonly epoch: number; // of the partition: another one, and a seek came between
  readonly reader: BatchReader;
  readonly memory: AnswerMemory; // that it lies in
  readonly from: number;
  readonly until: number; // exclusive
  /** The position when all of it has been handed out. */
  readonly nextPosition: number;
}

/** Takes from what was fetched what readers may see: no markers, nothing aborted, nothing before the position. */
export class FetchCollector {
  readonly #fetcher: Fetcher;
  readonly #checkCrcs: boolean;
  #partitions: readonly AssignedPartition[] = [];
  readonly inHand: InHand;
  #whenProgress: (() => void)[] = [];
  #failures: Error[] = [];
  #isClosed = false;

  constructor(fetcher: Fetcher, inHand: InHand, checkCrcs: boolean) {
    this.#fetcher = fetcher;
    this.inHand = inHand;
    this.#checkCrcs = checkCrcs;
  }

  assign(partitions: readonly AssignedPartition[]): void {
    this.#partitions = partitions;
  }

  /** Whoever waits looks again. */
  progress(): void {
    for (const callback of this.#whenProgress.splice(0)) callback();
  }

  /** Whoever reads next is told. */
  fail(error: Error): void {
    if (this.#failures.length < MAX_FAILURES) this.#failures.push(error);
    this.progress();
  }

  close(): void {
    this.#isClosed = true;
    this.progress();
  }

  /** All partitions have come to the end that was set for them. */
  get isDone(): boolean {
    return this.#partitions.length > 0 && this.#partitions.every(({ isDone }) => isDone);
  }

  whenProgress(signal?: AbortSignal): Promise<void> {
    if (this.#failures.length > 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.inHand.waiting++;
      let isWaiting = true;
      const done = (): void => {
        signal?.removeEventListener("abort", done);
        if (isWaiting) this.inHand.waiting--;
        isWaiting = false;
        resolve();
      };
      signal?.addEventListener("abort", done, { once: true });
      this.#whenProgress.push(done);
    });
  }

  /**
   * What to hand out next; it is up to the caller to move the position.
   * @returns undefined when nothing is there
   * @throws ClosedError, CorruptRecordError, and what ended the fetching or the membership of a group
   */
  next(maxRecords = Number.POSITIVE_INFINITY): Collected | undefined {
    if (this.#isClosed) throw new ClosedError("the consumer");
    const failure = this.#failures.shift();
    if (failure !== undefined) throw failure;
    for (let fetched = this.#fetcher.first(); fetched !== undefined; fetched = this.#fetcher.first()) {
      const { partition, epoch, batch, memory } = fetched;
      if (batch === undefined || partition.isDone) {
        this.#fetcher.remove(fetched);
        fetched.memory.letGo();
        continue;
      }
      const { baseOffset, nextOffset } = batch;
      const position = partition.position ?? baseOffset;
      if (nextOffset <= position) {
        fetched.advance();
        continue;
      }
      if (this.#checkCrcs) check(fetched);
      const from = Math.max(baseOffset, position);
      const end = Math.min(nextOffset, partition.endOffset);
      const isBeyond = from >= partition.endOffset; // a gap before it
      if (fetched.isHidden(batch) || isBeyond) {
        partition.position = end;
        partition.positionEpoch = batch.partitionLeaderEpoch;
        continue;
      }
      const until = Math.min(end, from + maxRecords);
      return { partition, epoch, reader: fetched.reader(batch), memory, from, until, nextPosition: until };
    }
    return undefined;
  }
}

function check(fetched: Fetched): void {
  const { batch, partition, isChecked } = fetched;
  if (isChecked || batch === undefined) return;
  try {
    batch.ensureValid();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new CorruptRecordError(`${partition.name} at offset ${partition.position}: ${reason}`);
  }
  fetched.isChecked = true;
}

/** Everything of it has been handed out. */
export function moveBehind({ partition, epoch, reader, nextPosition }: Collected): void {
  if (partition.epoch !== epoch) return;
  partition.position = nextPosition;
  partition.positionEpoch = reader.batch.partitionLeaderEpoch;
}
