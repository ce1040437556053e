import { assert, type Clock, type Timer } from "@samsa/base";

export interface ManualClockOptions {
  /** Milliseconds since 1970 at the beginning. Default: now. */
  readonly startMs?: number;
  /** Time also passes by itself, as it does for everybody; `advance` skips over some of it. Default false: it stands still. */
  readonly runs?: boolean;
}

interface PendingTimer {
  readonly dueMs: number;
  readonly sequence: number;
  readonly callback: () => void;
}

/** Turns of the event loop after a timer, so that what it began in memory goes on before the next one fires. */
const TURNS_AT_A_STOP = 3;
const MOST_STOPS = 10_000;
/** Node takes a longer delay to be 1 ms. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

/**
 * A clock for whoever tests against a broker: a week of retention passes in a moment. Timers fire in the order of their times, each
 * at its own, those that others make on the way included. A delay of 0 is a turn of the event loop and waits for nobody.
 */
export class ManualClock implements Clock {
  readonly #startWallMs: number;
  readonly #runs: boolean;
  readonly #startedMs = performance.now();
  readonly #pending = new Set<PendingTimer>();
  #skippedMs = 0;
  #nextSequence = 0;
  #alarm: { readonly dueMs: number; readonly timeout: NodeJS.Timeout } | undefined;

  constructor({ startMs = Date.now(), runs = false }: ManualClockOptions = {}) {
    this.#startWallMs = startMs;
    this.#runs = runs;
  }

  wallMs(): number {
    return this.#startWallMs + Math.floor(this.monotonicMs());
  }

  monotonicMs(): number {
    return this.#runs ? performance.now() - this.#startedMs + this.#skippedMs : this.#skippedMs;
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    assert(!Number.isNaN(delayMs), "a delay is a number");
    if (delayMs <= 0) {
      const immediate = setImmediate(callback);
      return { cancel: () => clearImmediate(immediate) };
    }
    const timer = { dueMs: this.monotonicMs() + delayMs, sequence: this.#nextSequence++, callback };
    this.#pending.add(timer);
    if (this.#runs) this.#setAlarm(timer.dueMs);
    return { cancel: () => this.#pending.delete(timer) };
  }

  /**
   * Moves on. Resolves when every timer that came due has fired, each at its own time, and has had a few turns for what it began.
   * Those of a week do not all get their turns: there are ten thousand stops, and what fires between two of them shares one.
   */
  async advance(ms: number): Promise<void> {
    assert(ms >= 0, "time does not go back");
    const endMs = this.monotonicMs() + ms;
    const stepMs = ms / MOST_STOPS;
    for (;;) {
      const first = this.#next();
      if (first === undefined || first.dueMs > endMs) break;
      const stopMs = Math.min(endMs, first.dueMs + stepMs);
      for (let next: PendingTimer | undefined = first; next !== undefined; next = this.#next()) {
        if (next.dueMs > stopMs) break;
        this.#skipTo(next.dueMs);
        this.#fire(next);
      }
      for (let turn = 0; turn < TURNS_AT_A_STOP; turn++) await nextTurn();
    }
    this.#skipTo(endMs);
    await nextTurn();
  }

  #skipTo(ms: number): void {
    const missingMs = ms - this.monotonicMs();
    if (missingMs > 0) this.#skippedMs += missingMs;
  }

  #fire(timer: PendingTimer): void {
    if (this.#pending.delete(timer)) timer.callback();
  }

  #next(): PendingTimer | undefined {
    let first: PendingTimer | undefined;
    for (const timer of this.#pending) {
      const isEarlier =
        first === undefined ||
        timer.dueMs < first.dueMs ||
        (timer.dueMs === first.dueMs && timer.sequence < first.sequence);
      if (isEarlier) first = timer;
    }
    return first;
  }

  /** One timeout of the system for all timers. */
  #setAlarm(dueMs: number): void {
    if (this.#alarm !== undefined && this.#alarm.dueMs <= dueMs) return;
    clearTimeout(this.#alarm?.timeout);
    const delayMs = Math.min(Math.max(Math.ceil(dueMs - this.monotonicMs()), 0), MAX_TIMEOUT_MS);
    const timeout = setTimeout(() => this.#ring(), delayMs);
    timeout.unref();
    this.#alarm = { dueMs, timeout };
  }

  #ring(): void {
    this.#alarm = undefined;
    for (;;) {
      const next = this.#next();
      if (next === undefined) return;
      if (next.dueMs > this.monotonicMs()) return this.#setAlarm(next.dueMs);
      this.#fire(next);
    }
  }
}

/** The clock that `startBroker({ clock })` takes, in the hands of a test. */
export function manualClock(options?: ManualClockOptions): ManualClock {
  return new ManualClock(options);
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
