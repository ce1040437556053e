import { assert } from "@samsa/base";
import { CorruptRecordError } from "../record/errors.ts";
import { requirePackage } from "./optional-package.ts";
import type { ZstdImplementation } from "./zstd.ts";

/** What we use of the module that Emscripten makes: zstd's one-shot calls, and the memory they work in. */
interface ZstdModule {
  instantiateWasm?: (imports: object, receive: (instance: WasmInstance) => void) => object;
  init(): void;
  readonly HEAPU8: Uint8Array; // another one after each growth
  _malloc(bytes: number): number;
  _free(at: number): void;
  _ZSTD_compressBound(bytes: number): number;
  _ZSTD_compress(to: number, room: number, from: number, bytes: number, level: number): number;
  _ZSTD_decompress(to: number, room: number, from: number, bytes: number): number;
  _ZSTD_isError(result: number): number;
}

interface WasmInstance {
  readonly exports: object;
}

/** Global in Node, and not among the types of the language. */
interface WasmGlobal {
  readonly WebAssembly: {
    readonly Module: new (binary: Uint8Array) => object;
    readonly Instance: new (module: object, imports: object) => WasmInstance;
  };
}

const PACKAGE = "@bokuweb/zstd-wasm";

/**
 * zstd in WebAssembly, for a Node without its own (before 22.15). The package's entry reads its binary in a promise, which
 * would make every reader of records wait, so we take the files beside the entry (the version is pinned) and do the same at once
 * through Emscripten's hook `instantiateWasm`. Reading the binary is loading code, as `require` does, and no affair of the Disk
 * port.
 */
export function wasmZstd(): ZstdImplementation {
  const entry = requirePackage.resolve(PACKAGE);
  const beside = (name: string): string => entry.replace(/[^/\\]+$/, name);
  const { Module: zstd } = requirePackage(beside("zstd.js")) as { Module: ZstdModule };
  if (zstd.instantiateWasm === undefined) initialise(zstd, beside("zstd.wasm"));

  return {
    compress(bytes, level) {
      const output = inMemory(zstd, bytes, zstd._ZSTD_compressBound(bytes.length), (to, room, from) =>
        zstd._ZSTD_compress(to, room, from, bytes.length, level),
      );
      assert(output !== undefined, "zstd compresses whatever it is given");
      return output;
    },

    decompress(frame, maxBytes) {
      const output = inMemory(zstd, frame, maxBytes, (to, room, from) =>
        zstd._ZSTD_decompress(to, room, from, frame.length),
      );
      if (output === undefined) throw new CorruptRecordError("a zstd frame that does not decompress");
      return output;
    },
  };
}

function initialise(zstd: ZstdModule, binaryPath: string): void {
  const { WebAssembly: wasm } = globalThis as unknown as WasmGlobal;
  const { readFileSync } = requirePackage("node:fs") as { readFileSync: (path: string) => Uint8Array };
  zstd.instantiateWasm = (imports, receive) => {
    const instance = new wasm.Instance(new wasm.Module(readFileSync(binaryPath)), imports);
    receive(instance);
    return instance.exports;
  };
  zstd.init();
}

/** Calls with the input and room for the output in the module's memory; undefined when zstd answers with an error. */
function inMemory(
  zstd: ZstdModule,
  input: Uint8Array,
  room: number,
  call: (to: number, room: number, from: number) => number,
): Uint8Array | undefined {
  const block = zstd._malloc(input.length + room);
  if (block === 0) throw new CorruptRecordError(`no memory for ${room} bytes of zstd output`);
  try {
    const to = block + input.length;
    zstd.HEAPU8.set(input, block);
    const size = call(to, room, block);
    return zstd._ZSTD_isError(size) ? undefined : zstd.HEAPU8.slice(to, to + size);
  } finally {
    zstd._free(block);
  }
}
