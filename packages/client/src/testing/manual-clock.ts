import type { Clock, Timer } from "@samsa/base";

interface Pending {
  readonly atMs: number;
  readonly callback: () => void;
}

/** Turns of the event loop that messages of a MemoryTransport need to come to rest, with room to spare. */
const QUIET_TURNS = 30;

/** Time that passes only when nothing else happens: `run` moves it to the next timer once all messages have been handled. */
export class ManualClock implements Clock {
  #nowMs = 1000;
  readonly #pending = new Set<Pending>();

  wallMs(): number {
    return 1_700_000_000_000 + Math.floor(this.#nowMs);
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    const pending = { atMs: this.#nowMs + Math.max(0, delayMs), callback };
    this.#pending.add(pending);
    return { cancel: () => void this.#pending.delete(pending) };
  }

  /** As when the thread was busy for so long: no timer has fired. */
  jump(byMs: number): void {
    this.#nowMs += byMs;
  }

  /** Moves on, timer by timer. */
  async advance(byMs: number): Promise<void> {
    const untilMs = this.#nowMs + byMs;
    for (;;) {
      await settle();
      const next = this.#next();
      if (next === undefined || next.atMs > untilMs) break;
      this.#fire(next);
    }
    this.#nowMs = untilMs;
    await settle();
  }

  /** Lets time pass until the promise is settled. @throws when there is nothing left that could settle it */
  async run<T>(promise: Promise<T>): Promise<T> {
    let isSettled = false;
    const watched = promise.finally(() => {
      isSettled = true;
    });
    watched.catch(() => {}); // whoever awaits the result below is told
    for (;;) {
      await settle();
      if (isSettled) return await watched;
      const next = this.#next();
      if (next === undefined) throw new Error("nothing is left to wait for");
      this.#fire(next);
    }
  }

  #next(): Pending | undefined {
    let next: Pending | undefined;
    for (const pending of this.#pending) if (next === undefined || pending.atMs < next.atMs) next = pending;
    return next;
  }

  #fire(pending: Pending): void {
    this.#pending.delete(pending);
    this.#nowMs = Math.max(this.#nowMs, pending.atMs);
    pending.callback();
  }
}

/** Until all messages that are on their way have been handled. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < QUIET_TURNS; turn++) {
    await new Promise<void>((resolve) => {
      setImmediate(resolve);
    });
  }
}
