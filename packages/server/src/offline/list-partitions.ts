import path from "node:path";
import { ReadOnlyDisk } from "@samsa/io";
import type { PartitionDescription } from "@samsa/log";
import { describePartition, parseLogDirName } from "@samsa/log";
import { CheckpointedOffsets } from "./checkpointed-offsets.ts";

/**
 * The partitions of a data directory and their segments, by topic and number. A folder of one partition may be named, too.
 *
 * @param isWanted by the folder's name and its topic; the others are not opened
 * @throws DiskError for a folder that cannot be read
 */
export async function listPartitions(
  directory: string,
  isWanted: (folder: string, topic: string) => boolean = () => true,
): Promise<readonly PartitionDescription[]> {
  const { dataDirectory, folders } = await partitionFolders(directory);
  const disk = new ReadOnlyDisk(dataDirectory);
  const offsets = await CheckpointedOffsets.read(disk, ".", () => {});
  const partitions: PartitionDescription[] = [];
  for (const folder of folders) {
    if (!isWanted(folder, parseLogDirName(folder)?.topic ?? folder)) continue;
    partitions.push(await describePartition(disk, folder, offsets.of(folder)));
  }
  return partitions;
}

/** The folders of partitions below a data directory, sorted; the one folder when it is one itself. */
export async function partitionFolders(
  directory: string,
): Promise<{ readonly dataDirectory: string; readonly folders: readonly string[] }> {
  const absolute = path.resolve(directory);
  const entries = await new ReadOnlyDisk(absolute).list(".");
  const own = path.basename(absolute);
  const holdsLogs = entries.some(({ name, isDirectory }) => !isDirectory && /^\d{20}\.log$/.test(name));
  if (holdsLogs && parseLogDirName(own) !== undefined) return { dataDirectory: path.dirname(absolute), folders: [own] };
  const named = entries
    .filter(({ isDirectory }) => isDirectory)
    .map(({ name }) => ({ name, parsed: parseLogDirName(name) }))
    .filter(({ parsed }) => parsed !== undefined);
  named.sort((one, other) => {
    const topics = (one.parsed?.topic ?? "").localeCompare(other.parsed?.topic ?? "", "en");
    return topics || (one.parsed?.partition ?? 0) - (other.parsed?.partition ?? 0);
  });
  return { dataDirectory: absolute, folders: named.map(({ name }) => name) };
}
