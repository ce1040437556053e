import type { Clock, Disk, Random, Timer } from "@samsa/base";
import { parentOf } from "./atomic-file.ts";
import { Cleaner, CleaningAbortedError } from "./cleaner.ts";
import { CleanerCheckpoint } from "./cleaner-checkpoint.ts";
import type { LogCleanerConfig } from "./log-cleaner-config.ts";
import { shareOf } from "./log-cleaner-config.ts";
import { firstDirtyOffsetOf, logToClean } from "./log-cleaner-manager.ts";
import type { CleanableSegment, LogToClean } from "./log-cleaner-manager.ts";
import type { LogSegment } from "./log-segment.ts";
import { PeriodicTask } from "./periodic-task.ts";
import { Throttler } from "./throttler.ts";
import { isFutureLogDir } from "./topic-partition.ts";
import type { TopicPartition } from "./topic-partition.ts";
import type { UnifiedLog } from "./unified-log.ts";

export interface LogCleanerOptions {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly random: Random;
  /** The data directories; each has a checkpoint of its own. */
  readonly directories: readonly string[];
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

interface DirtyLog extends LogToClean {
  readonly name: string;
  readonly log: UnifiedLog;
}

/**
 * Compacts the logs of a broker, the dirtiest first, and remembers in `cleaner-offset-checkpoint` how far each is clean (Kafka's
 * LogCleaner). What is to be cleaned next is for log-cleaner-manager.ts to say, how it is done for cleaner.ts.
 */
export class LogCleaner {
  readonly #options: LogCleanerOptions;
  readonly #checkpoints: Map<string, CleanerCheckpoint>; // by directory
  readonly #uncleanable = new WeakSet<UnifiedLog>();
  readonly #inProgress = new Set<string>(); // by the name of the folder, like what is done in a round
  readonly #throttler: Throttler;
  readonly #pauses = new Map<Timer, () => void>();
  #config: LogCleanerConfig;
  #task: PeriodicTask;
  #isStarted = false;
  #round: Promise<void> | undefined;
  #isStopped = false;

  constructor(options: LogCleanerOptions) {
    const { disk, clock, directories, config } = options;
    this.#options = options;
    this.#config = config;
    this.#checkpoints = new Map(directories.map((directory) => [directory, new CleanerCheckpoint(disk, directory)]));
    this.#throttler = new Throttler(config.ioMaxBytesPerSecond, clock.monotonicMs());
    this.#task = this.#newTask();
  }

  get config(): LogCleanerConfig {
    return this.#config;
  }

