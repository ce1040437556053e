import type { LogConfig } from "./log-config.ts";
import type { LogSegment } from "./log-segment.ts";

const LARGEST_RELATIVE_OFFSET = 0x7fffffff;

/** What the grouping weighs of a segment. Sizes in bytes. */
export interface GroupedSegment {
  readonly baseOffset: number;
  readonly size: number;
  readonly offsetIndexSize: number;
  readonly timeIndexSize: number;
}

/**
 * Neighbours that fit one segment together: by the size of the log, by what its indexes may hold, and by the offsets that an
 * index can name (Kafka's Cleaner.groupSegmentsBySize). Segments shrink, so without this a log would end as many tiny ones.
 *
 * @param endOffset where the last of them ends
 * @returns how many segments each group has
 */
export function groupSizes(
  segments: readonly GroupedSegment[],
  endOffset: number,
  { segmentBytes, segmentIndexBytes }: Pick<LogConfig, "segmentBytes" | "segmentIndexBytes">,
): number[] {
  const groups: number[] = [];
  let baseOffset = 0;
  let size = 0;
  let offsetIndexSize = 0;
  let timeIndexSize = 0;
  for (const [index, segment] of segments.entries()) {
    const count = groups.at(-1);
    size += segment.size;
    offsetIndexSize += segment.offsetIndexSize;
    timeIndexSize += segment.timeIndexSize;
    const lastOffset = (segments[index + 1]?.baseOffset ?? endOffset) - 1;
    const isNameable = segment.size === 0 || lastOffset - baseOffset <= LARGEST_RELATIVE_OFFSET;
    const isSmall = size <= segmentBytes && offsetIndexSize <= segmentIndexBytes && timeIndexSize <= segmentIndexBytes;
    if (count !== undefined && isNameable && isSmall) {
      groups[groups.length - 1] = count + 1;
      continue;
    }
    groups.push(1);
    ({ baseOffset, size, offsetIndexSize, timeIndexSize } = segment);
  }
  return groups;
}

/** The groups of segments that are there; nobody may cut them meanwhile. */
export async function groupSegments(
  segments: readonly LogSegment[],
  endOffset: number,
  config: LogConfig,
): Promise<LogSegment[][]> {
  const weighed: GroupedSegment[] = [];
  for (const { baseOffset, size, offsetIndex, timeIndex } of segments) {
    const offsetIndexSize = await offsetIndex.readSize();
    weighed.push({ baseOffset, size, offsetIndexSize, timeIndexSize: await timeIndex.readSize() });
  }
  let next = 0;
  return groupSizes(weighed, endOffset, config).map((count) => segments.slice(next, (next += count)));
}
