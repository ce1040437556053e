import type { Clock, Timer } from "@samsa/base";

/**
 * A clock whose pending timers keep the process alive. Those of the port do not, which is right for a broker, whose sockets
 * do; but a client that waits between two attempts has no socket, and Node would end the program in the middle of an
 * `await producer.send(…)`. A message port holds the event loop without being a timer of its own.
 */
export class HoldingClock implements Clock {
  readonly #clock: Clock;
  readonly #port = new MessageChannel().port1;
  #pending = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#port.unref();
  }

  wallMs(): number {
    return this.#clock.wallMs();
  }

  monotonicMs(): number {
    return this.#clock.monotonicMs();
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    let isPending = true;
    const release = (): void => {
      if (!isPending) return;
      isPending = false;
      if (--this.#pending === 0) this.#port.unref();
    };
    if (this.#pending++ === 0) this.#port.ref();
    const timer = this.#clock.setTimer(delayMs, () => {
      release();
      callback();
    });
    return {
      cancel: () => {
        release();
        timer.cancel();
      },
    };
  }
}
