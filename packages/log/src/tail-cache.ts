import type { RecordBatch } from "@samsa/protocol";
import { readBuffers } from "./read-buffers.ts";

/** What was found in memory; nothing at all has no offsets. */
export interface TailRead {
  /** Whole batches, in memory that `readBuffers` takes back. */
  readonly records: Uint8Array;
  readonly firstBatchOffset: number | undefined;
  readonly nextOffset: number | undefined;
}

const NOTHING: TailRead = { records: new Uint8Array(0), firstBatchOffset: undefined, nextOffset: undefined };

/** A batch in memory, where it lies in the log. */
class CachedBatch {
  readonly baseOffset: number;
  readonly nextOffset: number;
  readonly buffer: ArrayBufferLike;
  readonly start: number;
  readonly length: number;

  constructor(baseOffset: number, nextOffset: number, { buffer, byteOffset, length }: Uint8Array) {
    this.baseOffset = baseOffset;
    this.nextOffset = nextOffset;
    this.buffer = buffer;
    this.start = byteOffset;
    this.length = length;
  }

  /**
   * A view made anew each time: most batches are never read, and there may be hundreds of thousands. Good until any cache of the
   * budget takes another batch, which may come to lie here.
   */
  get bytes(): Uint8Array {
    return new Uint8Array(this.buffer, this.start, this.length);
  }
}

const ROTATIONS_PER_EVICTION = 4;
const COMPACT_AFTER = 1024;
const MOST_SLAB_BYTES = 1024 * 1024;
/** Smaller slabs are not worth it, so that a small budget has none. */
const LEAST_SLAB_BYTES = 1024;
/** A slab counts whole while one batch of it is kept. */
const SLABS = 64;
const MOST_FREE_SLABS = 4;
const NO_SLAB = new Uint8Array(0);

/**
 * How much the tails of all logs of a broker may keep in memory. The oldest batch of all goes first. A batch that waits to be
 * written stays, so a slow disk may take the budget beyond its bound by what it has not yet taken.
 *
 * Batches are copied, one behind the other, into slabs that are used again: memory of their own for all that comes and goes
 * would have the garbage collector look at the whole heap for every 64 MiB (docs/decisions/0026). A slab counts whole, and once,
 * from the first of its batches that is kept to the last.
 */
