import type { Disk, DiskFile } from "@samsa/base";
import { KafkaError } from "@samsa/base";
import { NO_TIMESTAMP, RECORD_BATCH_OVERHEAD } from "@samsa/protocol";
import { readBatchHeader } from "../batch-header.ts";
import { LOG_SUFFIX, OFFSET_INDEX_SUFFIX } from "../log-file-names.ts";
import type { DumpItem, DumpSink } from "./dump-item.ts";
import { problem } from "./dump-log.ts";
import type { IndexFile } from "./index-entries.ts";
import { lookupPosition, readOffsetIndex, readTimeIndex } from "./index-entries.ts";
import { scanSegment } from "./segment-scan.ts";

export interface DumpIndexOptions {
  /** Entries are compared with the log and not printed. */
  readonly verifyIndexOnly: boolean;
  /** Only what a broker looks at when it starts. */
  readonly indexSanityCheck: boolean;
}

/** An index and the log it speaks of. */
export interface IndexPaths {
  readonly path: string;
  readonly baseOffset: number;
}

/** The entries of an `.index`, each compared with the batch it points to. What does not agree is returned. */
export async function dumpOffsetIndex(
  disk: Disk,
  { path, baseOffset }: IndexPaths,
  { verifyIndexOnly, indexSanityCheck }: DumpIndexOptions,
  sink: DumpSink,
): Promise<readonly DumpItem[]> {
  const index = await readOffsetIndex(disk, path, baseOffset);
  if (index === undefined) return [problem(path, `${path} is not there`)];
  const log = await disk.open(siblingOf(path, LOG_SUFFIX));
  try {
    if (index.entries.length + index.blankEntries === 0) {
      sink.put({ kind: "empty-index", file: path });
      return [];
    }
    const last = index.entries.at(-1);
    if (indexSanityCheck) return sanity(path, index, last?.offset ?? baseOffset, baseOffset, sink);
    const mismatches: string[] = [];
    for (const { offset, position } of index.entries) {
      const found = await lastOffsetAt(log, position);
      if (typeof found === "string") mismatches.unshift(`  Index offset: ${offset}, position: ${position}: ${found}`);
      else if (found !== offset) mismatches.unshift(`  Index offset: ${offset}, log offset: ${found}`);
      if (!verifyIndexOnly) sink.put({ kind: "offset-index-entry", offset, position });
    }
    await sink.drain();
    return mismatches.length === 0 ? [] : [problem(path, `Mismatches in :${path}`, mismatches)];
  } finally {
    await log.close();
  }
}

/** The entries of a `.timeindex`, each compared with the batch that its offset names. What does not agree is returned. */
export async function dumpTimeIndex(
  disk: Disk,
  { path, baseOffset }: IndexPaths,
  { verifyIndexOnly, indexSanityCheck }: DumpIndexOptions,
  sink: DumpSink,
): Promise<readonly DumpItem[]> {
  const index = await readTimeIndex(disk, path, baseOffset);
  if (index === undefined) return [problem(path, `${path} is not there`)];
  const last = index.entries.at(-1);
  if (indexSanityCheck) return sanity(path, index, last?.offset ?? baseOffset, baseOffset, sink);
  const offsets = (await readOffsetIndex(disk, siblingOf(path, OFFSET_INDEX_SUFFIX), baseOffset))?.entries ?? [];
  const log = await disk.open(siblingOf(path, LOG_SUFFIX));
  try {
    const wrongTimes: string[] = [];
    const disorder: string[] = [];
    const notFound: string[] = [];
    let previous = NO_TIMESTAMP;
    for (const { timestamp, offset } of index.entries) {
      const found = await batchOf(log, lookupPosition(offsets, offset), offset);
      if (found?.lastOffset !== offset) {
        notFound.push(`Indexed offset: ${offset}, found log offset: ${found?.lastOffset ?? -1}`);
      } else {
        if (found.maxTimestamp !== timestamp) {
          wrongTimes.push(`  Index timestamp: ${timestamp}, log timestamp: ${found.maxTimestamp}`);
        }
        if (previous >= timestamp) {
          disorder.push(`  Index timestamp: ${timestamp}, Previously indexed timestamp: ${previous}`);
        }
      }
      if (!verifyIndexOnly) sink.put({ kind: "time-index-entry", timestamp, offset });
      previous = timestamp;
    }
    await sink.drain();
    return [
      ...(wrongTimes.length === 0 ? [] : [problem(path, `Found timestamp mismatch in :${path}`, wrongTimes)]),
      ...(disorder.length === 0 ? [] : [problem(path, `Found out of order timestamp in :${path}`, disorder)]),
      ...(notFound.length === 0
        ? []
        : [problem(path, "The following indexed offsets are not found in the log.", notFound)]),
    ];
  } finally {
    await log.close();
  }
}

/** The same name with another ending: `….index` of `….timeindex`. */
export function siblingOf(path: string, suffix: string): string {
  const slash = path.lastIndexOf("/") + 1;
  const name = path.slice(slash);
  const dot = name.indexOf(".");
  return path.slice(0, slash) + (dot < 0 ? name : name.slice(0, dot)) + suffix;
}

/** What a broker asks of an index before it trusts it: whole entries, and a last one that lies in the segment. */
function sanity(
  path: string,
  index: IndexFile<unknown>,
  lastOffset: number,
  baseOffset: number,
  sink: DumpSink,
): readonly DumpItem[] {
  if (index.oddBytes > 0) {
    return [problem(path, `Corrupt index found: ${path} has ${index.sizeInBytes} bytes, which are no whole entries`)];
  }
  if (lastOffset < baseOffset || index.blankEntries > 0) {
    const found = index.blankEntries > 0 ? "zeros follow the last entry" : `the last offset ${lastOffset} is below`;
    return [problem(path, `Corrupt index found: ${path} (base offset ${baseOffset}): ${found}`)];
  }
  sink.put({ kind: "sane-index", file: path });
  return [];
}

/** The last offset of the batch that begins at the position, or why there is none. */
async function lastOffsetAt(log: DiskFile, position: number): Promise<number | string> {
  const header = new Uint8Array(RECORD_BATCH_OVERHEAD);
  const isWithin = position >= 0 && (await log.read(position, header)) === header.length;
  if (!isWithin) return "no batch begins there";
  try {
    return readBatchHeader(header, 0, position).lastOffset;
  } catch (error) {
    if (error instanceof KafkaError) return error.message;
    throw error;
  }
}

async function batchOf(
  log: DiskFile,
  position: number,
  offset: number,
): Promise<{ readonly lastOffset: number; readonly maxTimestamp: number } | undefined> {
  for await (const batches of scanSegment(log, { from: Math.max(0, position) })) {
    for (const { batch } of batches) {
      if (batch.lastOffset < offset) continue;
      let maxTimestamp = NO_TIMESTAMP;
      for (const { timestamp } of batch.records()) maxTimestamp = Math.max(maxTimestamp, timestamp);
      return { lastOffset: batch.lastOffset, maxTimestamp };
    }
  }
  return undefined;
}
