import type { DiskSpace, Uuid } from "@samsa/base";
import { DiskError, ErrorCode, refusal } from "@samsa/base";
import { NO_BROKER_EPOCH } from "./clean-shutdown-file.ts";
import { KafkaStorageError } from "./errors.ts";
import type { LogCleanerConfig } from "./log-cleaner-config.ts";
import type { LogConfig } from "./log-config.ts";
import type { LogManagerOptions } from "./log-manager.ts";
import { LogManager } from "./log-manager.ts";
import { defaultLogCaches } from "./load-log.ts";
import { hasRoomForSuffix, isFutureLogDir, logDirName } from "./topic-partition.ts";
import type { TopicPartition } from "./topic-partition.ts";
import type { UnifiedLog } from "./unified-log.ts";

/** One of the data directories of a broker, as it was found at the start. */
export interface DataDirectory {
  /** Absolute, and as clients name it. */
  readonly path: string;
  /** From its meta.properties; undefined where that could not be read. */
  readonly directoryId: Uuid | undefined;
  /** Why it cannot be used. */
  readonly failure?: unknown;
}

export interface LogDirsOptions extends Omit<LogManagerOptions, "directory" | "onDiskFailure"> {
  readonly directories: readonly DataDirectory[];
  /** Whether the directory gets no new replicas (`cordoned.log.dirs`, KIP-1066). */
  readonly isCordoned?: (path: string) => boolean;
  /** Called once for a directory that failed while it was in use. Its logs are closed when this is called. */
  readonly onDirectoryFailure?: (directory: LogDir, error: unknown) => void;
}

/** A data directory in use, or why it is not. */
export interface LogDir {
  readonly path: string;
  readonly directoryId: Uuid | undefined;
  readonly isOffline: boolean;
}

interface Entry extends LogDir {
  isOffline: boolean;
  manager: LogManager | undefined; // undefined where the directory failed before it was opened
}

/**
 * The logs of a broker over all its data directories (`log.dirs`): each directory has its LogManager, its checkpoints and its
 * fate. One that fails goes offline with the logs in it, and the others go on.
 */
export class LogDirs {
  readonly #options: LogDirsOptions;
  readonly #entries: readonly Entry[];
  readonly #preferred = new Map<string, string>(); // paths where partitions go that are not here yet, by name of the folder
  readonly #cleanAtStart = new WeakMap<UnifiedLog, number>(); // of logs on their way: how far the other was clean when they began
  readonly #abandoning = new Set<Promise<void>>();

