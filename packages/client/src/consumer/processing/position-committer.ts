import type { Clock, Timer } from "@samsa/base";
import type { TopicPartition } from "../../cluster/topic-metadata.ts";

/** How far a reader has come: everything before the offset is done. */
export interface CompletedPosition extends TopicPartition {
  /** The next to be read. */
  readonly offset: number;
  /** Of the last record before it; undefined when unknown. */
  readonly leaderEpoch: number | undefined;
}

/** Keeps positions, in a group or wherever the application likes. What it rejects with ends the run. */
export type CommitFunction = (positions: readonly CompletedPosition[]) => Promise<void> | void;

/**
 * Commits what is completed, one commit at a time and not more often than the interval says. What was committed already is not
 * committed again.
 */
export class PositionCommitter {
  readonly #commit: CommitFunction;
  readonly #intervalMs: number;
  readonly #clock: Clock;
  readonly #positions: () => readonly CompletedPosition[];
  readonly #onFailure: (error: unknown) => void;
  readonly #committed = new Map<string, number>();
  #timer: Timer | undefined;
  #underWay: Promise<void> | undefined;

  constructor(
    commit: CommitFunction,
    intervalMs: number,
    clock: Clock,
    positions: () => readonly CompletedPosition[],
    onFailure: (error: unknown) => void,
  ) {
    this.#commit = commit;
    this.#intervalMs = intervalMs;
    this.#clock = clock;
    this.#positions = positions;
    this.#onFailure = onFailure;
  }

  /** Something was completed. */
  completed(): void {
    if (this.#timer !== undefined || this.#underWay !== undefined) return;
    this.#timer = this.#clock.setTimer(this.#intervalMs, () => {
      this.#timer = undefined;
      this.#underWay = this.#commitNow().then(
        () => this.#next(),
        (error: unknown) => {
          this.#underWay = undefined;
          this.#onFailure(error);
        },
      );
    });
  }

  #next(): void {
    this.#underWay = undefined;
    if (this.#changed().length > 0) this.completed();
  }

  /** Commits what is left, once the commit under way is over. */
  async finish(): Promise<void> {
    await this.#underWay;
    this.#timer?.cancel();
    this.#timer = undefined;
    await this.#commitNow();
  }

  #changed(): readonly CompletedPosition[] {
    return this.#positions().filter((one) => this.#committed.get(nameOf(one)) !== one.offset);
  }

  async #commitNow(): Promise<void> {
    const positions = this.#changed();
    if (positions.length === 0) return;
    await this.#commit(positions);
    for (const one of positions) this.#committed.set(nameOf(one), one.offset);
  }
}

function nameOf({ topic, partition }: TopicPartition): string {
  return `${topic}-${partition}`;
}
