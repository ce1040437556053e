/** As much of it as is needed here: the types of the language do not have it. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: unknown };
};

const VECTOR_BYTES = 16;
const VECTORS_PER_TURN = 4;
/** What one turn of the loop takes. */
export const STEP_BYTES = VECTOR_BYTES * VECTORS_PER_TURN;

const PAGE_BYTES = 65_536;

export interface FoldLoop {
  readonly memory: Uint8Array;
  /**
   * Sixteen bytes at a time: `to[i] = from[i] ^ folded[i - d1] ^ folded[i - d2] ^ folded[i - d3]`. Where `to` is `folded`, a
   * distance reaches back to what the loop itself has written.
   *
   * @param size a multiple of STEP_BYTES above 0; `folded` is preceded by as many bytes as the longest distance
   */
  readonly fold: (from: number, to: number, folded: number, size: number) => void;
}

/**
 * The loop as a module of WebAssembly, which has vectors where JavaScript has not.
 *
 * @param distances ascending
 * @returns undefined where the platform does not take it
 */
export function foldLoop(distances: readonly number[], memoryBytes: number): FoldLoop | undefined {
  try {
    const { exports } = new WebAssembly.Instance(moduleOf(distances, Math.ceil(memoryBytes / PAGE_BYTES)));
    const { memory, fold } = exports as { memory: { readonly buffer: ArrayBuffer }; fold: LoopFunction };
    const longest = Math.max(...distances);
    return {
      memory: new Uint8Array(memory.buffer),
      // Offsets of WebAssembly are not negative, so it is told where the oldest byte is that it looks at.
      fold: (from, to, folded, size) => fold(from, to, folded - longest, from + size),
    };
  } catch {
    return undefined;
  }
}

const modules = new Map<string, object>();

/** Compiled once: a millisecond. */
function moduleOf(distances: readonly number[], pages: number): object {
  const key = [pages, ...distances].join();
  const known = modules.get(key);
  if (known !== undefined) return known;
  const made = new WebAssembly.Module(assemble(distances, pages));
  modules.set(key, made);
  return made;
}

type LoopFunction = (from: number, to: number, oldest: number, end: number) => void;

// Numbers of the binary format, https://webassembly.github.io/spec/core/binary
const I32 = 0x7f;
const FUNCTION_TYPE = 0x60;
const NO_RESULT = 0x40;
const OP = {
  loop: 0x03,
  branchIf: 0x0d,
  end: 0x0b,
  get: 0x20,
  set: 0x21,
  i32Const: 0x41,
  i32Add: 0x6a,
  i32Below: 0x49,
};
const VECTOR = { load: [0xfd, 0x00], store: [0xfd, 0x0b], xor: [0xfd, 0x51, 0x01] };
const UNALIGNED = 0;
const MAGIC_AND_VERSION = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];
const SECTION = { type: 1, function: 3, memory: 5, export: 7, code: 10 };
const FUNCTION_EXPORT = 0;
const MEMORY_EXPORT = 2;
const HAS_MAXIMUM = 1;

const [FROM, TO, OLDEST, END] = [0, 1, 2, 3] as const; // the parameters

/**
 * `do { 4 x (to = from ^ oldest[longest - d] ^ ...); from += 64; to += 64; oldest += 64 } while (from < end)`
 */
function assemble(distances: readonly number[], pages: number): Uint8Array<ArrayBuffer> {
  const longest = Math.max(...distances);
  const load = (pointer: number, offset: number): number[] =>
    [OP.get, pointer, VECTOR.load, UNALIGNED, unsigned(offset)].flat();
  const vectors = Array.from({ length: VECTORS_PER_TURN }, (_, index) => {
    const at = index * VECTOR_BYTES;
    const added = distances.flatMap((distance) => [...load(OLDEST, longest - distance + at), ...VECTOR.xor]);
    return [OP.get, TO, load(FROM, at), added, VECTOR.store, UNALIGNED, unsigned(at)].flat();
  });
  const advance = (pointer: number): number[] =>
    [OP.get, pointer, OP.i32Const, signed(STEP_BYTES), OP.i32Add, OP.set, pointer].flat();
  const body = [...vectors, ...[FROM, TO, OLDEST].map(advance)].flat();
  const repeat = [OP.get, FROM, OP.get, END, OP.i32Below, OP.branchIf, 0];
  const code = [OP.loop, NO_RESULT, body, repeat, OP.end, OP.end].flat();
  const sections = [
    section(SECTION.type, [FUNCTION_TYPE, 4, I32, I32, I32, I32, 0]),
    section(SECTION.function, [0]),
    section(SECTION.memory, [HAS_MAXIMUM, unsigned(pages), unsigned(pages)].flat()),
    section(SECTION.export, [...name("memory"), MEMORY_EXPORT, 0], [...name("fold"), FUNCTION_EXPORT, 0]),
    section(SECTION.code, sized([0, ...code])), // no locals
  ];
  return Uint8Array.from([...MAGIC_AND_VERSION, ...sections.flat()]);
}

function section(id: number, ...items: readonly number[][]): number[] {
  return [id, ...sized([...unsigned(items.length), ...items.flat()])];
}

function sized(bytes: readonly number[]): number[] {
  return [...unsigned(bytes.length), ...bytes];
}

function name(text: string): number[] {
  return sized([...new TextEncoder().encode(text)]);
}

/** LEB128. */
function unsigned(value: number): number[] {
  const bytes: number[] = [];
  let left = value;
  for (; left > 0x7f; left >>>= 7) bytes.push((left & 0x7f) | 0x80);
  bytes.push(left);
  return bytes;
}

/** LEB128 with a sign; of what is not negative: a byte more where the sign would show. */
function signed(value: number): number[] {
  const bytes = unsigned(value);
  const last = bytes.at(-1) ?? 0;
  return (last & 0x40) === 0 ? bytes : [...bytes.slice(0, -1), last | 0x80, 0];
}
