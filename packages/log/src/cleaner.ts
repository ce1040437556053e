import type { Clock, Random } from "@samsa/base";
import { CorruptRecordError, peekBatchSize, RecordBatch, recordBatches } from "@samsa/protocol";
import { AbortedRanges } from "./aborted-ranges.ts";
import type { FilterContext } from "./cleaner-filter.ts";
import { addToOffsetMap, filterBatch } from "./cleaner-filter.ts";
import type { LogSegment } from "./log-segment.ts";
import { OffsetMap } from "./offset-map.ts";
import type { UnifiedLog } from "./unified-log.ts";

/** So much is read and worked on before others have their turn. */
const SLICE_BYTES = 256 * 1024;
const LONGEST_TURN_MS = 4;
const LARGEST_RELATIVE_OFFSET = 0x7fffffff;
const TIME_INDEX_ENTRY_BYTES = 12;

/** The log has changed under the cleaner, or it was told to stop: nothing has come of the cleaning. */
export class CleaningAbortedError extends Error {
  override readonly name = "CleaningAbortedError";
}

export interface CleanerOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Memory for the offsets of the keys (`log.cleaner.dedupe.buffer.size`). */
  readonly dedupeBufferBytes: number;
  /** Asked again and again. */
  readonly isStopped?: () => boolean;
  /** Lets the event loop go round; called every few milliseconds. */
  readonly pause?: () => Promise<void>;
}

export interface CleaningResult {
  /** Everything below is clean. */
  readonly endOffset: number;
  readonly bytesRead: number;
  readonly bytesWritten: number;
}

interface Slice {
  readonly batches: readonly RecordBatch[];
  readonly bytes: number;
}

interface Mapped {
  readonly offsets: OffsetMap;
  readonly aborted: AbortedRanges;
  readonly endOffset: number;
  readonly lastBatchEndOffset: number;
}

/**
 * Compacts one log: of every key below `endOffset` only the latest record stays (Kafka's Cleaner).
 *
 * First the dirty part, from `firstDirtyOffset` on, is read for the latest offset of each key, as far as memory reaches. Then
 * all segments up to there are written anew without the records that have a later one, several small segments into one. The
 * new one takes their place in steps, each of which a start after a crash either completes or undoes (UnifiedLog.replaceSegments).
 * Offsets never change, and the last batch read keeps its header at least: the log ends where it did.
 */
