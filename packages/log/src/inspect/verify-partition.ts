import type { Disk } from "@samsa/base";
import { DiskError } from "@samsa/base";
import { readWholeFile } from "../atomic-file.ts";
import { CorruptFileError } from "../errors.ts";
import { LeaderEpochCheckpointFile } from "../leader-epoch-cache.ts";
import type { EpochEntry } from "../leader-epoch-cache.ts";
import type { LogFileName } from "../log-file-names.ts";
import {
  hasUnsafeOffset,
  LOG_SUFFIX,
  logFileName,
  parseLogFileName,
  OFFSET_INDEX_SUFFIX,
  PRODUCER_SNAPSHOT_SUFFIX,
  TIME_INDEX_SUFFIX,
  TXN_INDEX_SUFFIX,
} from "../log-file-names.ts";
import { PartitionMetadataFile } from "../partition-metadata-file.ts";
import { decodeProducerSnapshot } from "../producer-snapshot-file.ts";
import type { CheckpointedPartition } from "./describe-partition.ts";
import type { Finding, Report } from "./finding.ts";
import type { WalkState } from "./verify-segment.ts";
import { verifySegment } from "./verify-segment.ts";

export interface VerifyPartitionOptions {
  readonly disk: Disk;
  readonly directory: string;
  /** The folder's name, for findings. */
  readonly folder: string;
  readonly checkpointed: CheckpointedPartition;
  readonly wasClean: boolean;
  readonly report: Report;
  readonly onProgress?: (bytes: number, batches: number) => void;
}

export interface PartitionVerified {
  readonly logStartOffset: number;
  readonly logEndOffset: number;
  readonly segments: number;
  readonly batches: number;
  readonly records: number;
  readonly bytes: number;
}

const EPOCH_CHECKPOINT = "leader-epoch-checkpoint";
const MOST_SNAPSHOT_BYTES = 1024 ** 3;
/** What else stands in the folder of a partition; the last three in that of the metadata. */
const KNOWN_FILES =
  /^(?:partition\.metadata|leader-epoch-checkpoint|recovery-point-offset-checkpoint|quorum-state|.*\.checkpoint(?:\.part|\.deleted)?|.*\.tmp)$/;

/**
 * Reads every file of a partition's folder against each other and the checkpoints of its data directory.
 * @throws DiskError
 */
export async function verifyPartition(options: VerifyPartitionOptions): Promise<PartitionVerified> {
  const { disk, directory, folder, checkpointed, wasClean, report, onProgress = () => {} } = options;
  const files = await listFiles(options);
  const logs = files.filter(({ suffix, state }) => suffix === LOG_SUFFIX && state === "");
  const first = logs[0]?.offset ?? 0;
  const epochs = await readEpochs(options);
  const walk: WalkState = {
    nextOffset: first,
    leaderEpoch: -1,
    hasGaps: first > 0,
    isUncertain: false,
    open: new Map(),
    batches: 0,
    records: 0,
    bytes: 0,
  };
  const logStartOffset = Math.max(first, checkpointed.logStartOffset ?? 0);
  for (const [index, { offset: baseOffset }] of logs.entries()) {
    if (baseOffset > walk.nextOffset) walk.hasGaps = true;
    if (index < logs.length - 1) await checkEmpty(options, baseOffset);
    await verifySegment({
      disk,
      directory,
      folder,
      baseOffset,
      isActive: index === logs.length - 1,
      wasClean,
      recoveryPoint: Math.max(checkpointed.recoveryPoint ?? 0, checkpointed.highWatermark ?? 0),
      walk,
      epochAt: (offset) =>
        offset < logStartOffset ? undefined : epochs?.findLast((entry) => entry.startOffset <= offset)?.epoch,
      report,
      onProgress,
    });
  }
  const logEndOffset = Math.max(walk.nextOffset, logs.at(-1)?.offset ?? 0);
  checkOffsets(options, { logEndOffset, epochs, hasLogs: logs.length > 0 && !walk.isUncertain });
  await checkSnapshots(options, files, walk.isUncertain ? Infinity : logEndOffset);
  const { batches, records, bytes } = walk;
  await checkTopicId(options, bytes > 0);
  return { logStartOffset, logEndOffset, segments: logs.length, batches, records, bytes };
}

