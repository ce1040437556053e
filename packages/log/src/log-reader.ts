import { peekBatchSize, RECORD_BATCH_OVERHEAD, RecordBatch } from "@samsa/protocol";
import type { AbortedTxn } from "@samsa/protocol/messages/aborted-txn";
import { NO_LEADER_EPOCH } from "./leader-epoch-cache.ts";
import type { LogSegment } from "./log-segment.ts";
import type { LogSegments } from "./log-segments.ts";
import type { ReadAheadBudget } from "./read-ahead.ts";
import { ReadAhead } from "./read-ahead.ts";
import { readBuffers } from "./read-buffers.ts";
import type { ReadWriteGate } from "./read-write-gate.ts";

export interface LogReadOptions {
  /** Returns the first batch whole even when it is larger than `maxBytes` (KIP-74). True when left out. */
  readonly minOneMessage?: boolean;
  /** No batch that reaches to this offset or beyond; the log end offset when left out. */
  readonly upToOffset?: number;
  /** Looks for the transactions that a read_committed consumer has to pass over. */
  readonly withAbortedTransactions?: boolean;
  /** The caller takes a promise of records (`promised`) instead of records. */
  readonly mayPromise?: boolean;
}

/**
 * Records of which no more is known than how many bytes they are. Nothing is held for them: by the time they are read, the log may
 * have been cut or closed, and then they are not to be had.
 */
export interface PromisedRecords {
  readonly sizeInBytes: number;
  /**
   * Reads and checks them. To be called once.
   * @throws what a read throws; BrokenPromiseError when they are not there any more
   */
  readonly read: () => Promise<Uint8Array>;
}

export interface LogReadResult {
  /** Consecutive whole batches, which must not be modified. */
  readonly records: readonly Uint8Array[];
  /** Instead of records. What else is told about them is what it would be at most. */
  readonly promised?: PromisedRecords;
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
  readonly epochForOffset?: ((offset: number) => number | undefined) | undefined;
  /** What follows can be promised to this reader, and then need not be read ahead. */
  readonly mayPromise?: boolean | undefined;
}

/** What a promise of records is about. */
export interface PlannedRead {
  readonly read: DiskRead;
  readonly segment: LogSegment;
  readonly position: number;
  readonly sizeInBytes: number;
  /** Not below the offset after the last record. */
  readonly mostNextOffset: number;
  readonly forgotten: number; // how often by then
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

export interface LogReaderOptions {
  readonly segments: LogSegments;
  /** No batch reaches beyond. */
  readonly logEndOffset: () => number;
  /** Where the tail in memory begins: nothing is read ahead from there on. */
  readonly tailStartOffset: () => number | undefined;
  /** Held while segments are read. */
  readonly gate: ReadWriteGate;
  readonly readAhead: ReadAheadBudget;
}

/**
 * Reads from disk, and remembers where readers stopped, so that going on needs no index. For a reader that goes on where it
 * stopped, the range that comes next is read and checked while the one before is on its way to the client.
 */
export class LogReader {
  readonly #options: LogReaderOptions;
  readonly #places = new Map<number, Place>(); // by the offset that comes next, the latest last
  readonly #ahead = new Map<number, ReadAhead>(); // by the offset of the read it is for
  readonly #misleading = new WeakSet<LogSegment>(); // whose index has led to a promise that could not be kept
  #forgotten = 0;

  constructor(options: LogReaderOptions) {
    this.#options = options;
  }

  /** What has been read ahead, if that is the answer. */
  readAhead(read: DiskRead): DiskReadResult | undefined {
    const ahead = this.#ahead.get(read.fetchOffset);
    if (ahead?.result === undefined) return undefined;
    const { result, segment, position } = ahead;
    if (this.#options.segments.holding(read.fetchOffset) !== segment || !ahead.suits(read)) {
      this.#drop(read.fetchOffset, ahead);
      return undefined;
    }
    this.#forgetAhead(read.fetchOffset, ahead);
    this.#found(result, segment, position, read, true);
    return result;
  }

  /**
   * Batches from the first segment that has one at or after the offset. The CRC of every batch is checked before a
   * byte of it is handed out. It does not cover the base offset and the leader epoch: the one must fit what lies before and
   * behind, the other what `leader-epoch-checkpoint` says (docs/decisions/0017). Within the gate.
   *
   * @returns undefined when the limits leave nothing
   * @throws CorruptFileError where there is no valid batch
   */
  async read(read: DiskRead): Promise<DiskReadResult | undefined> {
    const ahead = this.#ahead.get(read.fetchOffset);
    if (ahead !== undefined) {
      // One that waits at the gate may wait for somebody who waits for us to leave it.
      if (ahead.isUnderWay) await ahead.done;
      else this.#drop(read.fetchOffset, ahead);
      const result = this.readAhead(read);
      if (result !== undefined) return result;
    }
    const place = this.#places.get(read.fetchOffset);
    const candidates = this.#options.segments.from(read.fetchOffset);
    for (const [index, segment] of candidates.entries()) {
      const known = place?.segment === segment ? place.position : undefined;
      const position = known ?? (await segment.findBatch(read.fetchOffset))?.position;
      if (position === undefined || position >= segment.writtenSize) continue;
      const leastOffset = known === undefined ? segment.baseOffset : read.fetchOffset;
      const endOffset = (): number => candidates[index + 1]?.baseOffset ?? this.#options.logEndOffset();
      const result = await readSegment(segment, position, read, leastOffset, endOffset);
      if (result !== undefined) this.#found(result, segment, position, read, known !== undefined);
      return result;
    }
    return undefined;
  }

