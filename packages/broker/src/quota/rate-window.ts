/** How a rate is measured: over so many samples of such a length (`quota.window.num`, `quota.window.size.seconds`). */
export interface RateWindowConfig {
  readonly samples: number;
  readonly sampleMs: number;
}

interface Sample {
  startMs: number;
  lastEventMs: number;
  value: number;
}

/**
 * A rate over a sliding window, with the arithmetic of Kafka's Rate, because throttle times follow from it. The window counts
 * as if it were full from the start: samples that are not there yet held nothing, so a short burst after a quiet time is let
 * pass. One sample more than configured is kept, as the oldest overlaps the window only in part.
 */
export class RateWindow {
  readonly #config: RateWindowConfig;
  #samples: Sample[] = []; // oldest first
  #sum = 0;

  constructor(config: RateWindowConfig) {
    this.#config = config;
  }

  /** @param value may be negative, to take back what was recorded */
  record(value: number, nowMs: number): void {
    const { samples, sampleMs } = this.#config;
    let current = this.#samples.at(-1);
    if (current === undefined || nowMs - current.startMs >= sampleMs) {
      current = { startMs: nowMs, lastEventMs: nowMs, value: 0 };
      this.#samples.push(current);
      if (this.#samples.length > samples + 1) this.#sum -= this.#samples.shift()?.value ?? 0;
    }
    current.value += value;
    current.lastEventMs = nowMs;
    this.#sum += value;
  }

  perSecond(nowMs: number): number {
    const windowMs = this.windowMs(nowMs);
    return windowMs === 0 ? 0 : (this.#sum / windowMs) * 1000;
  }

  /** The time over which the rate is taken now. */
  windowMs(nowMs: number): number {
    this.#dropObsolete(nowMs);
    const { samples, sampleMs } = this.#config;
    const elapsedMs = nowMs - (this.#samples[0]?.startMs ?? nowMs);
    const missing = Math.max(0, samples - 1 - Math.floor(elapsedMs / sampleMs));
    return Math.max(1, elapsedMs + missing * sampleMs);
  }

  /** Nothing has been recorded within the window: what follows is as from a new one. */
  isIdle(nowMs: number): boolean {
    this.#dropObsolete(nowMs);
    return this.#samples.length === 0;
  }

  #dropObsolete(nowMs: number): void {
    const expiryMs = this.#config.samples * this.#config.sampleMs;
    let obsolete = 0;
    for (const { lastEventMs } of this.#samples) {
      if (nowMs - lastEventMs < expiryMs) break;
      obsolete++;
    }
    if (obsolete === 0) return;
    this.#samples = this.#samples.slice(obsolete);
    // Summed anew, so that the rounding of fractions does not add up over days.
    this.#sum = this.#samples.reduce((sum, { value }) => sum + value, 0);
  }
}

/**
 * How long to hold a client back so that its rate comes down to the limit: what it has too much, in seconds of the limit
 * (KIP-219). 0 when it is within.
 */
export function throttleTimeMs(window: RateWindow, limitPerSecond: number, nowMs: number): number {
  const rate = window.perSecond(nowMs);
  if (rate <= limitPerSecond) return 0;
  const wantedMs = ((rate - limitPerSecond) / limitPerSecond) * window.windowMs(nowMs);
  return Math.min(Math.round(wantedMs), MAX_THROTTLE_MS);
}

/** What a response can tell. */
const MAX_THROTTLE_MS = 2 ** 31 - 1;
