import type { Random } from "@samsa/base";
import { KeyHash } from "./key-hash.ts";

const BYTES_PER_SLOT = 24;
const MOST_LOAD = 0.9;
const FEWEST_SLOTS = 16;

/**
 * The latest offset of each key, for the cleaner: 24 bytes a key in tables of a fixed size, whatever the keys are. A key is
 * known by its 128-bit hash only (as in Kafka's SkimpyOffsetMap).
 */
export class OffsetMap {
  /** So many keys it takes. */
  readonly capacity: number;
  readonly #mask: number;
  readonly #hashes: Uint32Array; // four words a slot
  readonly #offsets: Float64Array; // plus one; 0 where the slot is free
  readonly #hash: KeyHash;
  #size = 0;

  /**
   * @param maxBytes of memory; the number of slots is a power of two within it
   * @param expectedKeys no more room than these need is taken
   */
  constructor(maxBytes: number, expectedKeys: number, random: Random) {
    const wanted = Math.max(FEWEST_SLOTS, Math.ceil((expectedKeys + 1) / MOST_LOAD));
    let slots = FEWEST_SLOTS;
    while (slots < wanted && 2 * slots * BYTES_PER_SLOT <= maxBytes) slots *= 2;
    this.capacity = Math.floor(slots * MOST_LOAD);
    this.#mask = slots - 1;
    this.#hashes = new Uint32Array(4 * slots);
    this.#offsets = new Float64Array(slots);
    this.#hash = new KeyHash(Uint32Array.from({ length: 4 }, () => random.uint32()));
  }

  get size(): number {
    return this.#size;
  }

  /** Notes the offset of a key, over an earlier one. False when there is no room for another key. */
  put(key: Uint8Array, offset: number): boolean {
    const slot = this.#find(key);
    if (this.#offsets[slot] === 0) {
      if (this.#size >= this.capacity) return false;
      this.#size++;
      this.#hashes.set(this.#hash.words, 4 * slot);
    }
    this.#offsets[slot] = offset + 1;
    return true;
  }

  /** The offset last noted of a key. */
  get(key: Uint8Array): number | undefined {
    const found = this.#offsets[this.#find(key)] as number;
    return found === 0 ? undefined : found - 1;
  }

  /** The slot of the key, or the free one that it would get. Some are always free. */
  #find(key: Uint8Array): number {
    this.#hash.update(key);
    const { words } = this.#hash;
    const [w0, w1, w2, w3] = [words[0], words[1], words[2], words[3]];
    const step = (w1 as number) | 1; // odd: it comes by every slot of a power of two
    let slot = (w0 as number) & this.#mask;
    for (; this.#offsets[slot] !== 0; slot = (slot + step) & this.#mask) {
      const at = 4 * slot;
      const hashes = this.#hashes;
      if (hashes[at] === w0 && hashes[at + 1] === w1 && hashes[at + 2] === w2 && hashes[at + 3] === w3) break;
    }
    return slot;
  }
}
