import { peekBatchSize, RECORD_BATCH_OVERHEAD, RecordBatch } from "@samsa/protocol";
import type { LogSegment } from "./log-segment.ts";

export interface LogReadOptions {
  /** Returns the first batch whole even when it is larger than `maxBytes` (KIP-74). True when left out. */
  readonly minOneMessage?: boolean;
  /** No batch that reaches to this offset or beyond; the log end offset when left out. */
  readonly upToOffset?: number;
}

export interface LogReadResult {
  /** Consecutive whole batches, which must not be modified. */
  readonly records: readonly Uint8Array[];
  readonly sizeInBytes: number;
  readonly fetchOffset: number;
  readonly firstBatchOffset: number | undefined; // undefined when empty
  readonly nextOffset: number; // after the last batch; fetchOffset when empty
  readonly logStartOffset: number;
  readonly logEndOffset: number;
}

/** Where the batch lies that begins at an offset. */
export interface ReadHint {
  readonly segment: LogSegment;
  readonly position: number;
}

export interface DiskRead {
  readonly fetchOffset: number;
  readonly maxBytes: number;
  readonly minOneMessage: boolean;
  readonly upToOffset: number;
  readonly hint: ReadHint | undefined;
}

export interface DiskReadResult {
  readonly records: Uint8Array;
  readonly firstBatchOffset: number;
  readonly nextOffset: number;
  readonly next: ReadHint;
}

/**
 * Reads batches from the first of these segments that has one at or after the offset. The CRC of every batch is checked before
 * a byte of it is handed out.
 *
 * @returns undefined when the limits leave nothing
 * @throws CorruptFileError where there is no valid batch
 */
export async function readLog(segments: readonly LogSegment[], read: DiskRead): Promise<DiskReadResult | undefined> {
  for (const segment of segments) {
    const hinted = read.hint?.segment === segment ? read.hint.position : undefined;
    const position = hinted ?? (await segment.findBatch(read.fetchOffset))?.position;
    if (position === undefined || position >= segment.writtenSize) continue;
    return await readSegment(segment, position, read);
  }
  return undefined;
}

async function readSegment(
  segment: LogSegment,
  position: number,
  { maxBytes, minOneMessage, upToOffset }: DiskRead,
): Promise<DiskReadResult | undefined> {
  const available = segment.writtenSize - position;
  let bytes = await segment.log.readFully(position, Math.min(available, Math.max(maxBytes, RECORD_BATCH_OVERHEAD)));
  const firstSize = sizeOf(bytes, 0, segment, position);
  if (firstSize > maxBytes && !minOneMessage) return undefined;
  if (firstSize > available) throw segment.corruptAt(position, "it ends beyond the file");
  if (firstSize > bytes.length) bytes = await segment.log.readFully(position, firstSize);

  const limit = Math.max(firstSize, Math.min(maxBytes, bytes.length));
  let end = 0;
  let firstBatchOffset: number | undefined;
  let nextOffset = segment.baseOffset;
  while (end + RECORD_BATCH_OVERHEAD <= limit && end + sizeOf(bytes, end, segment, position + end) <= limit) {
    const batch = validBatch(bytes, end, segment, position + end, nextOffset);
    if (batch.nextOffset > upToOffset) break;
    firstBatchOffset ??= batch.baseOffset;
    nextOffset = batch.nextOffset;
    end += batch.sizeInBytes;
  }
  if (firstBatchOffset === undefined) return undefined;
  const next = { segment, position: position + end };
  return { records: bytes.subarray(0, end), firstBatchOffset, nextOffset, next };
}

function sizeOf(bytes: Uint8Array, at: number, segment: LogSegment, position: number): number {
  try {
    const size = peekBatchSize(bytes, at);
    if (size !== undefined) return size;
  } catch (error) {
    throw segment.corruptAt(position, error);
  }
  throw segment.corruptAt(position, "it ends beyond the file");
}

function validBatch(
  bytes: Uint8Array,
  at: number,
  segment: LogSegment,
  position: number,
  nextOffset: number,
): RecordBatch {
  try {
    const batch = new RecordBatch(bytes, at);
    batch.ensureValid();
    if (batch.baseOffset < nextOffset) throw segment.corruptAt(position, "its offsets do not rise");
    return batch;
  } catch (error) {
    throw segment.corruptAt(position, error);
  }
}
