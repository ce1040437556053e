import { KafkaError, ProtocolError } from "@samsa/base";
import { emptyRecordBatch, RecordRetention } from "@samsa/protocol";
import type { RecordBatch, RecordCursor, RecordView } from "@samsa/protocol";
import type { CleanedTransactionMetadata } from "./cleaned-transaction-metadata.ts";
import type { OffsetMap } from "./offset-map.ts";
import type { LastRecord } from "./producer-state-manager.ts";

/**
 * Notes the offsets of the keys of a batch from `startOffset` on. Markers, and records of transactions that were aborted, hide
 * nothing.
 *
 * @returns whether all found room
 */
export function addToOffsetMap(
  batch: RecordBatch,
  startOffset: number,
  offsets: OffsetMap,
  transactions: CleanedTransactionMetadata,
): boolean {
  try {
    if (batch.isControlBatch) transactions.onControlBatchRead(batch);
    else if (!transactions.onBatchRead(batch)) return addRecords(batch, startOffset, offsets);
  } catch (error) {
    if (!isUnreadable(error)) throw error; // else what was read of it counts, and the batch stays as it is
  }
  return true;
}

function addRecords(batch: RecordBatch, startOffset: number, offsets: OffsetMap): boolean {
  const records = batch.records();
  const stagedOffsets: number[] = [];
  offsets.clearStaged();
  try {
    while (records.advance()) {
      const { offset, keyLength, keyStart } = records;
      if (keyLength < 0 || offset < startOffset) continue;
      if (!offsets.stage(records.source, keyStart, keyStart + keyLength)) {
        if (!putStaged(offsets, stagedOffsets)) return false;
        offsets.stage(records.source, keyStart, keyStart + keyLength);
      }
      stagedOffsets.push(offset);
    }
  } catch (error) {
    if (!putStaged(offsets, stagedOffsets)) return false;
    throw error;
  }
  return putStaged(offsets, stagedOffsets);
}

/** As far as there is room: as in Kafka, not even a key that is known, because what the map speaks of ends with the last offset put. */
function putStaged(offsets: OffsetMap, stagedOffsets: number[]): boolean {
  offsets.warm();
  for (const [index, offset] of stagedOffsets.entries()) {
    if (offsets.isFull) return false;
    offsets.putStaged(index, offset);
  }
  stagedOffsets.length = 0;
  offsets.clearStaged();
  return true;
}

export interface CleanerFilterOptions {
  readonly offsets: OffsetMap;
  /** The map speaks of records below; those from here on stay, unless they were aborted. */
  readonly mapEndOffset: number;
  /** Where the cleanable part of the log ends: all transactions with records below have ended. */
  readonly firstUncleanableOffset: number;
  readonly nowMs: number;
  readonly deleteRetentionMs: number;
  readonly transactions: CleanedTransactionMetadata;
  /** Of a producer that is remembered: its last batch keeps its header, for the sequence in it. */
  readonly lastRecordOf: (producerId: number) => LastRecord | undefined;
}

/** What of a log compaction keeps, batch by batch from its start (Kafka's Cleaner.cleanInto). */
export class CleanerFilter {
  readonly #options: CleanerFilterOptions;
  readonly #retention = new RecordRetention();
  #discardsBatch = false;
  #isControlBatch = false;
  #keepsTombstones = false;
  #nextStaged = 0; // the key that is asked for next

  constructor(options: CleanerFilterOptions) {
    this.#options = options;
  }

  /**
   * What stays of a batch: its own bytes when all does, a batch with the same offsets, producer and sequence when some does,
   * undefined when nothing does. Where the records are gone and the offsets or the sequence are still needed, the header stays.
   *
   * Records of an aborted transaction go at once. A marker goes when none of its transaction's batches is left, and the delete
   * horizon, which is set in it then, is over (KIP-534).
   */
  filter(batch: RecordBatch): Uint8Array | undefined {
    try {
      return this.#filter(batch);
    } catch (error) {
      if (!isUnreadable(error)) throw error;
      // The bytes are those that were written, and were no records then: a reader is to see that, as before.
      return batch.bytes;
    }
  }

  #filter(batch: RecordBatch): Uint8Array | undefined {
    const { transactions, nowMs, deleteRetentionMs } = this.#options;
    const oldHorizonMs = batch.deleteHorizonMs;
    const isControlBatch = batch.isControlBatch;
    const canDiscard = isControlBatch ? transactions.onControlBatchRead(batch) : transactions.onBatchRead(batch);
    const isHorizonOver = oldHorizonMs !== undefined && oldHorizonMs <= nowMs;
    this.#isControlBatch = isControlBatch;
    this.#discardsBatch = canDiscard && (!isControlBatch || isHorizonOver);
    this.#keepsTombstones = !isHorizonOver;
    const isHeaderKept = this.#isHeaderKept(batch);
    if (this.#discardsBatch && !isHeaderKept) return undefined;

    const retention = this.#retention;
    // A pass ahead for the keys alone, so that their places in the map are near when each is looked up.
    this.#nextStaged = 0;
    this.#options.offsets.clearStaged();
    const hasKeys = !this.#discardsBatch && !isControlBatch;
    retention.select(batch, this.#isKept, hasKeys ? this.#stageKeys : undefined);
    if (retention.keptCount === 0) return isHeaderKept ? emptyRecordBatch(batch) : undefined;
    const needsHorizon = oldHorizonMs === undefined && (retention.keepsTombstone || (isControlBatch && canDiscard));
    if (retention.keptCount === batch.recordCount && !needsHorizon) return batch.bytes;
    return retention.build(batch, needsHorizon ? nowMs + deleteRetentionMs : oldHorizonMs);
  }

  /** The keys that `#isKept` looks up, in the same order, as many as there is room for. */
  readonly #stageKeys = (records: RecordCursor): void => {
    const { offsets, mapEndOffset } = this.#options;
    while (records.advance()) {
      const { keyStart, keyLength } = records;
      if (records.offset >= mapEndOffset || keyLength < 0) continue;
      if (!offsets.stage(records.source, keyStart, keyStart + keyLength)) break;
    }
    offsets.warm();
  };

  /** A record that is the latest of its key stays; one without a value until its delete horizon. */
  readonly #isKept = (record: RecordView): boolean => {
    if (this.#discardsBatch) return false;
    if (this.#isControlBatch) return true;
    const { offset, keyStart, keyLength, valueLength } = record;
    if (offset >= this.#options.mapEndOffset) return true;
    if (keyLength < 0) return false; // from a time when the topic was not compacted
    const { offsets } = this.#options;
    const index = this.#nextStaged++;
    const latest =
      index < offsets.stagedCount
        ? offsets.getStaged(index)
        : offsets.get(record.source, keyStart, keyStart + keyLength);
    return offset >= latest && (valueLength >= 0 || this.#keepsTombstones);
  };

  #isHeaderKept(batch: RecordBatch): boolean {
    const { firstUncleanableOffset, lastRecordOf } = this.#options;
    if (batch.nextOffset === firstUncleanableOffset) return true; // the log ends where it did
    const { producerId } = batch;
    if (producerId < 0) return false;
    const last = lastRecordOf(producerId);
    if (last === undefined) return false;
    if (last.lastDataOffset >= 0) return batch.lastOffset === last.lastDataOffset;
    return batch.isControlBatch && batch.producerEpoch === last.producerEpoch;
  }
}

function isUnreadable(error: unknown): boolean {
  return error instanceof KafkaError || error instanceof ProtocolError;
}
