import type { Clock, DirectoryEntry, Disk, Random, Timer, Uuid } from "@samsa/base";
import { DiskError, ZERO_UUID } from "@samsa/base";
import { validateTopicName } from "@samsa/protocol";
import { CleanShutdownFile, NO_BROKER_EPOCH } from "./clean-shutdown-file.ts";
import { KafkaStorageError } from "./errors.ts";
import type { LoadLogOptions, LogCaches } from "./load-log.ts";
import { DEFAULT_PRODUCER_ID_EXPIRATION_MS, defaultLogCaches, loadLog } from "./load-log.ts";
import { LogCleaner } from "./log-cleaner.ts";
import { DEFAULT_LOG_CLEANER_CONFIG } from "./log-cleaner-config.ts";
import type { LogCleanerConfig } from "./log-cleaner-config.ts";
import type { LogConfig } from "./log-config.ts";
import { defaultLogConfig } from "./log-config.ts";
import { OffsetCheckpoints } from "./offset-checkpoints.ts";
import { PeriodicTask } from "./periodic-task.ts";
import { PooledDisk } from "./pooled-disk.ts";
import { setAsideStray } from "./stray-folder.ts";
import { isFutureLogDir, logDeleteDirName, logDirName, logFutureDirName, parseLogDirName } from "./topic-partition.ts";
import type { LogDirName, TopicPartition } from "./topic-partition.ts";
import { UnifiedLog } from "./unified-log.ts";

const DEFAULT_HIGH_WATERMARK_CHECKPOINT_INTERVAL_MS = 5_000;
const DEFAULT_OFFSET_CHECKPOINT_INTERVAL_MS = 60_000;
const DEFAULT_RETENTION_CHECK_INTERVAL_MS = 300_000;
const DEFAULT_PRODUCER_ID_EXPIRATION_CHECK_INTERVAL_MS = 600_000;
const INITIAL_TASK_DELAY_MS = 30_000;
const CLUSTER_METADATA_TOPIC = "__cluster_metadata";
const MOST_PROBLEMS = 1000;

/** What was found wrong with a file and what became of it: a line for the operator. */
export interface LogProblem {
  readonly path: string;
  readonly message: string;
  /** Whether a log could not be loaded; otherwise what was wrong is made good, or tried again. */
  readonly isOffline: boolean;
}

export interface LogManagerOptions {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly random: Random;
  /** The data directory; made when missing. */
  readonly directory: string;
  readonly defaultConfig?: LogConfig;
  /** The configuration of a topic's logs; the default configuration when left out. */
  readonly configFor?: (topic: string) => LogConfig;
  readonly caches?: LogCaches;
  /**
   * Whether a folder found belongs to no partition of ours any more: it is set aside as `-stray`. Of one that names no topic id
   * (ZERO_UUID) the name counts.
   */
  readonly isStray?: (topicPartition: TopicPartition, topicId: Uuid) => boolean;
  /** So many logs are loaded at a time (`num.recovery.threads.per.data.dir`). */
  readonly numRecoveryThreads?: number;
  /** How often high watermarks are written (`replica.high.watermark.checkpoint.interval.ms`). */
  readonly highWatermarkCheckpointIntervalMs?: number;
  /** How often recovery points are written (`log.flush.offset.checkpoint.interval.ms`). */
  readonly recoveryPointCheckpointIntervalMs?: number;
  /** How often log start offsets are written (`log.flush.start.offset.checkpoint.interval.ms`). */
  readonly startOffsetCheckpointIntervalMs?: number;
  /** How often logs are looked for that have waited for `flush.ms` (`log.flush.scheduler.interval.ms`). Never when left out. */
  readonly flushSchedulerIntervalMs?: number;
  /** How long after the start retention and the flush scheduler begin (`log.initial.task.delay.ms`). 30 seconds when left out. */
  readonly initialTaskDelayMs?: number;
  /** How often old segments are looked for (`log.retention.check.interval.ms`). */
  readonly retentionCheckIntervalMs?: number;
  readonly cleaner?: LogCleanerConfig;
  /** So long after its last batch a producer is forgotten (`producer.id.expiration.ms`). */
  readonly producerIdExpirationMs?: number;
  /** How often such producers are looked for (`producer.id.expiration.check.interval.ms`). */
  readonly producerIdExpirationCheckIntervalMs?: number;
  /** Told of each problem at once, also while the logs are in use. */
  readonly onProblem?: (problem: LogProblem) => void;
  /** Something that belongs to no one log failed, such as a checkpoint; it may fail again. */
  readonly onDiskFailure?: (error: DiskError) => void;
}

