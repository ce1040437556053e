import type { Clock, Random } from "@samsa/base";
import { CorruptRecordError, peekBatchSize, RecordBatch } from "@samsa/protocol";
import { CleanedTransactionMetadata } from "./cleaned-transaction-metadata.ts";
import { addToOffsetMap, CleanerFilter } from "./cleaner-filter.ts";
import { groupSegments } from "./cleaner-groups.ts";
import { CleanedSegmentWriter } from "./cleaner-writer.ts";
import type { LogSegment } from "./log-segment.ts";
import { OffsetMap } from "./offset-map.ts";
import type { UnifiedLog } from "./unified-log.ts";

/** Half of `log.cleaner.io.buffer.size`, as much as a cleaner thread of Kafka reads at a time. */
const DEFAULT_SLICE_BYTES = 256 * 1024;
/** So long others wait at most, but for what is done with a single batch. */
const LONGEST_TURN_MS = 2;
/** One slice is read and one is written while one is worked on. */
const BUFFERS = 3;

/** The log has changed under the cleaner, or it was told to stop: nothing has come of the cleaning. */
export class CleaningAbortedError extends Error {
  override readonly name = "CleaningAbortedError";
}

export interface CleanerOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Memory for the offsets of the keys (`log.cleaner.dedupe.buffer.size`). */
  readonly dedupeBufferBytes: number;
  /** How full the table of the keys may be (`log.cleaner.io.buffer.load.factor`). */
  readonly dedupeBufferLoadFactor?: number;
  /** So much is read at a time (from `log.cleaner.io.buffer.size`). */
  readonly sliceBytes?: number;
  /** Asked again and again. */
  readonly isStopped?: () => boolean;
  /** Lets the event loop go round; called every few milliseconds. */
  readonly pause?: () => Promise<void>;
  /** Told of so many bytes read or written; waits when they were too many (`log.cleaner.io.max.bytes.per.second`). */
  readonly throttle?: (bytes: number) => Promise<void> | undefined;
}

export interface CleaningResult {
  /** Everything below is clean. */
  readonly endOffset: number;
  readonly bytesRead: number;
  readonly bytesWritten: number;
}

interface Mapped {
  readonly offsets: OffsetMap;
  readonly endOffset: number;
}

/** What is done with each batch; `false` ends the walk. */
type Visit = (batch: RecordBatch) => boolean | void;

/**
 * Compacts one log: of every key below `firstUncleanableOffset` only the latest record stays (Kafka's Cleaner).
 *
 * First the dirty part, from `firstDirtyOffset` on, is read for the latest offset of each key, as far as memory reaches. Then
 * all segments up to there are written anew without the records that have a later one, several small segments into one. The
 * new one takes their place in steps, each of which a start after a crash either completes or undoes (UnifiedLog.replaceSegments).
 * Offsets never change, and the last batch keeps its header at least: the log ends where it did.
 */
export class Cleaner {
  readonly #log: UnifiedLog;
  readonly #options: CleanerOptions;
  readonly #truncations: number;
  readonly #buffers: Uint8Array[] = [];
  #turn = 0;
  #turnBeganMs: number;
  #bytesRead = 0;
  #bytesWritten = 0;

  constructor(log: UnifiedLog, options: CleanerOptions) {
    this.#log = log;
    this.#options = options;
    this.#truncations = log.truncationCount;
    this.#turnBeganMs = options.clock.monotonicMs();
  }

