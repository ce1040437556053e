// Record batches (magic 2) written and read without anything of the project's: what is compared must not be judged by itself.
import { gunzipSync, gzipSync } from "node:zlib";
import zstd from "@bokuweb/zstd-wasm";
import { crc32c } from "@node-rs/crc32";
import lz4 from "lz4-napi";
import snappyjs from "snappyjs";

await zstd.init();

export const CODECS = ["none", "gzip", "snappy", "lz4", "zstd"];
const OVERHEAD = 61;
const XERIAL = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0, 0, 0, 0, 1, 0, 0, 0, 1]);
const TRANSACTIONAL = 0x10;
const CONTROL = 0x20;

const COMPRESS = {
  none: (bytes) => bytes,
  gzip: (bytes) => gzipSync(bytes, { level: 1 }),
  snappy: (bytes) => {
    const block = Buffer.from(snappyjs.compress(bytes));
    const length = Buffer.alloc(4);
    length.writeInt32BE(block.length);
    return Buffer.concat([XERIAL, length, block]);
  },
  lz4: (bytes) => lz4.compressFrameSync(bytes),
  zstd: (bytes) => Buffer.from(zstd.compress(bytes, 1)),
};

const DECOMPRESS = {
  none: (bytes) => bytes,
  gzip: (bytes) => gunzipSync(bytes),
  snappy: (bytes) => {
    if (!bytes.subarray(0, 8).equals(XERIAL.subarray(0, 8))) return Buffer.from(snappyjs.uncompress(bytes));
    const blocks = [];
    for (let at = XERIAL.length; at < bytes.length;) {
      const length = bytes.readInt32BE(at);
      blocks.push(Buffer.from(snappyjs.uncompress(bytes.subarray(at + 4, at + 4 + length))));
      at += 4 + length;
    }
    return Buffer.concat(blocks);
  },
  lz4: (bytes) => lz4.decompressFrameSync(bytes),
  zstd: (bytes) => Buffer.from(zstd.decompress(bytes)),
};

function varint(value) {
  let n = value < 0 ? -value * 2 - 1 : value * 2;
  const bytes = [];
  while (n > 0x7f) {
    bytes.push((n % 0x80) | 0x80);
    n = Math.floor(n / 0x80);
  }
  bytes.push(n);
  return Buffer.from(bytes);
}

function sized(bytes) {
  return bytes === null || bytes === undefined
    ? [varint(-1)]
    : [varint(Buffer.byteLength(bytes)), Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes)];
}

/**
 * One batch.
 *
 * @param records `{ key, value, headers: [[name, value], ...], timestamp, offset }`; keys and values are strings, buffers or
 * null; offsets, when given, are where the records stand, otherwise they follow each other
 */
export function encodeBatch(records, options = {}) {
  const {
    codec = "none",
    baseOffset = 0,
    timestamp = Date.now(),
    isTransactional = false,
    isControl = false,
  } = options;
  const { producerId = -1, producerEpoch = -1, baseSequence = -1 } = options;
  const times = records.map((record) => record.timestamp ?? timestamp);
  const deltas = records.map((record, index) => (record.offset === undefined ? index : record.offset - baseOffset));
  const encoded = records.map(({ key, value, headers = [] }, index) => {
    const parts = [
      Buffer.of(0),
      varint(times[index] - times[0]),
      varint(deltas[index]),
      ...sized(key),
      ...sized(value),
    ];
    parts.push(varint(headers.length), ...headers.flatMap(([name, bytes]) => [...sized(name), ...sized(bytes)]));
    const body = Buffer.concat(parts);
    return Buffer.concat([varint(body.length), body]);
  });
  const payload = COMPRESS[codec](Buffer.concat(encoded));
  const batch = Buffer.alloc(OVERHEAD + payload.length);
  batch.writeBigInt64BE(BigInt(baseOffset), 0);
  batch.writeInt32BE(batch.length - 12, 8);
  batch.writeInt32BE(-1, 12);
  batch.writeInt8(2, 16);
  const attributes = CODECS.indexOf(codec) | (isTransactional ? TRANSACTIONAL : 0) | (isControl ? CONTROL : 0);
  batch.writeInt16BE(attributes, 21);
  batch.writeInt32BE(deltas.at(-1), 23);
  batch.writeBigInt64BE(BigInt(times[0]), 27);
  batch.writeBigInt64BE(BigInt(Math.max(...times)), 35);
  batch.writeBigInt64BE(BigInt(producerId), 43);
  batch.writeInt16BE(producerEpoch, 51);
  batch.writeInt32BE(baseSequence, 53);
  batch.writeInt32BE(records.length, 57);
  payload.copy(batch, OVERHEAD);
  batch.writeUInt32BE(crc32c(batch.subarray(21)), 17);
  return batch;
}

/** What the coordinator writes where a transaction has ended (KIP-98). */
export function endMarker({ isCommit, coordinatorEpoch = 0, ...options }) {
  const key = Buffer.from([0, 0, 0, isCommit ? 1 : 0]);
  const value = Buffer.alloc(6);
  value.writeInt32BE(coordinatorEpoch, 2);
  return encodeBatch([{ key, value }], { ...options, isControl: true, isTransactional: true });
}

/** The whole batches of a fetch's answer or of a log file, without their records. Throws where a CRC is wrong. */
export function* decodeBatches(bytes) {
  for (let at = 0; at + OVERHEAD <= bytes.length;) {
    const size = 12 + bytes.readInt32BE(at + 8);
    if (at + size > bytes.length) return; // a fetch may cut the last one
    const batch = bytes.subarray(at, at + size);
    const baseOffset = Number(batch.readBigInt64BE(0));
    if (batch[16] !== 2) throw new Error(`magic ${batch[16]} at offset ${baseOffset}`);
    if (crc32c(batch.subarray(21)) !== batch.readUInt32BE(17)) throw new Error(`wrong CRC at offset ${baseOffset}`);
    const attributes = batch.readInt16BE(21);
    yield {
      bytes: batch,
      baseOffset,
      lastOffset: baseOffset + batch.readInt32BE(23),
      leaderEpoch: batch.readInt32BE(12),
      codec: CODECS[attributes & 7],
      isLogAppendTime: (attributes & 8) !== 0,
      isTransactional: (attributes & TRANSACTIONAL) !== 0,
      isControl: (attributes & CONTROL) !== 0,
      baseTimestamp: Number(batch.readBigInt64BE(27)),
      maxTimestamp: Number(batch.readBigInt64BE(35)),
      producerId: Number(batch.readBigInt64BE(43)),
      producerEpoch: batch.readInt16BE(51),
      baseSequence: batch.readInt32BE(53),
      recordCount: batch.readInt32BE(57),
    };
    at += size;
  }
}

/** The records of one batch: `{ offset, timestamp, key, value, headers }`. */
export function decodeRecords(batch) {
  const bytes = DECOMPRESS[batch.codec](batch.bytes.subarray(OVERHEAD));
  let at = 0;
  const number = () => {
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = bytes[at++];
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) break;
      scale *= 0x80;
    }
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  };
  const take = () => {
    const length = number();
    if (length < 0) return null;
    at += length;
    return bytes.subarray(at - length, at);
  };
  return Array.from({ length: batch.recordCount }, () => {
    number(); // the length of the record
    at++; // its attributes
    const timestamp = number() + batch.baseTimestamp;
    const offset = number() + batch.baseOffset;
    const key = take();
    const value = take();
    const headers = Array.from({ length: number() }, () => [take().toString(), take()]);
    return { offset, timestamp: batch.isLogAppendTime ? batch.maxTimestamp : timestamp, key, value, headers };
  });
}
