import { ErrorCode, KafkaError } from "@samsa/base";
import {
  InvalidRecordError,
  NO_PRODUCER_ID,
  NO_TIMESTAMP,
  peekBatchSize,
  RecordBatch,
  recordBatches,
  recompressBatch,
} from "@samsa/protocol";
import type { CompressionType, RecordsOptions, RecordView } from "@samsa/protocol";
import type { RecordError } from "./errors.ts";
import { RecordValidationError } from "./errors.ts";
import type { LogConfig } from "./log-config.ts";

/**
 * Who appends. `client`: a producer, trusted with nothing. `coordinator` and `raft-leader`: our own code, which may write
 * control batches; the latter's batches carry their epoch already and may have any size. `replication`: a copy of a leader's.
 */
export type AppendOrigin = "client" | "coordinator" | "raft-leader" | "replication";

export interface ValidationContext extends RecordsOptions {
  readonly topicPartition: string; // for messages
  readonly config: LogConfig;
  readonly origin: AppendOrigin;
  readonly nowMs: number;
  /** Goes to the first record. */
  readonly nextOffset: number;
  readonly leaderEpoch: number;
}

export interface ValidatedBatch {
  readonly batch: RecordBatch;
  readonly maxTimestamp: number;
  /** NO_TIMESTAMP where the producer's timestamps stay. */
  readonly logAppendTime: number;
}

const MOST_RECORD_ERRORS = 1000;

/**
 * Checks the one batch that a leader is asked to append and gives it its place: offsets, leader epoch and timestamps are
 * patched in the bytes. The records are compressed anew where `compression.type` asks for another way than theirs, else they stay
 * as they came. Compressed records are unfolded to be looked at, as in Kafka: nothing in the header vouches for their count,
 * timestamps and keys.
 *
 * @throws InvalidRecordError, CorruptRecordError, InvalidTimestampError for what is no batch of this format
 * @throws RecordValidationError INVALID_RECORD or INVALID_TIMESTAMP for what this topic does not take, record by record
 * @throws KafkaError MESSAGE_TOO_LARGE above `max.message.bytes`, RECORD_LIST_TOO_LARGE above `segment.bytes`
 */
export function validateAndAssignOffsets(records: Uint8Array, context: ValidationContext): ValidatedBatch {
  const { config, origin, topicPartition } = context;
  const sent = theOnlyBatch(records);
  if (origin === "raft-leader" && sent.partitionLeaderEpoch !== context.leaderEpoch) {
    throw new InvalidRecordError(`a batch of epoch ${sent.partitionLeaderEpoch} in epoch ${context.leaderEpoch}`);
  }
  if (origin === "client" && sent.baseOffset !== 0) {
    throw new InvalidRecordError(`a batch for ${topicPartition} begins at offset ${sent.baseOffset}, not 0`);
  }
  checkSize(sent, context);
  sent.ensureValid();
  if (origin === "client") checkClientBatch(sent);

  const target = targetCompression(sent, context);
  // Unfolded once: what is looked at is what is compressed anew.
  const plain = target === sent.compressionType ? sent : recompressBatch(sent, "none", context);
  const maxTimestamp = checkedMaxTimestamp(plain, context);
  const level = config.compressionLevel === undefined ? {} : { level: config.compressionLevel };
  const batch = recompressBatch(plain, target, level);
  if (batch !== sent) checkSize(batch, context);
  if (!Number.isSafeInteger(context.nextOffset + batch.recordCount)) {
    throw new InvalidRecordError(`${topicPartition} has no offsets left after ${context.nextOffset}`);
  }
  batch.setLastOffset(context.nextOffset + batch.recordCount - 1);
  batch.setPartitionLeaderEpoch(context.leaderEpoch);
  batch.setMaxTimestamp(config.messageTimestampType, maxTimestamp);
  if (batch.sizeInBytes > config.segmentBytes) {
    throw new KafkaError(
      ErrorCode.RECORD_LIST_TOO_LARGE,
      `a batch of ${batch.sizeInBytes} bytes where a segment of ${topicPartition} takes ${config.segmentBytes}`,
    );
  }
  const isCreateTime = config.messageTimestampType === "create-time";
  return { batch, maxTimestamp, logAppendTime: isCreateTime ? NO_TIMESTAMP : context.nowMs };
}

/** Markers are not compressed unless they come so. */
function targetCompression(batch: RecordBatch, { config, origin }: ValidationContext): CompressionType {
  const isMarker = batch.isControlBatch && batch.compressionType === "none";
  if (config.compressionType === "producer" || isMarker || origin === "raft-leader") return batch.compressionType;
  return config.compressionType;
}

/** Also after the records were compressed anew, by which they may have grown. */
function checkSize(batch: RecordBatch, { config, origin, topicPartition }: ValidationContext): void {
  if (origin === "raft-leader" || batch.sizeInBytes <= config.maxMessageBytes) return;
  throw new KafkaError(
    ErrorCode.MESSAGE_TOO_LARGE,
    `a batch of ${batch.sizeInBytes} bytes where ${topicPartition} takes ${config.maxMessageBytes}`,
  );
}

