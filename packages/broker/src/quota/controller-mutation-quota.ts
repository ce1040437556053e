import { ErrorCode, KafkaError } from "@samsa/base";
import type { ClientQuotaLimits, QuotaClient } from "./client-quota-limits.ts";
import type { RateWindowConfig } from "./rate-window.ts";
import { TokenBucket } from "./token-bucket.ts";

const KEY = "controller_mutation_rate";
const MAX_BUCKETS = 10_000;

/** The partitions that one request makes and removes, against the quota of its client (KIP-599). */
export interface ControllerMutationQuota {
  /**
   * A strict quota refuses once there is nothing left; otherwise what is asked for happens, and the client waits afterwards.
   * @throws KafkaError THROTTLING_QUOTA_EXCEEDED
   */
  readonly record: (partitions: number) => void;
  /** How long to hold the client back now, in whole milliseconds. */
  readonly throttleMs: () => number;
}

const UNLIMITED: ControllerMutationQuota = { record: () => {}, throttleMs: () => 0 };

export interface ControllerMutationQuotaManagerOptions {
  readonly window: RateWindowConfig;
  readonly limits: () => ClientQuotaLimits;
  readonly nowMs: () => number;
}

export class ControllerMutationQuotaManager {
  readonly #options: ControllerMutationQuotaManagerOptions;
  readonly #buckets = new Map<string, TokenBucket>();

  constructor(options: ControllerMutationQuotaManagerOptions) {
    this.#options = options;
  }

  /** @param isStrict the client knows the error, so what is too much is refused */
  newQuota(client: QuotaClient, isStrict: boolean): ControllerMutationQuota {
    const { limits, nowMs } = this.#options;
    const limit = limits().limitOf(KEY, client);
    if (limit === undefined) return UNLIMITED;
    const rate = limit.perSecond;
    const bucket = this.#bucketOf(limit.sharedBy);
    let throttledUntilMs = 0;
    const throttle = (tokens: number, atMs: number): void => {
      if (tokens < 0) throttledUntilMs = atMs + Math.round((-tokens / rate) * 1000);
    };
    return {
      record: (partitions) => {
        const atMs = nowMs();
        const before = bucket.tokens(rate, atMs);
        if (isStrict && before < 0) {
          throttle(before, atMs);
          throw new KafkaError(ErrorCode.THROTTLING_QUOTA_EXCEEDED, "The throttling quota has been exceeded.");
        }
        bucket.spend(partitions, rate, atMs);
        if (!isStrict) throttle(bucket.tokens(rate, atMs), atMs);
      },
      // Whole milliseconds are what an answer can tell, and the clock runs in fractions of them.
      throttleMs: () => Math.max(0, Math.round(throttledUntilMs - nowMs())),
    };
  }

  #bucketOf(sharedBy: string): TokenBucket {
    const { samples, sampleMs } = this.#options.window;
    const known = this.#buckets.get(sharedBy) ?? new TokenBucket((samples * sampleMs) / 1000);
    this.#buckets.delete(sharedBy); // to the end: the one that was not used for longest is first
    this.#buckets.set(sharedBy, known);
    const [oldest] = this.#buckets.keys();
    if (this.#buckets.size > MAX_BUCKETS && oldest !== undefined) this.#buckets.delete(oldest);
    return known;
  }
}
