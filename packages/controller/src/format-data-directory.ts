import type { Clock, Disk, Random, Uuid } from "@samsa/base";
import { ErrorCode, KafkaError, randomUuid } from "@samsa/base";
import { readWholeFile, writeFileAtomically } from "@samsa/log";
import type { MetaProperties } from "@samsa/metadata";
import {
  BOOTSTRAP_SNAPSHOT_ID,
  bootstrapRecords,
  checkMetaProperties,
  encodeSnapshot,
  formatMetaProperties,
  META_PROPERTIES_FILE,
  parseMetaProperties,
  snapshotFileName,
} from "@samsa/metadata";
import {
  createVotersRecordEndpoint,
  createVotersRecordKRaftVersionFeature,
  createVotersRecordVoter,
  VotersRecord,
} from "@samsa/protocol/messages/voters-record";
import { METADATA_LOG_FOLDER } from "./metadata-log-recovery.ts";

export interface FormatOptions {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly random: Random;
  /** The data directory; made when missing. */
  readonly directory: string;
  readonly nodeId: number;
  /** The cluster to found or to belong to; a fresh id, or whatever the directory says, when left out. */
  readonly clusterId?: string | undefined;
  /** The listener over which controllers are reached. */
  readonly controllerListener: { readonly name: string; readonly host: string; readonly port: number };
}

/** kraft.version 1: the voters stand in the log, and may change (KIP-853). */
const KRAFT_VERSION = 1;

/**
 * Makes an empty directory the data directory of a new cluster whose only voter is this node, with the files that Kafka's
 * `storage format --standalone` writes. A directory that is formatted stays as it is.
 *
 * @throws InconsistentMetaPropertiesError for a directory of another cluster or node
 */
export async function formatDataDirectory(options: FormatOptions): Promise<MetaProperties> {
  const { disk, clock, random, directory, nodeId, clusterId } = options;
  const path = `${directory}/${META_PROPERTIES_FILE}`;
  await disk.makeDirectory(directory);
  const existing = await readWholeFile(disk, path, 64 * 1024);
  if (existing !== undefined) {
    const properties = parseMetaProperties(existing, path);
    checkMetaProperties(properties, { clusterId, nodeId }, path);
    return properties;
  }
  await refuseForeignDirectory(disk, directory);
  const properties = { clusterId: clusterId ?? randomUuid(random), nodeId, directoryId: randomUuid(random) };
  const folder = `${directory}/${METADATA_LOG_FOLDER}`;
  await disk.makeDirectory(folder);
  const nowMs = clock.wallMs();
  const snapshot = {
    lastContainedLogTimeMs: nowMs,
    kraftVersion: KRAFT_VERSION,
    voters: soleVoter(options, properties.directoryId),
    records: bootstrapRecords(),
  };
  const bytes = encodeSnapshot(snapshot, BOOTSTRAP_SNAPSHOT_ID.epoch, nowMs);
  await writeFileAtomically(disk, `${folder}/${snapshotFileName(BOOTSTRAP_SNAPSHOT_ID)}`, bytes);
  await disk.syncDirectory(directory);
  // Last: a directory with this file is formatted, one without it is begun anew.
  await writeFileAtomically(disk, path, formatMetaProperties(properties, nowMs));
  return properties;
}

/** Logs without meta.properties are somebody's data: they are not to be adopted by a new cluster, which would delete them. */
async function refuseForeignDirectory(disk: Disk, directory: string): Promise<void> {
  const entries = await disk.list(directory);
  const logs = entries.filter(
    (entry) => entry.isDirectory && /-\d+$/.test(entry.name) && entry.name !== METADATA_LOG_FOLDER,
  );
  const metadata = entries.some((entry) => entry.name === METADATA_LOG_FOLDER)
    ? await disk.list(`${directory}/${METADATA_LOG_FOLDER}`)
    : [];
  const hasMetadataLog = metadata.some(({ name }) => name.endsWith(".log"));
  if (logs.length === 0 && !hasMetadataLog) return;
  throw new KafkaError(
    ErrorCode.INCONSISTENT_CLUSTER_ID,
    `${directory} holds logs but no ${META_PROPERTIES_FILE}: put the file back, or use another data directory`,
  );
}

function soleVoter({ nodeId, controllerListener }: FormatOptions, directoryId: Uuid): VotersRecord {
  return VotersRecord.create({
    voters: [
      createVotersRecordVoter({
        voterId: nodeId,
        voterDirectoryId: directoryId,
        endpoints: [createVotersRecordEndpoint(controllerListener)],
        kRaftVersionFeature: createVotersRecordKRaftVersionFeature({ minSupportedVersion: 0, maxSupportedVersion: 1 }),
      }),
    ],
  });
}
