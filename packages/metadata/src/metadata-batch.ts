import type { ControlRecord, RecordBatch } from "@samsa/protocol";
import { readControlRecord, RecordBatchBuilder, writeControlRecord } from "@samsa/protocol";
import type { MetadataBatch } from "./metadata-loader.ts";
import type { MetadataRecord } from "./metadata-record.ts";
import { deserializeMetadataRecord, MetadataParseError, serializeMetadataRecord } from "./metadata-record-serde.ts";

export interface BatchPosition {
  readonly baseOffset: number;
  readonly epoch: number;
  readonly timestampMs: number;
}

/** The record batch that holds these records in the metadata log. */
export function encodeMetadataBatch(records: readonly MetadataRecord[], position: BatchPosition): Uint8Array {
  const builder = new RecordBatchBuilder({ baseOffset: position.baseOffset, partitionLeaderEpoch: position.epoch });
  for (const record of records) {
    builder.append({ timestamp: position.timestampMs, value: serializeMetadataRecord(record) });
  }
  return builder.build();
}

/** The batch of records that the quorum itself writes: leader changes, its version, its voters. */
export function encodeControlBatch(records: readonly ControlRecord[], position: BatchPosition): Uint8Array {
  const builder = new RecordBatchBuilder({
    baseOffset: position.baseOffset,
    partitionLeaderEpoch: position.epoch,
    isControlBatch: true,
  });
  for (const record of records) builder.append({ timestamp: position.timestampMs, ...writeControlRecord(record) });
  return builder.build();
}

/**
 * @param batch checked by whoever read it
 * @throws MetadataParseError
 */
export function decodeMetadataBatch(batch: RecordBatch): MetadataBatch {
  const records: MetadataRecord[] = [];
  for (const { value, offset } of batch.records()) {
    if (value === null) throw new MetadataParseError(`the metadata record at offset ${offset} has no value`);
    records.push(deserializeMetadataRecord(value));
  }
  const { baseOffset, partitionLeaderEpoch, maxTimestamp } = batch;
  return { records, baseOffset, epoch: partitionLeaderEpoch, timestampMs: maxTimestamp };
}

/** The quorum's records in a control batch; those of unknown types are passed over. */
export function decodeControlBatch(batch: RecordBatch): ControlRecord[] {
  const records: ControlRecord[] = [];
  for (const record of batch.records()) {
    const read = readControlRecord(record);
    if (read !== undefined) records.push(read);
  }
  return records;
}
