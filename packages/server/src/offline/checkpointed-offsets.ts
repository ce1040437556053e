import type { Disk } from "@samsa/base";
import type { CheckpointedPartition, OffsetCheckpoint, Report } from "@samsa/log";
import {
  CorruptFileError,
  LOG_START_OFFSET_CHECKPOINT,
  OffsetCheckpointFile,
  RECOVERY_POINT_CHECKPOINT,
  REPLICATION_OFFSET_CHECKPOINT,
} from "@samsa/log";

/** What the checkpoints of a data directory say, by the folders of the partitions. */
export class CheckpointedOffsets {
  readonly #recoveryPoints: ReadonlyMap<string, OffsetCheckpoint>;
  readonly #highWatermarks: ReadonlyMap<string, OffsetCheckpoint>;
  readonly #logStartOffsets: ReadonlyMap<string, OffsetCheckpoint>;

  private constructor(
    recoveryPoints: ReadonlyMap<string, OffsetCheckpoint>,
    highWatermarks: ReadonlyMap<string, OffsetCheckpoint>,
    logStartOffsets: ReadonlyMap<string, OffsetCheckpoint>,
  ) {
    this.#recoveryPoints = recoveryPoints;
    this.#highWatermarks = highWatermarks;
    this.#logStartOffsets = logStartOffsets;
  }

  /** One that is damaged is told and taken for empty, as by a broker. @throws DiskError */
  static async read(disk: Disk, directory: string, report: Report): Promise<CheckpointedOffsets> {
    return new CheckpointedOffsets(
      await readCheckpoint(disk, directory, RECOVERY_POINT_CHECKPOINT, report),
      await readCheckpoint(disk, directory, REPLICATION_OFFSET_CHECKPOINT, report),
      await readCheckpoint(disk, directory, LOG_START_OFFSET_CHECKPOINT, report),
    );
  }

  of(folder: string): CheckpointedPartition {
    return {
      recoveryPoint: this.#recoveryPoints.get(folder)?.offset,
      highWatermark: this.#highWatermarks.get(folder)?.offset,
      logStartOffset: this.#logStartOffsets.get(folder)?.offset,
    };
  }

  /** The folders that any of them names. */
  get folders(): ReadonlySet<string> {
    const all = [this.#recoveryPoints, this.#highWatermarks, this.#logStartOffsets];
    return new Set(all.flatMap((entries) => [...entries.keys()]));
  }
}

export async function readCheckpoint(
  disk: Disk,
  directory: string,
  name: string,
  report: Report,
): Promise<ReadonlyMap<string, OffsetCheckpoint>> {
  try {
    return await new OffsetCheckpointFile(disk, `${directory}/${name}`).read();
  } catch (error) {
    if (!(error instanceof CorruptFileError)) throw error;
    report({ severity: "repairable", file: name, message: error.message });
    return new Map();
  }
}
