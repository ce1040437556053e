import type { AssignedPartition } from "./assigned-partition.ts";
import type { CompletedPositions } from "./processing/completed-positions.ts";

export interface HeldRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

/** A handler under way. */
export interface Work {
  readonly partition: AssignedPartition;
  readonly offset: number;
  readonly sinceMs: number; // monotonic
}

/**
 * What was handed over and is not completed: the record or batch that a loop is at, or those that handlers of a run have
 * begun or wait for. What may be committed ends before it, and a partition that is to be given up waits for it.
 */
export class InHand {
  /** Of a loop: where its record or batch lies. It is completed when the loop asks for the next. */
  #looped: AssignedPartition | undefined;
  #loopedOffset = 0;
  #loopedEpoch = 0;
  /** The loop was left, by `break` or by an error, and nobody can tell which: what it was at counts as not completed. */
  #isLeft = false;
  /** Of a run: what was dispatched and is not done. */
  readonly #tracked = new Map<AssignedPartition, { readonly epoch: number; readonly positions: CompletedPositions }>();
  readonly #underWay = new Set<Work>(); // the oldest first
  #whenMoved: (() => void)[] = [];
  #last: HeldRecord | undefined;
  /** Grows whenever something is asked for or completed: by it whoever watches knows that somebody works. */
  turns = 0;
  /** Readers that wait for records to come. */
  waiting = 0;

  /** A loop is handed this. */
  take(partition: AssignedPartition, offset: number): void {
    this.#looped = partition;
    this.#loopedOffset = offset;
    this.#loopedEpoch = partition.epoch;
    this.#isLeft = false;
  }

  /** The loop asks for the next. */
  completeTaken(): void {
    this.turns++;
    this.#looped = undefined;
    if (this.#whenMoved.length > 0) this.#notify();
  }

  /** The application has committed so far: of what a loop is at, or was left at, that much is completed. */
  committed(partition: AssignedPartition, offset: number): void {
    if (this.#looped === partition && offset > this.#loopedOffset) this.#loopedOffset = offset;
  }

  /** The loop ended otherwise than by asking for more. */
  leave(): void {
    this.turns++;
    this.#isLeft = true;
    this.#notify();
  }

  /** A run hands out records of this, and notes in the positions which of them are done. */
  track(partition: AssignedPartition, epoch: number, positions: CompletedPositions): void {
    this.#tracked.set(partition, { epoch, positions });
  }

  /** A run is over, and the positions are behind what was done. */
  endRun(): void {
    this.turns++;
    this.#tracked.clear();
    this.#notify();
  }

  /** A handler is called. */
  begin(partition: AssignedPartition, offset: number, sinceMs: number): Work {
    const work = { partition, offset, sinceMs };
    this.#underWay.add(work);
    return work;
  }

  /** The handler has ended. */
  end(work: Work): void {
    if (!this.#underWay.delete(work)) return;
    this.turns++;
    this.#last = heldOf(work.partition, work.offset);
    this.#notify();
  }

  /** The partition is somebody else's: what was dispatched of it is no matter any more. */
  forget(partition: AssignedPartition): void {
    this.#tracked.delete(partition);
    if (this.#looped === partition) this.#looped = undefined;
  }

  /**
   * The first offset that may not be committed; undefined when everything that was handed over is completed.
   * @param countsTaken whether what a loop is at counts as completed: when the loop says so itself
   */
  firstOpen(partition: AssignedPartition, countsTaken = false): number | undefined {
    const isLooped = this.#looped === partition && this.#loopedEpoch === partition.epoch;
    if (isLooped && !countsTaken) return this.#loopedOffset;
    const tracked = this.#tracked.get(partition);
    return tracked?.epoch === partition.epoch ? tracked.positions.firstUnfinished : undefined;
  }

  /** Whether nobody works on any of these. */
  isFree(partitions: readonly AssignedPartition[]): boolean {
    for (const { partition } of this.#underWay) if (partitions.includes(partition)) return false;
    return this.#looped === undefined || this.#isLeft || !partitions.includes(this.#looped);
  }

  /** Since when the handler that has worked longest is at it. */
  get oldestMs(): number | undefined {
    for (const { sinceMs } of this.#underWay) return sinceMs;
    return undefined;
  }

  /** What is worked on, or was last: for messages. */
  describe(): readonly HeldRecord[] {
    const held = Array.from(this.#underWay, ({ partition, offset }) => heldOf(partition, offset));
    if (this.#looped !== undefined) held.push(heldOf(this.#looped, this.#loopedOffset));
    return held.length === 0 && this.#last !== undefined ? [this.#last] : held;
  }

  /** Calls once when somebody asks for more or has completed something. */
  onceMoved(callback: () => void): void {
    this.#whenMoved.push(callback);
  }

  #notify(): void {
    for (const callback of this.#whenMoved.splice(0)) callback();
  }
}

function heldOf({ topic, partition }: AssignedPartition, offset: number): HeldRecord {
  return { topic, partition, offset };
}
