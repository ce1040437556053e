import path from "node:path";
import { KafkaError } from "@samsa/base";
import { ReadOnlyDisk } from "@samsa/io";
import type { CheckpointedPartition, Finding, PartitionVerified, Report } from "@samsa/log";
import {
  CLEANER_OFFSET_CHECKPOINT,
  CleanShutdownFile,
  LOG_START_OFFSET_CHECKPOINT,
  parseLogDirName,
  readWholeFile,
  RECOVERY_POINT_CHECKPOINT,
  REPLICATION_OFFSET_CHECKPOINT,
  verifyPartition,
} from "@samsa/log";
import { CLUSTER_METADATA_TOPIC_NAME, META_PROPERTIES_FILE, parseMetaProperties } from "@samsa/metadata";
import { dataDirectoryHolder } from "../data-directory-lock.ts";
import { CheckpointedOffsets, readCheckpoint } from "./checkpointed-offsets.ts";
import { partitionFolders } from "./list-partitions.ts";
import { verifyMetadata, verifySnapshot } from "./verify-metadata.ts";

export interface VerifyProgress {
  readonly partitions: number; // those that are done
  readonly ofPartitions: number;
  readonly folder: string; // the one at work
  readonly bytes: number;
  readonly batches: number;
}

export interface VerifyOptions {
  readonly report: (finding: Finding) => void;
  readonly onProgress?: (progress: VerifyProgress) => void;
}

export interface VerifySummary {
  readonly partitions: number;
  readonly segments: number;
  readonly batches: number;
  readonly records: number;
  readonly bytes: number;
  readonly damage: number;
  readonly repairable: number;
  readonly notes: number;
  /** Who writes to the directory meanwhile: then the ends of logs are in motion, and findings there mean nothing. */
  readonly inUseBy: string | undefined;
}

const METADATA_FOLDER = `${CLUSTER_METADATA_TOPIC_NAME}-0`;
const MARKERS = /^(?:\.lock|\.kafka_cleanshutdown|meta\.properties|bootstrap\.checkpoint|.*\.tmp|lost\+found)$/;
const CHECKPOINTS = new Set([
  CLEANER_OFFSET_CHECKPOINT,
  LOG_START_OFFSET_CHECKPOINT,
  RECOVERY_POINT_CHECKPOINT,
  REPLICATION_OFFSET_CHECKPOINT,
]);

/**
 * Reads everything in a data directory, or in the folder of one partition, and tells what is wrong. Nothing is changed.
 * @throws DiskError for a folder that cannot be read
 */
export async function verifyDataDirectory(directory: string, options: VerifyOptions): Promise<VerifySummary> {
  const counts = { damage: 0, repairable: 0, note: 0 };
  const report: Report = (finding) => {
    counts[finding.severity]++;
    options.report({ ...finding, message: withoutPath(finding) });
  };
  const { dataDirectory, folders } = await partitionFolders(directory);
  const isWhole = dataDirectory === path.resolve(directory);
  const disk = new ReadOnlyDisk(dataDirectory);
  const inUseBy = dataDirectoryHolder(dataDirectory);
  const quiet: Report = () => {};
  const offsets = await CheckpointedOffsets.read(disk, ".", isWhole ? report : quiet);
  // A directory without checkpoints, such as a copy of one partition, makes no promise of a complete stop.
  const wasClean = inUseBy === undefined && (await new CleanShutdownFile(disk, ".").exists());
  if (isWhole) await verifyTop(disk, folders, offsets, wasClean, report);

  const total = { segments: 0, batches: 0, records: 0, bytes: 0 };
  for (const [index, folder] of folders.entries()) {
    const name = parseLogDirName(folder);
    if (name?.state === "deleted") {
      report({ severity: "note", file: folder, message: "a deleted partition whose files are still to go" });
      continue;
    }
    let bytes = 0;
    let batches = 0;
    const isMetadata = name?.topic === CLUSTER_METADATA_TOPIC_NAME;
    const checkpointed = isMetadata ? await metadataOffsets(disk, folder, report) : offsets.of(folder);
    const verified: PartitionVerified = await verifyPartition({
      disk,
      directory: folder,
      folder,
      checkpointed,
      wasClean: wasClean && !isMetadata, // which is scanned at every start
      report,
      onProgress: (moreBytes, moreBatches) => {
        bytes += moreBytes;
        batches += moreBatches;
        options.onProgress?.({
          partitions: index,
          ofPartitions: folders.length,
          folder,
          bytes: total.bytes + bytes,
          batches: total.batches + batches,
        });
      },
    });
    if (isMetadata) await verifyMetadata(disk, folder, report);
    total.segments += verified.segments;
    total.batches += verified.batches;
    total.records += verified.records;
    total.bytes += verified.bytes;
  }
  const { damage, repairable, note: notes } = counts;
  return { partitions: folders.length, ...total, damage, repairable, notes, inUseBy };
}