/**
 * The logs of one data directory: loads them at the start, makes and removes them, keeps the checkpoints. The lock file and
 * `meta.properties` are the server's, and the metadata log (`__cluster_metadata-0`) is left alone.
 */
export class LogManager {
  readonly directory: string;
  /** Whether the marker of a complete stop was there. */
  readonly hadCleanShutdown: boolean;
  /** The broker's epoch at that stop (KIP-966); NO_BROKER_EPOCH when unknown. */
  readonly previousBrokerEpoch: number;
  /** The latest, of the start and since. */
  readonly problems: LogProblem[] = [];
  readonly #options: LogManagerOptions;
  readonly #caches: LogCaches;
  readonly #logs = new Map<string, UnifiedLog>(); // by the name of the folder
  readonly #offline = new Map<string, KafkaStorageError>();
  readonly #turns = new Map<string, Promise<unknown>>(); // the last task under way, by the name of the folder
  readonly #removals = new Set<Timer>(); // of folders that wait for it
  readonly #removing = new Set<Promise<void>>();
  readonly #checkpoints: OffsetCheckpoints;
  readonly #retention: PeriodicTask;
  readonly #cleaner: LogCleaner;
  readonly #producerExpiration: PeriodicTask;
  readonly #flushScheduler: PeriodicTask;
  #producerIdExpirationMs: number;
  #isClosed = false;

