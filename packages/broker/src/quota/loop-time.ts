import type { Clock } from "@samsa/base";

/** The time that a request takes of the event loop: until it is answered, or until it waits for something. */
export class LoopTime {
  readonly #clock: Clock;
  readonly #startMs: number;
  #spentMs: number | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#startMs = clock.monotonicMs();
  }

  /** The request waits; what it does afterwards is little, and is not counted. */
  leave(): void {
    this.#spentMs ??= this.#clock.monotonicMs() - this.#startMs;
  }

  spentMs(): number {
    return this.#spentMs ?? this.#clock.monotonicMs() - this.#startMs;
  }
}

/** While nobody's time is limited. */
export const NOT_MEASURED: Pick<LoopTime, "leave" | "spentMs"> = { leave: () => {}, spentMs: () => 0 };
