// Turns real request frames into hostile ones. Seeded: the same seed gives the same frames.

/** @typedef {() => number} Random numbers in [0, 1) */

/** @param {number} seed @returns {Random} */
export function mulberry32(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const EXTREME_INT32 = [-1, -2, 0, 1, 0x7f, 0xff, 0x7fff, 0xffff, 0x7fffffff, -0x80000000, 0x10000000];

/** @param {Random} random @param {number} n */
function below(random, n) {
  return Math.floor(random() * n);
}

/** @template T @param {readonly T[]} values @param {Random} random @returns {T} */
function oneOf(values, random) {
  const value = values[below(random, values.length)];
  if (value === undefined) throw new Error("there is nothing to choose from");
  return value;
}

/** @type {Readonly<Record<string, (frame: Buffer, random: Random, frames: readonly Buffer[]) => Buffer>>} */
const MUTATIONS = {
  "some bits flipped"(frame, random) {
    const out = Buffer.from(frame);
    for (let n = 1 + below(random, 8); n > 0; n--) {
      const at = below(random, out.length);
      out[at] = (out[at] ?? 0) ^ (1 << below(random, 8));
    }
    return out;
  },
  "some bytes replaced"(frame, random) {
    const out = Buffer.from(frame);
    for (let n = 1 + below(random, 8); n > 0; n--) out[below(random, out.length)] = below(random, 256);
    return out;
  },
  "cut short"(frame, random) {
    return frame.subarray(0, below(random, frame.length));
  },
  "something appended"(frame, random) {
    return Buffer.concat([frame, Buffer.from(Array.from({ length: 1 + below(random, 64) }, () => below(random, 256)))]);
  },
  "an extreme length or count"(frame, random) {
    const out = Buffer.from(frame);
    if (out.length < 12) return out;
    const at = 8 + below(random, out.length - 11);
    if (random() < 0.5) out.writeInt32BE(oneOf(EXTREME_INT32, random), at);
    else out.writeInt16BE(oneOf([-1, -2, 0x7fff, -0x8000], random), at);
    return out;
  },
  "an oversized varint"(frame, random) {
    const at = 8 + below(random, Math.max(1, frame.length - 8));
    const varint = Buffer.from([
      ...Array.from({ length: 1 + below(random, 11) }, () => 0x80 | below(random, 128)),
      below(random, 128),
    ]);
    return Buffer.concat([frame.subarray(0, at), varint, frame.subarray(at + (random() < 0.5 ? varint.length : 1))]);
  },
  "a piece taken out"(frame, random) {
    const at = below(random, frame.length);
    return Buffer.concat([frame.subarray(0, at), frame.subarray(at + 1 + below(random, 16))]);
  },
  "a piece repeated"(frame, random) {
    const at = below(random, frame.length);
    const piece = frame.subarray(at, at + 1 + below(random, 64));
    const times = 1 + below(random, 20);
    return Buffer.concat([frame.subarray(0, at), ...Array.from({ length: times }, () => piece), frame.subarray(at)]);
  },
  "another API or version"(frame, random) {
    const out = Buffer.from(frame);
    if (random() < 0.5) out.writeInt16BE(below(random, 100) - 1, 0);
    else out.writeInt16BE(below(random, 22) - 1, 2);
    return out;
  },
  "the end of another frame"(frame, random, frames) {
    const other = oneOf(frames, random);
    const at = below(random, Math.min(frame.length, other.length));
    return Buffer.concat([frame.subarray(0, at), other.subarray(at)]);
  },
  noise(_frame, random) {
    return Buffer.from(Array.from({ length: below(random, 200) }, () => below(random, 256)));
  },
};

// The gentle ones twice: what is nearly right gets furthest in.
const GENTLE = ["some bits flipped", "some bytes replaced", "an extreme length or count"];
const MUTATION_LIST = Object.entries(MUTATIONS).flatMap(([name, mutate]) =>
  GENTLE.includes(name) ? [mutate, mutate] : [mutate],
);

/**
 * One hostile message as it goes onto the wire, length first. One in fifty lies about its length.
 * @param {readonly Buffer[]} frames
 * @param {Random} random
 */
export function hostileMessage(frames, random) {
  let frame = oneOf(frames, random);
  for (let n = random() < 0.3 ? 2 : 1; n > 0 && frame.length > 4; n--) {
    frame = oneOf(MUTATION_LIST, random)(frame, random, frames);
  }
  const length = Buffer.alloc(4);
  const lies = random() < 0.02;
  const lie = [0x7fffffff, -1, -0x80000000, 0, 3, frame.length + 1000, 200_000_000];
  length.writeInt32BE(lies ? oneOf(lie, random) : frame.length);
  return { bytes: Buffer.concat([length, frame]), lies };
}
