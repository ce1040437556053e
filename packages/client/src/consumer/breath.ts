import type { Clock } from "@samsa/base";

/** A loop may have the thread for so long before timers and sockets get their turn. */
const LIMIT_MS = 50;
const MAX_CALLS_PER_LOOK = 256;

/**
 * Lets the event loop turn now and then. While records are at hand, a loop over them goes on from one microtask to the next, and
 * with a body that computes no timer would fire and no heartbeat leave until all that was fetched is worked off.
 */
export class Breath {
  readonly #clock: Clock;
  #sinceMs: number;
  #calls = 0;
  #nextLook = 1; // the clock is read more seldom while calls are quick

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#sinceMs = clock.monotonicMs();
  }

  isDue(): boolean {
    if (++this.#calls < this.#nextLook) return false;
    if (this.#clock.monotonicMs() - this.#sinceMs >= LIMIT_MS) return true;
    this.#nextLook = this.#calls + Math.min(this.#calls, MAX_CALLS_PER_LOOK);
    return false;
  }

  async take(): Promise<void> {
    await new Promise<void>((resolve) => void this.#clock.setTimer(0, resolve));
    this.taken();
  }

  /** Something was waited for: the event loop has turned. */
  taken(): void {
    this.#sinceMs = this.#clock.monotonicMs();
    this.#calls = 0;
    this.#nextLook = 1;
  }
}