export class Cleaner {
  readonly #log: UnifiedLog;
  readonly #options: CleanerOptions;
  readonly #truncations: number;
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
   * @param endOffset where a segment begins that is not cleaned
   * @throws CleaningAbortedError; KafkaStorageError when the disk failed, which has fenced the log
   */
  async clean(firstDirtyOffset: number, endOffset: number): Promise<CleaningResult> {
    const segments = this.#log.segments.filter((segment) => segment.baseOffset < endOffset);
    const mapped = await this.#mapOffsets(segments, firstDirtyOffset, endOffset);
    const context: FilterContext = {
      ...mapped,
      nowMs: this.#options.clock.wallMs(),
      deleteRetentionMs: this.#log.config.deleteRetentionMs,
      lastRecords: this.#log.lastRecordsOfProducers(),
    };
    const cleanable = segments.filter((segment) => segment.baseOffset < mapped.endOffset);
    for (const group of groupSegments(cleanable, endOffset, this.#log.config)) await this.#cleanGroup(group, context);
    return { endOffset: mapped.endOffset, bytesRead: this.#bytesRead, bytesWritten: this.#bytesWritten };
  }

  async #mapOffsets(segments: readonly LogSegment[], startOffset: number, endOffset: number): Promise<Mapped> {
    const { dedupeBufferBytes, random } = this.#options;
    const offsets = new OffsetMap(dedupeBufferBytes, endOffset - startOffset, random);
    // A transaction may have ended in a segment that is not cleaned.
    const aborted = new AbortedRanges(this.#log.segments.flatMap(({ transactionIndex }) => transactionIndex.entries));
    const mapped = { offsets, aborted };
    const first = segments.findLastIndex((segment) => segment.baseOffset <= startOffset);
    let lastBatchEndOffset = startOffset;
    for (const segment of segments.slice(Math.max(0, first))) {
      const firstBatch = await this.#read(segment, async () => ({ header: await segment.findBatch(startOffset) }));
      let position = firstBatch.header?.position ?? segment.size;
      while (position < segment.size) {
        const slice = await this.#readSlice(segment, position);
        for (const batch of slice.batches) {
          const withoutRoom = addToOffsetMap(batch, startOffset, mapped);
          lastBatchEndOffset = batch.nextOffset;
          if (withoutRoom !== undefined) return { ...mapped, endOffset: withoutRoom, lastBatchEndOffset };
        }
        position += slice.bytes;
        await this.#letOthers();
      }
    }
    return { ...mapped, endOffset, lastBatchEndOffset };
  }

  /** Writes a group of segments anew as one, and puts it in their place. */
  async #cleanGroup(group: readonly LogSegment[], context: FilterContext): Promise<void> {
    const cleaned = this.#log.newCleanedSegment(group[0]?.baseOffset ?? 0);
    try {
      await this.#log.readSegments(async () => {
        await cleaned.remove(); // what a cleaning that was broken off could not remove
        await cleaned.transactionIndex.clear();
        await cleaned.createFiles();
      });
      for (const segment of group) {
        // Their markers stay; so may records that memory did not suffice for, and those in the tail cache.
        for (const aborted of segment.transactionIndex.entries) {
          const last = cleaned.transactionIndex.entries.at(-1)?.lastOffset ?? -1;
          if (aborted.lastOffset > last) cleaned.transactionIndex.append(aborted);
        }
        for (let position = 0; position < segment.size;) {
          position += await this.#cleanSlice(segment, position, cleaned, context);
          await this.#letOthers();
        }
      }
      await this.#log.readSegments(async () => {
        cleaned.seal();
        await cleaned.flush();
      });
      const isReplaced = await this.#log.replaceSegments(cleaned, group, this.#truncations);
      if (!isReplaced) throw new CleaningAbortedError(`${this.#log.directory} has changed meanwhile`);
    } catch (error) {
      // What stays, as after a crash, goes with the next start.
      if (this.#log.isUsable) await cleaned.remove().catch(() => undefined);
      else await cleaned.close().catch(() => undefined);
      throw error;
    }
  }

  /** Returns how many bytes of the segment have been dealt with. */
  async #cleanSlice(
    segment: LogSegment,
    position: number,
    cleaned: LogSegment,
    context: FilterContext,
  ): Promise<number> {
    const { batches, bytes } = await this.#readSlice(segment, position);
    const start = cleaned.size;
    const chunks: Uint8Array[] = [];
    for (const batch of batches) {
      const kept = filterBatch(batch, context);
      if (kept === undefined) continue;
      cleaned.append(new RecordBatch(kept));
      chunks.push(kept);
    }
    if (chunks.length > 0) {
      await this.#log.readSegments(async () => {
        await cleaned.log.write(start, [concatenate(chunks)]);
        cleaned.markWritten(cleaned.size);
      });
      this.#bytesWritten += cleaned.size - start;
    }
    return bytes;
  }

  /** Whole batches from a position that begins one, each with its CRC checked. */
  async #readSlice(segment: LogSegment, position: number): Promise<Slice> {
    const slice = await this.#read(segment, async () => {
      let bytes = await segment.log.readFully(position, Math.min(SLICE_BYTES, segment.size - position));
      try {
        const size = peekBatchSize(bytes) ?? 0;
        if (size > bytes.length) bytes = await segment.log.readFully(position, size);
        return wholeBatches(bytes);
      } catch (error) {
        throw segment.corruptAt(position, error);
      }
    });
    this.#bytesRead += slice.bytes;
    return slice;
  }

  /** Reads a segment, if it is in use and has not been cut: else positions are not what they were, or files are gone. */
  async #read<T extends object>(segment: LogSegment, action: () => Promise<T>): Promise<T> {
    if (this.#options.isStopped?.() === true) throw new CleaningAbortedError("the cleaner is stopped");
    const log = this.#log;
    const read = await log.readSegments(async () => {
      const isIntact = log.truncationCount === this.#truncations && log.segments.includes(segment);
      return isIntact ? action() : undefined;
    });
    if (read === undefined) throw new CleaningAbortedError(`${log.directory} has changed meanwhile`);
    return read;
  }

  /** The event loop goes round when the cleaner has had it for a while. */
  async #letOthers(): Promise<void> {
    const { clock, pause } = this.#options;
    if (clock.monotonicMs() - this.#turnBeganMs < LONGEST_TURN_MS) return;
    await pause?.();
    this.#turnBeganMs = clock.monotonicMs();
  }
}

/**
 * Neighbours that fit one segment together: by the size of the log, by what its indexes may hold, and by the offsets that an
 * index can name. Segments shrink, so without this a log would end as many tiny ones.
 *
 * @param endOffset where the last of them ends
 */
export function groupSegments(
  segments: readonly LogSegment[],
  endOffset: number,
  config: { readonly segmentBytes: number; readonly segmentIndexBytes: number; readonly indexIntervalBytes: number },
): LogSegment[][] {
  const mostIndexed = Math.floor(config.segmentIndexBytes / TIME_INDEX_ENTRY_BYTES) * config.indexIntervalBytes;
  const mostBytes = Math.min(config.segmentBytes, mostIndexed);
  const groups: LogSegment[][] = [];
  let bytes = 0;
  for (const [index, segment] of segments.entries()) {
    const group = groups.at(-1);
    const segmentEnd = segments[index + 1]?.baseOffset ?? endOffset;
    const span = segmentEnd - 1 - (group?.[0]?.baseOffset ?? segment.baseOffset);
    if (group !== undefined && bytes + segment.size <= mostBytes && span <= LARGEST_RELATIVE_OFFSET) {
      group.push(segment);
      bytes += segment.size;
    } else {
      groups.push([segment]);
      bytes = segment.size;
    }
  }
  return groups;
}

/** @throws KafkaError when one is damaged, or there is none */
function wholeBatches(bytes: Uint8Array): Slice {
  const batches = [...recordBatches(bytes)];
  for (const batch of batches) batch.ensureValid();
  if (batches.length === 0) throw new CorruptRecordError("no whole batch");
  return { batches, bytes: batches.reduce((size, batch) => size + batch.sizeInBytes, 0) };
}

function concatenate(chunks: readonly Uint8Array[]): Uint8Array {
  const first = chunks[0];
  if (chunks.length === 1 && first !== undefined) return first;
  const bytes = new Uint8Array(chunks.reduce((size, chunk) => size + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}