async function listFiles({
  disk,
  directory,
  folder,
  checkpointed,
  report,
}: VerifyPartitionOptions): Promise<readonly LogFileName[]> {
  const found: LogFileName[] = [];
  for (const { name, isDirectory } of await disk.list(directory)) {
    const parsed = isDirectory ? undefined : parseLogFileName(name);
    if (parsed !== undefined) found.push(parsed);
    const file = `${folder}/${name}`;
    if (hasUnsafeOffset(name)) {
      report({ severity: "damage", file, message: "its offset is beyond 2^53 - 1" });
    } else if (parsed === undefined && !KNOWN_FILES.test(name)) {
      report({ severity: "note", file, message: "a file that is none of a broker's" });
    } else if (parsed !== undefined && parsed.state !== "") {
      report({ severity: "note", file, message: LEFT_OVER[parsed.state] });
    }
  }
  found.sort((one, other) => one.offset - other.offset);
  const bases = new Set(
    found.filter(({ suffix, state }) => suffix === LOG_SUFFIX && state === "").map((log) => log.offset),
  );
  for (const { offset, suffix, state } of found) {
    if (suffix === PRODUCER_SNAPSHOT_SUFFIX || state !== "" || bases.has(offset)) continue;
    // The last of several is missed by where the log ends.
    const isFollowed = bases.size === 0 || [...bases].some((base) => base > offset);
    const isLost = isFollowed && suffix !== TXN_INDEX_SUFFIX && offset < (checkpointed.recoveryPoint ?? 0);
    report({
      severity: isLost ? "damage" : "repairable",
      file: `${folder}/${logFileName(offset, suffix)}`,
      message: isLost ? "the index of a log that was synced and is gone" : "an index without its log",
    });
  }
  if (bases.size === 0) {
    const { recoveryPoint = 0 } = checkpointed;
    const isLost = recoveryPoint > 0;
    const message = `there is no log in this folder${isLost ? `, with its records below offset ${recoveryPoint}` : ""}`;
    report({ severity: isLost ? "damage" : "note", file: folder, message });
  }
  return found;
}

/** Compaction takes the indexes of a segment along; an empty one that has them has lost its records. */
async function checkEmpty(
  { disk, directory, folder, checkpointed, report }: VerifyPartitionOptions,
  offset: number,
): Promise<void> {
  const sizeOf = async (suffix: string): Promise<number> =>
    (await disk.fileSize(`${directory}/${logFileName(offset, suffix)}`)) ?? 0;
  if (offset >= (checkpointed.recoveryPoint ?? 0) || (await sizeOf(LOG_SUFFIX)) > 0) return;
  if ((await sizeOf(OFFSET_INDEX_SUFFIX)) === 0 && (await sizeOf(TIME_INDEX_SUFFIX)) === 0) return;
  const file = `${folder}/${logFileName(offset, LOG_SUFFIX)}`;
  report({ severity: "damage", file, offset, message: "it is empty, was synced, and its indexes are not" });
}

const LEFT_OVER = {
  ".deleted": "out of use, to be removed",
  ".cleaned": "a compaction that was never finished; the next start removes it",
  ".swap": "a compaction that was finished and not yet put in place; the next start does so",
} as const;

async function readEpochs(options: VerifyPartitionOptions): Promise<readonly EpochEntry[] | undefined> {
  const { disk, directory, folder, report } = options;
  const path = `${directory}/${EPOCH_CHECKPOINT}`;
  try {
    if ((await disk.fileSize(path)) === undefined) return undefined;
    const entries = (await new LeaderEpochCheckpointFile(disk, directory).read()) ?? [];
    for (const [index, entry] of entries.entries()) {
      const previous = entries[index - 1];
      if (previous === undefined) continue;
      if (entry.epoch > previous.epoch && entry.startOffset >= previous.startOffset) continue;
      const message = `epoch ${entry.epoch} from offset ${entry.startOffset} follows epoch ${previous.epoch} from ${previous.startOffset}`;
      report({ severity: "repairable", file: `${folder}/${EPOCH_CHECKPOINT}`, message });
    }
    return entries;
  } catch (error) {
    if (!(error instanceof CorruptFileError)) throw error;
    report({ severity: "repairable", file: `${folder}/${EPOCH_CHECKPOINT}`, message: error.message });
    return undefined;
  }
}

