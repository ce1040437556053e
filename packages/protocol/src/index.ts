export { FrameDecoder } from "./framing.ts";
export type { FrameMemory } from "./frame-parts.ts";
export { API_INFO, ApiKey } from "./generated/api-info.ts";
export type { ApiInfo } from "./generated/api-info.ts";
export {
  decodeRequestHeader,
  encodeRequest,
  encodeResponse,
  encodeUnsupportedApiVersions,
  requestHeaderVersion,
  responseHeaderVersion,
} from "./headers.ts";
export type { ApiMessageCodec, MessageCodec, MessageFields, UnknownTaggedField } from "./message-codec.ts";
export { base64, fromBase64, javaDouble, JsonNumber, jsonText, messageToJson } from "./message-json.ts";
export type { FieldForm, Json, StoredMessage } from "./message-json.ts";
export { compress, decompress } from "./compression/compression.ts";
export type { DecompressOptions } from "./compression/limits.ts";
export { COMPRESSION_TYPES, compressionTypeId, compressionTypeOf } from "./compression/compression-type.ts";
export type { CompressionType } from "./compression/compression-type.ts";
export {
  CURRENT_MAGIC,
  LOG_OVERHEAD,
  NO_PARTITION_LEADER_EPOCH,
  NO_PRODUCER_EPOCH,
  NO_PRODUCER_ID,
  NO_SEQUENCE,
  NO_TIMESTAMP,
  RECORD_BATCH_OVERHEAD,
} from "./record/constants.ts";
export type { TimestampType } from "./record/constants.ts";
export {
  ControlRecordType,
  controlRecordKey,
  controlRecordType,
  endTransactionMarker,
  readControlRecord,
  writeControlRecord,
} from "./record/control-records.ts";
export type { ControlRecord, EndTransactionMarkerOptions } from "./record/control-records.ts";
export { crc32c, memoryForCrc32c } from "./record/crc32c.ts";
export {
  CorruptRecordError,
  InvalidRecordError,
  InvalidTimestampError,
  UnsupportedMagicError,
} from "./record/errors.ts";
export { consistentPartitionForKey, murmur2, partitionForKey, toPositive } from "./record/partitioner.ts";
export {
  emptyRecordBatch,
  incrementSequence,
  peekBatchSize,
  peekCompressionType,
  peekIsTransactional,
  RecordBatch,
  recordBatches,
} from "./record/record-batch.ts";
export type { RecordsOptions, RecordsSummary } from "./record/record-batch.ts";
export { RecordBatchBuilder, recordSizeUpperBound } from "./record/record-batch-builder.ts";
export type { NewHeader, NewRecord, ProducerState, RecordBatchBuilderOptions } from "./record/record-batch-builder.ts";
export { recompressBatch } from "./record/recompression.ts";
export type { RecompressionOptions } from "./record/recompression.ts";
export type { RecordCursor, RecordHeader, RecordView } from "./record/record-cursor.ts";
export { RecordRetention } from "./record/record-retention.ts";
export { InvalidTopicError, topicNameProblem, validateTopicName } from "./topic-name.ts";