export class TailCacheBudget {
  readonly maxBytes: number;
  #usedBytes = 0;
  readonly #batchesOf = new Map<ArrayBufferLike, number>(); // how many are kept in this memory
  #ages: TailCache[] = []; // whose batch is the next oldest; from #oldest on
  #oldest = 0;
  readonly #slabBytes: number; // 0: there are none
  readonly #slabs = new WeakSet<ArrayBufferLike>();
  readonly #freeSlabs: Uint8Array[] = [];
  #slab: Uint8Array = NO_SLAB; // that is being filled
  #slabFilled = 0;

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
    const slabBytes = Math.min(MOST_SLAB_BYTES, Math.floor(maxBytes / SLABS));
    this.#slabBytes = slabBytes < LEAST_SLAB_BYTES ? 0 : slabBytes;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  /**
   * A copy of the bytes, as it is to be kept: in a slab, or in memory of its own when it is too large for one. What they lie in
   * may be used again (docs/decisions/0039).
   */
  own(bytes: Uint8Array): Uint8Array {
    const { length } = bytes;
    if (length > this.#slabBytes) return new Uint8Array(bytes);
    if (this.#slabFilled + length > this.#slab.length) this.#beginSlab();
    const start = this.#slabFilled;
    this.#slabFilled += length;
    this.#slab.set(bytes, start);
    return this.#slab.subarray(start, start + length);
  }

  /** Called by a TailCache for each batch it takes. */
  charge(cache: TailCache, { buffer }: CachedBatch): void {
    const others = this.#batchesOf.get(buffer) ?? 0;
    this.#batchesOf.set(buffer, others + 1);
    if (others === 0) this.#usedBytes += buffer.byteLength;
    this.#ages.push(cache);
    this.evict();
  }

  /** Called by a TailCache for each batch it lets go. */
  release({ buffer }: CachedBatch): void {
    const others = (this.#batchesOf.get(buffer) ?? 1) - 1;
    if (others > 0) {
      this.#batchesOf.set(buffer, others);
      return;
    }
    this.#batchesOf.delete(buffer);
    this.#usedBytes -= buffer.byteLength;
    if (buffer === this.#slab.buffer) this.#slabFilled = 0;
    else if (this.#slabs.has(buffer) && this.#freeSlabs.length < MOST_FREE_SLABS) {
      this.#freeSlabs.push(new Uint8Array(buffer));
    }
  }

  /** Makes good what is over the bound, as far as it is written. */
  evict(): void {
    let rotations = 0;
    while (this.#usedBytes > this.maxBytes && this.#oldest < this.#ages.length) {
      const cache = this.#ages[this.#oldest++] as TailCache;
      if (cache.evictOldest() !== "pinned") continue;
      // Not written yet: its turn comes again. One stuck disk must not keep the other logs' tails in memory.
      this.#ages.push(cache);
      if (++rotations === ROTATIONS_PER_EVICTION) break;
    }
    if (this.#oldest >= COMPACT_AFTER && this.#oldest * 2 >= this.#ages.length) {
      this.#ages = this.#ages.slice(this.#oldest);
      this.#oldest = 0;
    }
  }

  /** The one before is given back with the last of its batches. */
  #beginSlab(): void {
    this.#slab = this.#freeSlabs.pop() ?? new Uint8Array(this.#slabBytes);
    this.#slabs.add(this.#slab.buffer);
    this.#slabFilled = 0;
  }
}

/**
 * The latest batches of one log, without a gap up to its end: what a consumer reads that keeps up. Batches at and
 * above `writtenEndOffset` are here whatever the budget says, because they are nowhere else.
 */
export class TailCache {
  readonly #budget: TailCacheBudget;
  #batches: (CachedBatch | undefined)[] = []; // from #first on
  #first = 0;
  #writtenEndOffset = 0;

  constructor(budget: TailCacheBudget) {
    this.#budget = budget;
  }

  /** Where the cache begins; undefined while it is empty. */
  get startOffset(): number | undefined {
    return this.#batches[this.#first]?.baseOffset;
  }

  /** Takes the next batch of the log; its bytes must not change while it is kept. */
  add(batch: RecordBatch): void {
    const cached = new CachedBatch(batch.baseOffset, batch.nextOffset, this.#budget.own(batch.bytes));
    this.#batches.push(cached);
    this.#budget.charge(this, cached);
  }

  /** Everything below is on disk and may be evicted. */
  markWritten(endOffset: number): void {
    this.#writtenEndOffset = endOffset;
    this.#budget.evict();
  }

  /**
   * A copy of the batches from the one that holds `fetchOffset`: as many as fit `maxBytes`, the first in any case when
   * `minOneMessage`, and none that reaches beyond `upToOffset`. Undefined when the offset lies before the cache.
   */
  read(fetchOffset: number, maxBytes: number, minOneMessage: boolean, upToOffset: number): TailRead | undefined {
    const start = this.startOffset;
    if (start === undefined || fetchOffset < start) return undefined;
    const first = this.#indexOf(fetchOffset);
    let end = first;
    let size = 0;
    for (; end < this.#batches.length; end++) {
      const batch = this.#batches[end] as CachedBatch;
      if (batch.nextOffset > upToOffset) break;
      if (size + batch.length > maxBytes && (end > first || !minOneMessage)) break;
      size += batch.length;
    }
    if (end === first) return NOTHING;
    const records = readBuffers.take(size);
    for (let index = first, at = 0; index < end; index++) {
      const batch = this.#batches[index] as CachedBatch;
      records.set(batch.bytes, at);
      at += batch.length;
    }
    const { baseOffset: firstBatchOffset } = this.#batches[first] as CachedBatch;
    const { nextOffset } = this.#batches[end - 1] as CachedBatch;
    return { records, firstBatchOffset, nextOffset };
  }

  /** Called by the budget. "pinned": the oldest batch waits to be written. */
  evictOldest(): "evicted" | "pinned" | "empty" {
    const oldest = this.#batches[this.#first];
    if (oldest === undefined) return "empty";
    if (oldest.nextOffset > this.#writtenEndOffset) return "pinned";
    this.#batches[this.#first++] = undefined;
    this.#budget.release(oldest);
    if (this.#first >= 32 && this.#first * 2 >= this.#batches.length) {
      this.#batches = this.#batches.slice(this.#first);
      this.#first = 0;
    }
    return "evicted";
  }

  /** Forgets what ends at or below an offset: the disk has something else there now. */
  evictBelow(offset: number): void {
    for (;;) {
      const oldest = this.#batches[this.#first];
      if (oldest === undefined || oldest.nextOffset > offset || this.evictOldest() !== "evicted") return;
    }
  }

  clear(): void {
    for (let index = this.#first; index < this.#batches.length; index++) {
      this.#budget.release(this.#batches[index] as CachedBatch);
    }
    this.#batches = [];
    this.#first = 0;
  }

  /** The first batch whose offsets end above the one sought. */
  #indexOf(offset: number): number {
    let low = this.#first;
    let high = this.#batches.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#batches[middle] as CachedBatch).nextOffset > offset) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
