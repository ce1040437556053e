import { peekBatchSize, RECORD_BATCH_OVERHEAD, RecordBatch } from "@samsa/protocol";
import type { AbortedTxn } from "@samsa/protocol/messages/aborted-txn";
import { NO_LEADER_EPOCH } from "./leader-epoch-cache.ts";
import type { LogSegment } from "./log-segment.ts";
import type { LogSegments } from "./log-segments.ts";
import { readBuffers } from "./read-buffers.ts";

export interface LogReadOptions {
  /** Returns the first batch whole even when it is larger than `maxBytes` (KIP-74). True when left out. */
  readonly minOneMessage?: boolean;
  /** No batch that reaches to this offset or beyond; the log end offset when left out. */
  readonly upToOffset?: number;
  /** Looks for the transactions that a read_committed consumer has to pass over. */
  readonly withAbortedTransactions?: boolean;
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
  /** Those with records among these; undefined unless asked for. */
  readonly abortedTransactions: readonly AbortedTxn[] | undefined;
}

export interface DiskRead {
  readonly fetchOffset: number;
  readonly maxBytes: number;
  readonly minOneMessage: boolean;
  readonly upToOffset: number;
  /** The leader epoch of the record at an offset, as far as it is known. */
  readonly epochForOffset?: (offset: number) => number | undefined;
}

export interface DiskReadResult {
  readonly records: Uint8Array;
  readonly firstBatchOffset: number;
  readonly nextOffset: number;
}

/** Where the batch lies that begins at an offset. */
interface Place {
  readonly segment: LogSegment;
  readonly position: number;
}

const MOST_PLACES = 64;
const BASE_OFFSET_BYTES = 8;
const POOLED_BYTES = 1024 * 1024; // see ReadBuffers

/** Reads from disk, and remembers where readers stopped, so that going on needs no index. */
export class LogReader {
  readonly #places = new Map<number, Place>(); // by the offset that comes next, the latest last

  /**
   * Batches from the first of these segments that has one at or after the offset. The CRC of every batch is checked before a
   * byte of it is handed out. It does not cover the base offset and the leader epoch: the one must fit what lies before and
   * behind, the other what `leader-epoch-checkpoint` says (docs/decisions/0017).
   *
   * @param logEndOffset no batch reaches beyond
   * @returns undefined when the limits leave nothing
   * @throws CorruptFileError where there is no valid batch
   */
  async read(segments: LogSegments, read: DiskRead, logEndOffset: () => number): Promise<DiskReadResult | undefined> {
    const place = this.#places.get(read.fetchOffset);
    const candidates = segments.from(read.fetchOffset);
    for (const [index, segment] of candidates.entries()) {
      const known = place?.segment === segment ? place.position : undefined;
      const position = known ?? (await segment.findBatch(read.fetchOffset))?.position;
      if (position === undefined || position >= segment.writtenSize) continue;
      const leastOffset = known === undefined ? segment.baseOffset : read.fetchOffset;
      const endOffset = (): number => candidates[index + 1]?.baseOffset ?? logEndOffset();
      const result = await readSegment(segment, position, read, leastOffset, endOffset);
      if (result !== undefined) this.#remember(result.nextOffset, segment, position + result.records.length);
      return result;
    }
    return undefined;
  }

  /** The log has been cut: positions are not what they were. */
  forget(): void {
    this.#places.clear();
  }

  #remember(offset: number, segment: LogSegment, position: number): void {
    this.#places.delete(offset);
    this.#places.set(offset, { segment, position });
    if (this.#places.size <= MOST_PLACES) return;
    const oldest = this.#places.keys().next();
    if (oldest.done !== true) this.#places.delete(oldest.value);
  }
}

async function readSegment(
  segment: LogSegment,
  position: number,
  { maxBytes, minOneMessage, upToOffset, epochForOffset }: DiskRead,
  leastOffset: number,
  endOffset: () => number,
): Promise<DiskReadResult | undefined> {
  const available = segment.writtenSize - position;
  const read = async (length: number) => await segment.log.readFully(position, length, readBuffers.take(length));
  // With the base offset of the next batch, where that does not take another buffer than the pool's.
  const withNext = (length: number): number =>
    Math.min(available, length % POOLED_BYTES === 0 ? length : length + BASE_OFFSET_BYTES);
  let bytes = await read(withNext(Math.max(maxBytes, RECORD_BATCH_OVERHEAD)));
  const firstSize = sizeOf(bytes, 0, segment, position);
  if (firstSize > maxBytes && !minOneMessage) return undefined;
  if (firstSize > available) throw segment.corruptAt(position, "it ends beyond the file");
  if (firstSize > bytes.length) {
    readBuffers.giveBack(bytes);
    bytes = await read(withNext(firstSize));
  }

  const limit = Math.max(firstSize, Math.min(maxBytes, bytes.length));
  let end = 0;
  let firstBatchOffset: number | undefined;
  let nextOffset = leastOffset;
  while (end + RECORD_BATCH_OVERHEAD <= limit && end + sizeOf(bytes, end, segment, position + end) <= limit) {
    const batch = validBatch(bytes, end, segment, position + end, nextOffset);
    const after = end + batch.sizeInBytes;
    let bound = endOffset();
    if (after < available) {
      const isHere = after + BASE_OFFSET_BYTES <= bytes.length;
      const next = isHere ? bytes.subarray(after) : await segment.log.readFully(position + after, BASE_OFFSET_BYTES);
      bound = Math.min(bound, baseOffsetOf(next));
    }
    if (batch.nextOffset > bound) throw segment.corruptAt(position + end, "it reaches into what follows");
    const epoch = batch.partitionLeaderEpoch === NO_LEADER_EPOCH ? undefined : epochForOffset?.(batch.baseOffset);
    if (epoch !== undefined && epoch !== batch.partitionLeaderEpoch) {
      const message = `its leader epoch is ${batch.partitionLeaderEpoch}, where ${epoch} was noted`;
      throw segment.corruptAt(position + end, message);
    }
    if (batch.nextOffset > upToOffset) break;
    firstBatchOffset ??= batch.baseOffset;
    nextOffset = batch.nextOffset;
    end = after;
  }
  if (firstBatchOffset === undefined) return undefined;
  return { records: bytes.subarray(0, end), firstBatchOffset, nextOffset };
}

/** Of the batch that begins here; a number that is not exact is as good as none. */
function baseOffsetOf(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, BASE_OFFSET_BYTES);
  return view.getInt32(0) * 0x1_0000_0000 + view.getUint32(4);
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
