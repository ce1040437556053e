import { peekBatchSize, RECORD_BATCH_OVERHEAD, RecordBatch } from "@samsa/protocol";
import type { LogFile } from "./log-file.ts";
import type { LogSegment } from "./log-segment.ts";

const SCAN_BYTES = 1024 * 1024;

/** What stopped a scan: the bytes from `position` on are no valid batch. */
export interface ScanProblem {
  readonly position: number;
  /**
   * `torn`: what a write leaves behind that did not finish. `overlap`: two whole batches claim the same offsets, and the first,
   * which lies after a gap, may be the wrong one. `unreadable`: a whole batch with a number beyond 2^53, which we cannot hold and
   * somebody else may. `corrupt`: anything else.
   */
  readonly kind: "torn" | "overlap" | "unreadable" | "corrupt";
  readonly message: string;
}

/**
 * Checks every byte of a segment from the start and makes both indexes anew, in memory. Stops at what is no valid batch and
 * counts nothing after it, but leaves the file: whether that is a torn tail to be cut or a failed disk is for the caller to say.
 *
 * @param isContiguous whether an offset that is left out is damage
 * @param visit called for each valid batch, in order
 * @param check called before; what it throws is what is wrong with the batch
 */
export async function recoverSegment(
  segment: LogSegment,
  isContiguous: boolean,
  visit?: (batch: RecordBatch) => void,
  check?: (batch: RecordBatch) => void,
): Promise<ScanProblem | undefined> {
  const { log } = segment;
  const fileSize = segment.size;
  segment.startOver();
  let window: Uint8Array = new Uint8Array(0);
  let windowStart = 0;
  let nextOffset = segment.baseOffset;
  let isAfterGap = false;
  let problem: ScanProblem | undefined;
  while (segment.size < fileSize) {
    const position = segment.size;
    const remaining = fileSize - position;
    if (wholeBatchSize(window, position - windowStart) === undefined && windowStart + window.length < fileSize) {
      windowStart = position;
      window = await log.readFully(position, Math.min(remaining, SCAN_BYTES));
      const size = announcedSize(window);
      if (size > window.length && size <= remaining) window = await log.readFully(position, size);
    }
    let batch: RecordBatch | undefined;
    let isReadable = false;
    try {
      batch = new RecordBatch(window, position - windowStart);
      batch.ensureValid();
      isReadable = true;
      if (batch.baseOffset < nextOffset || batch.lastOffsetDelta < 0) {
        problem = { position, kind: isAfterGap ? "overlap" : "corrupt", message: "its offsets do not rise" };
        break;
      }
      if (isContiguous && batch.baseOffset > nextOffset) throw new Error(`offset ${nextOffset} is left out`);
      if (!segment.canHold(batch.lastOffset)) throw new Error("its offset is too large");
      check?.(batch);
      isAfterGap = batch.baseOffset > nextOffset;
      segment.append(batch);
      nextOffset = batch.nextOffset;
      visit?.(batch);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      const isUnreadable = !isReadable && batch?.isValid() === true;
      problem = { position, kind: isUnreadable ? "unreadable" : await kindOfProblem(log, position, fileSize), message };
      break;
    }
  }
  segment.markWritten(segment.size);
  segment.seal();
  return problem;
}

/**
 * Writes what a segment holds from an offset on once more, over itself. After a sync that failed, the system counts the pages
 * it could not write as clean: a process that starts anew reads them, and no sync of its own would bring them to the disk.
 */
export async function rewriteSegment(segment: LogSegment, fromOffset: number): Promise<void> {
  const { log, size } = segment;
  const first = fromOffset <= segment.baseOffset ? 0 : (await segment.findBatch(fromOffset))?.position;
  for (let position = first ?? size; position < size; position += SCAN_BYTES) {
    await log.write(position, [await log.readFully(position, Math.min(SCAN_BYTES, size - position))]);
  }
}

/**
 * A write that did not finish leaves a batch that reaches beyond the file, or zeros up to its end where the file system had
 * recorded the size before the content.
 */
async function kindOfProblem(log: LogFile, position: number, fileSize: number): Promise<ScanProblem["kind"]> {
  const head = await log.readFully(position, Math.min(RECORD_BATCH_OVERHEAD, fileSize - position));
  if (head.length < RECORD_BATCH_OVERHEAD || position + announcedSize(head) > fileSize) return "torn";
  for (let at = position; at < fileSize; at += SCAN_BYTES) {
    const bytes = await log.readFully(at, Math.min(SCAN_BYTES, fileSize - at));
    if (bytes.some((byte) => byte !== 0)) return "corrupt";
  }
  return "torn";
}

/** Size of the batch at `at` when all of it is in `bytes`. */
function wholeBatchSize(bytes: Uint8Array, at: number): number | undefined {
  const size = announcedSize(bytes, at);
  return size > 0 && size <= bytes.length - at ? size : undefined;
}

/** Size of the batch that begins at `at`; 0 when none begins there. */
function announcedSize(bytes: Uint8Array, at = 0): number {
  try {
    return peekBatchSize(bytes, at) ?? 0;
  } catch {
    return 0;
  }
}
