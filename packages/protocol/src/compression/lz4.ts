import { CorruptRecordError } from "../record/errors.ts";
import type { BlockCodec } from "./block-codec.ts";
import type { Codec } from "./codec.ts";
import { checkOutput, tooLarge, trimmed } from "./limits.ts";
import { decompressLz4Block, measureLz4Block, pureLz4Blocks } from "./lz4-block.ts";
import { optionalPackage } from "./optional-package.ts";
import { xxhash32 } from "./xxhash32.ts";

/*
 * The lz4 frame (lz4/lz4, lz4_Frame_format.md):
 *   magic │ flags │ block descriptor │ content size? │ dictionary id? │ header checksum │ { size │ block │ checksum? }… │ 0 │ checksum?
 * All numbers are little-endian. We write what Java writes: independent blocks of 64 KiB, nothing optional.
 */
const MAGIC = 0x184d2204;
const FLAGS_VERSION_1 = 0x40;
const FLAG_INDEPENDENT_BLOCKS = 0x20;
const FLAG_BLOCK_CHECKSUMS = 0x10;
const FLAG_CONTENT_SIZE = 0x08;
const FLAG_CONTENT_CHECKSUM = 0x04;
const FLAG_RESERVED = 0x02;
const FLAG_DICTIONARY = 0x01;
const BLOCKS_OF_64_KIB = 4;
const BLOCK_BYTES = 64 * 1024;
const UNCOMPRESSED_FLAG = 0x80000000;
const HISTORY_BYTES = 64 * 1024;
const HEADER_BYTES = 7;
/** Kafka's default, at which Java takes its fast compressor whatever the number says. */
const DEFAULT_LEVEL = 9;
/** Places to look at for a match; Java looks at up to 65,536, which takes seconds for what gains nothing in 64 KiB. */
const MOST_EFFORT = 1024;
/** No block becomes more than 255 times as large. */
const LARGEST_RATIO = 255;
/** Below this the native call costs more than the work (measured). */
const NATIVE_FROM_BYTES = 512;

interface Lz4Package {
  compressSync(block: Uint8Array): Uint8Array;
  uncompressSync(block: Uint8Array): Uint8Array;
}

/** The prebuilt one of `lz4-napi`, or undefined where none is installed for this platform. It knows no levels. */
export function nativeLz4Blocks(): BlockCodec | undefined {
  const native = optionalPackage("lz4-napi") as Lz4Package | undefined;
  if (native === undefined) return undefined;
  return {
    compress(block, effort = 1) {
      if (effort > 1) return pureLz4Blocks.compress(block, effort);
      return native.compressSync(block).subarray(4); // it puts the length before
    },
    decompress(block, into, at) {
      if (block.length < NATIVE_FROM_BYTES) return pureLz4Blocks.decompress(block, into, at);
      const room = Math.min(into.length - at, LARGEST_RATIO * block.length);
      const prefixed = new Uint8Array(4 + block.length);
      new DataView(prefixed.buffer).setUint32(0, room, true);
      prefixed.set(block, 4);
      let output: Uint8Array;
      try {
        output = native.uncompressSync(prefixed);
      } catch (cause) {
        throw new CorruptRecordError("an lz4 block that does not decompress", { cause });
      }
      into.set(output, at);
      return at + output.length;
    },
  };
}

/** Kafka's lz4 over an implementation of the blocks. */
export function lz4Over(blocks: BlockCodec): Codec {
  return {
    levels: { lowest: 1, highest: 17 },

    compress(records, level = DEFAULT_LEVEL) {
      const effort = level === DEFAULT_LEVEL ? 1 : Math.min(2 ** (level - 1), MOST_EFFORT);
      const blockCount = Math.ceil(records.length / BLOCK_BYTES);
      const out = new Uint8Array(HEADER_BYTES + records.length + 4 * blockCount + 4);
      const view = new DataView(out.buffer);
      view.setUint32(0, MAGIC, true);
      out[4] = FLAGS_VERSION_1 | FLAG_INDEPENDENT_BLOCKS;
      out[5] = BLOCKS_OF_64_KIB << 4;
      out[6] = xxhash32(out.subarray(4, 6)) >>> 8;
      let at = HEADER_BYTES;
      for (let start = 0; start < records.length; start += BLOCK_BYTES) {
        const block = records.subarray(start, start + BLOCK_BYTES);
        const compressed = blocks.compress(block, effort);
        const isSmaller = compressed.length < block.length;
        const kept = isSmaller ? compressed : block;
        view.setUint32(at, isSmaller ? kept.length : kept.length + UNCOMPRESSED_FLAG, true);
        out.set(kept, at + 4);
        at += 4 + kept.length;
      }
      return trimmed(out, at + 4); // the end mark is zero
    },

    decompress(compressed, limit) {
      const frame = readFrame(compressed);
      const room = outputRoom(frame, limit);
      const out = new Uint8Array(room);
      let at = 0;
      for (const block of frame.blocks) {
        if (block.isCompressed) {
          const into = out.subarray(0, Math.min(out.length, at + frame.blockMaxBytes));
          at = frame.isLinked
            ? decompressLz4Block(block.bytes, into, at, Math.max(0, at - HISTORY_BYTES))
            : blocks.decompress(block.bytes, into, at);
        } else {
          out.set(block.bytes, at);
          at += block.bytes.length;
        }
      }
      if (frame.contentSize !== undefined && frame.contentSize !== at) {
        throw new CorruptRecordError(`an lz4 frame of ${at} bytes that announces ${frame.contentSize}`);
      }
      const output = trimmed(out, at);
      if (frame.contentChecksum !== undefined && frame.contentChecksum !== xxhash32(output)) {
        throw new CorruptRecordError("an lz4 frame whose content checksum is wrong");
      }
      return output;
    },
  };
}

