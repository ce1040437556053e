/** Tokens that come in at a rate and may be spent in bursts (KIP-599). It starts full, and may be overdrawn. */
export class TokenBucket {
  readonly #burstSeconds: number;
  #tokens = Infinity; // full, whatever the rate
  #lastMs = 0;

  constructor(burstSeconds: number) {
    this.#burstSeconds = burstSeconds;
  }

  /** What there is to spend now; below 0 after more was spent than there was. */
  tokens(ratePerSecond: number, nowMs: number): number {
    const refilled = this.#tokens + (ratePerSecond * (nowMs - this.#lastMs)) / 1000;
    this.#tokens = Math.min(refilled, this.#burstSeconds * ratePerSecond);
    this.#lastMs = nowMs;
    return this.#tokens;
  }

  spend(count: number, ratePerSecond: number, nowMs: number): void {
    this.#tokens = this.tokens(ratePerSecond, nowMs) - count;
  }
}
