import type { Clock, Timer } from "@samsa/base";

/** Performs something again and again, one time after the other, with a pause in between. */
export class PeriodicTask {
  readonly #clock: Clock;
  readonly #perform: () => Promise<void>;
  readonly #delayMs: number;
  #timer: Timer | undefined;
  #running: Promise<void> = Promise.resolve();
  #isStopped = false;

  /** @param perform must not reject */
  constructor(clock: Clock, delayMs: number, perform: () => Promise<void>) {
    this.#clock = clock;
    this.#delayMs = delayMs;
    this.#perform = perform;
  }

  /** The first time comes after `initialDelayMs`. */
  start(initialDelayMs: number = this.#delayMs): void {
    if (this.#isStopped) return;
    this.#timer = this.#clock.setTimer(initialDelayMs, () => {
      this.#running = this.#perform().finally(() => this.start());
    });
  }

  /** Resolves when what is under way has ended; nothing begins any more. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#timer?.cancel();
    await this.#running;
  }
}
