import type { Clock, Timer } from "@samsa/base";
import type { LogFence } from "./log-fence.ts";
import type { LogSegment } from "./log-segment.ts";

/** Segments that are out of use, whose files wait for their removal: somebody outside may be copying them. */
export class SegmentRemovals {
  readonly #clock: Clock;
  readonly #fence: LogFence;
  readonly #waiting = new Map<Timer, readonly LogSegment[]>();
  readonly #underWay = new Set<Promise<void>>();

  constructor(clock: Clock, fence: LogFence) {
    this.#clock = clock;
    this.#fence = fence;
  }

  removeLater(segments: readonly LogSegment[], delayMs: number): void {
    const timer = this.#clock.setTimer(delayMs, () => {
      this.#waiting.delete(timer);
      const removing = this.#fence
        .guard(() => removeAll(segments))
        .catch(() => undefined) // the log is fenced, and the next start removes them
        .finally(() => this.#underWay.delete(removing));
      this.#underWay.add(removing);
    });
    this.#waiting.set(timer, segments);
  }

  /**
   * What waits under the names that these will have does not wait any more: names with the ending `.deleted` tell a start which files
   * were about to follow them (log-loader.ts), and so may not be those of others.
   */
  async makeRoomFor(segments: readonly LogSegment[]): Promise<void> {
    await Promise.all(this.#underWay);
    const offsets = new Set(segments.map(({ baseOffset }) => baseOffset));
    for (const [timer, waiting] of this.#waiting) {
      if (!waiting.some(({ baseOffset }) => offsets.has(baseOffset))) continue;
      timer.cancel();
      this.#waiting.delete(timer);
      await removeAll(waiting);
    }
  }

  /** What waits to be removed need not wait any more; after a failure it is left to the next start. */
  async end(): Promise<void> {
    await Promise.all(this.#underWay);
    for (const [timer, segments] of this.#waiting) {
      timer.cancel();
      if (this.#fence.failure === undefined) await removeAll(segments);
      else for (const segment of segments) await segment.close().catch(() => undefined);
    }
    this.#waiting.clear();
  }
}

async function removeAll(segments: readonly LogSegment[]): Promise<void> {
  for (const segment of segments) await segment.remove();
}