  /**
   * How much a read would find, without reading: for one who goes on where somebody stopped, of a segment whose index knows where
   * batches begin.
   */
  plan(read: DiskRead): PlannedRead | undefined {
    const place = this.#places.get(read.fetchOffset);
    if (place === undefined || this.#ahead.has(read.fetchOffset) || read.maxBytes > POOLED_BYTES) return undefined;
    const { segment, position } = place;
    if (this.#misleading.has(segment) || !segment.areIndexesLoaded) return undefined;
    const end = segment.offsetIndex.lastAt(Math.min(position + read.maxBytes, segment.writtenSize - 1));
    const { leastPromisedBytes } = this.#options.readAhead;
    if (end === undefined || end.position - position < leastPromisedBytes || end.offset > read.upToOffset)
      return undefined;
    if (this.#options.segments.holding(read.fetchOffset) !== segment) return undefined;
    const sizeInBytes = end.position - position;
    return { read, segment, position, sizeInBytes, mostNextOffset: end.offset, forgotten: this.#forgotten };
  }

  /**
   * Reads what was planned. Within the gate.
   *
   * @returns undefined where it is not there any more
   * @throws CorruptFileError where there is no valid batch
   */
  async readPlanned({ read, segment, position, sizeInBytes, forgotten }: PlannedRead): Promise<Uint8Array | undefined> {
    const { segments } = this.#options;
    if (forgotten !== this.#forgotten || segments.holding(read.fetchOffset) !== segment) return undefined;
    const endOffset = (): number => segments.nextBaseOffset(segment) ?? this.#options.logEndOffset();
    const { fetchOffset, upToOffset, epochForOffset } = read;
    const exactly = { fetchOffset, maxBytes: sizeInBytes, minOneMessage: false, upToOffset, epochForOffset };
    const result = await readSegment(segment, position, exactly, read.fetchOffset, endOffset);
    if (result === undefined || result.records.length !== sizeInBytes) {
      // An index is a hint. The log itself is in order, so that a read without one finds what there is.
      this.#misleading.add(segment);
      if (result !== undefined) readBuffers.giveBack(result.records);
      return undefined;
    }
    this.#found(result, segment, position, read, true);
    return result.records;
  }

  /** The log has been cut: positions are not what they were. */
  forget(): void {
    this.#forgotten++;
    this.#places.clear();
    for (const [offset, ahead] of this.#ahead) this.#drop(offset, ahead);
  }

  #found(result: DiskReadResult, segment: LogSegment, from: number, read: DiskRead, isSequential: boolean): void {
    const position = from + result.records.length;
    this.#remember(result.nextOffset, segment, position);
    if (isSequential) this.#maybeReadAhead(result.nextOffset, segment, position, read);
  }

  #remember(offset: number, segment: LogSegment, position: number): void {
    this.#places.delete(offset);
    this.#places.set(offset, { segment, position });
    if (this.#places.size <= MOST_PLACES) return;
    const oldest = this.#places.keys().next();
    if (oldest.done !== true) this.#places.delete(oldest.value);
  }

  #maybeReadAhead(fetchOffset: number, segment: LogSegment, position: number, read: DiskRead): void {
    const { segments, readAhead, gate, tailStartOffset } = this.#options;
    const { maxBytes } = read;
    const isWanted = fetchOffset < (tailStartOffset() ?? Infinity) && !this.#ahead.has(fetchOffset);
    // Of the end of the active segment there may be more by the time it is asked for.
    const leastBytes = segment === segments.active ? maxBytes : 1;
    if (!isWanted || segment.writtenSize - position < leastBytes) return;
    if (maxBytes < RECORD_BATCH_OVERHEAD || maxBytes > POOLED_BYTES) return;
    if (read.mayPromise === true && this.plan(following(read, fetchOffset)) !== undefined) return;
    const ahead = new ReadAhead(segment, position, maxBytes);
    if (!readAhead.charge(ahead, () => this.#ahead.delete(fetchOffset))) return;
    this.#ahead.set(fetchOffset, ahead);
    ahead.done = gate
      .shared(async () => {
        // While it waited, the log may have been cut or closed (`forget`), or the segment deleted.
        if (ahead.isDropped || segments.holding(fetchOffset) !== segment) return;
        ahead.begin();
        const endOffset = (): number => segments.nextBaseOffset(segment) ?? this.#options.logEndOffset();
        const result = await readSegment(segment, position, following(read, fetchOffset), fetchOffset, endOffset);
        if (result !== undefined) ahead.complete(result);
      })
      .catch(() => undefined) // the read that needs it finds the same, and says so
      .then(() => {
        if (ahead.result !== undefined || this.#ahead.get(fetchOffset) !== ahead) return;
        this.#forgetAhead(fetchOffset, ahead);
      });
  }

  #drop(fetchOffset: number, ahead: ReadAhead): void {
    this.#forgetAhead(fetchOffset, ahead);
    ahead.drop();
  }

  #forgetAhead(fetchOffset: number, ahead: ReadAhead): void {
    this.#ahead.delete(fetchOffset);
    this.#options.readAhead.release(ahead);
  }
}

/** What a reader will ask for next, as far as there is anything by then. */
function following({ maxBytes, epochForOffset, mayPromise }: DiskRead, fetchOffset: number): DiskRead {
  return { fetchOffset, maxBytes, minOneMessage: false, upToOffset: Infinity, epochForOffset, mayPromise };
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
