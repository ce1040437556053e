import { compress, decompress } from "../compression/compression.ts";
import type { CompressionType } from "../compression/compression-type.ts";
import { compressionTypeId } from "../compression/compression-type.ts";
import {
  ATTRIBUTES_AT,
  BATCH_LENGTH_AT,
  COMPRESSION_MASK,
  CRC_AT,
  LOG_OVERHEAD,
  RECORD_BATCH_OVERHEAD,
} from "./constants.ts";
import { crc32c } from "./crc32c.ts";
import { RecordBatch } from "./record-batch.ts";

export interface RecompressionOptions {
  /** As Kafka's `compression.*.level`; the codec's own default when left out. */
  readonly level?: number;
  /** Most bytes that compressed records may unfold to. */
  readonly maxDecompressedBytes?: number;
}

/**
 * The batch with its records compressed in another way, in new bytes; itself when they are compressed so already, whatever the
 * level. The records keep their bytes: offsets, timestamps and keys need no decoding.
 * @throws CorruptRecordError for records that do not decompress, or to too much; KafkaError INVALID_CONFIG for a bad level
 */
export function recompressBatch(
  batch: RecordBatch,
  type: CompressionType,
  { level, maxDecompressedBytes }: RecompressionOptions = {},
): RecordBatch {
  if (batch.compressionType === type) return batch;
  const limits = maxDecompressedBytes === undefined ? {} : { maxBytes: maxDecompressedBytes };
  const records = decompress(batch.compressionType, batch.bytes.subarray(RECORD_BATCH_OVERHEAD), limits);
  const compressed = compress(type, records, level);
  const bytes = new Uint8Array(RECORD_BATCH_OVERHEAD + compressed.length);
  bytes.set(batch.bytes.subarray(0, RECORD_BATCH_OVERHEAD));
  bytes.set(compressed, RECORD_BATCH_OVERHEAD);
  const view = new DataView(bytes.buffer);
  view.setInt32(BATCH_LENGTH_AT, bytes.length - LOG_OVERHEAD);
  view.setInt16(ATTRIBUTES_AT, (batch.attributes & ~COMPRESSION_MASK) | compressionTypeId(type));
  view.setUint32(CRC_AT, crc32c(bytes, ATTRIBUTES_AT));
  return new RecordBatch(bytes);
}
