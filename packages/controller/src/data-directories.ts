import type { Disk, Uuid } from "@samsa/base";
import { DiskError, randomUuid, ZERO_UUID } from "@samsa/base";
import { KafkaStorageError, parseLogDirName, readWholeFile, writeFileAtomically } from "@samsa/log";
import type { MetaProperties } from "@samsa/metadata";
import {
  checkMetaProperties,
  formatMetaProperties,
  InconsistentMetaPropertiesError,
  META_PROPERTIES_FILE,
  parseMetaProperties,
  parseSnapshotFileName,
} from "@samsa/metadata";
import type { FormatOptions } from "./format-data-directory.ts";
import { formatDataDirectory } from "./format-data-directory.ts";
import { METADATA_LOG_FOLDER } from "./metadata-log-recovery.ts";

export interface DataDirectoriesOptions extends Omit<FormatOptions, "directory"> {
  /** Where the metadata log is (`metadata.log.dir`); may be one of the others. */
  readonly metadataDirectory: string;
  /** Those of the partitions (`log.dirs`); with what keeps one from being used. */
  readonly directories: readonly { readonly path: string; readonly failure?: unknown }[];
}

export interface PreparedDirectory {
  readonly path: string;
  readonly directoryId: Uuid | undefined; // undefined where it failed
  readonly failure?: unknown;
}

export interface PreparedDirectories {
  readonly clusterId: string;
  /** Of the directory with the metadata log. */
  readonly metadataDirectoryId: Uuid;
  readonly directories: readonly PreparedDirectory[];
}

/**
 * Reads whose each directory is, makes new ones this node's, and gives those an id that have none. A directory that cannot be
 * read is left out, with the reason, if another is there (KIP-858).
 *
 * @throws InconsistentMetaPropertiesError when one belongs to another cluster or node or is the copy of another, DiskError when
 * the metadata directory fails, KafkaStorageError when the metadata of the partitions is lost
 */
export async function prepareDataDirectories(options: DataDirectoriesOptions): Promise<PreparedDirectories> {
  const { disk, metadataDirectory, nodeId } = options;
  const found = await Promise.all(options.directories.map((directory) => inspect(disk, directory, metadataDirectory)));
  const metadataFailure = found.find(({ path }) => path === metadataDirectory)?.failure;
  if (metadataFailure !== undefined) throw metadataFailure;
  const known = found.find(({ properties }) => properties !== undefined);
  const clusterId = options.clusterId ?? known?.properties?.clusterId;
  for (const { path, properties } of found) {
    if (properties !== undefined) checkMetaProperties(properties, { clusterId, nodeId }, fileIn(path));
  }
  const isFormatted = (await readProperties(disk, metadataDirectory)) !== undefined;
  if (!isFormatted && known !== undefined) {
    throw new InconsistentMetaPropertiesError(
      fileIn(metadataDirectory),
      `${metadataDirectory} is to hold the metadata log and has no ${META_PROPERTIES_FILE}, but ${known.path} belongs to cluster ` +
        `${known.properties?.clusterId}: set metadata.log.dir to the directory that holds ${METADATA_LOG_FOLDER}`,
    );
  }
  const partition = found.find((each) => each.partition !== undefined)?.partition;
  if (isFormatted && partition !== undefined) await refuseLostMetadata(disk, metadataDirectory, partition);
  const metadata = await withDirectoryId(
    await formatDataDirectory({ ...options, directory: metadataDirectory, clusterId }),
    metadataDirectory,
    options,
  );
  const directories: PreparedDirectory[] = [];
  for (const { path, properties, failure } of found) {
    if (failure !== undefined) directories.push({ path, directoryId: undefined, failure });
    else if (path === metadataDirectory) directories.push({ path, directoryId: metadata.directoryId });
    else directories.push(await prepare(path, properties, metadata.clusterId, options));
  }
  refuseCopies([...directories, { path: metadataDirectory, directoryId: metadata.directoryId }]);
  return { clusterId: metadata.clusterId, metadataDirectoryId: metadata.directoryId, directories };
}

interface InspectedDirectory {
  readonly path: string;
  readonly properties?: MetaProperties | undefined;
  /** The folder of one that is in there. */
  readonly partition?: string | undefined;
  readonly failure?: unknown;
}