/** The metadata log has a checkpoint of its own (docs/decisions/0010). */
async function metadataOffsets(disk: ReadOnlyDisk, folder: string, report: Report): Promise<CheckpointedPartition> {
  const inFolder: Report = (finding) => report({ ...finding, file: `${folder}/${finding.file}` });
  const noted = await readCheckpoint(disk, folder, RECOVERY_POINT_CHECKPOINT, inFolder);
  return { recoveryPoint: noted.get(folder)?.offset, highWatermark: undefined, logStartOffset: undefined };
}

/** What was thrown begins with the path, as the finding does. */
function withoutPath({ file, message }: Finding): string {
  const start = [`./${file}: `, `${file}: `, `${file} is damaged: `].find((one) => message.startsWith(one));
  return message.slice(start?.length ?? 0);
}

/** The files beside the folders of the partitions. */
async function verifyTop(
  disk: ReadOnlyDisk,
  folders: readonly string[],
  offsets: CheckpointedOffsets,
  wasClean: boolean,
  report: Report,
): Promise<void> {
  const entries = await disk.list(".");
  for (const { name, isDirectory } of entries) {
    if (isDirectory ? folders.includes(name) || name === "lost+found" : MARKERS.test(name) || CHECKPOINTS.has(name))
      continue;
    report({ severity: "note", file: name, message: "none of a broker's" });
  }
  const names = new Set(entries.map(({ name }) => name));
  if (!names.has(META_PROPERTIES_FILE)) {
    report({
      severity: "damage",
      file: META_PROPERTIES_FILE,
      message: "it is missing: nobody knows whose directory this is",
    });
  } else {
    try {
      parseMetaProperties((await readWholeFile(disk, META_PROPERTIES_FILE)) ?? new Uint8Array(0), META_PROPERTIES_FILE);
    } catch (error) {
      if (!(error instanceof KafkaError)) throw error;
      report({ severity: "damage", file: META_PROPERTIES_FILE, message: error.message });
    }
  }
  if (names.has("bootstrap.checkpoint")) await verifySnapshot(disk, "bootstrap.checkpoint", report);
  const partitions = folders.filter((folder) => parseLogDirName(folder)?.state === "current");
  if (wasClean && partitions.some((folder) => folder !== METADATA_FOLDER)) {
    for (const file of [RECOVERY_POINT_CHECKPOINT, REPLICATION_OFFSET_CHECKPOINT]) {
      if (((await disk.fileSize(file)) ?? 0) > 0) continue;
      report({ severity: "repairable", file, message: "it is missing or empty after a complete stop" });
    }
  }
  if (partitions.length > 0 && !partitions.includes(METADATA_FOLDER)) {
    const message =
      "no metadata log is here: it is in another of log.dirs, or lost, and the topics are known by it alone";
    report({ severity: "note", file: METADATA_FOLDER, message });
  }
  const cleaned = await readCheckpoint(disk, ".", CLEANER_OFFSET_CHECKPOINT, report);
  const present = new Set(folders);
  for (const folder of new Set([...offsets.folders, ...cleaned.keys()])) {
    if (present.has(folder)) continue;
    report({
      severity: "note",
      file: folder,
      message: "a checkpoint names this partition, and there is no such folder",
    });
  }
}
