const CHECK_INTERVAL_MS = 300;

/** Keeps a rate over time (Kafka's Throttler): says how long to pause, and who asks does so. */
export class Throttler {
  #perSecond: number;
  #periodStartMs: number;
  #observed = 0;

  /** @param nowMs monotonic, as always here */
  constructor(perSecond: number, nowMs: number) {
    this.#perSecond = perSecond;
    this.#periodStartMs = nowMs;
  }

  setRate(perSecond: number): void {
    this.#perSecond = perSecond;
  }

  /** So many more; returns for how many milliseconds to pause, mostly 0. The rate is looked at a few times a second. */
  observe(amount: number, nowMs: number): number {
    this.#observed += amount;
    const elapsedMs = nowMs - this.#periodStartMs;
    if (elapsedMs <= CHECK_INTERVAL_MS || this.#observed === 0) return 0;
    const dueMs = (this.#observed / this.#perSecond) * 1000;
    const pauseMs = Math.max(0, Math.round(dueMs - elapsedMs));
    this.#periodStartMs = nowMs + pauseMs;
    this.#observed = 0;
    return pauseMs;
  }
}
