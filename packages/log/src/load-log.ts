import type { Clock, Disk, Random, Uuid } from "@samsa/base";
import { ZERO_UUID } from "@samsa/base";
import { KafkaStorageError } from "./errors.ts";
import { IndexCache } from "./index-cache.ts";
import type { LogConfig } from "./log-config.ts";
import { defaultLogConfig } from "./log-config.ts";
import { loadSegments } from "./log-loader.ts";
import { PartitionMetadataFile } from "./partition-metadata-file.ts";
import { PooledDisk } from "./pooled-disk.ts";
import { ReadAheadBudget } from "./read-ahead.ts";
import { TailCacheBudget } from "./tail-cache.ts";
import type { TopicPartition } from "./topic-partition.ts";
import { UnifiedLog } from "./unified-log.ts";

const DEFAULT_TAIL_CACHE_BYTES = 64 * 1024 ** 2;
const DEFAULT_INDEX_CACHE_BYTES = 64 * 1024 ** 2;
const DEFAULT_READ_AHEAD_BYTES = 32 * 1024 ** 2;
export const DEFAULT_PRODUCER_ID_EXPIRATION_MS = 24 * 3600 * 1000;

/** What the logs of a broker share: memory with a bound. */
export interface LogCaches {
  readonly tail: TailCacheBudget;
  readonly indexes: IndexCache;
  readonly readAhead: ReadAheadBudget;
}

export function defaultLogCaches(): LogCaches {
  return {
    tail: new TailCacheBudget(DEFAULT_TAIL_CACHE_BYTES),
    indexes: new IndexCache(DEFAULT_INDEX_CACHE_BYTES),
    readAhead: new ReadAheadBudget(DEFAULT_READ_AHEAD_BYTES),
  };
}

export interface LoadLogOptions {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly random: Random;
  /** The partition's own folder; made when missing. */
  readonly directory: string;
  readonly topicPartition: TopicPartition;
  /** Written to `partition.metadata` when that is not there. */
  readonly topicId?: Uuid;
  readonly config?: LogConfig;
  readonly caches?: LogCaches;
  /** Whether the log was closed after its last write. False when left out: it is scanned from the recovery point. */
  readonly hadCleanShutdown?: boolean;
  readonly recoveryPoint?: number;
  readonly highWatermark?: number;
  readonly logStartOffset?: number;
  /** So long after its last batch a producer is forgotten (`producer.id.expiration.ms`). */
  readonly producerIdExpirationMs?: number;
  readonly report?: (path: string, message: string) => void;
}

/**
 * Loads one log, or makes it when its folder is empty or missing.
 * @throws KafkaStorageError when the log cannot be trusted, DiskError when the disk fails
 */
export async function loadLog(options: LoadLogOptions): Promise<UnifiedLog> {
  const { clock, random, directory, topicPartition } = options;
  const disk = PooledDisk.of(options.disk);
  const config = options.config ?? defaultLogConfig();
  const caches = options.caches ?? defaultLogCaches();
  const producerIdExpirationMs = options.producerIdExpirationMs ?? DEFAULT_PRODUCER_ID_EXPIRATION_MS;
  await disk.makeDirectory(directory);
  const topicId = await agreeOnTopicId(disk, directory, options.topicId);
  const loaded = await loadSegments({
    disk,
    clock,
    random,
    directory,
    config,
    indexCache: caches.indexes,
    producerIdExpirationMs,
    hadCleanShutdown: options.hadCleanShutdown ?? false,
    recoveryPoint: options.recoveryPoint ?? 0,
    highWatermark: options.highWatermark ?? 0,
    logStartOffset: options.logStartOffset ?? 0,
    report: options.report ?? (() => undefined),
  });
  const log = new UnifiedLog(
    {
      disk,
      clock,
      random,
      directory,
      topicPartition,
      topicId,
      config,
      tailCache: caches.tail,
      readAhead: caches.readAhead,
      indexCache: caches.indexes,
      producerIdExpirationMs,
    },
    loaded,
  );
  // Where acknowledged means synced: a producer's retry of what the scan has found is about to be acknowledged.
  if (log.logEndOffset - log.recoveryPoint >= config.flushMessages) await log.flush();
  log.updateHighWatermark(options.highWatermark ?? 0);
  return log;
}

/** Before any record is written, so that it can be told whose it is. @throws KafkaStorageError when the folder is another topic's */
async function agreeOnTopicId(disk: Disk, directory: string, topicId: Uuid | undefined): Promise<Uuid> {
  const file = new PartitionMetadataFile(disk, directory);
  const found = await file.read();
  if (found === undefined) {
    if (topicId !== undefined && topicId !== ZERO_UUID) await file.write(topicId);
    return topicId ?? ZERO_UUID;
  }
  if (topicId === undefined || topicId === ZERO_UUID || topicId === found) return found;
  throw new KafkaStorageError(`${directory} belongs to topic id ${found}, not ${topicId}`);
}