  /**
   * @param firstUncleanableOffset where a segment begins that is not cleaned
   * @throws CleaningAbortedError; KafkaStorageError when the disk failed, which has fenced the log
   */
  async clean(firstDirtyOffset: number, firstUncleanableOffset: number): Promise<CleaningResult> {
    const segments = this.#log.segments.filter((segment) => segment.baseOffset < firstUncleanableOffset);
    const mapped = await this.#mapOffsets(segments, firstDirtyOffset, firstUncleanableOffset);
    let writer: CleanedSegmentWriter | undefined;
    const transactions = new CleanedTransactionMetadata((transaction) => writer?.retainAborted(transaction));
    const filter = new CleanerFilter({
      offsets: mapped.offsets,
      mapEndOffset: mapped.endOffset,
      firstUncleanableOffset,
      nowMs: this.#options.clock.wallMs(),
      deleteRetentionMs: this.#log.config.deleteRetentionMs,
      transactions,
      lastRecordOf: (producerId) => this.#log.lastRecordOfProducer(producerId),
    });
    const cleanable = segments.filter((segment) => segment.baseOffset < mapped.endOffset);
    const groups = await this.#locked(() => groupSegments(cleanable, firstUncleanableOffset, this.#log.config));
    for (const group of groups) {
      writer = new CleanedSegmentWriter(this.#log, group[0]?.baseOffset ?? 0);
      await this.#cleanGroup(group, writer, filter, transactions);
    }
    return { endOffset: mapped.endOffset, bytesRead: this.#bytesRead, bytesWritten: this.#bytesWritten };
  }

  async #mapOffsets(segments: readonly LogSegment[], startOffset: number, endOffset: number): Promise<Mapped> {
    const { dedupeBufferBytes, dedupeBufferLoadFactor, random } = this.#options;
    const offsets = new OffsetMap(dedupeBufferBytes, endOffset - startOffset, random, dedupeBufferLoadFactor);
    const transactions = new CleanedTransactionMetadata();
    transactions.addAborted(this.#log.abortedTransactions(startOffset, endOffset));
    const first = segments.findLastIndex((segment) => segment.baseOffset <= startOffset);
    let hasRoom = true;
    for (const segment of segments.slice(Math.max(0, first))) {
      const header = await this.#read(segment, () => segment.findBatch(startOffset));
      await this.#walk(segment, header?.position ?? segment.size, (batch) => {
        hasRoom = addToOffsetMap(batch, startOffset, offsets, transactions);
        if (hasRoom && batch.lastOffset >= startOffset) offsets.latestOffset = batch.lastOffset;
        return hasRoom;
      });
      if (!hasRoom) return { offsets, endOffset: offsets.latestOffset + 1 };
    }
    return { offsets, endOffset };
  }

