import type { LogSegment } from "./log-segment.ts";

/**
 * Bounds the memory of the indexes of segments that are no longer written to, over all logs of a broker. Those not looked at
 * for the longest time go first.
 */
export class IndexCache {
  readonly maxBytes: number;
  readonly #bytesOf = new Map<LogSegment, number>(); // the latest used last
  #usedBytes = 0;

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** The indexes of the segment have been read. Those of others make room, the newcomer stays. */
  add(segment: LogSegment): void {
    this.remove(segment);
    this.#bytesOf.set(segment, segment.indexMemoryBytes);
    this.#usedBytes += segment.indexMemoryBytes;
    for (const [oldest] of this.#bytesOf) {
      if (this.#usedBytes <= this.maxBytes || oldest === segment) return;
      this.remove(oldest);
      oldest.unloadIndexes();
    }
  }

  /** They have been looked at. */
  touch(segment: LogSegment): void {
    const bytes = this.#bytesOf.get(segment);
    if (bytes === undefined) return;
    this.#bytesOf.delete(segment);
    this.#bytesOf.set(segment, bytes);
  }

  /** They are no longer to be unloaded from here. */
  remove(segment: LogSegment): void {
    this.#usedBytes -= this.#bytesOf.get(segment) ?? 0;
    this.#bytesOf.delete(segment);
  }
}
