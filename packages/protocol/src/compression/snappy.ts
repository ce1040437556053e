import { CorruptRecordError } from "../record/errors.ts";
import type { BlockCodec } from "./block-codec.ts";
import type { Codec } from "./codec.ts";
import { checkOutput } from "./limits.ts";
import { optionalPackage } from "./optional-package.ts";
import { pureSnappyBlocks, snappyBlockLength } from "./snappy-block.ts";

/*
 * The framing of xerial's snappy-java, which every Java client writes:
 *   82 "SNAPPY" 00 │ version int32 │ lowest compatible version int32 │ { length int32 │ snappy block }…
 * Bytes that begin otherwise are one snappy block, as librdkafka and others write.
 */
const MAGIC = Uint8Array.of(0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00);
const VERSION = 1;
const HEADER_BYTES = MAGIC.length + 8;
const BLOCK_BYTES = 32 * 1024;
/** The first four bytes of the magic where a length is awaited: another stream follows. */
const MAGIC_AS_LENGTH = 0x82534e41 | 0;

interface SnappyPackage {
  compressSync(block: Uint8Array, options: { copyOutputData: boolean }): Uint8Array;
  uncompressSync(block: Uint8Array, options: { copyOutputData: boolean; asBuffer: true }): Uint8Array;
}

/** Without this the output is memory that V8 does not know, and a block of 32 KiB takes ten times as long (measured). */
const COPY_OUTPUT = { copyOutputData: true };

/** The prebuilt one of `snappy`, or undefined where none is installed for this platform. */
export function nativeSnappyBlocks(): BlockCodec | undefined {
  const native = optionalPackage("snappy") as SnappyPackage | undefined;
  if (native === undefined) return undefined;
  return {
    compress: (block) => native.compressSync(block, COPY_OUTPUT),
    decompress(block, into, at) {
      let output: Uint8Array;
      try {
        output = native.uncompressSync(block, { ...COPY_OUTPUT, asBuffer: true });
      } catch (cause) {
        throw new CorruptRecordError("a snappy block that does not decompress", { cause });
      }
      if (output.length > into.length - at) throw new CorruptRecordError("a snappy block larger than the room for it");
      into.set(output, at);
      return at + output.length;
    },
  };
}

/** Kafka's snappy over an implementation of the blocks. */
export function snappyOver(blocks: BlockCodec): Codec {
  return {
    levels: undefined,

    compress(records) {
      const compressed: Uint8Array[] = [];
      let size = HEADER_BYTES;
      for (let start = 0; start < records.length; start += BLOCK_BYTES) {
        const block = blocks.compress(records.subarray(start, start + BLOCK_BYTES));
        compressed.push(block);
        size += 4 + block.length;
      }
      const out = new Uint8Array(size);
      const view = new DataView(out.buffer);
      out.set(MAGIC);
      view.setInt32(MAGIC.length, VERSION);
      view.setInt32(MAGIC.length + 4, VERSION);
      let at = HEADER_BYTES;
      for (const block of compressed) {
        view.setInt32(at, block.length);
        out.set(block, at + 4);
        at += 4 + block.length;
      }
      return out;
    },

    decompress(compressed, limit) {
      const found = isFramed(compressed) ? framedBlocks(compressed) : [compressed];
      let size = 0;
      for (const block of found) {
        size += snappyBlockLength(block).length;
        checkOutput(size, limit);
      }
      const out = new Uint8Array(size);
      let at = 0;
      for (const block of found) at = blocks.decompress(block, out, at);
      return out;
    },
  };
}

let loaded: Codec | undefined;

/** The codec over the best implementation there is, loaded at first use. */
export function snappy(): Codec {
  loaded ??= snappyOver(nativeSnappyBlocks() ?? pureSnappyBlocks);
  return loaded;
}

function isFramed(bytes: Uint8Array): boolean {
  return bytes.length >= HEADER_BYTES && MAGIC.every((byte, index) => bytes[index] === byte);
}

function framedBlocks(bytes: Uint8Array): Uint8Array[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const found: Uint8Array[] = [];
  let at = 0;
  while (at < bytes.length) {
    if (bytes.length - at < 4) throw new CorruptRecordError("snappy framing that ends in a length");
    const length = view.getInt32(at);
    if (length === MAGIC_AS_LENGTH) {
      if (!isFramed(bytes.subarray(at))) throw new CorruptRecordError("snappy framing with half a header");
      if (view.getInt32(at + MAGIC.length + 4) > VERSION) {
        throw new CorruptRecordError("snappy framing of a version that is not known");
      }
      at += HEADER_BYTES;
      continue;
    }
    at += 4;
    if (length <= 0 || length > bytes.length - at) {
      throw new CorruptRecordError(`a snappy block of ${length} bytes where ${bytes.length - at} remain`);
    }
    found.push(bytes.subarray(at, at + length));
    at += length;
  }
  return found;
}
