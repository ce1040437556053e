import { assert, type Clock, type Timer } from "@samsa/base";

/** Node takes a longer delay to be 1 ms. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

export class SystemClock implements Clock {
  wallMs(): number {
    return Date.now();
  }

  monotonicMs(): number {
    return performance.now();
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    assert(!Number.isNaN(delayMs), "a delay is a number");
    if (delayMs <= 0) return nextTurn(callback);
    return new SystemTimer(performance.now() + delayMs, callback);
  }
}

/**
 * Counts towards a deadline, in as many steps as that takes. Node rounds to whole milliseconds and may call a little early;
 * here `monotonicMs` has always reached the deadline, so nobody finds a timeout that fired and is not due.
 */
class SystemTimer implements Timer {
  readonly #deadlineMs: number;
  readonly #callback: () => void;
  #timeout: NodeJS.Timeout;

  constructor(deadlineMs: number, callback: () => void) {
    this.#deadlineMs = deadlineMs;
    this.#callback = callback;
    this.#timeout = this.#start();
  }

  cancel(): void {
    clearTimeout(this.#timeout);
  }

  #start(): NodeJS.Timeout {
    const delayMs = Math.ceil(this.#deadlineMs - performance.now());
    const timeout = setTimeout(() => this.#fire(), Math.min(Math.max(delayMs, 0), MAX_TIMEOUT_MS));
    timeout.unref();
    return timeout;
  }

  #fire(): void {
    if (performance.now() < this.#deadlineMs) this.#timeout = this.#start();
    else this.#callback();
  }
}

/**
 * For who lets others have their turn: a timeout would be a millisecond at least. It keeps the process for that turn: one that does not,
 * made by a timer, would wait until something else wakes the loop.
 */
function nextTurn(callback: () => void): Timer {
  const immediate = setImmediate(callback);
  return { cancel: () => clearImmediate(immediate) };
}