  /** Reads the checkpoints. @throws DiskError */
  async load(): Promise<void> {
    for (const checkpoint of this.#checkpoints.values()) await checkpoint.load(this.#options.report);
  }

  /** Compacts from time to time, until `stop`. */
  start(): void {
    if (!this.#config.isEnabled) return;
    this.#isStarted = true;
    this.#task.start();
  }

  /** What is under way is broken off. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#endPauses(); // a timer alone does not keep the process alive until the directories are closed
    await this.#task.stop();
    await this.#round;
  }

  /**
   * Takes what may change while the broker runs: all but `isEnabled`. A log that is being compacted goes on with the memory it
   * has; the rate holds at once.
   */
  reconfigure(config: LogCleanerConfig): void {
    const old = this.#config;
    this.#config = { ...config, isEnabled: old.isEnabled };
    this.#throttler.setRate(config.ioMaxBytesPerSecond);
    if (config.ioMaxBytesPerSecond !== old.ioMaxBytesPerSecond) this.#endPauses();
    if (config.backoffMs === old.backoffMs || !this.#isStarted || this.#isStopped) return;
    void this.#task.stop();
    this.#task = this.#newTask();
    this.#task.start();
  }

  /** The log has been deleted, or is about to be made: what the checkpoints say is of another one of its name. @throws DiskError */
  async forget(topicPartition: TopicPartition): Promise<void> {
    for (const checkpoint of this.#checkpoints.values()) {
      if (checkpoint.delete(topicPartition)) await checkpoint.write();
    }
  }

  /** How far a log is clean, as the checkpoint says; undefined where it does not know. */
  cleanOffsetOf(log: UnifiedLog): number | undefined {
    return this.#checkpointOf(log)?.get(log.topicPartition);
  }

  /** The log has come from another directory, and is as clean here (Kafka's alterCheckpointDir). @throws DiskError */
  async adoptCleanOffset(log: UnifiedLog, offset: number): Promise<void> {
    const checkpoint = this.#checkpointOf(log);
    checkpoint?.set(log.topicPartition, offset);
    await checkpoint?.write();
  }

  /** The directory has failed: nothing is written there any more. */
  forgetDirectory(directory: string): void {
    this.#checkpoints.delete(directory);
  }

  /**
   * The log is about to be cut: what comes in the place of what goes is not clean (Kafka's maybeTruncateCheckpoint). On the platter
   * first, or after a crash it would be taken for clean.
   * @throws DiskError
   */
  async truncateCheckpoint(log: UnifiedLog, offset: number): Promise<void> {
    const checkpoint = this.#checkpointOf(log);
    if ((checkpoint?.get(log.topicPartition) ?? 0) <= offset) return;
    checkpoint?.set(log.topicPartition, offset);
    await checkpoint?.write();
  }

  /** Compacts all logs that are dirty enough. What fails is reported, and that log is left alone. */
  cleanDirtyLogs(): Promise<void> {
    this.#round ??= this.#cleanDirtyLogs().finally(() => (this.#round = undefined));
    return this.#round;
  }

  async #cleanDirtyLogs(): Promise<void> {
    const done = new Set<string>();
    const worker = async (): Promise<void> => {
      while (!this.#isStopped) {
        const dirtiest = await this.#grabDirtiest(done);
        if (dirtiest === undefined) return;
        await this.#clean(dirtiest, done).finally(() => this.#inProgress.delete(dirtiest.name));
      }
    };
    await Promise.all(Array.from({ length: Math.max(1, this.#config.threads) }, worker));
    await this.#deleteOldSegments();
  }

  async #clean({ name, log, ...toClean }: DirtyLog, done: Set<string>): Promise<void> {
    const { clock, random, report, checkpointRecoveryPoints } = this.#options;
    try {
      await checkpointRecoveryPoints();
      const cleaner = new Cleaner(log, {
        clock,
        random,
        ...shareOf(this.#config),
        dedupeBufferLoadFactor: this.#config.dedupeBufferLoadFactor,
        isStopped: () => this.#isStopped,
        pause: () => this.#pause(0),
        throttle: (bytes) => {
          const pauseMs = this.#throttler.observe(bytes, clock.monotonicMs());
          return pauseMs === 0 ? undefined : this.#pause(pauseMs);
        },
      });
      const truncations = log.truncationCount;
      const result = await cleaner.clean(toClean.firstDirtyOffset, toClean.firstUncleanableOffset);
      if (this.#options.logs.get(name) !== log || log.truncationCount !== truncations) return; // deleted or cut meanwhile
      const checkpoint = this.#checkpointOf(log);
      checkpoint?.set(log.topicPartition, result.endOffset);
      await checkpoint?.write();
      if (result.endOffset < toClean.firstUncleanableOffset) done.delete(name); // memory did not suffice: on with the rest
    } catch (error) {
      if (error instanceof CleaningAbortedError) return;
      this.#uncleanable.add(log);
      if (log.isUsable || log.failure !== undefined) report(log.directory, `not compacted: ${String(error)}`);
    }
  }

  /** Of compacted logs, what retention does not keep: Kafka leaves that to the cleaner, which looks more often. */
  async #deleteOldSegments(): Promise<void> {
    for (const log of this.#options.logs.values()) {
      const { cleanupPolicy } = log.config;
      const isAny =
        log.segmentCount > 1 && (cleanupPolicy.includes("delete") || log.logStartOffset > log.firstSegmentOffset);
      if (!isAny || !cleanupPolicy.includes("compact") || this.#isStopped || !log.isUsable) continue;
      await log.deleteOldSegments().catch(() => undefined); // it is fenced, and says so itself
    }
  }

  /** Takes the dirtiest of the logs that are due and that nobody is at. */
  async #grabDirtiest(done: Set<string>): Promise<DirtyLog | undefined> {
    let dirtiest: DirtyLog | undefined;
    for (const [name, log] of this.#options.logs) {
      if (!log.config.cleanupPolicy.includes("compact") || this.#uncleanable.has(log)) continue;
      if (done.has(name) || this.#inProgress.has(name)) continue;
      if (isFutureLogDir(log.directory)) continue; // it is a copy, and its source is compacted
      const dirty = await this.#dirtyPartOf(name, log).catch(() => undefined); // fenced or closed meanwhile
      if (dirty === undefined || dirty.cleanableRatio <= (dirtiest?.cleanableRatio ?? -1)) continue;
      if (!this.#inProgress.has(name) && !done.has(name)) dirtiest = dirty;
    }
    if (dirtiest === undefined) return undefined;
    if (this.#inProgress.has(dirtiest.name)) return this.#grabDirtiest(done); // another was faster
    this.#inProgress.add(dirtiest.name);
    done.add(dirtiest.name);
    return dirtiest;
  }

  async #dirtyPartOf(name: string, log: UnifiedLog): Promise<DirtyLog | undefined> {
    const cleanOffset = this.#checkpointOf(log)?.get(log.topicPartition);
    if (firstDirtyOffsetOf(cleanOffset, log) >= (log.segments.at(-1)?.baseOffset ?? 0)) return undefined; // as mostly
    const segments = await log.readSegments(async () => {
      const { minCompactionLagMs, maxCompactionLagMs } = log.config;
      const read: CleanableSegment[] = [];
      for (const segment of log.segments) {
        read.push(await weigh(segment, minCompactionLagMs > 0, maxCompactionLagMs < Number.MAX_SAFE_INTEGER));
      }
      return read;
    });
    const toClean = logToClean(
      {
        config: log.config,
        logStartOffset: log.logStartOffset,
        logEndOffset: log.logEndOffset,
        lastStableOffset: log.lastStableOffset,
        recoveryPoint: log.recoveryPoint,
        segments,
      },
      cleanOffset,
      this.#options.clock.wallMs(),
    );
    return toClean?.isDue === true ? { name, log, ...toClean } : undefined;
  }

  #checkpointOf(log: UnifiedLog): CleanerCheckpoint | undefined {
    return this.#checkpoints.get(parentOf(log.directory));
  }

  #newTask(): PeriodicTask {
    return new PeriodicTask(this.#options.clock, this.#config.backoffMs, () => this.cleanDirtyLogs());
  }

  #pause(ms: number): Promise<void> {
    if (this.#isStopped) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = this.#options.clock.setTimer(ms, () => {
        this.#pauses.delete(timer);
        resolve();
      });
      this.#pauses.set(timer, resolve);
    });
  }

  #endPauses(): void {
    for (const [timer, resolve] of this.#pauses) {
      timer.cancel();
      resolve();
    }
    this.#pauses.clear();
  }
}

/** Timestamps are only read where they are asked for. */
async function weigh(segment: LogSegment, needsLargest: boolean, needsFirst: boolean): Promise<CleanableSegment> {
  return {
    baseOffset: segment.baseOffset,
    size: segment.size,
    largestTimestamp: needsLargest ? await segment.readRetentionTimestamp() : 0,
    firstTimestamp: needsFirst ? await segment.readFirstTimestamp() : 0,
  };
}