  /** Writes a group of segments anew as one, and puts it in their place. */
  async #cleanGroup(
    group: readonly LogSegment[],
    writer: CleanedSegmentWriter,
    filter: CleanerFilter,
    transactions: CleanedTransactionMetadata,
  ): Promise<void> {
    try {
      await writer.begin();
      for (const [index, segment] of group.entries()) {
        const endOffset = group[index + 1]?.baseOffset ?? (await this.#read(segment, () => segment.readNextOffset()));
        transactions.addAborted(this.#log.abortedTransactions(segment.baseOffset, endOffset));
        const visit = (batch: RecordBatch): void => {
          const kept = filter.filter(batch);
          if (kept !== undefined) writer.add(kept === batch.bytes ? batch : new RecordBatch(kept));
        };
        await this.#walk(segment, 0, visit, async () => {
          this.#bytesWritten += writer.waitingBytes;
          const throttled = this.#options.throttle?.(writer.waitingBytes);
          await writer.write();
          if (throttled !== undefined) await throttled;
        });
      }
      await writer.finish();
      const isReplaced = await this.#log.replaceSegments(writer.segment, group, this.#truncations);
      if (!isReplaced) throw new CleaningAbortedError(`${this.#log.directory} has changed meanwhile`);
    } catch (error) {
      await writer.discard();
      throw error;
    }
  }

  /**
   * Goes through the batches of a segment from a position that begins one, each with its CRC checked: a record that is taken
   * for another would take that other's place. What the batches are views of is overwritten two slices later.
   */
  async #walk(segment: LogSegment, from: number, visit: Visit, afterSlice?: () => Promise<void>): Promise<void> {
    const { clock, pause, throttle } = this.#options;
    let position = from;
    let next = position < segment.size ? this.#readSlice(segment, position) : undefined;
    while (next !== undefined) {
      const bytes: Uint8Array = await next;
      const throttled = throttle?.(bytes.length);
      if (throttled !== undefined) await throttled;
      const start = position;
      position += bytes.length;
      next = position < segment.size ? this.#readSlice(segment, position) : undefined;
      next?.catch(() => undefined); // if what follows fails, nobody waits for it
      for (let at = 0; at < bytes.length;) {
        const batch = batchAt(segment, bytes, at, start);
        if (visit(batch) === false) return;
        at += batch.sizeInBytes;
        if (clock.monotonicMs() - this.#turnBeganMs < LONGEST_TURN_MS) continue;
        await pause?.();
        this.#turnBeganMs = clock.monotonicMs();
      }
      await afterSlice?.();
    }
  }

  /** Whole batches from a position that begins one. */
  async #readSlice(segment: LogSegment, position: number): Promise<Uint8Array> {
    // Also from one segment to the next: what the last slice of a segment gave may still be on its way to the disk.
    this.#turn = (this.#turn + 1) % BUFFERS;
    const turn = this.#turn;
    const bytes = await this.#read(segment, async () => {
      const wanted = this.#options.sliceBytes ?? DEFAULT_SLICE_BYTES;
      const length = Math.min(wanted, segment.size - position);
      let read = await segment.records.file.readFully(position, length, this.#buffer(turn, wanted).subarray(0, length));
      try {
        const size = peekBatchSize(read) ?? 0;
        if (size > segment.size - position) throw new CorruptRecordError(`a batch of ${size} bytes`);
        if (size > length) read = await segment.records.file.readFully(position, size);
        return read.subarray(0, wholeBatchBytes(read));
      } catch (error) {
        throw segment.records.corruptAt(position, error);
      }
    });
    this.#bytesRead += bytes.length;
    return bytes;
  }

  /** Reads a segment, if it is in use and has not been cut: else positions are not what they were, or files are gone. */
  async #read<T>(segment: LogSegment, action: () => Promise<T>): Promise<T> {
    return await this.#locked(async () => {
      if (!this.#log.segments.includes(segment)) throw new CleaningAbortedError(`${segment.baseOffset} is gone`);
      return await action();
    });
  }

  /** Does something with segments that have not been cut. */
  async #locked<T>(action: () => Promise<T>): Promise<T> {
    if (this.#options.isStopped?.() === true) throw new CleaningAbortedError("the cleaner is stopped");
    const log = this.#log;
    let aborted: CleaningAbortedError | undefined;
    const result = await log.readSegments(async () => {
      try {
        if (log.truncationCount === this.#truncations) return { value: await action() };
        aborted = new CleaningAbortedError(`${log.directory} has changed meanwhile`);
      } catch (error) {
        if (!(error instanceof CleaningAbortedError)) throw error; // which fences the log
        aborted = error;
      }
      return undefined;
    });
    if (result === undefined) throw aborted ?? new CleaningAbortedError(log.directory);
    return result.value;
  }

  #buffer(turn: number, bytes: number): Uint8Array {
    this.#buffers[turn] ??= new Uint8Array(bytes);
    return this.#buffers[turn];
  }
}

/** @throws KafkaStorageError */
function batchAt(segment: LogSegment, bytes: Uint8Array, at: number, start: number): RecordBatch {
  try {
    const batch = new RecordBatch(bytes, at);
    batch.ensureValid();
    return batch;
  } catch (error) {
    throw segment.records.corruptAt(start + at, error);
  }
}

/** @throws KafkaError when there is none */
function wholeBatchBytes(bytes: Uint8Array): number {
  let end = 0;
  for (;;) {
    const size = peekBatchSize(bytes, end);
    if (size === undefined || size > bytes.length - end) break;
    end += size;
  }
  if (end === 0) throw new CorruptRecordError("no whole batch");
  return end;
}
