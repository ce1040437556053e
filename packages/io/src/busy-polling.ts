/** For one turn of the event loop after the other, as long as asked; effects in so far as a loop with work to do does not sleep. */
export interface LoopTurns {
  readonly nowMs: () => number;
  /** Calls back in the next turn, after what has come meanwhile was read. */
  readonly nextTurn: (call: () => void) => void;
}

/**
 * Keeps the event loop looking for bytes without a pause, for a while after bytes have come: for who would rather spend a core than
 * wait for a process to be woken (docs/decisions/0038). When nothing comes for that long the loop sleeps again.
 */
export class BusyPolling {
  readonly #pollMs: number;
  readonly #turns: LoopTurns;
  #untilMs = 0;
  #isTurning = false;

  /** @param pollMs how long after the last bytes, in milliseconds */
  constructor(pollMs: number, turns: LoopTurns = { nowMs: () => performance.now(), nextTurn: setImmediate }) {
    this.#pollMs = pollMs;
    this.#turns = turns;
  }

  /** To be told of each read. */
  bytesCame(): void {
    this.#untilMs = this.#turns.nowMs() + this.#pollMs;
    if (this.#isTurning) return;
    this.#isTurning = true;
    this.#turns.nextTurn(this.#turn);
  }

  readonly #turn = (): void => {
    if (this.#turns.nowMs() < this.#untilMs) this.#turns.nextTurn(this.#turn);
    else this.#isTurning = false;
  };
}
