import { CorruptRecordError } from "../record/errors.ts";

/*
 * RFC 8878. A frame: magic │ descriptor │ window? │ dictionary id? │ content size? │ { block header (3 bytes) │ block }… │ checksum?
 * Everything that bounds the output stands in the headers, so it is read before a decompressor sees the bytes.
 */
const MAGIC = 0xfd2fb528;
const SKIPPABLE_MAGIC = 0x184d2a50; // and the fifteen after it
const LARGEST_BLOCK = 128 * 1024;
/** What zstd itself takes without being told otherwise, and the window of level 22. */
const LARGEST_WINDOW = 2 ** 27;
const CONTENT_SIZE_BYTES = [0, 2, 4, 8] as const;
const DICTIONARY_ID_BYTES = [0, 1, 2, 4] as const;

export interface ZstdFrame {
  readonly bytes: Uint8Array;
  /** Whether `contentBytes` is what the frame announces; else it is what its blocks can hold at most. */
  readonly isExact: boolean;
  readonly contentBytes: number;
}

/**
 * The frames of a stream, those to be skipped left out.
 * @throws CorruptRecordError when they are not whole, announce more than their blocks can hold, or need a dictionary
 */
export function zstdFrames(bytes: Uint8Array): ZstdFrame[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const frames: ZstdFrame[] = [];
  let at = 0;
  while (at < bytes.length) {
    need(view, at, 8);
    const magic = view.getUint32(at, true);
    if (magic === MAGIC) {
      const start = at;
      const header = readHeader(view, at + 4);
      const blocks = readBlocks(view, header.end, header.blockMaxBytes);
      at = blocks.end + (header.hasChecksum ? 4 : 0);
      need(view, at, 0);
      if (header.contentBytes !== undefined && header.contentBytes > blocks.atMostBytes) {
        throw new CorruptRecordError(`a zstd frame that announces ${header.contentBytes} bytes and cannot hold them`);
      }
      frames.push({
        bytes: bytes.subarray(start, at),
        isExact: header.contentBytes !== undefined,
        contentBytes: header.contentBytes ?? blocks.atMostBytes,
      });
    } else if (magic >= SKIPPABLE_MAGIC && magic <= SKIPPABLE_MAGIC + 15) {
      const size = view.getUint32(at + 4, true);
      need(view, at + 8, size);
      at += 8 + size;
    } else {
      throw new CorruptRecordError("records that are no zstd frame");
    }
  }
  return frames;
}

interface FrameHeader {
  readonly end: number;
  readonly contentBytes: number | undefined;
  readonly blockMaxBytes: number;
  readonly hasChecksum: boolean;
}

function readHeader(view: DataView, start: number): FrameHeader {
  let at = start;
  need(view, at, 1);
  const descriptor = view.getUint8(at++);
  const isSingleSegment = (descriptor & 0x20) !== 0;
  if (descriptor & 0x08) throw new CorruptRecordError("a zstd frame that uses a reserved bit");

  let windowBytes = 0;
  if (!isSingleSegment) {
    need(view, at, 1);
    const window = view.getUint8(at++);
    const base = 2 ** (10 + (window >>> 3));
    windowBytes = base + (base / 8) * (window & 7);
  }
  at += DICTIONARY_ID_BYTES[descriptor & 3] ?? 0;
  const sizeFlag = descriptor >>> 6;
  const sizeBytes = sizeFlag === 0 && isSingleSegment ? 1 : (CONTENT_SIZE_BYTES[sizeFlag] ?? 0);
  need(view, at, sizeBytes);
  if ((descriptor & 3) !== 0 && hasBits(view, at - (DICTIONARY_ID_BYTES[descriptor & 3] ?? 0), at)) {
    throw new CorruptRecordError("a zstd frame that needs a dictionary");
  }
  let contentBytes: number | undefined;
  if (sizeBytes === 1) contentBytes = view.getUint8(at);
  if (sizeBytes === 2) contentBytes = view.getUint16(at, true) + 256;
  if (sizeBytes === 4) contentBytes = view.getUint32(at, true);
  if (sizeBytes === 8) contentBytes = view.getUint32(at + 4, true) * 2 ** 32 + view.getUint32(at, true);
  at += sizeBytes;
  if (isSingleSegment) windowBytes = contentBytes ?? 0;
  else if (windowBytes > LARGEST_WINDOW) throw new CorruptRecordError(`a zstd window of ${windowBytes} bytes`);
  return {
    end: at,
    contentBytes,
    blockMaxBytes: Math.min(windowBytes, LARGEST_BLOCK),
    hasChecksum: (descriptor & 0x04) !== 0,
  };
}

function readBlocks(view: DataView, start: number, blockMaxBytes: number): { end: number; atMostBytes: number } {
  let at = start;
  let atMostBytes = 0;
  for (;;) {
    need(view, at, 3);
    const header = view.getUint8(at) | (view.getUint8(at + 1) << 8) | (view.getUint8(at + 2) << 16);
    at += 3;
    const type = (header >>> 1) & 3;
    const size = header >>> 3;
    if (type === 3 || size > blockMaxBytes) throw new CorruptRecordError("a zstd block that cannot be");
    const storedBytes = type === 1 ? 1 : size; // one byte that is repeated
    need(view, at, storedBytes);
    at += storedBytes;
    atMostBytes += type === 2 ? blockMaxBytes : size;
    if (header & 1) return { end: at, atMostBytes };
  }
}

function hasBits(view: DataView, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if (view.getUint8(at) !== 0) return true;
  return false;
}

function need(view: DataView, at: number, count: number): void {
  if (count > view.byteLength - at) throw new CorruptRecordError("a zstd frame that is not whole");
}
