import assert from "node:assert/strict";
import type { RecordBatch } from "@samsa/protocol";
import { recordBatches } from "@samsa/protocol";
import { BrokenPromiseError, OffsetOutOfRangeError } from "../errors.ts";
import type { PromisedRecords } from "../log-reader.ts";
import type { UnifiedLog } from "../unified-log.ts";
import type { ModelBatch, ModelLog, ModelRecord } from "./model-log.ts";

const decoder = new TextDecoder();

/** A log and the model it must agree with. */
interface Checked {
  readonly log: UnifiedLog;
  readonly model: ModelLog;
  /** Whether the model is still that of the log: its topic may be deleted while it is read. */
  readonly isCurrent: () => boolean;
}

interface Seen {
  readonly from: number;
  readonly upToOffset: number;
  readonly isCommitted: boolean; // isolation.level=read_committed
}

interface Reading extends Seen {
  readonly maxBytes: number;
  readonly mayPromise: boolean;
}

/** What a reader finds from an offset on is what the model has, and read_committed readers see what was committed. */
export async function checkReads(
  checked: Checked,
  how: Pick<Reading, "from" | "maxBytes" | "mayPromise">,
): Promise<void> {
  const { log } = checked;
  await checkRead(checked, { ...how, upToOffset: log.highWatermark, isCommitted: false });
  await checkRead(checked, { ...how, upToOffset: Math.max(how.from, log.lastStableOffset), isCommitted: true });
}

/**
 * What was promised to a reader at an offset, some time ago, is what the model has, or not to be had.
 * @returns whether it was to be had
 */
export async function checkPromise(model: ModelLog, from: number, promised: PromisedRecords): Promise<boolean> {
  const bytes = await kept(promised);
  if (bytes === undefined) return false;
  const seen = new Map<number, string>();
  let upToOffset = from;
  for (const batch of recordBatches(bytes)) {
    batch.ensureValid();
    for (const record of batch.records()) if (record.offset >= from) seen.set(record.offset, textOfRead(batch, record));
    upToOffset = batch.nextOffset;
  }
  compare(model, seen, { from, upToOffset, isCommitted: false });
  return true;
}

/** Undefined when it is not to be had any more. */
async function kept(promised: PromisedRecords): Promise<Uint8Array | undefined> {
  try {
    const bytes = await promised.read();
    assert.equal(bytes.length, promised.sizeInBytes, "as many bytes as were promised");
    return bytes;
  } catch (error) {
    if (error instanceof BrokenPromiseError) return undefined;
    throw error;
  }
}

interface ReadRecord {
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly timestamp: number;
}

function textOfRead(batch: RecordBatch, { key, value, timestamp }: ReadRecord): string {
  if (batch.isControlBatch) return "marker";
  return JSON.stringify([
    key === null ? "" : decoder.decode(key),
    value === null ? null : decoder.decode(value),
    timestamp,
  ]);
}

export function checkOffsets(log: UnifiedLog, model: ModelLog): void {
  const { highWatermark, logStartOffset, logEndOffset } = log;
  assert.ok(highWatermark <= logEndOffset && highWatermark >= logStartOffset);
  checkLastStableOffset(log, model, model.lastStableOffset(highWatermark));
}

function checkLastStableOffset(log: UnifiedLog, model: ModelLog, expected: number): void {
  if (log.lastStableOffset === expected) return;
  // Of a transaction all of whose records were deleted, nobody need know.
  const isForgotten = model.transactions().some(({ producerId, firstOffset }) => {
    const ofIt = model.batches.filter((batch) => batch.producerId === producerId && batch.baseOffset >= firstOffset);
    return (ofIt.at(-1)?.lastOffset ?? 0) < model.startOffset || firstOffset < model.startOffset;
  });
  if (!isForgotten) assert.equal(log.lastStableOffset, expected, "the last stable offset");
}

async function checkRead({ log, model, isCurrent }: Checked, reading: Reading): Promise<void> {
  const { from, upToOffset, maxBytes, isCommitted } = reading;
  let { mayPromise } = reading;
  const seen = new Map<number, string>();
  const aborted = new Map<number, number>(); // first offset by producer
  let offset = from;
  let previous = -1;
  while (offset < upToOffset) {
    let result;
    try {
      result = await log.read(offset, maxBytes, { upToOffset, withAbortedTransactions: isCommitted, mayPromise });
    } catch (error) {
      // Another step's retention may run at the same time.
      if (error instanceof OffsetOutOfRangeError && offset < log.logStartOffset) return;
      throw error;
    }
    assert.ok(result.nextOffset <= upToOffset);
    const open = [...(result.abortedTransactions ?? [])];
    const { promised } = result;
    let { records, nextOffset } = result;
    if (promised !== undefined) {
      const bytes = await kept(promised);
      if (bytes === undefined) {
        mayPromise = false; // as who asks again does
        continue;
      }
      records = [bytes];
      nextOffset = [...recordBatches(bytes)].at(-1)?.nextOffset ?? offset;
      assert.ok(nextOffset <= result.nextOffset, "the promise told the most");
    }
    for (const chunk of records) {
      for (const batch of recordBatches(chunk)) {
        batch.ensureValid();
        assert.ok(batch.baseOffset > previous, "offsets rise");
        previous = batch.lastOffset;
        for (const { producerId, firstOffset } of open) {
          if (batch.lastOffset >= firstOffset) aborted.set(producerId, firstOffset);
        }
        if (batch.isControlBatch) {
          for (const index of [...open.keys()].toReversed()) {
            const one = open[index];
            if (one?.producerId === batch.producerId && one.firstOffset <= batch.baseOffset) open.splice(index, 1);
          }
          aborted.delete(batch.producerId);
        }
        const isSkipped = isCommitted && batch.isTransactional && aborted.has(batch.producerId);
        for (const record of batch.records()) {
          if (record.offset < from || isSkipped) continue;
          assert.ok(!seen.has(record.offset), `offset ${record.offset} comes twice`);
          seen.set(record.offset, textOfRead(batch, record));
        }
      }
    }
    if (nextOffset === offset) break;
    offset = nextOffset;
  }
  if (isCurrent()) compare(model, seen, { from, upToOffset: Math.min(upToOffset, model.endOffset), isCommitted });
}

function compare(model: ModelLog, seen: Map<number, string>, { from, upToOffset, isCommitted }: Seen): void {
  const latest = model.latestOffsets();
  const finalStart = model.startOffset;
  for (const batch of model.batches) {
    if (batch.lastOffset >= upToOffset || batch.lastOffset < from) continue;
    for (const [index, record] of batch.records.entries()) {
      const offset = batch.baseOffset + index;
      if (offset < from || offset < finalStart) continue;
      const text = textOf(record, batch);
      const found = seen.get(offset);
      seen.delete(offset);
      if (found === undefined) {
        const isHidden = isCommitted && !model.isCommitted(batch) && batch.marker === undefined;
        const isGone = isHidden || model.mayBeGone(offset, record, batch, latest);
        assert.ok(isGone, `offset ${offset} is missing: ${text}`);
      } else {
        assert.equal(found, text, `offset ${offset}`);
        if (isCommitted && batch.marker === undefined)
          assert.ok(model.isCommitted(batch), `offset ${offset} is aborted`);
      }
    }
  }
  for (const [offset, text] of seen) {
    if (offset >= finalStart) assert.fail(`${text} at offset ${offset} was never appended, or is beyond ${upToOffset}`);
  }
}

function textOf({ key, value, timestamp }: ModelRecord, batch: ModelBatch): string {
  return batch.marker === undefined ? JSON.stringify([key, value, timestamp]) : "marker";
}
