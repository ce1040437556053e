/**
 * A 128-bit hash of a key, in four words: MurmurHash3 (x86, 128 bits; Austin Appleby, public domain), begun from a seed in each
 * of its lanes, so that nobody who does not know the seeds can make two keys that collide.
 */
export class KeyHash {
  readonly words = new Int32Array(4);
  readonly #seeds: Int32Array;

  /** @param seeds four random words */
  constructor(seeds: ArrayLike<number>) {
    this.#seeds = Int32Array.from(seeds);
  }

  /** Leaves the hash of the key, which lies in `key` from `start` to `end`, in `words`. */
  update(key: Uint8Array, start = 0, end: number = key.length): void {
    const length = end - start;
    let h1 = this.#seeds[0] as number;
    let h2 = this.#seeds[1] as number;
    let h3 = this.#seeds[2] as number;
    let h4 = this.#seeds[3] as number;
    const blocksEnd = start + (length & ~15);
    for (let at = start; at < blocksEnd; at += 16) {
      h1 = Math.imul(rotate(h1 ^ mix1(wordAt(key, at)), 19) + h2, 5) + 0x561ccd1b;
      h2 = Math.imul(rotate(h2 ^ mix2(wordAt(key, at + 4)), 17) + h3, 5) + 0x0bcaa747;
      h3 = Math.imul(rotate(h3 ^ mix3(wordAt(key, at + 8)), 15) + h4, 5) + 0x96cd1c35;
      h4 = Math.imul(rotate(h4 ^ mix4(wordAt(key, at + 12)), 13) + h1, 5) + 0x32ac3b17;
    }
    // The bytes that are left, as words with zeros above them; a word of zeros changes nothing.
    if (end > blocksEnd) {
      h1 ^= mix1(tailWord(key, blocksEnd, end));
      if (end > blocksEnd + 4) h2 ^= mix2(tailWord(key, blocksEnd + 4, end));
      if (end > blocksEnd + 8) h3 ^= mix3(tailWord(key, blocksEnd + 8, end));
      if (end > blocksEnd + 12) h4 ^= mix4(tailWord(key, blocksEnd + 12, end));
    }
    h1 ^= length;
    h2 ^= length;
    h3 ^= length;
    h4 ^= length;
    h1 = (h1 + h2 + h3 + h4) | 0;
    h2 = (h2 + h1) | 0;
    h3 = (h3 + h1) | 0;
    h4 = (h4 + h1) | 0;
    h1 = avalanche(h1);
    h2 = avalanche(h2);
    h3 = avalanche(h3);
    h4 = avalanche(h4);
    h1 = (h1 + h2 + h3 + h4) | 0;
    this.words[0] = h1;
    this.words[1] = h2 + h1;
    this.words[2] = h3 + h1;
    this.words[3] = h4 + h1;
  }
}

const C1 = 0x239b961b;
const C2 = 0xab0e9789;
const C3 = 0x38b34ae5;
const C4 = 0xa1e38b93;

function mix1(k: number): number {
  return Math.imul(rotate(Math.imul(k, C1), 15), C2);
}

function mix2(k: number): number {
  return Math.imul(rotate(Math.imul(k, C2), 16), C3);
}

function mix3(k: number): number {
  return Math.imul(rotate(Math.imul(k, C3), 17), C4);
}

function mix4(k: number): number {
  return Math.imul(rotate(Math.imul(k, C4), 18), C1);
}

function rotate(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits));
}

function avalanche(word: number): number {
  let h = word;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

function wordAt(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at] as number) |
    ((bytes[at + 1] as number) << 8) |
    ((bytes[at + 2] as number) << 16) |
    ((bytes[at + 3] as number) << 24)
  );
}

function tailWord(bytes: Uint8Array, at: number, end: number): number {
  if (end - at >= 4) return wordAt(bytes, at);
  let word = bytes[at] as number;
  if (end - at > 1) word |= (bytes[at + 1] as number) << 8;
  if (end - at > 2) word |= (bytes[at + 2] as number) << 16;
  return word;
}
