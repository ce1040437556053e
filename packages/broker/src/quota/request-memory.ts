/** How much the next read of a connection may bring. */
const READ_BYTES = 64 * 1024;

/** What one connection holds. */
export interface MemoryShare {
  readonly wake: () => void;
  heldBytes: number;
  isWithinRequest: boolean; // a request has come in part
}

/**
 * The memory of all requests and answers that are on their way, over all connections (Kafka's `queued.max.request.bytes`).
 * When it is used up, connections stop reading, and go on in the order in which they stopped as memory comes free.
 *
 * One of those whose request has come in half may always read on, until it is whole: otherwise such requests could hold all
 * there is and wait for each other. So the bound may be passed by one request, and by one read of each connection.
 */
export class RequestMemory {
  readonly #limitBytes: number;
  #usedBytes = 0;
  readonly #waiting = new Set<MemoryShare>(); // in the order they came
  #reader: MemoryShare | undefined; // reads on although nothing is left
  #isWaking = false;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  get isUsedUp(): boolean {
    return this.#usedBytes >= this.#limitBytes;
  }

  /** @param wake called when a connection that had to stop may ask again */
  join(wake: () => void): MemoryShare {
    return { wake, heldBytes: 0, isWithinRequest: false };
  }

  /** Tells what the connection holds now. */
  hold(share: MemoryShare, bytes: number, isWithinRequest: boolean): void {
    const change = bytes - share.heldBytes;
    share.heldBytes = bytes;
    share.isWithinRequest = isWithinRequest;
    this.#usedBytes += change;
    if (share === this.#reader && !isWithinRequest) this.#reader = undefined;
    if (this.#waiting.size > 0) this.#wakeWaiting();
  }

  /** Whether the connection may read; if not it is woken when it may ask again. */
  mayRead(share: MemoryShare): boolean {
    if (!this.isUsedUp || share === this.#reader) return true;
    if (this.#reader === undefined && share.isWithinRequest) {
      this.#reader = share;
      return true;
    }
    this.#waiting.add(share);
    return false;
  }

  leave(share: MemoryShare): void {
    this.#waiting.delete(share);
    this.hold(share, 0, false);
  }

  #wakeWaiting(): void {
    if (this.#isWaking) return; // from one that was woken
    this.#isWaking = true;
    let leftBytes = this.#limitBytes - this.#usedBytes;
    const woken: MemoryShare[] = [];
    for (const share of this.#waiting) {
      if (leftBytes <= 0) {
        if (this.#reader !== undefined || woken.length > 0) break;
        if (!share.isWithinRequest) continue; // what is held otherwise is given back without it
        this.#reader = share;
      }
      // Of those between two requests most read nothing now, and nobody else would be woken in their place.
      if (share.isWithinRequest) leftBytes -= READ_BYTES;
      woken.push(share);
    }
    for (const share of woken) this.#waiting.delete(share);
    for (const share of woken) share.wake();
    this.#isWaking = false;
  }
}
