import * as zlib from "node:zlib";
import { CorruptRecordError } from "../record/errors.ts";
import type { Codec } from "./codec.ts";
import { checkOutput, tooLarge } from "./limits.ts";
import { wasmZstd } from "./zstd-wasm.ts";
import { zstdFrames } from "./zstd-frames.ts";

const DEFAULT_LEVEL = 3;

/** One frame in, one frame out. */
export interface ZstdImplementation {
  compress(bytes: Uint8Array, level: number): Uint8Array;
  /** @throws CorruptRecordError also when there is more output than `maxBytes` */
  decompress(frame: Uint8Array, maxBytes: number): Uint8Array;
}

/** What node:zlib has from Node 22.15 on. */
interface ZlibWithZstd {
  readonly constants: { readonly ZSTD_c_compressionLevel: number };
  zstdCompressSync(bytes: Uint8Array, options: { params: Record<number, number> }): Uint8Array;
  zstdDecompressSync(bytes: Uint8Array, options: { maxOutputLength: number }): Uint8Array;
}

/** The one of Node itself, or undefined where it has none. */
export function nodeZstd(): ZstdImplementation | undefined {
  if (!("zstdCompressSync" in zlib)) return undefined;
  const node = zlib as unknown as ZlibWithZstd;
  return {
    compress: (bytes, level) =>
      node.zstdCompressSync(bytes, { params: { [node.constants.ZSTD_c_compressionLevel]: level } }),
    decompress(frame, maxBytes) {
      try {
        return node.zstdDecompressSync(frame, { maxOutputLength: Math.max(maxBytes, 1) });
      } catch (cause) {
        throw new CorruptRecordError("a zstd frame that does not decompress", { cause });
      }
    },
  };
}

export function zstdOver(implementation: ZstdImplementation): Codec {
  return {
    levels: { lowest: -131072, highest: 22 },

    compress(records, level = DEFAULT_LEVEL) {
      return implementation.compress(records, level === 0 ? DEFAULT_LEVEL : level);
    },

    decompress(compressed, limit) {
      const frames = zstdFrames(compressed);
      let announced = 0;
      for (const { isExact, contentBytes } of frames) if (isExact) announced += contentBytes;
      checkOutput(announced, limit);
      const outputs: Uint8Array[] = [];
      let size = 0;
      for (const { bytes, isExact, contentBytes } of frames) {
        const output = implementation.decompress(bytes, Math.min(contentBytes, limit - size));
        if (isExact && output.length !== contentBytes) {
          throw new CorruptRecordError(`a zstd frame of ${output.length} bytes that announces ${contentBytes}`);
        }
        outputs.push(output);
        size += output.length;
        if (size > limit) throw tooLarge(limit);
      }
      return joined(outputs, size);
    },
  };
}

let loaded: Codec | undefined;

/** The codec over the best implementation there is, loaded at first use. */
export function zstd(): Codec {
  loaded ??= zstdOver(nodeZstd() ?? wasmZstd());
  return loaded;
}

/** Writers make one frame, which is then not copied. */
function joined(outputs: readonly Uint8Array[], size: number): Uint8Array {
  const [first] = outputs;
  if (outputs.length === 1 && first !== undefined) return first;
  const all = new Uint8Array(size);
  let at = 0;
  for (const output of outputs) {
    all.set(output, at);
    at += output.length;
  }
  return all;
}
