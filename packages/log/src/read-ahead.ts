import type { DiskRead, DiskReadResult } from "./log-reader.ts";
import type { LogSegment } from "./log-segment.ts";
import { readBuffers } from "./read-buffers.ts";

const PATIENCE = 256; // refusals

interface Charge {
  readonly bytes: number;
  readonly refusals: number; // by then
  readonly forget: () => void;
}

/** What is read before it is asked for: a range that begins where a reader's last one ended. */
export class ReadAhead {
  readonly segment: LogSegment;
  readonly position: number;
  readonly maxBytes: number;
  /** Settles when the disk has answered, whatever it said; a failure is left for the read that needs the range. */
  done: Promise<void> = Promise.resolve();
  #result: DiskReadResult | undefined;
  #isDropped = false;
  #isUnderWay = false;

  constructor(segment: LogSegment, position: number, maxBytes: number) {
    this.segment = segment;
    this.position = position;
    this.maxBytes = maxBytes;
  }

  /** There yet, and whole. */
  get result(): DiskReadResult | undefined {
    return this.#result;
  }

  /** Nobody will ask for it any more. */
  get isDropped(): boolean {
    return this.#isDropped;
  }

  /** Whether `done` waits for the disk, and not for its turn. */
  get isUnderWay(): boolean {
    return this.#isUnderWay;
  }

  begin(): void {
    this.#isUnderWay = true;
  }

  complete(result: DiskReadResult): void {
    if (this.#isDropped) readBuffers.giveBack(result.records);
    else this.#result = result;
  }

  drop(): void {
    if (this.#isDropped) return;
    this.#isDropped = true;
    if (this.#result !== undefined) readBuffers.giveBack(this.#result.records);
    this.#result = undefined;
  }

  /** Whether its batches are what this read would find, or the beginning of it. */
  suits({ maxBytes, upToOffset }: DiskRead): boolean {
    const found = this.#result;
    if (found === undefined || maxBytes > this.maxBytes) return false;
    return found.records.length <= maxBytes && found.nextOffset <= upToOffset;
  }
}

/**
 * How much all logs of a broker together may read ahead. When it is full, nothing more is read ahead: with more readers than room,
 * to let the oldest go each time would throw every range away just before it is asked for. Only what nobody has asked for while
 * many others were refused goes.
 */
export class ReadAheadBudget {
  readonly maxBytes: number;
  /** Less than this is not worth a promise, for which nothing is charged. */
  readonly leastPromisedBytes: number;
  #usedBytes = 0;
  #refusals = 0;
  readonly #charges = new Map<ReadAhead, Charge>(); // the oldest first

  constructor(maxBytes: number, leastPromisedBytes = 64 * 1024) {
    this.maxBytes = maxBytes;
    this.leastPromisedBytes = leastPromisedBytes;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  /**
   * @param forget called when another one takes its place; it is dropped then
   * @returns false when there is no room
   */
  charge(ahead: ReadAhead, forget: () => void): boolean {
    const bytes = readBuffers.sizeFor(ahead.maxBytes);
    for (const [oldest, charge] of this.#charges) {
      if (this.#usedBytes + bytes <= this.maxBytes || this.#refusals - charge.refusals < PATIENCE) break;
      this.release(oldest);
      oldest.drop();
      charge.forget();
    }
    if (this.#usedBytes + bytes > this.maxBytes) {
      this.#refusals++;
      return false;
    }
    this.#usedBytes += bytes;
    this.#charges.set(ahead, { bytes, refusals: this.#refusals, forget });
    return true;
  }

  /** It has been handed out, or dropped. */
  release(ahead: ReadAhead): void {
    this.#usedBytes -= this.#charges.get(ahead)?.bytes ?? 0;
    this.#charges.delete(ahead);
  }
}
