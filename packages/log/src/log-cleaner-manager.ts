import type { LogConfig } from "./log-config.ts";

/** What the choice weighs of a segment. */
export interface CleanableSegment {
  readonly baseOffset: number;
  readonly size: number;
  /** Of its records; where none has one, the time at which the segment was made. */
  readonly largestTimestamp: number;
  /** Of its first batch; below 0 where that has none. */
  readonly firstTimestamp: number;
}

/** What the choice weighs of a log. */
export interface CleanableLog {
  readonly config: Pick<LogConfig, "minCompactionLagMs" | "maxCompactionLagMs" | "minCleanableDirtyRatio">;
  readonly logStartOffset: number;
  readonly logEndOffset: number;
  readonly lastStableOffset: number;
  /** Everything below has been synced. */
  readonly recoveryPoint: number;
  readonly segments: readonly CleanableSegment[]; // in order, the active one last
}

/** The part of a log that may be cleaned. */
export interface LogToClean {
  readonly firstDirtyOffset: number;
  /** Where a segment begins. */
  readonly firstUncleanableOffset: number;
  /** The share of what may be cleaned in what lies below it; 0 to 1. */
  readonly cleanableRatio: number;
  /** Whether it is dirty enough, or has been dirty for long enough. */
  readonly isDue: boolean;
}

/**
 * Where the dirty part begins: what the checkpoint says, if the log still is the one it speaks of; else all is dirty.
 * @param cleanOffset as checkpointed
 */
export function firstDirtyOffsetOf(
  cleanOffset: number | undefined,
  { logStartOffset, logEndOffset }: Pick<CleanableLog, "logStartOffset" | "logEndOffset">,
): number {
  if (cleanOffset === undefined || cleanOffset < logStartOffset || cleanOffset > logEndOffset) return logStartOffset;
  return cleanOffset;
}

/**
 * What of a log may be cleaned, and whether it is time (Kafka's LogCleanerManager). Never the active segment, nor what is above
 * the last stable offset or younger than `min.compaction.lag.ms`; and nothing that has not been synced: what is compacted
 * has gaps, and a scan after a crash, which begins at the recovery point, could not tell them from a loss.
 *
 * @returns undefined when there is nothing
 */
export function logToClean(log: CleanableLog, cleanOffset: number | undefined, nowMs: number): LogToClean | undefined {
  const { minCompactionLagMs, maxCompactionLagMs, minCleanableDirtyRatio } = log.config;
  const firstDirtyOffset = firstDirtyOffsetOf(cleanOffset, log);
  const boundOffset = Math.min(log.lastStableOffset, log.recoveryPoint);
  let firstUncleanableOffset = log.segments[0]?.baseOffset ?? firstDirtyOffset;
  let cleanBytes = 0;
  let cleanableBytes = 0;
  let earliestMs = Infinity;
  let isBounded = false;
  for (const [index, { baseOffset, size, largestTimestamp, firstTimestamp }] of log.segments.entries()) {
    const endOffset = log.segments[index + 1]?.baseOffset;
    if (endOffset === undefined) break; // the active one
    if (baseOffset < firstDirtyOffset) cleanBytes += size;
    const isDirty = endOffset > firstDirtyOffset;
    if (isDirty && firstTimestamp > 0) earliestMs = Math.min(earliestMs, firstTimestamp);
    const isYoung = isDirty && minCompactionLagMs > 0 && largestTimestamp > nowMs - minCompactionLagMs;
    isBounded ||= endOffset > boundOffset || isYoung;
    if (isBounded) continue; // it may still be overdue
    firstUncleanableOffset = endOffset;
    if (isDirty) cleanableBytes += size;
  }
  if (cleanableBytes === 0) return undefined;
  const cleanableRatio = cleanableBytes / (cleanBytes + cleanableBytes);
  const isOverdue = earliestMs < nowMs - Math.max(maxCompactionLagMs, 0);
  const isDue = isOverdue || cleanableRatio > minCleanableDirtyRatio;
  return { firstDirtyOffset, firstUncleanableOffset, cleanableRatio, isDue };
}
