import { assert } from "@samsa/base";
import { LogIndex } from "./log-index.ts";
import type { PooledDisk } from "./pooled-disk.ts";

const ENTRY_SIZE = 8;

/**
 * `.index`: where batches lie in the `.log` file, one entry every `index.interval.bytes`.
 *
 *     | offset - base offset: int32 | position: int32 |
 *
 * The offset is the last one of the batch that begins at the position.
 */
export class OffsetIndex extends LogIndex {
  constructor(disk: PooledDisk, path: string, baseOffset: number, maxIndexBytes: number) {
    super(disk, path, baseOffset, ENTRY_SIZE, maxIndexBytes);
  }

  /** The base offset when there is no entry. */
  get lastOffset(): number {
    return this.entryCount === 0 ? this.baseOffset : this.#offsetAt(this.entryCount - 1);
  }

  append(offset: number, position: number): void {
    assert(this.entryCount === 0 || offset > this.lastOffset, "offsets of an index rise");
    const relative = this.relativeOffset(offset);
    const at = this.addEntry();
    this.view.setInt32(at, relative);
    this.view.setInt32(at + 4, position);
  }

  /** A position at or before the batch that holds the offset: 0 when no entry helps. */
  lookup(offset: number): number {
    const entry = this.largestLowerBound(offset, this.#offsetAt);
    return entry < 0 ? 0 : this.#positionAt(entry);
  }

  /** The last entry whose batch begins at or before the position: what lies before it are whole batches with smaller offsets. */
  lastAt(position: number): { readonly offset: number; readonly position: number } | undefined {
    const entry = this.largestLowerBound(position, this.#positionAt);
    return entry < 0 ? undefined : { offset: this.#offsetAt(entry), position: this.#positionAt(entry) };
  }

  /** The last entries that are not above the offset, the nearest first. */
  lookupNearest(offset: number, most: number): { readonly offset: number; readonly position: number }[] {
    const nearest = this.largestLowerBound(offset, this.#offsetAt);
    const found: { readonly offset: number; readonly position: number }[] = [];
    for (let entry = nearest; entry >= 0 && found.length < most; entry--) {
      found.push({ offset: this.#offsetAt(entry), position: this.#positionAt(entry) });
    }
    return found;
  }

  /** Forgets what lies at or above the offset. */
  truncateTo(offset: number): void {
    this.truncateToEntries(this.largestLowerBound(offset - 1, this.#offsetAt) + 1);
  }

  /** Whether every entry points into the first `size` bytes of the log. */
  isWithin(size: number): boolean {
    return this.entryCount === 0 || this.#positionAt(this.entryCount - 1) < size;
  }

  protected override findProblem(): string | undefined {
    let lastOffset = this.baseOffset - 1;
    let lastPosition = -1;
    for (let entry = 0; entry < this.entryCount; entry++) {
      const offset = this.#offsetAt(entry);
      const position = this.#positionAt(entry);
      if (offset <= lastOffset || position <= lastPosition) return `entry ${entry} does not rise`;
      lastOffset = offset;
      lastPosition = position;
    }
    return undefined;
  }

  readonly #offsetAt = (entry: number): number => this.baseOffset + this.view.getInt32(entry * ENTRY_SIZE);
  readonly #positionAt = (entry: number): number => this.view.getInt32(entry * ENTRY_SIZE + 4);
}
