import type { SeededRandom } from "../seeded-random.ts";
import type { EventQueue } from "./event-queue.ts";

export interface LinkFaults {
  /** Of a thousand messages. */
  readonly lossPermille: number;
  readonly duplicatePermille: number;
  readonly minDelayMs: number;
  readonly maxDelayMs: number;
}

export const CALM: LinkFaults = { lossPermille: 0, duplicatePermille: 0, minDelayMs: 1, maxDelayMs: 5 };

/** Carries messages between nodes, late, twice, in another order or not at all. Links are cut in one direction at a time. */
export class RaftNetwork {
  faults: LinkFaults = CALM;
  sent = 0;
  lost = 0;
  duplicated = 0;
  readonly #queue: EventQueue;
  readonly #random: SeededRandom;
  readonly #cut = new Set<string>();

  constructor(queue: EventQueue, random: SeededRandom) {
    this.#queue = queue;
    this.#random = random;
  }

  cut(from: number, to: number): void {
    this.#cut.add(`${from}>${to}`);
  }

  heal(): void {
    this.#cut.clear();
    this.faults = CALM;
  }

  send(from: number, to: number, deliver: () => void): void {
    this.sent++;
    const { lossPermille, duplicatePermille } = this.faults;
    if (this.#cut.has(`${from}>${to}`) || this.#isOf(lossPermille)) {
      this.lost++;
      return;
    }
    this.#queue.after(this.#delayMs(), deliver);
    if (!this.#isOf(duplicatePermille)) return;
    this.duplicated++;
    this.#queue.after(this.#delayMs() * 3, deliver);
  }

  #isOf(permille: number): boolean {
    return permille > 0 && this.#random.uint32() % 1000 < permille;
  }

  #delayMs(): number {
    const { minDelayMs, maxDelayMs } = this.faults;
    const range = maxDelayMs - minDelayMs;
    // A message in fifty takes much longer than the others, and is overtaken.
    const factor = this.#random.uint32() % 50 === 0 ? 20 : 1;
    return minDelayMs + (range <= 0 ? 0 : this.#random.uint32() % range) * factor;
  }
}
