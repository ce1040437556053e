import type { Disk } from "@samsa/base";
import { topicNameProblem } from "@samsa/protocol";
import { CheckpointFile, parseOffset } from "./checkpoint-file.ts";
import type { TopicPartition } from "./topic-partition.ts";
import { logDirName } from "./topic-partition.ts";

export const RECOVERY_POINT_CHECKPOINT = "recovery-point-offset-checkpoint";
export const LOG_START_OFFSET_CHECKPOINT = "log-start-offset-checkpoint";
/** Where the dirty part of compacted logs begins. */
export const CLEANER_OFFSET_CHECKPOINT = "cleaner-offset-checkpoint";
/** The high watermarks. */
export const REPLICATION_OFFSET_CHECKPOINT = "replication-offset-checkpoint";

export interface OffsetCheckpoint extends TopicPartition {
  readonly offset: number;
}

/** One offset for each partition of a data directory, in a line `topic partition offset`. */
export class OffsetCheckpointFile {
  readonly path: string;
  readonly #file: CheckpointFile<OffsetCheckpoint>;

  constructor(disk: Disk, path: string) {
    this.path = path;
    this.#file = new CheckpointFile(disk, path, format, parse);
  }

  async write(entries: Iterable<OffsetCheckpoint>): Promise<void> {
    await this.#file.write([...entries]);
  }

  /** By the name of the partition's folder; empty when there is no file. @throws CorruptFileError */
  async read(): Promise<Map<string, OffsetCheckpoint>> {
    const entries = (await this.#file.read()) ?? [];
    return new Map(entries.map((entry) => [logDirName(entry), entry]));
  }
}

function format({ topic, partition, offset }: OffsetCheckpoint): string {
  return `${topic} ${partition} ${offset}`;
}

function parse(line: string): OffsetCheckpoint | undefined {
  const [topic, partitionDigits, offsetDigits, ...rest] = line.split(" ");
  const partition = parseOffset(partitionDigits);
  const offset = parseOffset(offsetDigits);
  if (topic === undefined || topicNameProblem(topic) !== undefined) return undefined;
  if (partition === undefined || offset === undefined || rest.length > 0) return undefined;
  return { topic, partition, offset };
}