/** The metadata log has the id that such logs always have. */
async function checkTopicId(
  { disk, directory, folder, report }: VerifyPartitionOptions,
  hasRecords: boolean,
): Promise<void> {
  const file = `${folder}/partition.metadata`;
  try {
    const topicId = await new PartitionMetadataFile(disk, directory).read();
    if (topicId !== undefined) return;
    const isLost = hasRecords && !folder.startsWith("__cluster_metadata-");
    const message = isLost
      ? "it is missing, and nothing else tells of which topic the records are"
      : "it is missing: the folder names no topic id";
    report({ severity: isLost ? "damage" : "note", file, message });
  } catch (error) {
    if (!(error instanceof CorruptFileError)) throw error;
    report({ severity: "damage", file, message: error.message });
  }
}

/** What the checkpoints say lies within the log. */
function checkOffsets(
  { folder, checkpointed, wasClean, report }: VerifyPartitionOptions,
  log: { readonly logEndOffset: number; readonly epochs: readonly EpochEntry[] | undefined; readonly hasLogs: boolean },
): void {
  if (!log.hasLogs) return;
  const { logEndOffset, epochs = [] } = log;
  const named: readonly (readonly [string, string, number | undefined])[] = [
    ["recovery-point-offset-checkpoint", "recovery point", checkpointed.recoveryPoint],
    ["replication-offset-checkpoint", "high watermark", checkpointed.highWatermark],
    ["log-start-offset-checkpoint", "log start offset", checkpointed.logStartOffset],
  ];
  for (const [file, what, offset] of named) {
    if (offset === undefined || offset <= logEndOffset) continue;
    const message = `the ${what} of ${folder} is ${offset}, where the log ends at ${logEndOffset}: records are missing`;
    report({ severity: "damage", file, offset, message });
  }
  const { recoveryPoint } = checkpointed;
  if (wasClean && recoveryPoint !== undefined && recoveryPoint < logEndOffset) {
    const message = `the log ended at ${recoveryPoint} when the broker stopped, and now it ends at ${logEndOffset}`;
    report({ severity: "damage", file: folder, offset: recoveryPoint, message });
  }
  for (const { epoch, startOffset } of epochs) {
    if (startOffset <= logEndOffset) continue;
    const message = `epoch ${epoch} begins at ${startOffset}, where the log ends at ${logEndOffset}`;
    report({ severity: "repairable", file: `${folder}/${EPOCH_CHECKPOINT}`, offset: startOffset, message });
  }
}

async function checkSnapshots(
  { disk, directory, folder, report }: VerifyPartitionOptions,
  files: readonly LogFileName[],
  logEndOffset: number,
): Promise<void> {
  for (const { offset, suffix, state } of files) {
    if (suffix !== PRODUCER_SNAPSHOT_SUFFIX || state !== "") continue;
    const name = logFileName(offset, suffix);
    const file = `${folder}/${name}`;
    const wrong = (severity: Finding["severity"], message: string): void => report({ severity, file, offset, message });
    try {
      const bytes = await readWholeFile(disk, `${directory}/${name}`, MOST_SNAPSHOT_BYTES);
      const producers = decodeProducerSnapshot(bytes ?? new Uint8Array(0), file);
      if (offset > logEndOffset)
        wrong("repairable", `it is of offset ${offset}, where the log ends at ${logEndOffset}`);
      const late = producers.find(({ lastOffset }) => lastOffset >= offset);
      if (late !== undefined)
        wrong("repairable", `producer ${late.producerId} is said to have written offset ${late.lastOffset}`);
    } catch (error) {
      if (error instanceof CorruptFileError) wrong("repairable", error.message);
      else if (!(error instanceof DiskError && error.code === "ENOENT")) throw error;
    }
  }
}
