interface Scheduled {
  readonly atMs: number;
  readonly sequence: number;
  readonly run: () => void;
}

/** What happens next, by time and then by the order of asking: a binary heap. */
export class EventQueue {
  readonly #heap: Scheduled[] = [];
  #sequence = 0;
  #nowMs = 0;

  get nowMs(): number {
    return this.#nowMs;
  }

  get size(): number {
    return this.#heap.length;
  }

  after(delayMs: number, run: () => void): void {
    const scheduled = { atMs: this.#nowMs + Math.max(0, delayMs), sequence: this.#sequence++, run };
    const heap = this.#heap;
    let at = heap.length;
    heap.push(scheduled);
    while (at > 0) {
      const above = (at - 1) >> 1;
      const parent = heap[above];
      if (parent === undefined || isBefore(parent, scheduled)) break;
      heap[at] = parent;
      at = above;
    }
    heap[at] = scheduled;
  }

  /** Moves the time to the next event and lets it happen. @returns false when there is none */
  runNext(): boolean {
    const heap = this.#heap;
    const [first] = heap;
    const last = heap.pop();
    if (first === undefined || last === undefined) return false;
    if (heap.length > 0) this.#sink(last);
    this.#nowMs = first.atMs;
    first.run();
    return true;
  }

  #sink(scheduled: Scheduled): void {
    const heap = this.#heap;
    let at = 0;
    for (;;) {
      const left = heap[2 * at + 1];
      const right = heap[2 * at + 2];
      if (left === undefined) break;
      const isRight = right !== undefined && isBefore(right, left);
      const child = isRight ? right : left;
      if (isBefore(scheduled, child)) break;
      heap[at] = child;
      at = 2 * at + (isRight ? 2 : 1);
    }
    heap[at] = scheduled;
  }
}

function isBefore(one: Scheduled, other: Scheduled): boolean {
  return one.atMs < other.atMs || (one.atMs === other.atMs && one.sequence < other.sequence);
}
