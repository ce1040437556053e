import type { LogConfig } from "./log-config.ts";

/** What retention weighs of a segment. */
export interface RetentionCandidate {
  readonly endOffset: number; // where the next segment begins; the log end offset for the active one
  readonly size: number;
  /** Of its records; where none has one, the time at which the file last changed. */
  readonly largestTimestamp: number;
}

export interface RetentionBounds {
  readonly nowMs: number;
  readonly logStartOffset: number;
  readonly highWatermark: number;
}

/**
 * How many of the segments, counted from the oldest, are to go (Kafka's UnifiedLog.deleteOldSegments).
 *
 * Segments go whole and in order, and none that holds a record at or above the high watermark. `retention.ms` looks at the
 * largest timestamp, so that one record from the future keeps its segment and all after it. `retention.bytes` never leaves
 * less than it says. The active segment is last and goes by time or size alone: the caller rolls it first. What lies below
 * the log start offset goes whatever `cleanup.policy` says; the rest only where it says `delete`.
 *
 * @param segments in order, the active one last
 */
export function countDeletable(
  segments: readonly RetentionCandidate[],
  config: LogConfig,
  { nowMs, logStartOffset, highWatermark }: RetentionBounds,
): number {
  const isActive = (index: number): boolean => index === segments.length - 1;
  const countWhile = (isOver: (segment: RetentionCandidate, index: number) => boolean): number => {
    const kept = segments.findIndex((segment, index) => {
      const isEmptyTail = isActive(index) && segment.size === 0;
      return isEmptyTail || segment.endOffset > highWatermark || !isOver(segment, index);
    });
    return kept < 0 ? segments.length : kept;
  };
  const belowStart = countWhile((segment, index) => !isActive(index) && segment.endOffset <= logStartOffset);
  if (!config.cleanupPolicy.includes("delete")) return belowStart;

  let excessBytes = segments.reduce((sum, segment) => sum + segment.size, 0) - config.retentionBytes;
  const bySize = countWhile((segment) => {
    excessBytes -= segment.size;
    return config.retentionBytes >= 0 && excessBytes >= 0;
  });
  const byTime = countWhile(
    (segment) => config.retentionMs >= 0 && nowMs - segment.largestTimestamp > config.retentionMs,
  );
  return Math.max(belowStart, bySize, byTime);
}