  private constructor(options: LogManagerOptions, hadCleanShutdown: boolean, previousBrokerEpoch: number) {
    this.directory = options.directory;
    this.#producerIdExpirationMs = options.producerIdExpirationMs ?? DEFAULT_PRODUCER_ID_EXPIRATION_MS;
    this.#options = options;
    this.#caches = options.caches ?? defaultLogCaches();
    this.hadCleanShutdown = hadCleanShutdown;
    this.previousBrokerEpoch = previousBrokerEpoch;
    const { disk, clock, directory } = options;
    const report = (path: string, message: string): void => this.#report(path, message);
    const onFailure = (error: unknown): void => {
      if (error instanceof DiskError && !this.#isClosed) options.onDiskFailure?.(error);
    };
    this.#checkpoints = new OffsetCheckpoints({ disk, clock, directory, logs: this.#logs, report, onFailure });
    this.#cleaner = new LogCleaner({
      disk,
      clock,
      random: options.random,
      directories: [directory],
      logs: this.#logs,
      config: options.cleaner ?? DEFAULT_LOG_CLEANER_CONFIG,
      checkpointRecoveryPoints: () => this.checkpoint(),
      report,
    });
    const checkIntervalMs = options.retentionCheckIntervalMs ?? DEFAULT_RETENTION_CHECK_INTERVAL_MS;
    this.#retention = new PeriodicTask(clock, checkIntervalMs, () =>
      this.deleteOldSegments().catch((error: unknown) => {
        this.#report(directory, `retention failed: ${String(error)}`);
        onFailure(error);
      }),
    );
    this.#flushScheduler = new PeriodicTask(clock, options.flushSchedulerIntervalMs ?? Infinity, () =>
      this.flushDirtyLogs().catch((error: unknown) => {
        this.#report(directory, `the flush scheduler failed: ${String(error)}`);
        onFailure(error);
      }),
    );
    this.#producerExpiration = new PeriodicTask(
      clock,
      options.producerIdExpirationCheckIntervalMs ?? DEFAULT_PRODUCER_ID_EXPIRATION_CHECK_INTERVAL_MS,
      async () => {
        for (const log of this.#logs.values()) log.removeExpiredProducers();
      },
    );
  }

  /** Loads all logs. Those that fail are offline, the others are served. @throws DiskError when the directory itself fails */
  static async open(options: LogManagerOptions): Promise<LogManager> {
    const disk = PooledDisk.of(options.disk);
    await disk.makeDirectory(options.directory);
    const marker = new CleanShutdownFile(disk, options.directory);
    const hadCleanShutdown = await marker.exists();
    const brokerEpoch = hadCleanShutdown ? await marker.readBrokerEpoch() : NO_BROKER_EPOCH;
    if (hadCleanShutdown) await marker.delete();
    const manager = new LogManager({ ...options, disk }, hadCleanShutdown, brokerEpoch);
    await manager.#loadAll();
    manager.#checkpoints.start({
      highWatermarkMs: options.highWatermarkCheckpointIntervalMs ?? DEFAULT_HIGH_WATERMARK_CHECKPOINT_INTERVAL_MS,
      recoveryPointMs: options.recoveryPointCheckpointIntervalMs ?? DEFAULT_OFFSET_CHECKPOINT_INTERVAL_MS,
      logStartOffsetMs: options.startOffsetCheckpointIntervalMs ?? DEFAULT_OFFSET_CHECKPOINT_INTERVAL_MS,
    });
    const initialTaskDelayMs = options.initialTaskDelayMs ?? INITIAL_TASK_DELAY_MS;
    manager.#retention.start(initialTaskDelayMs);
    if (options.flushSchedulerIntervalMs !== undefined) manager.#flushScheduler.start(initialTaskDelayMs);
    await manager.#cleaner.load();
    manager.#cleaner.start();
    manager.#producerExpiration.start();
    return manager;
  }

  logs(): Iterable<UnifiedLog> {
    return this.#logs.values();
  }

  /** The replica of a partition here, be it current or on its way here (isFutureLogDir of its directory). */
  get(topic: string, partition: number): UnifiedLog | undefined {
    return this.#logs.get(logDirName({ topic, partition }));
  }

  get logCount(): number {
    return this.#logs.size;
  }

  /** Why which folders could not be loaded. */
  offlineLogs(): ReadonlyMap<string, KafkaStorageError> {
    return this.#offline;
  }

  /**
   * The log of the partition, made when there is none.
   * @throws KafkaStorageError when it is offline, or its folder belongs to another topic of the same name
   */
  getOrCreate(topicPartition: TopicPartition, topicId: Uuid, config?: LogConfig): Promise<UnifiedLog> {
    const name = logDirName(topicPartition);
    return this.#inTurn(name, async () => {
      validateTopicName(topicPartition.topic);
      const offline = this.#offline.get(name);
      if (offline !== undefined) throw offline;
      const existing = this.#logs.get(name);
      if (existing === undefined) return await this.#create(name, topicPartition, topicId, config);
      if (existing.topicId === topicId || topicId === ZERO_UUID) return existing;
      throw new KafkaStorageError(`${existing.directory} belongs to topic id ${existing.topicId}, not ${topicId}`);
    });
  }

  /**
   * A replica that is on its way here (KIP-113), empty, in a folder of its own name until `promoteFuture`. Retention and
   * checkpoints treat it as any other; compaction leaves it alone.
   */
  createFuture(topicPartition: TopicPartition, topicId: Uuid, config: LogConfig): Promise<UnifiedLog> {
    const { random } = this.#options;
    const name = logDirName(topicPartition);
    return this.#inTurn(name, async () => {
      if (this.#logs.has(name)) throw new KafkaStorageError(`${this.directory} has a replica of ${name} already`);
      const directory = `${this.directory}/${logFutureDirName(topicPartition, random)}`;
      return await this.#create(name, topicPartition, topicId, config, directory);
    });
  }

  /** How far compaction has come with a log of this directory. */
  cleanOffsetOf(log: UnifiedLog): number | undefined {
    return this.#cleaner.cleanOffsetOf(log);
  }

  /**
   * The replica that was on its way is here: from now on its folder has the name of the partition.
   * @param cleanOffset so far it was compacted where it comes from
   */
  promoteFuture(topicPartition: TopicPartition, cleanOffset?: number): Promise<UnifiedLog> {
    const name = logDirName(topicPartition);
    return this.#inTurn(name, async () => {
      const log = this.#logs.get(name);
      if (log === undefined) throw new KafkaStorageError(`${this.directory} has no replica of ${name}`);
      if (!isFutureLogDir(log.directory)) return log;
      await log.rename(`${this.directory}/${name}`);
      await this.#options.disk.syncDirectory(this.directory);
      if (cleanOffset !== undefined) await this.#cleaner.adoptCleanOffset(log, cleanOffset);
      return log;
    });
  }

  /**
   * Takes the log out of service at once: its folder has another name when the promise resolves, and its files go after
   * `file.delete.delay.ms`, or with the next start.
   */
  delete(topicPartition: TopicPartition): Promise<void> {
    const { disk, random, clock } = this.#options;
    const name = logDirName(topicPartition);
    return this.#inTurn(name, async () => {
      const log = this.#logs.get(name);
      if (log === undefined) return;
      this.#logs.delete(name);
      await log.abandon();
      const path = `${this.directory}/${logDeleteDirName(topicPartition, random)}`;
      await disk.rename(log.directory, path);
      await disk.syncDirectory(this.directory);
      log.moveTo(path);
      await this.#cleaner.forget(topicPartition);
      // The name may come back with another topic, for which these offsets would be wrong.
      await this.checkpoint();
      const timer = clock.setTimer(log.config.fileDeleteDelayMs, () => {
        this.#removals.delete(timer);
        this.#removeFolder(path);
      });
      this.#removals.add(timer);
    });
  }

  /**
   * Cuts a log as a follower does, and the checkpoints with it. Nothing may be appended meanwhile.
   * @throws KafkaStorageError also when there is no such log
   */
  async truncateTo(topicPartition: TopicPartition, offset: number): Promise<void> {
    const log = this.#served(topicPartition);
    await log.truncateTo(offset, () => this.#noteTruncation(log, offset));
  }

  /** Empties a log, which goes on at this offset. See truncateTo. */
  async truncateFullyAndStartAt(topicPartition: TopicPartition, offset: number): Promise<void> {
    const log = this.#served(topicPartition);
    await log.truncateFullyAndStartAt(offset, () => this.#noteTruncation(log, offset));
  }

  /** Syncs the logs that have waited for `flush.ms`, which also happens at the interval of the scheduler. */
  async flushDirtyLogs(): Promise<void> {
    const nowMs = this.#options.clock.wallMs();
    const dirty = [...this.#logs.values()].filter(
      (log) => log.recoveryPoint < log.logEndOffset && nowMs - log.lastFlushMs >= log.config.flushMs,
    );
    await this.#forEach(dirty, (log) => log.flush());
  }

  /** Syncs every log. A log that fails is fenced, and the others go on. */
  async flushAll(): Promise<void> {
    await this.#forEach(this.#logs.values(), (log) => log.flush());
  }

  /** One round of retention over all logs, which also happens from time to time. A log that fails is fenced, the others go on. */
  async deleteOldSegments(): Promise<void> {
    await this.#forEach([...this.#logs.values()], async (log) => {
      await log.rollOverdue();
      await log.deleteOldSegments();
    });
  }

  /** Takes another `producer.id.expiration.ms`. */
  reconfigureProducerIdExpiration(expirationMs: number): void {
    this.#producerIdExpirationMs = expirationMs;
    for (const log of this.#logs.values()) log.updateProducerIdExpiration(expirationMs);
  }

  /** Takes what may change of `log.cleaner.*` while the broker runs. */
  reconfigureCleaner(config: LogCleanerConfig): void {
    this.#cleaner.reconfigure(config);
  }

  /** Compacts the logs that are dirty enough, which also happens from time to time. */
  async cleanDirtyLogs(): Promise<void> {
    await this.#cleaner.cleanDirtyLogs();
  }

  /** Writes recovery points, high watermarks and log start offsets, which also happens from time to time. @throws DiskError */
  checkpoint(): Promise<void> {
    return this.#checkpoints.write();
  }

  /**
   * Syncs and closes every log, and writes the checkpoints; after that, if nothing failed, the marker of a complete stop.
   * Appends that are under way are waited for, later ones are refused.
   * @returns whether the stop was complete
   */
  async close(options: { readonly brokerEpoch?: number } = {}): Promise<boolean> {
    if (this.#isClosed) return false;
    this.#isClosed = true;
    this.#checkpoints.stop();
    await Promise.all([
      this.#retention.stop(),
      this.#cleaner.stop(),
      this.#producerExpiration.stop(),
      this.#flushScheduler.stop(),
    ]);
    for (const timer of this.#removals) timer.cancel();
    await Promise.allSettled([...this.#turns.values(), ...this.#removing]);
    const failed = await this.#forEach(this.#logs.values(), (log) => log.close());
    await this.checkpoint();
    const hasFailures =
      failed > 0 || this.#offline.size > 0 || [...this.#logs.values()].some((log) => log.failure !== undefined);
    if (hasFailures) return false;
    await new CleanShutdownFile(this.#options.disk, this.directory).write(options.brokerEpoch ?? NO_BROKER_EPOCH);
    return true;
  }

  /**
   * Lets go of everything without writing: the directory cannot be used any more. Who waits for it is refused.
   * @param reason why, to follow the name of a log
   */
  async abandon(reason: string): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#checkpoints.stop();
    for (const timer of this.#removals) timer.cancel();
    const stopping = [
      this.#retention.stop(),
      this.#cleaner.stop(),
      this.#producerExpiration.stop(),
      this.#flushScheduler.stop(),
    ];
    const abandoned = [...this.#logs.values()].map((log) => log.abandon(reason));
    await Promise.allSettled([...stopping, ...abandoned, ...this.#turns.values(), ...this.#removing]);
  }

  async #loadAll(): Promise<void> {
    const { disk } = this.#options;
    const missing = await this.#checkpoints.read();
    const futures: { readonly parsed: LogDirName; readonly path: string }[] = [];
    const folders = (await disk.list(this.directory)).filter(({ isDirectory }) => isDirectory);
    this.#reportGone(folders, missing);
    await this.#forEach(folders, async ({ name }) => {
      const parsed = parseLogDirName(name);
      const path = `${this.directory}/${name}`;
      if (parsed === undefined) return this.#report(path, "not the folder of a partition: left alone");
      if (parsed.topic === CLUSTER_METADATA_TOPIC) return;
      if (parsed.state === "deleted") return this.#removeFolder(path);
      if (parsed.state === "stray") return this.#report(path, "a stray replica: left alone");
      if (parsed.state === "future") return void futures.push({ parsed, path });
      await this.#loadFolder(parsed, path);
    });
    await this.#forEach(futures, async ({ parsed, path }) => {
      if (this.#logs.has(logDirName(parsed)))
        return this.#report(path, "a future replica beside the current one: left alone");
      await this.#loadFolder(parsed, path);
    });
  }

  /** What a complete stop has left and is not there any more. */
  #reportGone(entries: readonly DirectoryEntry[], missing: readonly string[]): void {
    const folders = entries.flatMap(({ name }) => parseLogDirName(name) ?? []);
    const found = new Set(folders.map(logDirName)); // also when it is being deleted, or was set aside
    for (const folder of this.#checkpoints.folders) {
      const { recoveryPoint } = this.#checkpoints.offsetsOf(folder);
      if (recoveryPoint === 0 || found.has(folder)) continue;
      const path = `${this.directory}/${folder}`;
      this.#report(path, `the folder is gone, with its records below offset ${recoveryPoint}`);
    }
    const isUsed = folders.some(({ topic, state }) => topic !== CLUSTER_METADATA_TOPIC && state === "current");
    if (!this.hadCleanShutdown || !isUsed) return;
    for (const path of missing) this.#report(path, "it is missing or empty after a complete stop: done without");
  }

  async #loadFolder(parsed: LogDirName, path: string): Promise<void> {
    const name = logDirName(parsed);
    try {
      const { disk, random, isStray } = this.#options;
      const strayPath =
        isStray && (await setAsideStray(parsed, path, { disk, random, isStray, directory: this.directory }));
      if (strayPath !== undefined)
        return this.#report(path, `belongs to no partition of this broker: set aside as ${strayPath}`);
      const log = await loadLog({
        ...this.#logOptions(parsed),
        directory: path,
        hadCleanShutdown: this.hadCleanShutdown,
        ...this.#checkpoints.offsetsOf(name),
      });
      this.#logs.set(name, log);
    } catch (error) {
      if (!(error instanceof KafkaStorageError) && !(error instanceof DiskError)) throw error;
      this.#report(path, `offline: ${error.message}`, true);
      this.#offline.set(name, new KafkaStorageError(`${name} is offline: ${error.message}`, { cause: error }));
      this.#checkpoints.keep(name);
    }
  }

  #logOptions(topicPartition: TopicPartition): LoadLogOptions {
    const { disk, clock, random, configFor, defaultConfig } = this.#options;
    return {
      disk,
      clock,
      random,
      directory: `${this.directory}/${logDirName(topicPartition)}`,
      topicPartition: { topic: topicPartition.topic, partition: topicPartition.partition },
      config: configFor?.(topicPartition.topic) ?? defaultConfig ?? defaultLogConfig(),
      caches: this.#caches,
      producerIdExpirationMs: this.#producerIdExpirationMs,
      report: (path, message) => this.#report(path, message),
    };
  }

  async #create(
    name: string,
    topicPartition: TopicPartition,
    topicId: Uuid,
    config: LogConfig | undefined,
    directory = `${this.directory}/${name}`,
  ): Promise<UnifiedLog> {
    // A checkpoint that still speaks of a log of this name, now gone, would take the new one for damaged.
    if (this.#checkpoints.mentions(name)) await this.checkpoint();
    await this.#cleaner.forget(topicPartition); // as would its checkpoint take it for clean
    const options = { ...this.#logOptions(topicPartition), directory };
    const log = await loadLog({ ...options, topicId, ...(config === undefined ? {} : { config }) });
    await this.#options.disk.syncDirectory(this.directory);
    this.#logs.set(name, log);
    return log;
  }

  async #noteTruncation(log: UnifiedLog, offset: number): Promise<void> {
    await this.checkpoint();
    await this.#cleaner.truncateCheckpoint(log, offset);
  }

  #served({ topic, partition }: TopicPartition): UnifiedLog {
    const log = this.get(topic, partition);
    if (log === undefined) throw new KafkaStorageError(`${logDirName({ topic, partition })} is not here`);
    return log;
  }

  /** One making or removing of a folder after the other. */
  #inTurn<T>(name: string, task: () => Promise<T>): Promise<T> {
    if (this.#isClosed) return Promise.reject(new KafkaStorageError(`${this.directory} is closed`));
    const turn = (this.#turns.get(name) ?? Promise.resolve()).then(task);
    const ended = turn
      .catch(() => undefined)
      .finally(() => {
        if (this.#turns.get(name) === ended) this.#turns.delete(name);
      });
    this.#turns.set(name, ended);
    return turn;
  }

  #removeFolder(path: string): void {
    const removing = this.#options.disk
      .removeDirectory(path)
      .catch((error: unknown) => this.#report(path, `not removed: ${String(error)}`))
      .finally(() => this.#removing.delete(removing));
    this.#removing.add(removing);
  }

  #report(path: string, message: string, isOffline = false): void {
    const problem = { path, message, isOffline };
    if (this.problems.push(problem) > MOST_PROBLEMS) this.problems.shift();
    this.#options.onProblem?.(problem);
  }

  /** A few at a time. Returns how many failed with KafkaStorageError; any other error is thrown when all are through. */
  async #forEach<T>(items: Iterable<T>, action: (item: T) => void | Promise<void>): Promise<number> {
    const iterator = items[Symbol.iterator]();
    let failed = 0;
    const worker = async (): Promise<void> => {
      for (let next = iterator.next(); next.done !== true; next = iterator.next()) {
        try {
          await action(next.value);
        } catch (error) {
          if (!(error instanceof KafkaStorageError)) throw error;
          failed++;
        }
      }
    };
    const workers = Array.from({ length: this.#options.numRecoveryThreads ?? 4 }, worker);
    const outcomes = await Promise.allSettled(workers);
    const rejected = outcomes.find((outcome) => outcome.status === "rejected");
    if (rejected !== undefined) throw rejected.reason;
    return failed;
  }
}
