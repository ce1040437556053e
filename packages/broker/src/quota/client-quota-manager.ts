import type { ClientQuotaKey, ClientQuotaLimits, QuotaClient } from "./client-quota-limits.ts";
import { RateWindow, type RateWindowConfig, throttleTimeMs } from "./rate-window.ts";

/** Of clients that are measured at once; a client id is whatever a client says it is, so there must be a bound. */
const MAX_WINDOWS = 10_000;

export interface ClientQuotaManagerOptions {
  readonly key: ClientQuotaKey;
  readonly window: RateWindowConfig;
  /** As they are now. */
  readonly limits: () => ClientQuotaLimits;
  /** Bounds a single throttle time. Default: none. */
  readonly maxThrottleMs?: number;
}

/** Measures what clients use of one thing, and says how long to hold back who uses too much (KIP-13, KIP-124, KIP-219). */
export class ClientQuotaManager {
  readonly #options: ClientQuotaManagerOptions;
  readonly #windows = new Map<string, RateWindow>();

  constructor(options: ClientQuotaManagerOptions) {
    this.#options = options;
  }

  /** Whether anybody is limited: otherwise there is no need to measure. */
  get isEnabled(): boolean {
    return this.#options.limits().has(this.#options.key);
  }

  /** How many are measured. */
  get size(): number {
    return this.#windows.size;
  }

  /** Records and returns the milliseconds to hold the client back; 0 for who is within the limit or has none. */
  record(client: QuotaClient, value: number, nowMs: number): number {
    const limit = this.#limitOf(client);
    if (limit === undefined) return 0;
    const window = this.#windowOf(limit.sharedBy, nowMs);
    window.record(value, nowMs);
    return Math.min(throttleTimeMs(window, limit.perSecond, nowMs), this.#options.maxThrottleMs ?? Infinity);
  }

  /** Takes back what was recorded: it will not be used after all. */
  unrecord(client: QuotaClient, value: number, nowMs: number): void {
    const limit = this.#limitOf(client);
    if (limit !== undefined) this.#windowOf(limit.sharedBy, nowMs).record(-value, nowMs);
  }

  /** The most that fits into a whole window: more at once could never be let pass. */
  mostInWindow(client: QuotaClient): number {
    const { samples, sampleMs } = this.#options.window;
    const limit = this.#limitOf(client);
    return limit === undefined ? Infinity : (limit.perSecond * Math.max(1, samples - 1) * sampleMs) / 1000;
  }

  #limitOf(client: QuotaClient): ReturnType<ClientQuotaLimits["limitOf"]> {
    return this.#options.limits().limitOf(this.#options.key, client);
  }

  #windowOf(sharedBy: string, nowMs: number): RateWindow {
    const known = this.#windows.get(sharedBy);
    if (known !== undefined) return known;
    if (this.#windows.size >= MAX_WINDOWS) this.#forgetSome(nowMs);
    const window = new RateWindow(this.#options.window);
    this.#windows.set(sharedBy, window);
    return window;
  }

  /** Those that are idle; without any, the ones that came first. */
  #forgetSome(nowMs: number): void {
    for (const [sharedBy, window] of this.#windows) if (window.isIdle(nowMs)) this.#windows.delete(sharedBy);
    for (const sharedBy of this.#windows.keys()) {
      if (this.#windows.size <= MAX_WINDOWS * 0.9) return;
      this.#windows.delete(sharedBy);
    }
  }
}
