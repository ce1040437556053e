import { ByteReader } from "@samsa/base";
import {
  CorruptRecordError,
  CURRENT_MAGIC,
  incrementSequence,
  NO_SEQUENCE,
  peekBatchSize,
  RECORD_BATCH_OVERHEAD,
} from "@samsa/protocol";

/** What the header of a stored batch says, without the batch: enough to find the way through a segment. */
export interface BatchHeader {
  readonly position: number; // in the segment's file
  readonly sizeInBytes: number;
  readonly baseOffset: number;
  readonly lastOffset: number;
  readonly partitionLeaderEpoch: number;
  readonly maxTimestamp: number;
  readonly isTransactional: boolean;
  readonly isControlBatch: boolean;
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly baseSequence: number;
  readonly lastSequence: number;
}

const PARTITION_LEADER_EPOCH_AT = 12;
const CRC_BYTES = 4;
const TRANSACTIONAL_FLAG = 0x10;
const CONTROL_FLAG = 0x20;

/**
 * @param at where the header begins in `bytes`
 * @param position where that is in the file
 * @throws KafkaError for what is no header; the CRC is not looked at
 */
export function readBatchHeader(bytes: Uint8Array, at: number, position: number): BatchHeader {
  const sizeInBytes = peekBatchSize(bytes, at);
  if (sizeInBytes === undefined || sizeInBytes < RECORD_BATCH_OVERHEAD) {
    throw new CorruptRecordError(`a record batch of ${sizeInBytes ?? 0} bytes`);
  }
  const reader = new ByteReader(bytes, at);
  const baseOffset = reader.int64();
  reader.offset = at + PARTITION_LEADER_EPOCH_AT;
  const partitionLeaderEpoch = reader.int32();
  const magic = reader.int8();
  reader.skip(CRC_BYTES);
  const attributes = reader.int16();
  const lastOffsetDelta = reader.int32();
  reader.skip(8); // base timestamp
  const maxTimestamp = reader.int64();
  const producerId = reader.int64();
  const producerEpoch = reader.int16();
  const baseSequence = reader.int32();
  if (magic !== CURRENT_MAGIC) throw new CorruptRecordError(`a record batch of magic ${magic}`);
  const lastOffset = baseOffset + lastOffsetDelta;
  if (baseOffset < 0 || lastOffsetDelta < 0 || !Number.isSafeInteger(lastOffset + 1)) {
    throw new CorruptRecordError(`a record batch of offsets ${baseOffset} to ${lastOffset}`);
  }
  return {
    position,
    sizeInBytes,
    baseOffset,
    lastOffset,
    partitionLeaderEpoch,
    maxTimestamp,
    isTransactional: (attributes & TRANSACTIONAL_FLAG) !== 0,
    isControlBatch: (attributes & CONTROL_FLAG) !== 0,
    producerId,
    producerEpoch,
    baseSequence,
    lastSequence: baseSequence === NO_SEQUENCE ? NO_SEQUENCE : incrementSequence(baseSequence, lastOffsetDelta),
  };
}
