import type { Clock, Disk, Random } from "@samsa/base";
import { DiskError, ErrorCode, KafkaError, METADATA_TOPIC_ID } from "@samsa/base";
import {
  CorruptFileError,
  defaultLogConfig,
  KafkaStorageError,
  loadLog,
  OffsetCheckpointFile,
  readWholeFile,
} from "@samsa/log";
import type { UnifiedLog } from "@samsa/log";
import type { MetadataBatch, MetadataRecord, Snapshot, SnapshotId } from "@samsa/metadata";
import {
  BOOTSTRAP_SNAPSHOT_ID,
  CLUSTER_METADATA_TOPIC_NAME,
  decodeMetadataBatch,
  decodeSnapshot,
  parseSnapshotFileName,
  quorumRecords,
  snapshotFileName,
} from "@samsa/metadata";
import { ControlRecordType, recordBatches } from "@samsa/protocol";
import type { VotersRecord } from "@samsa/protocol/messages/voters-record";
import type { LocatedControlRecord, SnapshotInfo } from "@samsa/raft";
import { isLogBehindSnapshot, locatedControlRecords } from "@samsa/raft";

/** The folder of the metadata log in a data directory. */
export const METADATA_LOG_FOLDER = `${CLUSTER_METADATA_TOPIC_NAME}-0`;
/** The largest batch that Kafka's voters take. */
export const MAX_METADATA_BATCH_BYTES = 8 * 1024 ** 2;
/** Where formatting left its records before they had a place in a snapshot of the log (Kafka before 4.1). */
const OLD_BOOTSTRAP_FILE = "bootstrap.checkpoint";

const READ_BYTES = 4 * 1024 ** 2;

/** A part of the log: records, or control records that only move the offset. */
export type RecoveredBatch =
  | { readonly kind: "records"; readonly batch: MetadataBatch }
  | { readonly kind: "control"; readonly lastOffset: number; readonly epoch: number; readonly timestampMs: number };

/** What the disk holds of the quorum's log. */
export interface RecoveredMetadataLog {
  readonly log: UnifiedLog;
  /** The newest snapshot, unless it is that of formatting. */
  readonly snapshot: { readonly id: SnapshotId; readonly snapshot: Snapshot } | undefined;
  /** From the snapshot's end on. */
  readonly batches: readonly RecoveredBatch[];
  readonly bootstrapRecords: readonly MetadataRecord[];
  readonly kraftVersion: number;
  readonly voters: VotersRecord | undefined;
  /** What the quorum itself said: formatting at offset -1, the newest snapshot, then the log. */
  readonly controlRecords: readonly LocatedControlRecord[];
  /** All that are whole by their names, that of formatting too. */
  readonly snapshots: readonly SnapshotInfo[];
  /** Of the batches since the newest snapshot. */
  readonly bytesSinceSnapshot: number;
}

export interface MetadataLogLocation {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly random: Random;
  /** The data directory. */
  readonly directory: string;
  /** `metadata.log.segment.bytes`; 1 GiB when left out. */
  readonly segmentBytes?: number;
  /** `metadata.log.segment.ms`; seven days when left out. */
  readonly segmentMs?: number;
  /** Told in a line each what was found wrong and made good. */
  readonly report?: (path: string, message: string) => void;
}

/** @throws KafkaError when the log or its snapshot cannot be trusted */
export async function recoverMetadataLog(location: MetadataLogLocation): Promise<RecoveredMetadataLog> {
  const { disk, clock, random, directory } = location;
  const report = location.report ?? (() => undefined);
  const folder = `${directory}/${METADATA_LOG_FOLDER}`;
  const recoveryPoint = await readRecoveryPoint(disk, folder, report);
  const log = await loadLog({
    disk,
    clock,
    random,
    directory: folder,
    topicPartition: { topic: CLUSTER_METADATA_TOPIC_NAME, partition: 0 },
    topicId: METADATA_TOPIC_ID,
    recoveryPoint,
    report,
    config: defaultLogConfig({
      maxMessageBytes: MAX_METADATA_BATCH_BYTES,
      // Nothing counts before it is on the platter; appends that come meanwhile share the next sync.
      flushMessages: 1,
      // What goes, goes because a snapshot holds it, and for no other reason.
      retentionMs: -1,
      retentionBytes: -1,
      segmentBytes: location.segmentBytes ?? 1024 ** 3,
      segmentMs: location.segmentMs ?? 7 * 24 * 3_600_000,
    }),
  });
  try {
    const recovered = await recover(disk, directory, folder, log);
    const endOffset = Math.max(log.logEndOffset, recovered.snapshot?.id.endOffset ?? 0);
    if (endOffset < recoveryPoint) {
      throw new KafkaStorageError(
        `${folder} ends at offset ${endOffset}, but everything below ${recoveryPoint} had been synced`,
      );
    }
    return recovered;
  } catch (error) {
    await log.close();
    throw error;
  }
}

/**
 * How far the log was synced when somebody last looked. Damage below is damage, and never taken for a torn tail; without it a
 * flipped bit would cut off every topic behind it. Kafka keeps no such file here, and does not mind it.
 */
function recoveryPointFile(disk: Disk, folder: string): OffsetCheckpointFile {
  return new OffsetCheckpointFile(disk, `${folder}/recovery-point-offset-checkpoint`);
}