let loaded: Codec | undefined;

/** The codec over the best implementation there is, loaded at first use. */
export function lz4(): Codec {
  loaded ??= lz4Over(nativeLz4Blocks() ?? pureLz4Blocks);
  return loaded;
}

interface Frame {
  readonly blocks: readonly { readonly bytes: Uint8Array; readonly isCompressed: boolean }[];
  readonly blockMaxBytes: number;
  /** Java refuses frames whose blocks refer to those before; the format allows them, and so do we. */
  readonly isLinked: boolean;
  readonly contentSize: number | undefined;
  readonly contentChecksum: number | undefined;
}

/** Bytes to make room for: what the frame says, else what its blocks can hold; measured exactly when that is suspicious. */
function outputRoom(frame: Frame, limit: number): number {
  if (frame.contentSize !== undefined) checkOutput(frame.contentSize, limit);
  let atMost = 0;
  for (const { bytes, isCompressed } of frame.blocks) {
    atMost += isCompressed ? Math.min(frame.blockMaxBytes, LARGEST_RATIO * bytes.length) : bytes.length;
  }
  if (frame.contentSize !== undefined) return Math.min(frame.contentSize, atMost);
  if (atMost <= limit) return atMost;
  let exact = 0;
  for (const { bytes, isCompressed } of frame.blocks) {
    exact += isCompressed ? measureLz4Block(bytes, limit) : bytes.length;
    if (exact > limit) throw tooLarge(limit);
  }
  return exact;
}

function readFrame(bytes: Uint8Array): Frame {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const need = (at: number, count: number): void => {
    if (count > bytes.length - at) throw new CorruptRecordError("an lz4 frame that is not whole");
  };
  need(0, HEADER_BYTES);
  if (view.getUint32(0, true) !== MAGIC) throw new CorruptRecordError("records that are no lz4 frame");
  const flags = view.getUint8(4);
  const descriptor = view.getUint8(5);
  if ((flags & 0xc0) !== FLAGS_VERSION_1 || (flags & (FLAG_RESERVED | FLAG_DICTIONARY)) !== 0) {
    throw new CorruptRecordError(`an lz4 frame with flags ${flags}, which are not known`);
  }
  const blockSizeId = descriptor >>> 4;
  if (blockSizeId < BLOCKS_OF_64_KIB || blockSizeId > 7 || (descriptor & 0x0f) !== 0) {
    throw new CorruptRecordError(`an lz4 frame with block descriptor ${descriptor}`);
  }
  let at = 6;
  let contentSize: number | undefined;
  if (flags & FLAG_CONTENT_SIZE) {
    need(at, 9);
    contentSize = view.getUint32(at + 4, true) * 2 ** 32 + view.getUint32(at, true);
    at += 8;
  }
  if (view.getUint8(at) !== ((xxhash32(bytes.subarray(4, at)) >>> 8) & 0xff)) {
    throw new CorruptRecordError("an lz4 frame whose header checksum is wrong");
  }
  at++;
  const blockMaxBytes = 2 ** (8 + 2 * blockSizeId);
  const blocks: { bytes: Uint8Array; isCompressed: boolean }[] = [];
  for (;;) {
    need(at, 4);
    const word = view.getUint32(at, true);
    at += 4;
    if (word === 0) break;
    const size = word % UNCOMPRESSED_FLAG;
    if (size > blockMaxBytes) throw new CorruptRecordError(`an lz4 block of ${size} bytes`);
    need(at, size);
    const block = bytes.subarray(at, at + size);
    at += size;
    if (flags & FLAG_BLOCK_CHECKSUMS) {
      need(at, 4);
      if (view.getUint32(at, true) !== xxhash32(block)) {
        throw new CorruptRecordError("an lz4 block whose checksum is wrong");
      }
      at += 4;
    }
    blocks.push({ bytes: block, isCompressed: word < UNCOMPRESSED_FLAG });
  }
  let contentChecksum: number | undefined;
  if (flags & FLAG_CONTENT_CHECKSUM) {
    need(at, 4);
    contentChecksum = view.getUint32(at, true);
  }
  return { blocks, blockMaxBytes, isLinked: !(flags & FLAG_INDEPENDENT_BLOCKS), contentSize, contentChecksum };
}
