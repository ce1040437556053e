import { assert } from "@samsa/base";
import { NO_TIMESTAMP } from "@samsa/protocol";
import type { AbortedTxn } from "@samsa/protocol/messages/aborted-txn";
import type { TimestampAndOffset } from "./file-records.ts";
import type { LogSegment } from "./log-segment.ts";

/** The segments of a log by their base offsets, of which there is always one; the last one is the active one. */
export class LogSegments {
  #segments: LogSegment[];
  #active: LogSegment;

  constructor(segments: readonly LogSegment[]) {
    const active = segments.at(-1);
    assert(active !== undefined, "a log has a segment");
    this.#segments = [...segments];
    this.#active = active;
  }

  /** In order. */
  get all(): readonly LogSegment[] {
    return this.#segments;
  }

  /** The one that is appended to. */
  get active(): LogSegment {
    return this.#active;
  }

  get count(): number {
    return this.#segments.length;
  }

  /** The base offset of the oldest one. */
  get firstOffset(): number {
    return (this.#segments[0] ?? this.#active).baseOffset;
  }

  get sizeInBytes(): number {
    return this.#segments.reduce((size, segment) => size + segment.size, 0);
  }

  /** The one that may hold the offset, and all after it: all of them where the offset lies before the first. */
  from(offset: number): readonly LogSegment[] {
    return this.#segments.slice(this.#indexOf(offset));
  }

  /** The first of `from`. */
  holding(offset: number): LogSegment {
    return this.#segments[this.#indexOf(offset)] ?? this.#active;
  }

  /** Takes the next one, which becomes the active one. */
  add(segment: LogSegment): void {
    assert(segment.baseOffset > this.#active.baseOffset, "segments follow one another");
    this.#segments.push(segment);
    this.#active = segment;
  }

  /** Takes some out; not all of them. */
  remove(removed: readonly LogSegment[]): void {
    this.#segments = this.#segments.filter((segment) => !removed.includes(segment));
    const active = this.#segments.at(-1);
    assert(active !== undefined, "a log has a segment");
    this.#active = active;
  }

  /** Takes all out, and this one in. */
  replaceAll(segment: LogSegment): readonly LogSegment[] {
    const removed = this.#segments;
    this.#segments = [segment];
    this.#active = segment;
    return removed;
  }

  /** Whether these are here, one after the other, and the active one is not among them. */
  hasInactive(segments: readonly LogSegment[]): boolean {
    const first = this.#segments.findIndex((segment) => segment === segments[0]);
    const isInUse = segments.every((segment, index) => this.#segments[first + index] === segment);
    return first >= 0 && isInUse && !segments.includes(this.#active);
  }

  /** Where the one after this one begins, which is not the active one. */
  baseOffsetAfter(segment: LogSegment): number {
    return (this.#segments[this.#segments.indexOf(segment) + 1] ?? this.#active).baseOffset;
  }

  /** Where the one after this one begins; undefined when it is the active one. */
  nextBaseOffset(segment: LogSegment): number | undefined {
    return this.#segments[this.#segments.indexOf(segment) + 1]?.baseOffset;
  }

  /** Puts one in the place of these, for which `hasInactive` holds. */
  replace(segments: readonly LogSegment[], replacement: LogSegment): void {
    const first = this.#segments.findIndex((segment) => segment === segments[0]);
    this.#segments.splice(first, segments.length, replacement);
  }

  /** The first record from `startOffset` on whose timestamp is not below this one. Reads what has been written. */
  async findOffsetByTimestamp(timestamp: number, startOffset: number): Promise<TimestampAndOffset | undefined> {
    for (const segment of this.#segments) {
      const max = await segment.readMaxTimestamp();
      if (max.timestamp >= timestamp) return await segment.findOffsetByTimestamp(timestamp, startOffset);
    }
    return undefined;
  }

  /** The first record that has the largest timestamp of all. Reads what has been written. */
  async findMaxTimestamp(): Promise<TimestampAndOffset | undefined> {
    let best: LogSegment | undefined;
    let largest = NO_TIMESTAMP;
    for (const segment of this.#segments) {
      const { timestamp } = await segment.readMaxTimestamp();
      if (timestamp <= largest) continue;
      best = segment;
      largest = timestamp;
    }
    return await best?.findMaxTimestamp();
  }

  /** The aborted transactions that have records from `startOffset` on and below `endOffset`. */
  collectAbortedTransactions(startOffset: number, endOffset: number): readonly AbortedTxn[] {
    const found: AbortedTxn[] = [];
    if (startOffset >= endOffset) return found;
    for (const segment of this.from(startOffset)) {
      if (segment.transactionIndex.collect(startOffset, endOffset, found)) break;
    }
    return found;
  }

  #indexOf(offset: number): number {
    let low = 0;
    let high = this.#segments.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if ((this.#segments[middle] as LogSegment).baseOffset <= offset) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}
