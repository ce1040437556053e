import type { RecordBatch } from "@samsa/protocol";
import type { BatchHeader } from "./batch-header.ts";
import { CorruptFileError } from "./errors.ts";
import type { LogSegment } from "./log-segment.ts";
import type { ProducerSnapshots } from "./producer-snapshot-file.ts";
import type { CompletedTxn } from "./producer-state-manager.ts";
import { endMarkerOf, hasProducerId, ProducerStateManager } from "./producer-state-manager.ts";
import { Written } from "./written.ts";

export interface ProducerStateSources {
  readonly snapshots: ProducerSnapshots;
  /** All of the log, in order. */
  readonly segments: readonly LogSegment[];
  readonly logStartOffset: number;
  readonly nowMs: number; // wall-clock time
  readonly expirationMs: number;
  /** Told what was found wrong with a snapshot; the one before it is taken then. */
  readonly report: (message: string) => void;
}

/**
 * Makes the producers what they were when the log ended at this offset: from the newest snapshot up to there, and from the
 * headers of the batches after it.
 */
export async function loadProducerState(
  producers: ProducerStateManager,
  upToOffset: number,
  sources: ProducerStateSources,
): Promise<void> {
  const { segments } = sources;
  const from = await restoreSnapshot(producers, upToOffset, sources);
  for (const [index, segment] of segments.entries()) {
    const end = segments[index + 1]?.baseOffset ?? Infinity;
    if (end <= from || segment.baseOffset >= upToOffset) continue;
    const position = segment.baseOffset >= from ? 0 : (await segment.findBatch(from))?.position;
    if (position !== undefined) await replaySegment(producers, segment, position, upToOffset);
  }
}

/** Makes the transaction index of a segment anew, from the producers before it and the batches in it. */
export async function rebuildTransactionIndex(segment: LogSegment, sources: ProducerStateSources): Promise<void> {
  const producers = new ProducerStateManager();
  await loadProducerState(producers, segment.baseOffset, sources);
  segment.transactionIndex.reset();
  await replaySegment(producers, segment, 0, Infinity, (transaction) => segment.transactionIndex.append(transaction));
  await segment.transactionIndex.flush(false);
}

async function replaySegment(
  producers: ProducerStateManager,
  segment: LogSegment,
  position: number,
  upToOffset: number,
  onAborted?: (transaction: CompletedTxn) => void,
): Promise<void> {
  for await (const header of segment.headers(position)) {
    if (header.lastOffset >= upToOffset) return;
    if (!hasProducerId(header)) continue;
    try {
      const completed = replayBatch(
        producers,
        header.isControlBatch ? await segment.readBatch(header.position) : header,
      );
      if (completed?.isAborted === true) onAborted?.(completed);
    } catch (error) {
      throw segment.corruptAt(header.position, error);
    }
  }
}

/** Takes note of a batch that the log holds. */
export function replayBatch(
  producers: ProducerStateManager,
  batch: RecordBatch | BatchHeader,
): CompletedTxn | undefined {
  if (!hasProducerId(batch)) return undefined;
  const marker = "records" in batch ? endMarkerOf(batch) : undefined;
  if (batch.isControlBatch && marker === undefined) return undefined;
  return producers.update(batch, Written.ALREADY, marker);
}

/** @returns the offset to go on from */
async function restoreSnapshot(
  producers: ProducerStateManager,
  upToOffset: number,
  { snapshots, logStartOffset, nowMs, expirationMs, report }: ProducerStateSources,
): Promise<number> {
  const candidates = snapshots.offsets.filter((offset) => offset <= upToOffset && offset >= logStartOffset);
  for (const offset of candidates.toReversed()) {
    try {
      producers.restore(offset, await snapshots.read(offset));
      producers.removeExpired(nowMs, expirationMs);
      return offset;
    } catch (error) {
      if (!(error instanceof CorruptFileError)) throw error;
      report(`${error.message}: removed`);
      await snapshots.remove(offset);
    }
  }
  producers.restore(logStartOffset);
  return logStartOffset;
}
