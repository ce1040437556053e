import type { Disk, Random, Uuid } from "@samsa/base";
import { ZERO_UUID } from "@samsa/base";
import { CorruptFileError } from "./errors.ts";
import { LOG_SUFFIX, parseLogFileName } from "./log-file-names.ts";
import { PartitionMetadataFile } from "./partition-metadata-file.ts";
import { logStrayDirName } from "./topic-partition.ts";
import type { TopicPartition } from "./topic-partition.ts";

export interface StrayFolderOptions {
  readonly disk: Disk;
  readonly random: Random;
  readonly directory: string; // the data directory
  /** Of a folder that names no topic id (ZERO_UUID) the name counts. */
  readonly isStray: (topicPartition: TopicPartition, topicId: Uuid) => boolean;
}

/**
 * Renames a folder that belongs to no partition of this broker. @returns its new path; undefined when it stays
 * @throws CorruptFileError when it has records, and nothing that tells of which topic they are
 */
export async function setAsideStray(
  topicPartition: TopicPartition,
  path: string,
  { disk, random, directory, isStray }: StrayFolderOptions,
): Promise<string | undefined> {
  const file = new PartitionMetadataFile(disk, path);
  const topicId = (await file.read()) ?? ZERO_UUID;
  if (!isStray(topicPartition, topicId)) {
    if (topicId !== ZERO_UUID) return undefined;
    // Kafka sets it aside, because the file comes before the first record. Where there are records, it is lost.
    if (await hasRecords(disk, path))
      throw new CorruptFileError(file.path, "it is missing, and nothing else tells of which topic the records are");
  }
  const newPath = `${directory}/${logStrayDirName(topicPartition, random)}`;
  await disk.rename(path, newPath);
  await disk.syncDirectory(directory);
  return newPath;
}

async function hasRecords(disk: Disk, path: string): Promise<boolean> {
  const logs = (await disk.list(path)).filter(({ name }) => parseLogFileName(name)?.suffix === LOG_SUFFIX);
  const sizes = await Promise.all(logs.map(({ name }) => disk.fileSize(`${path}/${name}`)));
  return sizes.some((size = 0) => size > 0);
}
