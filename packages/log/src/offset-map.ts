import type { Random } from "@samsa/base";
import { KeyHash } from "./key-hash.ts";

const BYTES_PER_SLOT = 24;
const WORDS_PER_SLOT = 6;
const DOUBLES_PER_SLOT = 3;
const FEWEST_SLOTS = 17;
const WORDS_PER_KEY = 5;
const MOST_STAGED = 1024;

/**
 * The latest offset of each key, for the cleaner: 24 bytes a key in a table of a fixed size, whatever the keys are. A key is
 * known by its 128-bit hash only (as in Kafka's SkimpyOffsetMap).
 *
 *     | hash: four words | offset + 1: double, 0 where the slot is free |
 *
 * The table is far larger than the caches of a processor, so that each key waits for memory. Keys that are known beforehand are
 * staged: `warm` asks for the slots of all of them, one after the other without anything in between, and the processor waits for
 * several at a time.
 */
export class OffsetMap {
  /** So many keys it takes. */
  readonly capacity: number;
  readonly #slots: number; // a prime, so that steps of any length come by every slot
  readonly #hashes: Int32Array;
  readonly #offsets: Float64Array;
  readonly #hash: KeyHash;
  /** The last offset that was put, or what a higher one was set to. */
  latestOffset = -1;
  #size = 0;
  readonly #staged = new Int32Array(WORDS_PER_KEY * MOST_STAGED); // hash and first slot of each
  #stagedCount = 0;
  /** Of no use but to be written. */
  protected touched = 0;

  /**
   * @param maxBytes of memory
   * @param expectedKeys no more room than these need is taken
   * @param loadFactor how full the table may be, above 0 and at most 1
   */
  constructor(maxBytes: number, expectedKeys: number, random: Random, loadFactor = 0.9) {
    const load = Math.min(loadFactor, 0.99); // some slots have to be free
    const wanted = Math.ceil((expectedKeys + 1) / load);
    const slots = Math.max(FEWEST_SLOTS, Math.min(Math.floor(maxBytes / BYTES_PER_SLOT), wanted));
    this.#slots = largestPrime(slots);
    this.capacity = Math.max(1, Math.floor(this.#slots * load));
    const table = new ArrayBuffer(BYTES_PER_SLOT * this.#slots);
    this.#hashes = new Int32Array(table);
    this.#offsets = new Float64Array(table);
    this.#hash = new KeyHash(Array.from({ length: 4 }, () => random.uint32()));
  }

  get size(): number {
    return this.#size;
  }

  get isFull(): boolean {
    return this.#size >= this.capacity;
  }

  /** Keys that are staged, numbered from 0. */
  get stagedCount(): number {
    return this.#stagedCount;
  }

  /** Forgets the keys that are staged. */
  clearStaged(): void {
    this.#stagedCount = 0;
  }

  /** Stages a key. False when there is no room for more of them. */
  stage(bytes: Uint8Array, start: number, end: number): boolean {
    if (this.#stagedCount === MOST_STAGED) return false;
    this.#hash.update(bytes, start, end);
    const { words } = this.#hash;
    const staged = this.#staged;
    const at = WORDS_PER_KEY * this.#stagedCount++;
    staged[at] = words[0] as number;
    staged[at + 1] = words[1] as number;
    staged[at + 2] = words[2] as number;
    staged[at + 3] = words[3] as number;
    staged[at + 4] = this.#firstSlot(words[0] as number);
    return true;
  }

  /** Brings the slots of the staged keys near. */
  warm(): void {
    const staged = this.#staged;
    const hashes = this.#hashes;
    let touched = 0;
    const end = WORDS_PER_KEY * this.#stagedCount;
    for (let at = WORDS_PER_KEY - 1; at < end; at += WORDS_PER_KEY) {
      touched ^= hashes[WORDS_PER_SLOT * (staged[at] as number) + 3] as number;
    }
    this.touched = touched; // or the loop might be left out
  }

  /** `put` of a staged key. */
  putStaged(index: number, offset: number): boolean {
    return this.#put(this.#findStaged(index), offset);
  }

  /** `get` of a staged key. */
  getStaged(index: number): number {
    return (this.#offsets[DOUBLES_PER_SLOT * this.#findStaged(index) + 2] as number) - 1;
  }

  /**
   * Notes the offset of a key, which lies in `bytes` from `start` to `end`, over an earlier one. False when there is no room for
   * another key.
   */
  put(bytes: Uint8Array, offset: number, start = 0, end: number = bytes.length): boolean {
    return this.#put(this.#find(bytes, start, end), offset);
  }

  /** The offset last noted of a key; -1 when there is none. */
  get(bytes: Uint8Array, start = 0, end: number = bytes.length): number {
    return (this.#offsets[DOUBLES_PER_SLOT * this.#find(bytes, start, end) + 2] as number) - 1;
  }

  /** The slot is that of the key whose hash was looked for last. */
  #put(slot: number, offset: number): boolean {
    const at = DOUBLES_PER_SLOT * slot + 2;
    if (this.#offsets[at] === 0) {
      if (this.#size >= this.capacity) return false;
      this.#size++;
      const hashes = this.#hashes;
      const { words } = this.#hash;
      const to = WORDS_PER_SLOT * slot;
      hashes[to] = words[0] as number;
      hashes[to + 1] = words[1] as number;
      hashes[to + 2] = words[2] as number;
      hashes[to + 3] = words[3] as number;
    }
    this.#offsets[at] = offset + 1;
    this.latestOffset = offset;
    return true;
  }

  #find(bytes: Uint8Array, start: number, end: number): number {
    this.#hash.update(bytes, start, end);
    return this.#slotOf(this.#firstSlot(this.#hash.words[0] as number));
  }

  #findStaged(index: number): number {
    const staged = this.#staged;
    const { words } = this.#hash;
    const at = WORDS_PER_KEY * index;
    words[0] = staged[at] as number;
    words[1] = staged[at + 1] as number;
    words[2] = staged[at + 2] as number;
    words[3] = staged[at + 3] as number;
    return this.#slotOf(staged[at + 4] as number);
  }

  #firstSlot(word: number): number {
    return (word >>> 0) % (this.#slots >>> 0); // both said to be unsigned, or the machine divides doubles
  }

  /** The slot of the key whose hash is in the words, or the free one that it would get. */
  #slotOf(firstSlot: number): number {
    const { words } = this.#hash;
    const w0 = words[0] as number;
    const w1 = words[1] as number;
    const w2 = words[2] as number;
    const w3 = words[3] as number;
    const hashes = this.#hashes;
    const offsets = this.#offsets;
    const slots = this.#slots;
    let slot = firstSlot;
    let step = 0;
    while (offsets[DOUBLES_PER_SLOT * slot + 2] !== 0) {
      const at = WORDS_PER_SLOT * slot;
      if (hashes[at] === w0 && hashes[at + 1] === w1 && hashes[at + 2] === w2 && hashes[at + 3] === w3) break;
      if (step === 0) step = 1 + ((w1 >>> 0) % ((slots - 1) >>> 0));
      slot += step;
      if (slot >= slots) slot -= slots;
    }
    return slot;
  }
}

function largestPrime(atMost: number): number {
  let candidate = atMost;
  while (!isPrime(candidate)) candidate--;
  return candidate;
}

function isPrime(number: number): boolean {
  if (number % 2 === 0) return number === 2;
  for (let factor = 3; factor * factor <= number; factor += 2) if (number % factor === 0) return false;
  return number > 1;
}