/** 0 where nothing is known. A file that is damaged only has more scanned. */
async function readRecoveryPoint(
  disk: Disk,
  folder: string,
  report: (path: string, message: string) => void,
): Promise<number> {
  const file = recoveryPointFile(disk, folder);
  try {
    return (await file.read()).get(METADATA_LOG_FOLDER)?.offset ?? 0;
  } catch (error) {
    if (!(error instanceof CorruptFileError)) throw error;
    report(file.path, `${error.message}: taken for empty`);
    return 0;
  }
}

/** Notes that everything below the log's recovery point is on the platter. */
export async function writeRecoveryPoint(disk: Disk, directory: string, log: UnifiedLog): Promise<void> {
  const entry = { ...log.topicPartition, offset: log.recoveryPoint };
  await recoveryPointFile(disk, `${directory}/${METADATA_LOG_FOLDER}`).write([entry]);
}

async function recover(disk: Disk, directory: string, folder: string, log: UnifiedLog): Promise<RecoveredMetadataLog> {
  const bootstrap = await readSnapshot(disk, `${folder}/${snapshotFileName(BOOTSTRAP_SNAPSHOT_ID)}`);
  const older = bootstrap ?? (await readSnapshot(disk, `${directory}/${OLD_BOOTSTRAP_FILE}`));
  const snapshot = await newestSnapshot(disk, folder);
  const startOffset = snapshot?.id.endOffset ?? 0;
  const snapshots = await listSnapshots(disk, folder);
  const latest = snapshot === undefined ? undefined : snapshots.find(({ offset }) => offset === startOffset);
  if (isLogBehindSnapshot({ offset: log.logEndOffset, epoch: log.latestEpoch ?? 0 }, latest)) {
    await log.truncateFullyAndStartAt(startOffset);
  }
  if (log.logStartOffset > startOffset) {
    throw new KafkaError(
      ErrorCode.CORRUPT_MESSAGE,
      `${folder} begins at offset ${log.logStartOffset} and no snapshot holds what came before`,
    );
  }
  const quorum = {
    kraftVersion: snapshot?.snapshot.kraftVersion ?? bootstrap?.kraftVersion ?? 0,
    voters: snapshot?.snapshot.voters ?? bootstrap?.voters,
  };
  const formatted = quorumRecords(bootstrap?.kraftVersion ?? 0, bootstrap?.voters);
  const summed = quorumRecords(snapshot?.snapshot.kraftVersion ?? 0, snapshot?.snapshot.voters);
  const controlRecords = [
    ...formatted.map((record) => ({ offset: -1, record })),
    ...summed.map((record) => ({ offset: startOffset - 1, record })),
  ];
  const batches: RecoveredBatch[] = [];
  let bytesSinceSnapshot = 0;
  let offset = startOffset;
  while (offset < log.logEndOffset) {
    const { records, nextOffset } = await log.read(offset, READ_BYTES);
    for (const bytes of records) {
      for (const batch of recordBatches(bytes)) {
        if (batch.lastOffset < startOffset) continue; // the batch before the snapshot's end
        batch.ensureValid();
        bytesSinceSnapshot += batch.sizeInBytes;
        if (!batch.isControlBatch) {
          batches.push({ kind: "records", batch: decodeMetadataBatch(batch) });
          continue;
        }
        for (const located of locatedControlRecords(batch)) {
          const { record } = located;
          if (record.type === ControlRecordType.KRAFT_VERSION) quorum.kraftVersion = record.value.kRaftVersion;
          if (record.type === ControlRecordType.KRAFT_VOTERS) quorum.voters = record.value;
          controlRecords.push(located);
        }
        const { lastOffset, partitionLeaderEpoch: epoch, maxTimestamp: timestampMs } = batch;
        batches.push({ kind: "control", lastOffset, epoch, timestampMs });
      }
    }
    if (nextOffset <= offset) throw new KafkaError(ErrorCode.CORRUPT_MESSAGE, `${folder} ends before its end offset`);
    offset = nextOffset;
  }
  const bootstrapRecords = older?.records ?? [];
  return { log, snapshot, snapshots, controlRecords, batches, bytesSinceSnapshot, bootstrapRecords, ...quorum };
}

async function listSnapshots(disk: Disk, folder: string): Promise<SnapshotInfo[]> {
  const found: SnapshotInfo[] = [];
  for (const { name } of await disk.list(folder)) {
    const id = parseSnapshotFileName(name);
    const sizeInBytes = id === undefined ? undefined : await disk.fileSize(`${folder}/${name}`);
    if (id !== undefined && sizeInBytes !== undefined)
      found.push({ offset: id.endOffset, epoch: id.epoch, sizeInBytes });
  }
  return found;
}

async function newestSnapshot(
  disk: Disk,
  folder: string,
): Promise<{ readonly id: SnapshotId; readonly snapshot: Snapshot } | undefined> {
  const names = (await disk.list(folder)).map(({ name }) => name).sort();
  for (const name of names.toReversed()) {
    const id = parseSnapshotFileName(name);
    if (id === undefined || id.endOffset === 0) continue;
    const snapshot = await readSnapshot(disk, `${folder}/${name}`);
    if (snapshot !== undefined) return { id, snapshot };
  }
  return undefined;
}

async function readSnapshot(disk: Disk, path: string): Promise<Snapshot | undefined> {
  const bytes = await readWholeFile(disk, path, 1024 ** 3);
  if (bytes === undefined) return undefined;
  try {
    return decodeSnapshot(bytes);
  } catch (error) {
    if (!(error instanceof KafkaError) || error instanceof DiskError) throw error;
    throw new KafkaError(error.code, `${path} cannot be used: ${error.message}`, { cause: error });
  }
}
