import type { Clock, Disk, Random } from "@samsa/base";
import { DiskError, ErrorCode, KafkaError, METADATA_TOPIC_ID } from "@samsa/base";
import { defaultLogConfig, loadLog, OffsetCheckpointFile, readWholeFile } from "@samsa/log";
import type { UnifiedLog } from "@samsa/log";
import type { MetadataBatch, MetadataRecord, Snapshot, SnapshotId } from "@samsa/metadata";
import {
  BOOTSTRAP_SNAPSHOT_ID,
  CLUSTER_METADATA_TOPIC_NAME,
  decodeControlBatch,
  decodeMetadataBatch,
  decodeSnapshot,
  parseSnapshotFileName,
  snapshotFileName,
} from "@samsa/metadata";
import { ControlRecordType, recordBatches } from "@samsa/protocol";
import type { VotersRecord } from "@samsa/protocol/messages/voters-record";

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
  /** Whether log or snapshot say who votes; formatting alone does not count. */
  readonly areVotersInLog: boolean;
}

export interface MetadataLogLocation {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly random: Random;
  /** The data directory. */
  readonly directory: string;
}

/** @throws KafkaError when the log or its snapshot cannot be trusted */
export async function recoverMetadataLog(location: MetadataLogLocation): Promise<RecoveredMetadataLog> {
  const { disk, clock, random, directory } = location;
  const folder = `${directory}/${METADATA_LOG_FOLDER}`;
  const recoveryPoints = await recoveryPointFile(disk, folder).read();
  const log = await loadLog({
    disk,
    clock,
    random,
    directory: folder,
    topicPartition: { topic: CLUSTER_METADATA_TOPIC_NAME, partition: 0 },
    topicId: METADATA_TOPIC_ID,
    recoveryPoint: recoveryPoints.get(METADATA_LOG_FOLDER)?.offset ?? 0,
    // Nothing counts before it is on the platter; appends that come meanwhile share the next sync.
    config: defaultLogConfig({ maxMessageBytes: MAX_METADATA_BATCH_BYTES, flushMessages: 1 }),
  });
  try {
    return await recover(disk, directory, folder, log);
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
  if (log.logEndOffset < startOffset) await log.truncateFullyAndStartAt(startOffset);
  if (log.logStartOffset > startOffset) {
    throw new KafkaError(
      ErrorCode.CORRUPT_MESSAGE,
      `${folder} begins at offset ${log.logStartOffset} and no snapshot holds what came before`,
    );
  }
  const quorum = {
    kraftVersion: snapshot?.snapshot.kraftVersion ?? bootstrap?.kraftVersion ?? 0,
    voters: snapshot?.snapshot.voters ?? bootstrap?.voters,
    areVotersInLog: snapshot?.snapshot.voters !== undefined,
  };
  const batches: RecoveredBatch[] = [];
  let offset = startOffset;
  while (offset < log.logEndOffset) {
    const { records, nextOffset } = await log.read(offset, READ_BYTES);
    for (const bytes of records) {
      for (const batch of recordBatches(bytes)) {
        if (batch.lastOffset < startOffset) continue; // the batch before the snapshot's end
        batch.ensureValid();
        if (!batch.isControlBatch) {
          batches.push({ kind: "records", batch: decodeMetadataBatch(batch) });
          continue;
        }
        for (const record of decodeControlBatch(batch)) {
          if (record.type === ControlRecordType.KRAFT_VERSION) quorum.kraftVersion = record.value.kRaftVersion;
          if (record.type !== ControlRecordType.KRAFT_VOTERS) continue;
          quorum.voters = record.value;
          quorum.areVotersInLog = true;
        }
        const { lastOffset, partitionLeaderEpoch: epoch, maxTimestamp: timestampMs } = batch;
        batches.push({ kind: "control", lastOffset, epoch, timestampMs });
      }
    }
    if (nextOffset <= offset) throw new KafkaError(ErrorCode.CORRUPT_MESSAGE, `${folder} ends before its end offset`);
    offset = nextOffset;
  }
  return { log, snapshot, batches, bootstrapRecords: older?.records ?? [], ...quorum };
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