async function inspect(
  disk: Disk,
  { path, failure }: { readonly path: string; readonly failure?: unknown },
  metadataDirectory: string,
): Promise<InspectedDirectory> {
  if (failure !== undefined) return { path, failure };
  try {
    await disk.makeDirectory(path);
    const entries = await disk.list(path);
    if (path !== metadataDirectory && entries.some(({ name }) => name === METADATA_LOG_FOLDER)) {
      throw new InconsistentMetaPropertiesError(
        path,
        `${path} holds a metadata log, which belongs into ${metadataDirectory}: set metadata.log.dir, or move it away`,
      );
    }
    const partition = entries.find(({ name, isDirectory }) => isDirectory && isPartition(name))?.name;
    return { path, properties: await readProperties(disk, path), partition: partition && `${path}/${partition}` };
  } catch (error) {
    if (error instanceof DiskError) return { path, failure: error };
    throw error;
  }
}

function isPartition(folder: string): boolean {
  return parseLogDirName(folder)?.state === "current" && folder !== METADATA_LOG_FOLDER;
}

/**
 * Without the metadata log no topic is known, and what there is of them would be set aside as left over from deleted ones.
 * @throws KafkaStorageError
 */
async function refuseLostMetadata(disk: Disk, directory: string, partition: string): Promise<void> {
  const entries = await disk.list(directory);
  const folder = `${directory}/${METADATA_LOG_FOLDER}`;
  const isThere = entries.some(({ name }) => name === METADATA_LOG_FOLDER);
  const names = isThere ? (await disk.list(folder)).map(({ name }) => name) : [];
  const hasContent = (name: string): boolean =>
    name.endsWith(".log") || (parseSnapshotFileName(name)?.endOffset ?? 0) > 0;
  if (names.some(hasContent)) return;
  throw new KafkaStorageError(
    `${folder} has lost its log, and without it nobody knows the topics, of which ${partition} is there: ` +
      "put the folder back from a copy; nothing has been changed",
  );
}

async function prepare(
  path: string,
  properties: MetaProperties | undefined,
  clusterId: string,
  options: DataDirectoriesOptions,
): Promise<PreparedDirectory> {
  const { nodeId, random, disk, clock } = options;
  try {
    if (properties !== undefined) {
      return { path, directoryId: (await withDirectoryId(properties, path, options)).directoryId };
    }
    const made = { clusterId, nodeId, directoryId: randomUuid(random) };
    await writeFileAtomically(disk, fileIn(path), formatMetaProperties(made, clock.wallMs()));
    return { path, directoryId: made.directoryId };
  } catch (error) {
    if (error instanceof DiskError) return { path, directoryId: undefined, failure: error };
    throw error;
  }
}

/** Directories from before KIP-858 have no id yet. */
async function withDirectoryId(
  properties: MetaProperties,
  path: string,
  { disk, clock, random }: DataDirectoriesOptions,
): Promise<MetaProperties> {
  if (properties.directoryId !== ZERO_UUID) return properties;
  const complete = { ...properties, directoryId: randomUuid(random) };
  await writeFileAtomically(disk, fileIn(path), formatMetaProperties(complete, clock.wallMs()));
  return complete;
}

function refuseCopies(directories: readonly PreparedDirectory[]): void {
  const seen = new Map<Uuid, string>();
  for (const { path, directoryId } of directories) {
    if (directoryId === undefined) continue;
    const other = seen.get(directoryId);
    if (other !== undefined && other !== path) {
      throw new InconsistentMetaPropertiesError(
        fileIn(path),
        `${path} and ${other} have the same directory.id ${directoryId}: one is a copy of the other, so use one of them`,
      );
    }
    seen.set(directoryId, path);
  }
}

async function readProperties(disk: Disk, path: string): Promise<MetaProperties | undefined> {
  const bytes = await readWholeFile(disk, fileIn(path), 64 * 1024);
  return bytes === undefined ? undefined : parseMetaProperties(bytes, fileIn(path));
}

function fileIn(directory: string): string {
  return `${directory}/${META_PROPERTIES_FILE}`;
}
