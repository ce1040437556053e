import type { Disk } from "@samsa/base";
import { KafkaError } from "@samsa/base";
import {
  LOG_SUFFIX,
  logFileName,
  OFFSET_INDEX_SUFFIX,
  parseLogFileName,
  TIME_INDEX_SUFFIX,
  TXN_INDEX_SUFFIX,
} from "../log-file-names.ts";
import type { LogFileName } from "../log-file-names.ts";
import { PartitionMetadataFile } from "../partition-metadata-file.ts";
import { parseLogDirName } from "../topic-partition.ts";
import { readOffsetIndex, readTimeIndex, readTransactionIndex } from "./index-entries.ts";
import { summarizeHeaders } from "./segment-headers.ts";

/** One `.log` file, whatever state it is in, and what lies beside it. */
export interface SegmentDescription {
  readonly file: string;
  readonly baseOffset: number;
  readonly lastOffset: number | null; // null for an empty one
  readonly state: "active" | "sealed" | "deleted" | "cleaned" | "swap";
  readonly bytes: number;
  readonly batches: number;
  readonly records: number;
  readonly firstTimestamp: number | null;
  readonly maxTimestamp: number | null;
  readonly offsetIndexEntries: number | null; // null where there is no such file
  readonly timeIndexEntries: number | null;
  readonly abortedTransactions: number;
  /** Why the walk over the headers did not reach the end of the file. */
  readonly problem?: string;
}

export interface PartitionDescription {
  readonly folder: string;
  readonly topic: string;
  readonly partition: number;
  readonly state: "current" | "deleted" | "stray" | "future";
  readonly topicId: string | null;
  readonly logStartOffset: number;
  readonly logEndOffset: number; // exclusive
  readonly highWatermark: number | null; // as the checkpoints have them
  readonly recoveryPoint: number | null;
  readonly bytes: number;
  readonly segments: readonly SegmentDescription[];
}

/** The offsets that the checkpoints of a data directory have for a partition. */
export interface CheckpointedPartition {
  readonly logStartOffset?: number | undefined;
  readonly highWatermark?: number | undefined;
  readonly recoveryPoint?: number | undefined;
}

const STATES = { ".deleted": "deleted", ".cleaned": "cleaned", ".swap": "swap" } as const;

/** What lies in the folder of a partition, from names, sizes and the headers of batches. */
export async function describePartition(
  disk: Disk,
  directory: string,
  checkpointed: CheckpointedPartition,
): Promise<PartitionDescription> {
  const folder = directory.slice(directory.lastIndexOf("/") + 1);
  const name = parseLogDirName(folder) ?? { topic: folder, partition: -1, state: "current" };
  const logs: { readonly file: string; readonly name: LogFileName }[] = [];
  for (const { name: file, isDirectory } of await disk.list(directory)) {
    const parsed = isDirectory ? undefined : parseLogFileName(file);
    if (parsed?.suffix === LOG_SUFFIX) logs.push({ file, name: parsed });
  }
  logs.sort((one, other) => one.name.offset - other.name.offset || (one.file < other.file ? -1 : 1));
  const active = logs.findLast((log) => log.name.state === "");
  const segments: SegmentDescription[] = [];
  for (const log of logs) segments.push(await describeSegment(disk, directory, log.file, log.name, log === active));
  const current = segments.filter(({ state }) => state === "active" || state === "sealed");
  const first = current[0];
  const last = current.at(-1);
  return {
    folder,
    topic: name.topic,
    partition: name.partition,
    state: name.state,
    topicId: await topicIdOf(disk, directory),
    logStartOffset: Math.max(first?.baseOffset ?? 0, checkpointed.logStartOffset ?? 0),
    logEndOffset: last === undefined ? 0 : (last.lastOffset ?? last.baseOffset - 1) + 1,
    highWatermark: checkpointed.highWatermark ?? null,
    recoveryPoint: checkpointed.recoveryPoint ?? null,
    bytes: segments.reduce((sum, segment) => sum + segment.bytes, 0),
    segments,
  };
}

async function describeSegment(
  disk: Disk,
  directory: string,
  fileName: string,
  { offset: baseOffset, state }: LogFileName,
  isActive: boolean,
): Promise<SegmentDescription> {
  const path = `${directory}/${fileName}`;
  const beside = (suffix: string): string => `${directory}/${logFileName(baseOffset, suffix)}${state}`;
  const file = await disk.open(path);
  try {
    const headers = await summarizeHeaders(file);
    return {
      file: fileName,
      baseOffset,
      lastOffset: headers.lastOffset ?? null,
      state: state === "" ? (isActive ? "active" : "sealed") : STATES[state],
      bytes: await file.size(),
      batches: headers.batches,
      records: headers.records,
      firstTimestamp: headers.firstTimestamp ?? null,
      maxTimestamp: headers.maxTimestamp ?? null,
      offsetIndexEntries: await countEntries(readOffsetIndex(disk, beside(OFFSET_INDEX_SUFFIX), baseOffset)),
      timeIndexEntries: await countEntries(readTimeIndex(disk, beside(TIME_INDEX_SUFFIX), baseOffset)),
      abortedTransactions: (await unlessCorrupt(readTransactionIndex(disk, beside(TXN_INDEX_SUFFIX))))?.length ?? 0,
      ...(headers.problem === undefined ? {} : { problem: headers.problem }),
    };
  } finally {
    await file.close();
  }
}

async function countEntries(
  reading: Promise<{ readonly entries: readonly unknown[] } | undefined>,
): Promise<number | null> {
  return (await unlessCorrupt(reading))?.entries.length ?? null;
}

async function topicIdOf(disk: Disk, directory: string): Promise<string | null> {
  return (await unlessCorrupt(new PartitionMetadataFile(disk, directory).read())) ?? null;
}

/** A description says what can be said; what is wrong with the rest is for `verify`. */
async function unlessCorrupt<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading;
  } catch (error) {
    if (error instanceof KafkaError) return undefined;
    throw error;
  }
}