  private constructor(options: LogDirsOptions) {
    this.#options = options;
    this.#entries = options.directories.map(({ path, directoryId, failure }) => ({
      path,
      directoryId,
      isOffline: failure !== undefined,
      manager: undefined,
    }));
  }

  /**
   * Opens every directory that can be; those that fail on the way are offline.
   * @throws KafkaStorageError when none is left, or a partition is in two directories
   */
  static async open(options: LogDirsOptions): Promise<LogDirs> {
    const logDirs = new LogDirs(options);
    const caches = options.caches ?? defaultLogCaches(); // shared: memory has a bound over the whole broker
    await Promise.all(logDirs.#entries.map((entry) => logDirs.#open(entry, { ...options, caches })));
    try {
      if (logDirs.#online.length === 0) throw noDirectoryLeft(logDirs.#entries);
      logDirs.#refuseDuplicates();
    } catch (error) {
      await Promise.all(logDirs.#online.map(({ manager }) => manager.abandon("is in a directory that is closed")));
      throw error;
    }
    return logDirs;
  }

  get directories(): readonly LogDir[] {
    return this.#entries;
  }

  /** The broker's epoch at its last clean stop (KIP-966), if it stopped so in every directory; NO_BROKER_EPOCH if not. */
  get previousBrokerEpoch(): number {
    const epochs = new Set(this.#entries.map(({ manager }) => manager?.previousBrokerEpoch ?? NO_BROKER_EPOCH));
    const [epoch = NO_BROKER_EPOCH, another] = epochs;
    return another === undefined ? epoch : NO_BROKER_EPOCH;
  }

  /** Why which folders could not be loaded, of partitions that are in no other directory. */
  offlineLogs(): ReadonlyMap<string, KafkaStorageError> {
    const found = this.#online.flatMap(({ manager }) => [...manager.offlineLogs()]);
    const current = new Set(
      [...this.#logs()].filter(isCurrent).map(({ topicPartition }) => logDirName(topicPartition)),
    );
    return new Map(found.filter(([name]) => !current.has(name)));
  }

  /** The logs of a directory, current ones and those on their way there (isFutureLogDir); none when it is offline. */
  *logsOf({ path }: LogDir): Iterable<UnifiedLog> {
    const entry = this.#entries.find((candidate) => candidate.path === path);
    if (entry !== undefined && !entry.isOffline) yield* entry.manager?.logs() ?? [];
  }

  /** How much room the directory has. @throws DiskError */
  space({ path }: LogDir): Promise<DiskSpace> {
    return this.#options.disk.space(path);
  }

  isCordoned({ path }: LogDir): boolean {
    return this.#options.isCordoned?.(path) ?? false;
  }

  current(topicPartition: TopicPartition): UnifiedLog | undefined {
    return this.#find(topicPartition, isCurrent)?.log;
  }

  /** The replica on its way to another directory. */
  future(topicPartition: TopicPartition): UnifiedLog | undefined {
    return this.#find(topicPartition, isFuture)?.log;
  }

  /** The directory that a log lies in. */
  directoryOf(log: UnifiedLog): LogDir {
    const parent = log.directory.slice(0, log.directory.lastIndexOf("/"));
    const entry = this.#entries.find(({ path }) => path === parent);
    if (entry === undefined) throw new KafkaStorageError(`${log.directory} is in no data directory`);
    return entry;
  }

  /**
   * Whether a partition that belongs into this directory may be made when it is not found. While a directory is offline it may be
   * there, and another beside it would be empty.
   * @param assignedId what the metadata says; undefined for a partition that has no directory yet
   */
  mayCreate(assignedId: Uuid | undefined): boolean {
    if (assignedId === undefined || this.#entries.every(({ isOffline }) => !isOffline)) return true;
    return this.#online.some(({ directoryId }) => directoryId === assignedId);
  }

  /**
   * The log of the partition; made, when there is none, in the directory that it is assigned to or, without one, where a client
   * wished it, or else where the fewest logs are.
   * @throws KafkaStorageError when it is offline, its folder belongs to another topic of its name, or no directory takes it
   */
  async getOrCreate(
    topicPartition: TopicPartition,
    topicId: Uuid,
    config: LogConfig,
    assignedId?: Uuid,
  ): Promise<UnifiedLog> {
    const found = this.#find(topicPartition, isCurrent);
    if (found !== undefined) return await found.entry.manager.getOrCreate(topicPartition, topicId, config);
    const arrived = this.#find(topicPartition, isFuture);
    if (arrived !== undefined && arrived.entry.directoryId === assignedId) {
      // The move was complete and decided when the broker ended; what was left to do is the name.
      return await arrived.entry.manager.promoteFuture(topicPartition);
    }
    const name = logDirName(topicPartition);
    const wished = this.#preferred.get(name);
    const chosen =
      this.#online.find(({ path }) => path === wished) ??
      this.#online.find(({ directoryId }) => directoryId === assignedId);
    for (const entry of chosen === undefined ? this.#nextLogDirs() : [chosen]) {
      try {
        const log = await entry.manager.getOrCreate(topicPartition, topicId, config);
        this.#preferred.delete(name);
        return log;
      } catch (error) {
        if (!(error instanceof DiskError)) throw error;
        this.fail(entry, error);
      }
    }
    throw new KafkaStorageError(`No log directories available for ${name}`);
  }

  /**
   * What stands against moving any replica into this directory.
   * @throws KafkaError LOG_DIR_NOT_FOUND, INVALID_REPLICA_ASSIGNMENT (cordoned), INVALID_TOPIC_EXCEPTION (a name too long), KAFKA_STORAGE_ERROR
   */
  checkDestination(topicPartition: TopicPartition, path: string): void {
    const entry = this.#entries.find((candidate) => candidate.path === path);
    if (entry !== undefined && this.isCordoned(entry)) {
      throw refusal(ErrorCode.INVALID_REPLICA_ASSIGNMENT, `Log directory ${path} is cordoned`);
    }
    if (!hasRoomForSuffix(topicPartition)) {
      throw refusal(ErrorCode.INVALID_TOPIC_EXCEPTION, "The topic name is too long.");
    }
    if (entry === undefined) {
      throw refusal(ErrorCode.LOG_DIR_NOT_FOUND, `Log dir ${path} is not found in the config.`);
    }
    if (entry.isOffline) throw new KafkaStorageError(`Log directory ${path} is offline`);
  }

  /** Where the partition goes if it comes to this broker later. */
  prefer(topicPartition: TopicPartition, path: string): void {
    const isThere = [this.current(topicPartition), this.future(topicPartition)].some(
      (log) => log !== undefined && this.directoryOf(log).path === path,
    );
    if (!isThere) this.#preferred.set(logDirName(topicPartition), path);
  }

  /** An empty replica that is to become the partition's, in another directory. @throws KafkaStorageError */
  async createFuture(
    topicPartition: TopicPartition,
    topicId: Uuid,
    config: LogConfig,
    path: string,
  ): Promise<UnifiedLog> {
    const entry = this.#online.find((candidate) => candidate.path === path);
    // Where the partition is may be unknown while a directory is offline, and two of it would be one too many.
    const offline = this.#entries.filter(({ isOffline }) => isOffline).map((candidate) => candidate.path);
    if (entry === undefined || offline.length > 0) {
      throw new KafkaStorageError(`no replica is moved while log directories are offline: ${offline.join(", ")}`);
    }
    try {
      const current = this.#find(topicPartition, isCurrent);
      const cleanOffset = current && current.entry.manager.cleanOffsetOf(current.log);
      const future = await entry.manager.createFuture(topicPartition, topicId, config);
      if (cleanOffset !== undefined) this.#cleanAtStart.set(future, cleanOffset);
      this.#preferred.delete(logDirName(topicPartition));
      return future;
    } catch (error) {
      if (error instanceof DiskError) this.fail(entry, error);
      throw error;
    }
  }

  /** Removes the replica that was on its way. */
  async deleteFuture(topicPartition: TopicPartition): Promise<void> {
    await this.#find(topicPartition, isFuture)?.entry.manager.delete(topicPartition);
  }

  /**
   * Puts the replica that was on its way in the place of the current one, which goes. The current one is renamed first: a crash
   * in between leaves one replica, and the metadata says that it is the one.
   */
  async replaceCurrentWithFuture(topicPartition: TopicPartition): Promise<void> {
    const future = this.#find(topicPartition, isFuture);
    if (future === undefined) throw new KafkaStorageError(`${logDirName(topicPartition)} has no replica on its way`);
    const current = this.#find(topicPartition, isCurrent);
    let cleanOffset: number | undefined;
    if (current !== undefined) {
      // What was compacted during the move may have been copied before; and a truncation may have made it less.
      const atStart = this.#cleanAtStart.get(future.log);
      const now = current.entry.manager.cleanOffsetOf(current.log);
      if (atStart !== undefined && now !== undefined) cleanOffset = Math.min(atStart, now);
      try {
        await current.entry.manager.delete(topicPartition);
      } catch (error) {
        if (!(error instanceof DiskError)) throw error;
        this.fail(current.entry, error); // what is there is not needed any more
      }
    }
    await future.entry.manager.promoteFuture(topicPartition, cleanOffset);
  }

  /** Removes the partition, be it on its way or not. */
  async delete(topicPartition: TopicPartition): Promise<void> {
    this.#preferred.delete(logDirName(topicPartition));
    for (const entry of this.#online) {
      if (entry.manager.get(topicPartition.topic, topicPartition.partition) === undefined) continue;
      try {
        await entry.manager.delete(topicPartition);
      } catch (error) {
        if (error instanceof DiskError) this.fail(entry, error);
        throw error;
      }
    }
  }

  /**
   * Takes the directory out of use: its logs are closed, and nothing is written there any more.
   * @param error what the disk said
   */
  fail({ path }: LogDir, error: unknown): void {
    const entry = this.#entries.find((candidate) => candidate.path === path);
    if (entry === undefined || entry.isOffline) return;
    entry.isOffline = true;
    const abandoning = (entry.manager?.abandon(`is in ${path}, which is offline`) ?? Promise.resolve())
      .catch(() => undefined)
      .finally(() => this.#abandoning.delete(abandoning));
    this.#abandoning.add(abandoning);
    this.#options.onDirectoryFailure?.(entry, error);
  }

  /** Takes another `producer.id.expiration.ms`. */
  reconfigureProducerIdExpiration(expirationMs: number): void {
    for (const { manager } of this.#online) manager.reconfigureProducerIdExpiration(expirationMs);
  }

  /** Takes what may change of `log.cleaner.*` while the broker runs. */
  reconfigureCleaner(config: LogCleanerConfig): void {
    for (const { manager } of this.#online) manager.reconfigureCleaner(cleanerShare(config, this.#entries.length));
  }

  /** Closes every directory. @returns whether the stop was complete in all of them */
  async close(options: { readonly brokerEpoch?: number } = {}): Promise<boolean> {
    const closed = await Promise.allSettled(this.#online.map(({ manager }) => manager.close(options)));
    await Promise.all(this.#abandoning);
    return closed.length === this.#entries.length && closed.every((one) => one.status === "fulfilled" && one.value);
  }

  get #online(): readonly (Entry & { readonly manager: LogManager })[] {
    return this.#entries.filter(isOpen);
  }

  *#logs(): Iterable<UnifiedLog> {
    for (const { manager } of this.#online) yield* manager.logs();
  }

  async #open(entry: Entry, options: Omit<LogManagerOptions, "directory">): Promise<void> {
    if (entry.isOffline) return;
    const { path } = entry;
    try {
      const onDiskFailure = (error: DiskError): void => this.fail(entry, error);
      const cleaner = options.cleaner && { cleaner: cleanerShare(options.cleaner, this.#entries.length) };
      const manager = await LogManager.open({ ...options, ...cleaner, directory: path, onDiskFailure });
      entry.manager = manager;
      const failed = [...manager.offlineLogs().values()].find(({ cause }) => cause instanceof DiskError);
      if (failed !== undefined) this.fail(entry, failed.cause);
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      this.fail(entry, error);
    }
  }

  #refuseDuplicates(): void {
    const seen = new Map<string, UnifiedLog>(); // by name, current and future apart
    for (const log of this.#logs()) {
      const name = logDirName(log.topicPartition);
      const key = `${isFuture(log) ? "future" : "current"} ${name}`;
      const other = seen.get(key);
      if (other !== undefined) {
        throw new KafkaStorageError(
          `Duplicate log directories for ${name} are found in both ${other.directory} and ${log.directory}. It is likely ` +
            "because a log directory failed while the broker was replacing the current replica with the future one. Recover " +
            "from this by moving one of the two away, that in the directory which is known to have failed.",
        );
      }
      seen.set(key, log);
    }
  }

  /** Those that may take a new partition, the one with the fewest first (Kafka's LogManager.nextLogDirs). */
  #nextLogDirs(): readonly (Entry & { readonly manager: LogManager })[] {
    const free = this.#online.filter((entry) => !this.isCordoned(entry));
    return free.toSorted((a, b) => a.manager.logCount - b.manager.logCount);
  }

  #find(
    { topic, partition }: TopicPartition,
    isWanted: (log: UnifiedLog) => boolean,
  ): { readonly entry: Entry & { readonly manager: LogManager }; readonly log: UnifiedLog } | undefined {
    for (const entry of this.#online) {
      const log = entry.manager.get(topic, partition);
      if (log !== undefined && isWanted(log)) return { entry, log };
    }
    return undefined;
  }
}

/** Every directory compacts its own logs, so that a disk does not wait for another; they share memory and rate. */
function cleanerShare(config: LogCleanerConfig, directories: number): LogCleanerConfig {
  return {
    ...config,
    threads: Math.max(1, Math.floor(config.threads / directories)),
    dedupeBufferBytes: Math.floor(config.dedupeBufferBytes / directories),
    ioBufferBytes: Math.floor(config.ioBufferBytes / directories),
    ioMaxBytesPerSecond: config.ioMaxBytesPerSecond / directories,
  };
}

function isOpen(entry: Entry): entry is Entry & { readonly manager: LogManager } {
  return !entry.isOffline && entry.manager !== undefined;
}

function isFuture(log: UnifiedLog): boolean {
  return isFutureLogDir(log.directory);
}

function isCurrent(log: UnifiedLog): boolean {
  return !isFuture(log);
}

function noDirectoryLeft(entries: readonly Entry[]): KafkaStorageError {
  const paths = entries.map(({ path }) => path).join(", ");
  return new KafkaStorageError(`none of the data directories can be used: ${paths}`);
}
