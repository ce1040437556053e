import { INT64_MAX } from "@samsa/base";
import type { CompressionType, TimestampType } from "@samsa/protocol";

/** What a topic's configuration says to its logs: Kafka's keys in camelCase. Sizes in bytes, times in milliseconds. */
export interface LogConfig {
  readonly segmentBytes: number;
  readonly segmentMs: number;
  /** Up to so much is taken off `segmentMs`, so that not all logs roll at once. */
  readonly segmentJitterMs: number;
  readonly segmentIndexBytes: number;
  readonly indexIntervalBytes: number;
  /** Of one batch, compressed. */
  readonly maxMessageBytes: number;
  /** How batches are compressed on the disk; `producer`: as they come. */
  readonly compressionType: CompressionType | "producer";
  /** Of that compression; the codec's own default when undefined. */
  readonly compressionLevel: number | undefined;
  readonly messageTimestampType: TimestampType;
  readonly messageTimestampBeforeMaxMs: number;
  readonly messageTimestampAfterMaxMs: number;
  /** Neither: everything is kept. */
  readonly cleanupPolicy: readonly ("delete" | "compact")[];
  /** Records older than this go; -1 for none. */
  readonly retentionMs: number;
  /** What a log may grow to before its oldest segments go; -1 for any size. */
  readonly retentionBytes: number;
  /** So long a record stays as it is before compaction may remove it. */
  readonly minCompactionLagMs: number;
  /** After so long a record must have been subject to compaction. */
  readonly maxCompactionLagMs: number;
  /** The part of a log that must be dirty before it is compacted; between 0 and 1. */
  readonly minCleanableDirtyRatio: number;
  /** So long compaction keeps tombstones and the markers of transactions. */
  readonly deleteRetentionMs: number;
  /** So many records may be unsynced; 1 syncs each group of appends before it is acknowledged. */
  readonly flushMessages: number;
  readonly flushMs: number;
  /** From the removal of a log or a segment to the removal of its files. */
  readonly fileDeleteDelayMs: number;
}

const DEFAULTS: LogConfig = {
  segmentBytes: 1024 ** 3,
  segmentMs: 7 * 24 * 3600 * 1000,
  segmentJitterMs: 0,
  segmentIndexBytes: 10 * 1024 ** 2,
  indexIntervalBytes: 4096,
  maxMessageBytes: 1024 ** 2 + 12,
  compressionType: "producer",
  compressionLevel: undefined,
  messageTimestampType: "create-time",
  messageTimestampBeforeMaxMs: INT64_MAX,
  messageTimestampAfterMaxMs: 3600 * 1000,
  cleanupPolicy: ["delete"],
  retentionMs: 7 * 24 * 3600 * 1000,
  retentionBytes: -1,
  minCompactionLagMs: 0,
  maxCompactionLagMs: INT64_MAX,
  minCleanableDirtyRatio: 0.5,
  deleteRetentionMs: 24 * 3600 * 1000,
  flushMessages: INT64_MAX,
  flushMs: INT64_MAX,
  fileDeleteDelayMs: 60_000,
};

/** Kafka 4.4's defaults with what is given in their place. */
export function defaultLogConfig(overrides: Partial<LogConfig> = {}): LogConfig {
  return { ...DEFAULTS, ...overrides };
}

/** A compacted log rolls in time for `max.compaction.lag.ms`, because its active segment is not compacted. */
export function maxSegmentMs({ cleanupPolicy, segmentMs, maxCompactionLagMs }: LogConfig): number {
  return cleanupPolicy.includes("compact") ? Math.min(segmentMs, maxCompactionLagMs) : segmentMs;
}
