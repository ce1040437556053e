import type { Clock, Random } from "@samsa/base";
import { ClosedError, TimeLimitError, toKafkaError } from "./errors.ts";

/** What retries need of the world, and when to give up on them. */
export interface RetryContext {
  readonly clock: Clock;
  readonly random: Random;
  readonly signal: AbortSignal;
}

export interface BackoffOptions {
  readonly backoffMs: number; // before the first retry
  readonly backoffMaxMs: number;
}

const JITTER = 0.2;

/** Doubles from attempt to attempt up to the maximum, 20 % more or less (KIP-580). @param attempt 0 for the first retry */
export function backoffDelayMs({ backoffMs, backoffMaxMs }: BackoffOptions, attempt: number, random: Random): number {
  const grown = Math.min(backoffMs * 2 ** Math.min(attempt, 30), Math.max(backoffMs, backoffMaxMs));
  return grown * (1 - JITTER + (2 * JITTER * random.uint32()) / 2 ** 32);
}

/** Waits on the clock. @throws ClosedError as soon as the client is closed */
export function sleep(delayMs: number, { clock, signal }: RetryContext): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(new ClosedError("the client"));
    const onAbort = (): void => {
      timer.cancel();
      reject(new ClosedError("the client"));
    };
    const timer = clock.setTimer(delayMs, () => {
      signal.removeEventListener("abort", onAbort);
      resolve();
    });
    signal.addEventListener("abort", onAbort, { once: true });
  });
}

export interface RetryOptions extends BackoffOptions {
  readonly what: string; // for the error that ends it
  readonly timeoutMs: number;
  readonly timeoutOption: string; // the option that sets it
}

/**
 * Tries until it works, fails with what no retry helps, or the time is over.
 * @param attempt is told when all is over, by the monotonic clock
 */
export async function retrying<T>(
  context: RetryContext,
  options: RetryOptions,
  attempt: (deadlineMs: number) => Promise<T>,
): Promise<T> {
  const deadlineMs = context.clock.monotonicMs() + options.timeoutMs;
  for (let retries = 0; ; retries++) {
    try {
      return await attempt(deadlineMs);
    } catch (thrown) {
      const error = toKafkaError(thrown);
      if (!error.isRetriable || context.signal.aborted) throw error;
      const delayMs = backoffDelayMs(options, retries, context.random);
      if (context.clock.monotonicMs() + delayMs >= deadlineMs) {
        throw new TimeLimitError(options.what, options.timeoutMs, options.timeoutOption, error);
      }
      await sleep(delayMs, context);
    }
  }
}
