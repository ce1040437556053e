import type { Clock, Disk, Timer } from "@samsa/base";
import { CorruptFileError } from "./errors.ts";
import {
  LOG_START_OFFSET_CHECKPOINT,
  OffsetCheckpointFile,
  RECOVERY_POINT_CHECKPOINT,
  REPLICATION_OFFSET_CHECKPOINT,
} from "./offset-checkpoint-file.ts";
import type { OffsetCheckpoint } from "./offset-checkpoint-file.ts";
import { logDirName } from "./topic-partition.ts";
import type { UnifiedLog } from "./unified-log.ts";

const FILES = [RECOVERY_POINT_CHECKPOINT, LOG_START_OFFSET_CHECKPOINT, REPLICATION_OFFSET_CHECKPOINT] as const;
type FileName = (typeof FILES)[number];

export interface OffsetCheckpointsOptions {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly directory: string;
  /** Those whose offsets are written. */
  readonly logs: ReadonlyMap<string, UnifiedLog>;
  readonly report: (path: string, message: string) => void;
  /** Told of what kept a checkpoint from being written in time. */
  readonly onFailure?: (error: unknown) => void;
}

/** What the checkpoints said of a folder at the start. */
export interface CheckpointedOffsets {
  readonly recoveryPoint: number;
  readonly logStartOffset: number;
  readonly highWatermark: number;
}

/** How often each of the checkpoints is written. */
export interface CheckpointIntervals {
  readonly highWatermarkMs: number;
  readonly recoveryPointMs: number;
  readonly logStartOffsetMs: number;
}

/** The three offset checkpoints of a data directory: read at the start, written from time to time and at the stop. */
export class OffsetCheckpoints {
  readonly #options: OffsetCheckpointsOptions;
  readonly #found = new Map<FileName, Map<string, OffsetCheckpoint>>();
  readonly #offline = new Set<string>();
  readonly #written = new Map<FileName, string>(); // what the files say
  readonly #timers = new Map<FileName | undefined, Timer>(); // by the first file that is written
  #folders = new Set<string>(); // that the files speak of
  #writing: Promise<void> = Promise.resolve();
  #isStopped = false;

  constructor(options: OffsetCheckpointsOptions) {
    this.#options = options;
  }

  /**
   * A file that is damaged is taken for empty, and reported.
   * @returns the paths of those without an entry, though each log has one there
   */
  async read(): Promise<readonly string[]> {
    const empty: string[] = [];
    for (const name of FILES) {
      const path = `${this.#options.directory}/${name}`;
      let offsets = new Map<string, OffsetCheckpoint>();
      try {
        offsets = await new OffsetCheckpointFile(this.#options.disk, path).read();
        if (offsets.size === 0 && name !== LOG_START_OFFSET_CHECKPOINT) empty.push(path);
      } catch (error) {
        if (!(error instanceof CorruptFileError)) throw error;
        this.#options.report(path, `${error.message}: taken for empty`);
      }
      this.#found.set(name, offsets);
      for (const folder of offsets.keys()) this.#folders.add(folder);
    }
    return empty;
  }

  /** 0 where nothing was said. */
  offsetsOf(folder: string): CheckpointedOffsets {
    const offset = (name: FileName): number => this.#found.get(name)?.get(folder)?.offset ?? 0;
    return {
      recoveryPoint: offset(RECOVERY_POINT_CHECKPOINT),
      logStartOffset: offset(LOG_START_OFFSET_CHECKPOINT),
      highWatermark: offset(REPLICATION_OFFSET_CHECKPOINT),
    };
  }

  /** What was said of a log that is offline is said again: it must still forbid to take damage for a torn tail. */
  keep(folder: string): void {
    this.#offline.add(folder);
  }

  /** Of which the files speak. */
  get folders(): ReadonlySet<string> {
    return this.#folders;
  }

  /** Whether a file may speak of the folder. */
  mentions(folder: string): boolean {
    return this.#folders.has(folder);
  }

  /** Writes all three, as far as they have changed. @throws DiskError */
  async write(): Promise<void> {
    await this.#write(FILES);
    this.#folders = new Set([...this.#options.logs.keys(), ...this.#offline]);
  }

  /** Writes each of the three at its interval, until `stop`. */
  start(intervals: CheckpointIntervals): void {
    this.#writeEvery(intervals.highWatermarkMs, [REPLICATION_OFFSET_CHECKPOINT]);
    this.#writeEvery(intervals.recoveryPointMs, [RECOVERY_POINT_CHECKPOINT]);
    this.#writeEvery(intervals.logStartOffsetMs, [LOG_START_OFFSET_CHECKPOINT]);
  }

  stop(): void {
    this.#isStopped = true;
    for (const timer of this.#timers.values()) timer.cancel();
  }

  #writeEvery(intervalMs: number, names: readonly FileName[]): void {
    if (this.#isStopped) return;
    const { clock, directory, report, onFailure } = this.#options;
    const timer = clock.setTimer(Math.max(1, intervalMs), () => {
      this.#write(names)
        .catch((error: unknown) => {
          report(directory, `checkpoints not written: ${String(error)}`);
          onFailure?.(error);
        })
        .finally(() => this.#writeEvery(intervalMs, names));
    });
    this.#timers.set(names[0], timer);
  }

  /** One write after the other. */
  #write(names: readonly FileName[]): Promise<void> {
    const written = this.#writing.then(async () => {
      const logs = [...this.#options.logs.values()];
      for (const name of names) {
        const entries = [...entriesOf(name, logs), ...this.#keptEntries(name)];
        const text = JSON.stringify(entries);
        if (this.#written.get(name) === text) continue;
        for (const entry of entries) this.#folders.add(logDirName(entry));
        this.#written.delete(name);
        await new OffsetCheckpointFile(this.#options.disk, `${this.#options.directory}/${name}`).write(entries);
        this.#written.set(name, text);
      }
    });
    this.#writing = written.catch(() => undefined);
    return written;
  }

  #keptEntries(name: FileName): OffsetCheckpoint[] {
    const found = this.#found.get(name);
    return [...this.#offline].map((folder) => found?.get(folder)).filter((entry) => entry !== undefined);
  }
}

function entriesOf(name: FileName, logs: readonly UnifiedLog[]): OffsetCheckpoint[] {
  switch (name) {
    case RECOVERY_POINT_CHECKPOINT:
      return logs.map((log) => ({ ...log.topicPartition, offset: log.recoveryPoint }));
    case REPLICATION_OFFSET_CHECKPOINT:
      return logs.map((log) => ({ ...log.topicPartition, offset: log.highWatermark }));
    case LOG_START_OFFSET_CHECKPOINT:
      // Only where it says more than the name of the first segment does, as Kafka does.
      return logs
        .filter((log) => log.logStartOffset > log.firstSegmentOffset)
        .map((log) => ({ ...log.topicPartition, offset: log.logStartOffset }));
  }
}
