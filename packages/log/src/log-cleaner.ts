import type { Clock, Disk, Random } from "@samsa/base";
import type { CleaningResult } from "./cleaner.ts";
import { Cleaner, CleaningAbortedError } from "./cleaner.ts";
import { CorruptFileError } from "./errors.ts";
import { CLEANER_OFFSET_CHECKPOINT, OffsetCheckpointFile } from "./offset-checkpoint-file.ts";
import { PeriodicTask } from "./periodic-task.ts";
import type { UnifiedLog } from "./unified-log.ts";

/** Kafka's `log.cleaner.*`. */
export interface LogCleanerConfig {
  /** Whether logs are compacted (`log.cleaner.enable`). */
  readonly isEnabled: boolean;
  /** The pause when no log is dirty enough (`log.cleaner.backoff.ms`). */
  readonly backoffMs: number;
  /** Memory for the keys of the log that is being compacted (`log.cleaner.dedupe.buffer.size`). */
  readonly dedupeBufferBytes: number;
}

export const DEFAULT_LOG_CLEANER_CONFIG: LogCleanerConfig = {
  isEnabled: true,
  backoffMs: 15_000,
  dedupeBufferBytes: 128 * 1024 ** 2,
};

export interface LogCleanerOptions {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly random: Random;
  readonly directory: string;
  /** By the name of the folder. */
  readonly logs: ReadonlyMap<string, UnifiedLog>;
  readonly config: LogCleanerConfig;
  /**
   * Writes the recovery points down. Compaction leaves gaps between segments, and a scan after a crash could not tell them from
   * a loss where the topic is not compacted any more: so it must begin above.
   */
  readonly checkpointRecoveryPoints: () => Promise<void>;
  readonly report: (path: string, message: string) => void;
}

interface DirtyLog {
  readonly name: string;
  readonly log: UnifiedLog;
  readonly firstDirtyOffset: number;
  readonly endOffset: number;
  readonly dirtyRatio: number;
}

/**
 * Compacts the logs of a data directory, one at a time, the dirtiest first, and remembers in `cleaner-offset-checkpoint` how far
 * each is clean (Kafka's LogCleaner and LogCleanerManager).
 */
export class LogCleaner {
  readonly #options: LogCleanerOptions;
  readonly #file: OffsetCheckpointFile;
  readonly #cleanOffsets = new Map<string, number>(); // by the name of the folder
  readonly #uncleanable = new WeakSet<UnifiedLog>();
  readonly #task: PeriodicTask;
  #cleaning: Promise<void> | undefined;
  #isStopped = false;
  #endPause: () => void = () => undefined;

  constructor(options: LogCleanerOptions) {
    const { disk, clock, directory, config } = options;
    this.#options = options;
    this.#file = new OffsetCheckpointFile(disk, `${directory}/${CLEANER_OFFSET_CHECKPOINT}`);
    this.#task = new PeriodicTask(clock, config.backoffMs, () => this.cleanDirtyLogs());
  }