/** Looks at every record. Returns the largest timestamp, as the header is to say it. */
function checkedMaxTimestamp(batch: RecordBatch, context: ValidationContext): number {
  const { config, nowMs } = context;
  const summary = batch.checkRecords(context);
  const isCompacted = config.cleanupPolicy.includes("compact");
  const isCreateTime = config.messageTimestampType === "create-time";
  // Looked at one by one only when one of them must be wrong; `recordErrors` has the last word.
  const mayBeRefused =
    (isCompacted && summary.hasNullKey) ||
    batch.timestampType === "log-append-time" ||
    (isCreateTime &&
      (nowMs - summary.minTimestamp > config.messageTimestampBeforeMaxMs ||
        summary.maxTimestamp - nowMs > config.messageTimestampAfterMaxMs));
  if (mayBeRefused) refuseInvalidRecords(batch, context, isCompacted);
  return isCreateTime ? Math.max(NO_TIMESTAMP, summary.maxTimestamp) : nowMs;
}

/**
 * Checks batches that a leader has already given their place: CRC, and offsets that rise from `nextOffset`. An incomplete batch
 * at the end is left out.
 * @throws KafkaError CORRUPT_MESSAGE, or UNKNOWN_SERVER_ERROR as Kafka answers for offsets that do not continue the log
 */
export function validateAssigned(records: Uint8Array, nextOffset: number): RecordBatch[] {
  const batches: RecordBatch[] = [];
  let expected = nextOffset;
  for (const batch of recordBatches(records)) {
    batch.ensureValid();
    if (batch.baseOffset < expected || batch.lastOffsetDelta < 0) {
      throw new KafkaError(
        ErrorCode.UNKNOWN_SERVER_ERROR,
        `a batch of offsets ${batch.baseOffset} to ${batch.lastOffset} where ${expected} is next`,
      );
    }
    expected = batch.nextOffset;
    batches.push(batch);
  }
  return batches;
}

/** A produce request carries one batch a partition (v3 and later). Less than another batch after it is ignored, as in Kafka. */
function theOnlyBatch(records: Uint8Array): RecordBatch {
  const size = peekBatchSize(records);
  if (size === undefined || size > records.length) throw new InvalidRecordError("no whole record batch");
  const batch = new RecordBatch(records);
  const nextSize = peekBatchSize(records, size);
  if (nextSize !== undefined && nextSize <= records.length - size) {
    throw new InvalidRecordError("more than one record batch");
  }
  return batch;
}

function checkClientBatch(batch: RecordBatch): void {
  if (batch.isControlBatch) throw new InvalidRecordError("clients may not write control records");
  if (batch.producerId > NO_PRODUCER_ID && batch.baseSequence < 0) {
    throw new InvalidRecordError(`sequence ${batch.baseSequence} of producer ${batch.producerId}`);
  }
}

/** @throws RecordValidationError naming each record (up to a thousand) that this topic does not take */
function refuseInvalidRecords(batch: RecordBatch, context: ValidationContext, isCompacted: boolean): void {
  const recordErrors: RecordError[] = [];
  let hasInvalidTimestamp = false;
  for (const record of batch.records(context)) {
    const hasNoKey = isCompacted && record.keyLength < 0;
    const timestampProblem = hasNoKey ? undefined : findTimestampProblem(record, batch, context);
    if (timestampProblem !== undefined) hasInvalidTimestamp = true;
    const message = hasNoKey ? "a compacted topic takes no record without a key" : timestampProblem;
    if (message === undefined) continue;
    recordErrors.push({ batchIndex: record.offsetDelta, message });
    if (recordErrors.length === MOST_RECORD_ERRORS) break;
  }
  if (recordErrors.length === 0) return;
  const code = hasInvalidTimestamp ? ErrorCode.INVALID_TIMESTAMP : ErrorCode.INVALID_RECORD;
  const first = `${recordErrors[0]?.batchIndex}: ${recordErrors[0]?.message}`;
  throw new RecordValidationError(
    code,
    `${context.topicPartition} does not take ${recordErrors.length} of the records, first number ${first}`,
    recordErrors,
  );
}

function findTimestampProblem(record: RecordView, batch: RecordBatch, context: ValidationContext): string | undefined {
  const { messageTimestampType, messageTimestampBeforeMaxMs, messageTimestampAfterMaxMs } = context.config;
  if (messageTimestampType === "create-time" && record.timestamp !== NO_TIMESTAMP) {
    const ageMs = context.nowMs - record.timestamp;
    if (ageMs > messageTimestampBeforeMaxMs) {
      return `timestamp ${record.timestamp} is ${ageMs} ms old, where ${messageTimestampBeforeMaxMs} are allowed`;
    }
    if (-ageMs > messageTimestampAfterMaxMs) {
      return `timestamp ${record.timestamp} is ${-ageMs} ms ahead, where ${messageTimestampAfterMaxMs} are allowed`;
    }
    return undefined;
  }
  return batch.timestampType === "log-append-time" ? "a producer may not set the log append time" : undefined;
}
