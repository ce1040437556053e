import { NO_PRODUCER_EPOCH, NO_PRODUCER_ID } from "@samsa/protocol";
import type { ProducerBatch } from "./producer-batch.ts";

/** Most topics are quiet and most batches small. */
export const FIRST_CAPACITY = 2048;

/**
 * The batches of one partition, oldest first:
 *
 *   underWay: left once, not done        waiting: never left
 *   [on the wire │ to be tried again]    [full │ full │ takes records]
 */
export class PartitionQueue {
  readonly topic: string;
  readonly partition: number;
  readonly waiting: ProducerBatch[] = [];
  readonly underWay: ProducerBatch[] = [];
  /** Those of `underWay` whose request is not answered, and some that were given up on meanwhile. */
  onWire = 0;
  /** Nothing leaves before this (monotonic): the partition has no leader, or it cannot be reached. */
  retryAtMs = 0;
  /** Bytes the next batch is given to begin with: what the last one came to. */
  capacity = FIRST_CAPACITY;
  readonly sequences = new PartitionSequences();
  /**
   * So many of the first of `underWay` were refused as out of order though they may have arrived before; the one behind them is asked
   * about next. @see TransactionManager.canRetry
   */
  doubted = 0;

  constructor(topic: string, partition: number) {
    this.topic = topic;
    this.partition = partition;
  }

  get isEmpty(): boolean {
    return this.waiting.length === 0 && this.underWay.length === 0;
  }

  /** The one to be sent again before all others. */
  get retried(): ProducerBatch | undefined {
    return this.underWay[this.doubted] ?? this.underWay[0];
  }

  /** Takes a batch out of wherever it is. */
  remove(batch: ProducerBatch): void {
    const list = batch.attempts > 0 ? this.underWay : this.waiting;
    const at = list.indexOf(batch);
    if (list === this.underWay && at >= 0 && at < this.doubted) this.doubted--;
    if (at === 0) list.shift();
    else if (at > 0) list.splice(at, 1);
  }
}

/** What an idempotent producer knows of its sequence in one partition. */
export class PartitionSequences {
  producerId: number = NO_PRODUCER_ID;
  producerEpoch: number = NO_PRODUCER_EPOCH;
  nextSequence = 0;
  lastAckedSequence = -1;
  lastAckedOffset = -1;
  /**
   * The sequence after a batch that was given up on without an answer: whether the broker has it is seen from what it says to the
   * one after it. Nothing new leaves until then.
   */
  unresolvedSequence: number | undefined;
}
