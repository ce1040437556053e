import assert from "node:assert/strict";
import { recordBatches } from "@samsa/protocol";
import { OffsetOutOfRangeError } from "../errors.ts";
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

interface Reading {
  readonly from: number;
  readonly upToOffset: number;
  readonly maxBytes: number;
  readonly isCommitted: boolean; // isolation.level=read_committed
}

/** What a reader finds from an offset on is what the model has, and read_committed readers see what was committed. */
export async function checkReads(checked: Checked, from: number, maxBytes: number): Promise<void> {
  const { log } = checked;
  const upToOffset = log.highWatermark;
  await checkRead(checked, { from, upToOffset, maxBytes, isCommitted: false });
  await checkRead(checked, { from, upToOffset: Math.max(from, log.lastStableOffset), maxBytes, isCommitted: true });
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
  const seen = new Map<number, string>();
  const aborted = new Map<number, number>(); // first offset by producer
  let offset = from;
  let previous = -1;
  while (offset < upToOffset) {
    let result;
    try {
      result = await log.read(offset, maxBytes, { upToOffset, withAbortedTransactions: isCommitted });
    } catch (error) {
      // Another step's retention may run at the same time.
      if (error instanceof OffsetOutOfRangeError && offset < log.logStartOffset) return;
      throw error;
    }
    assert.ok(result.nextOffset <= upToOffset);
    const open = [...(result.abortedTransactions ?? [])];
    for (const chunk of result.records) {
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
          const key = record.key === null ? "" : decoder.decode(record.key);
          const value = record.value === null ? null : decoder.decode(record.value);
          const text = batch.isControlBatch ? "marker" : JSON.stringify([key, value, record.timestamp]);
          assert.ok(!seen.has(record.offset), `offset ${record.offset} comes twice`);
          seen.set(record.offset, text);
        }
      }
    }
    if (result.nextOffset === offset) break;
    offset = result.nextOffset;
  }
  if (isCurrent()) compare(model, seen, { ...reading, upToOffset: Math.min(upToOffset, model.endOffset) });
}

function compare(model: ModelLog, seen: Map<number, string>, { from, upToOffset, isCommitted }: Reading): void {
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
