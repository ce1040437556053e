import type { Timer } from "@samsa/base";
import { VirtualClock } from "@samsa/simulation";

/** A virtual clock of a broker whose event loop turns by itself: what has no delay comes with the next turn, without an `advance`. */
export class TurningClock extends VirtualClock {
  override setTimer(delayMs: number, callback: () => void): Timer {
    if (delayMs > 0) return super.setTimer(delayMs, callback);
    const immediate = setImmediate(callback);
    return { cancel: () => clearImmediate(immediate) };
  }
}
