import { assert } from "@samsa/base";

const CHUNK = 64;

type Entry<K, V> = readonly [K, V];

/**
 * A map that is never changed, only derived: `set` and `delete` return another map that shares all but one chunk with this
 * one. Keys are kept in order (code units for strings), so listings and cursors over topics need no sorting.
 *
 * A derived map copies one chunk of at most 64 entries and the list of chunks. With 10,000 entries that is some 250
 * references, where a copied Map would be 10,000.
 */
export class SortedMap<K extends string | number, V> implements ReadonlyMap<K, V> {
  readonly #chunks: readonly (readonly Entry<K, V>[])[];
  readonly size: number;

  private constructor(chunks: readonly (readonly Entry<K, V>[])[], size: number) {
    this.#chunks = chunks;
    this.size = size;
  }

  static empty<K extends string | number, V>(): SortedMap<K, V> {
    return new SortedMap<K, V>([], 0);
  }

  get(key: K): V | undefined {
    const chunk = this.#chunks[this.#chunkOf(key)];
    if (chunk === undefined) return undefined;
    const entry = chunk[firstAtOrAbove(chunk, key)];
    return entry !== undefined && entry[0] === key ? entry[1] : undefined;
  }

  has(key: K): boolean {
    const chunk = this.#chunks[this.#chunkOf(key)];
    return chunk !== undefined && chunk[firstAtOrAbove(chunk, key)]?.[0] === key;
  }

  set(key: K, value: V): SortedMap<K, V> {
    const index = this.#chunkOf(key);
    const chunk = this.#chunks[index];
    if (chunk === undefined) return new SortedMap([[[key, value]]], 1);
    const at = firstAtOrAbove(chunk, key);
    const replaces = chunk[at]?.[0] === key;
    const changed = chunk.toSpliced(at, replaces ? 1 : 0, [key, value]);
    const size = this.size + (replaces ? 0 : 1);
    if (changed.length <= CHUNK) return new SortedMap(this.#chunks.with(index, changed), size);
    // Keys that come in order (partitions, replayed topics) leave full chunks behind instead of half-empty ones.
    const cut = at === chunk.length ? CHUNK : CHUNK / 2;
    return new SortedMap(this.#chunks.toSpliced(index, 1, changed.slice(0, cut), changed.slice(cut)), size);
  }

  delete(key: K): SortedMap<K, V> {
    const index = this.#chunkOf(key);
    const chunk = this.#chunks[index];
    if (chunk === undefined) return this;
    const at = firstAtOrAbove(chunk, key);
    if (chunk[at]?.[0] !== key) return this;
    const changed = chunk.toSpliced(at, 1);
    const chunks = changed.length === 0 ? this.#chunks.toSpliced(index, 1) : this.#chunks.with(index, changed);
    return new SortedMap(chunks, this.size - 1);
  }

  *entries(): Generator<[K, V], undefined, unknown> {
    for (const chunk of this.#chunks) for (const [key, value] of chunk) yield [key, value];
  }

  /** Entries from the first key at or above `key` on. */
  *entriesFrom(key: K): Generator<[K, V], undefined, unknown> {
    for (let index = this.#chunkOf(key); index < this.#chunks.length; index++) {
      for (const entry of this.#chunks[index] ?? []) if (entry[0] >= key) yield [entry[0], entry[1]];
    }
  }

  *keys(): Generator<K, undefined, unknown> {
    for (const chunk of this.#chunks) for (const [key] of chunk) yield key;
  }

  *values(): Generator<V, undefined, unknown> {
    for (const chunk of this.#chunks) for (const [, value] of chunk) yield value;
  }

  [Symbol.iterator](): Generator<[K, V], undefined, unknown> {
    return this.entries();
  }

  forEach(callback: (value: V, key: K, map: ReadonlyMap<K, V>) => void): void {
    for (const [key, value] of this) callback(value, key, this);
  }

  /** The chunk that holds the key or would: the last one that does not begin above it. */
  #chunkOf(key: K): number {
    let low = 0;
    let high = this.#chunks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const first = this.#chunks[middle]?.[0];
      assert(first !== undefined, "no chunk of a sorted map is empty");
      if (first[0] <= key) low = middle + 1;
      else high = middle;
    }
    return Math.max(0, low - 1);
  }
}

function firstAtOrAbove<K extends string | number, V>(chunk: readonly Entry<K, V>[], key: K): number {
  let low = 0;
  let high = chunk.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const entry = chunk[middle];
    if (entry !== undefined && entry[0] < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
