import { KafkaError, ProtocolError } from "@samsa/base";
import { emptyRecordBatch, RecordBatch, RecordBatchBuilder } from "@samsa/protocol";
import type { RecordView } from "@samsa/protocol";
import type { AbortedRanges } from "./aborted-ranges.ts";
import type { OffsetMap } from "./offset-map.ts";
import type { LastRecord } from "./producer-state-manager.ts";

export interface FilterContext {
  readonly offsets: OffsetMap;
  /** All transactions that have records below `endOffset` have ended; these were aborted. */
  readonly aborted: AbortedRanges;
  /** The map speaks of records below; those from here on stay. */
  readonly endOffset: number;
  /** Where the last batch ends that the map speaks of: its header stays, so that the log ends where it did. */
  readonly lastBatchEndOffset: number;
  readonly nowMs: number;
  readonly deleteRetentionMs: number;
  /** Of the producers that are remembered, by id: the last batch of each keeps its header, for the sequence in it. */
  readonly lastRecords: ReadonlyMap<number, LastRecord>;
}

/**
 * Notes the offsets of the keys of a batch from `startOffset` on. Markers, and records of transactions that were aborted, hide
 * nothing.
 *
 * @returns the offset that found no room, if one did
 */
export function addToOffsetMap(
  batch: RecordBatch,
  startOffset: number,
  { offsets, aborted }: Pick<FilterContext, "offsets" | "aborted">,
): number | undefined {
  if (batch.isControlBatch || isAborted(batch, aborted)) return undefined;
  try {
    for (const { offset, key } of batch.records()) {
      if (key !== null && offset >= startOffset && !offsets.put(key, offset)) return offset;
    }
  } catch (error) {
    if (!isUnreadable(error)) throw error; // else what was read of it counts, and the batch stays as it is
  }
  return undefined;
}

/**
 * What stays of a batch: its own bytes when all does, a batch with the same offsets, producer and sequence when some does,
 * undefined when nothing does, as of an aborted transaction. Markers stay: as long as the transaction index names their
 * transaction, a reader needs them. Where the records are gone and the offsets or the sequence are still needed, the header stays.
 */
export function filterBatch(batch: RecordBatch, context: FilterContext): Uint8Array | undefined {
  if (batch.isControlBatch || batch.baseOffset >= context.endOffset) return batch.bytes;
  try {
    return filterReadable(batch, context);
  } catch (error) {
    if (!isUnreadable(error)) throw error;
    // The bytes are those that were written, and were no records then: a reader is to see that, as before.
    return batch.bytes;
  }
}

function filterReadable(batch: RecordBatch, context: FilterContext): Uint8Array | undefined {
  if (isAborted(batch, context.aborted)) return isHeaderKept(batch, context) ? emptyRecordBatch(batch) : undefined;
  let kept = 0;
  let hasTombstones = false;
  for (const record of batch.records()) {
    if (!isKept(record, batch, context)) continue;
    kept++;
    if (record.valueLength < 0 && record.offset < context.endOffset) hasTombstones = true;
  }
  if (kept === 0) return isHeaderKept(batch, context) ? emptyRecordBatch(batch) : undefined;
  const oldHorizonMs = batch.deleteHorizonMs;
  const needsHorizon = hasTombstones && oldHorizonMs === undefined;
  if (kept === batch.recordCount && !needsHorizon) return batch.bytes;
  const deleteHorizonMs = needsHorizon ? context.nowMs + context.deleteRetentionMs : oldHorizonMs;
  return rebuild(batch, deleteHorizonMs, context);
}

/** A record that is the latest of its key stays; one without a value until its delete horizon (KIP-534). */
function isKept(record: RecordView, batch: RecordBatch, { offsets, endOffset, nowMs }: FilterContext): boolean {
  if (record.offset >= endOffset) return true;
  const { key } = record;
  if (key === null) return false; // from a time when the topic was not compacted
  const latest = offsets.get(key);
  if (latest !== undefined && record.offset < latest) return false;
  const horizonMs = batch.deleteHorizonMs;
  return record.valueLength >= 0 || horizonMs === undefined || nowMs < horizonMs;
}

function isHeaderKept(batch: RecordBatch, { lastBatchEndOffset, lastRecords }: FilterContext): boolean {
  if (batch.nextOffset === lastBatchEndOffset) return true;
  return batch.producerId >= 0 && lastRecords.get(batch.producerId)?.lastDataOffset === batch.lastOffset;
}

function rebuild(batch: RecordBatch, deleteHorizonMs: number | undefined, context: FilterContext): Uint8Array {
  const builder = new RecordBatchBuilder({
    baseOffset: batch.baseOffset,
    compressionType: batch.compressionType,
    timestampType: batch.timestampType,
    producerId: batch.producerId,
    producerEpoch: batch.producerEpoch,
    baseSequence: batch.baseSequence,
    isTransactional: batch.isTransactional,
    partitionLeaderEpoch: batch.partitionLeaderEpoch,
    ...(deleteHorizonMs === undefined ? {} : { deleteHorizonMs }),
    initialCapacity: batch.sizeInBytes,
  });
  for (const record of batch.records()) {
    if (!isKept(record, batch, context)) continue;
    const { timestamp, key, value, offset } = record;
    builder.append({ timestamp, key, value, offset, headers: record.headers() });
  }
  builder.overrideLastOffset(batch.lastOffset);
  return builder.build();
}

function isAborted(batch: RecordBatch, aborted: AbortedRanges): boolean {
  return batch.isTransactional && aborted.has(batch.producerId, batch.baseOffset);
}

function isUnreadable(error: unknown): boolean {
  return error instanceof KafkaError || error instanceof ProtocolError;
}