  /** Reads the checkpoint; one that is damaged is taken for empty, so that all is compacted again. @throws DiskError */
  async load(): Promise<void> {
    try {
      for (const [name, { offset }] of await this.#file.read()) this.#cleanOffsets.set(name, offset);
    } catch (error) {
      if (!(error instanceof CorruptFileError)) throw error;
      this.#options.report(this.#options.directory, `${error.message}: taken for empty`);
    }
  }

  /** Compacts from time to time, until `stop`. */
  start(): void {
    if (this.#options.config.isEnabled) this.#task.start();
  }

  /** What is under way is broken off. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#endPause(); // a timer alone does not keep the process alive until the directory is closed
    await this.#task.stop();
    await this.#cleaning;
  }

  /** The log has been deleted: another of its name begins anew. */
  forget(name: string): void {
    this.#cleanOffsets.delete(name);
  }

  /** Compacts all logs that are dirty enough. What fails is reported, and that log is left alone. */
  cleanDirtyLogs(): Promise<void> {
    this.#cleaning ??= this.#cleanDirtyLogs().finally(() => (this.#cleaning = undefined));
    return this.#cleaning;
  }

  async #cleanDirtyLogs(): Promise<void> {
    const done = new Set<string>();
    while (!this.#isStopped) {
      const dirtiest = await this.#findDirtiest(done);
      if (dirtiest === undefined) return;
      done.add(dirtiest.name);
      await this.#clean(dirtiest, done);
    }
  }

  async #clean(dirty: DirtyLog, done: Set<string>): Promise<void> {
    const { clock, random, config, report, checkpointRecoveryPoints } = this.#options;
    const { name, log } = dirty;
    const { dedupeBufferBytes } = config;
    try {
      await checkpointRecoveryPoints();
      const isStopped = (): boolean => this.#isStopped;
      const pause = (): Promise<void> => this.#pause();
      const cleaner = new Cleaner(log, { clock, random, dedupeBufferBytes, isStopped, pause });
      const result: CleaningResult = await cleaner.clean(dirty.firstDirtyOffset, dirty.endOffset);
      if (this.#options.logs.get(name) !== log) return; // deleted meanwhile
      this.#cleanOffsets.set(name, result.endOffset);
      await this.#writeCheckpoint();
      if (result.endOffset < dirty.endOffset) done.delete(name); // memory did not suffice for all keys: on with the rest
    } catch (error) {
      if (error instanceof CleaningAbortedError) return;
      this.#uncleanable.add(log);
      if (log.isUsable || log.failure !== undefined) report(log.directory, `not compacted: ${String(error)}`);
    }
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#options.clock.setTimer(0, resolve);
      this.#endPause = () => {
        timer.cancel();
        resolve();
      };
    });
  }

  async #writeCheckpoint(): Promise<void> {
    const { logs } = this.#options;
    const entries = [...this.#cleanOffsets].flatMap(([name, offset]) => {
      const topicPartition = logs.get(name)?.topicPartition;
      return topicPartition === undefined ? [] : [{ ...topicPartition, offset }];
    });
    await this.#file.write(entries);
  }

  async #findDirtiest(done: ReadonlySet<string>): Promise<DirtyLog | undefined> {
    let dirtiest: DirtyLog | undefined;
    for (const [name, log] of this.#options.logs) {
      if (done.has(name) || this.#uncleanable.has(log) || !log.config.cleanupPolicy.includes("compact")) continue;
      const dirty = await this.#dirtyPartOf(name, log).catch(() => undefined); // fenced or closed meanwhile
      if (dirty !== undefined && dirty.dirtyRatio > (dirtiest?.dirtyRatio ?? -1)) dirtiest = dirty;
    }
    return dirtiest;
  }

  /** The dirty segments that may be compacted, when they are enough of the log or have waited for long enough. */
  async #dirtyPartOf(name: string, log: UnifiedLog): Promise<DirtyLog | undefined> {
    const { minCompactionLagMs, maxCompactionLagMs, minCleanableDirtyRatio } = log.config;
    const nowMs = this.#options.clock.wallMs();
    const firstDirtyOffset = this.#firstDirtyOffset(name, log);
    const boundOffset = Math.min(log.lastStableOffset, log.recoveryPoint);
    const segments = [...log.segments];
    let endOffset = firstDirtyOffset;
    let cleanBytes = 0;
    let dirtyBytes = 0;
    let oldestMs = Infinity;
    for (const [index, segment] of segments.entries()) {
      const nextBaseOffset = segments[index + 1]?.baseOffset; // undefined: the active one, which is not compacted
      if (nextBaseOffset === undefined || nextBaseOffset > boundOffset) break;
      if (nextBaseOffset <= firstDirtyOffset) {
        cleanBytes += segment.size;
        continue;
      }
      const read = await log.readSegments(async () => {
        if (!log.segments.includes(segment)) return undefined; // deleted or truncated meanwhile
        return { largestMs: await segment.readRetentionTimestamp(), firstMs: await segment.readFirstTimestamp() };
      });
      if (read === undefined) return undefined;
      if (minCompactionLagMs > 0 && read.largestMs > nowMs - minCompactionLagMs) break;
      oldestMs = Math.min(oldestMs, read.firstMs);
      dirtyBytes += segment.size;
      endOffset = nextBaseOffset;
    }
    if (dirtyBytes === 0) return undefined;
    const dirtyRatio = dirtyBytes / (cleanBytes + dirtyBytes);
    const isOverdue = nowMs - oldestMs > maxCompactionLagMs;
    if (!isOverdue && dirtyRatio <= minCleanableDirtyRatio) return undefined;
    return { name, log, firstDirtyOffset, endOffset, dirtyRatio };
  }

  /** What the checkpoint says, if the log still is the one it speaks of. */
  #firstDirtyOffset(name: string, log: UnifiedLog): number {
    const cleanOffset = this.#cleanOffsets.get(name) ?? log.logStartOffset;
    return cleanOffset < log.logStartOffset || cleanOffset > log.logEndOffset ? log.logStartOffset : cleanOffset;
  }
}
