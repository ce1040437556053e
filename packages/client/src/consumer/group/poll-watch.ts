import type { Clock, Timer } from "@samsa/base";
import type { InHand } from "../in-hand.ts";

export interface PollWatchOptions {
  readonly clock: Clock;
  readonly inHand: InHand;
  readonly maxPollIntervalMs: number;
  /** Longer than this without a turn of the event loop is worth a word. */
  readonly blockedMs: number;
  /** Nobody has asked for a record, or a handler has worked, for `maxPollIntervalMs`. */
  readonly onExpired: () => void;
  /** After that, somebody asks again and no handler is late any more. */
  readonly onPolled: () => void;
  readonly onBlocked: (blockedMs: number) => void;
}

const LOOKS_PER_INTERVAL = 20;
const MAX_LOOK_MS = 1000;

/**
 * Finds out whether somebody works. Readers cost nothing for it: they count their turns, and this looks at the count now
 * and then, so that it is late by a twentieth of the interval at most.
 */
export class PollWatch {
  readonly #options: PollWatchOptions;
  #timer: Timer | undefined;
  #turns = -1;
  #turnedMs = 0;
  #dueMs = 0;
  #hasExpired = false;

  constructor(options: PollWatchOptions) {
    this.#options = options;
  }

  start(): void {
    this.stop();
    this.#turnedMs = this.#options.clock.monotonicMs();
    this.#hasExpired = false;
    this.#arm();
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #arm(): void {
    const { clock, maxPollIntervalMs } = this.#options;
    const delayMs = Math.max(1, Math.min(MAX_LOOK_MS, maxPollIntervalMs / LOOKS_PER_INTERVAL));
    this.#dueMs = clock.monotonicMs() + delayMs;
    this.#timer = clock.setTimer(delayMs, () => {
      const lateMs = clock.monotonicMs() - this.#dueMs;
      if (lateMs >= this.#options.blockedMs) this.#options.onBlocked(lateMs);
      this.#look();
      if (this.#timer !== undefined) this.#arm();
    });
  }

  #look(): void {
    const { clock, inHand, maxPollIntervalMs, onExpired, onPolled } = this.#options;
    const nowMs = clock.monotonicMs();
    const hasTurned = inHand.turns !== this.#turns || inHand.waiting > 0;
    const isLate = nowMs - (inHand.oldestMs ?? nowMs) >= maxPollIntervalMs;
    if (hasTurned) {
      this.#turns = inHand.turns;
      this.#turnedMs = nowMs;
    }
    if (!this.#hasExpired && (isLate || nowMs - this.#turnedMs >= maxPollIntervalMs)) {
      this.#hasExpired = true;
      this.#awaitTurn();
      onExpired();
    } else if (this.#hasExpired && hasTurned && !isLate) this.#recover(onPolled);
  }

  /** At once, rather than with the next look. */
  #awaitTurn(): void {
    const { inHand, clock, maxPollIntervalMs, onPolled } = this.#options;
    inHand.onceMoved(() => {
      if (!this.#hasExpired || this.#timer === undefined) return;
      const nowMs = clock.monotonicMs();
      if (nowMs - (inHand.oldestMs ?? nowMs) >= maxPollIntervalMs) this.#awaitTurn();
      else this.#recover(onPolled);
    });
  }

  #recover(onPolled: () => void): void {
    this.#hasExpired = false;
    this.#turnedMs = this.#options.clock.monotonicMs();
    onPolled();
  }
}
