import { durationMs } from "@samsa/client";
import { UsageError } from "./exit-code.ts";
import { timeOf } from "./offset-option.ts";

/** Where to the offsets of a group go. */
export type ResetTarget =
  | { readonly kind: "earliest" | "latest" | "current" }
  | { readonly kind: "offset"; readonly offset: number }
  | { readonly kind: "shift"; readonly by: number }
  | { readonly kind: "time"; readonly timestampMs: number }
  | { readonly kind: "file"; readonly file: string };

export interface ResetTargetOptions {
  readonly toEarliest?: boolean;
  readonly toLatest?: boolean;
  readonly toCurrent?: boolean;
  readonly toOffset?: number;
  readonly shiftBy?: number;
  readonly toDatetime?: string;
  readonly byDuration?: string;
  readonly fromFile?: string;
}

const NAMES =
  "--to-earliest, --to-latest, --to-current, --to-offset, --shift-by, --to-datetime, --by-duration, --from-file";

/** @throws UsageError unless there is exactly one */
export function resetTarget(options: ResetTargetOptions, nowMs: number): ResetTarget {
  const { toOffset, shiftBy, toDatetime, byDuration, fromFile } = options;
  const targets: ResetTarget[] = [];
  if (options.toEarliest === true) targets.push({ kind: "earliest" });
  if (options.toLatest === true) targets.push({ kind: "latest" });
  if (options.toCurrent === true) targets.push({ kind: "current" });
  if (toOffset !== undefined) targets.push({ kind: "offset", offset: toOffset });
  if (shiftBy !== undefined) targets.push({ kind: "shift", by: shiftBy });
  if (toDatetime !== undefined) targets.push({ kind: "time", timestampMs: dateTime(toDatetime, nowMs) });
  if (byDuration !== undefined) targets.push({ kind: "time", timestampMs: nowMs - duration(byDuration) });
  if (fromFile !== undefined) targets.push({ kind: "file", file: fromFile });
  const [target] = targets;
  if (target === undefined) throw new UsageError(`where to? one of ${NAMES}`);
  if (targets.length > 1) throw new UsageError(`where to? only one of ${NAMES}`);
  return target;
}

/** A date without a zone is one of UTC, as Kafka's own tool has it. */
function dateTime(text: string, nowMs: number): number {
  const hasZone = /(?:Z|[+-]\d{2}:?\d{2})$/iu.test(text) || !text.includes("T");
  return timeOf(hasZone ? text : `${text}Z`, nowMs);
}

function duration(text: string): number {
  const parsed = durationMs(text);
  if (parsed === undefined) throw new UsageError(`${JSON.stringify(text)} is no duration such as PT1H30M or P7D`);
  return parsed;
}

/** What is known of a partition. */
export interface PartitionFacts {
  readonly committed: number | undefined;
  readonly earliest: number;
  readonly latest: number;
  /** The first record at the time that is wanted; undefined when none is that young. */
  readonly atTime?: number | undefined;
}

export interface PlannedOffset {
  readonly offset: number;
  /** Why it is not what was asked for. */
  readonly remark: string | undefined;
}

/** @param wanted of a file. @throws UsageError to shift what is not committed */
export function plannedOffset(
  target: ResetTarget,
  facts: PartitionFacts,
  name: string,
  wanted?: number,
): PlannedOffset {
  const { committed, earliest, latest, atTime } = facts;
  switch (target.kind) {
    case "earliest":
      return { offset: earliest, remark: undefined };
    case "latest":
      return { offset: latest, remark: undefined };
    case "current":
      return { offset: committed ?? latest, remark: committed === undefined ? "nothing is committed" : undefined };
    case "time":
      return { offset: atTime ?? latest, remark: atTime === undefined ? "no record is that young" : undefined };
    case "offset":
      return within(target.offset, earliest, latest);
    case "shift":
      if (committed === undefined) throw new UsageError(`${name}: nothing is committed that could be shifted`);
      return within(committed + target.by, earliest, latest);
    case "file":
      return within(wanted ?? latest, earliest, latest);
  }
}

function within(offset: number, earliest: number, latest: number): PlannedOffset {
  if (offset < earliest) return { offset: earliest, remark: `${offset} is before the first record` };
  if (offset > latest) return { offset: latest, remark: `${offset} is behind the end` };
  return { offset, remark: undefined };
}

export interface FileLine {
  readonly groupId: string | undefined;
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

/** Lines of `topic,partition,offset` or `group,topic,partition,offset`, values in quotes or not. @throws UsageError */
export function resetLines(text: string, file: string): readonly FileLine[] {
  return text.split(/\r?\n/u).flatMap((line, index): FileLine[] => {
    if (line.trim() === "") return [];
    const values = line.split(",").map((value) => value.trim().replace(/^"(.*)"$/u, "$1"));
    const [topic, partition, offset] = values.slice(-3);
    const groupId = values.length === 4 ? values[0] : undefined;
    const isLine = (values.length === 3 || values.length === 4) && topic !== "" && topic !== undefined;
    if (!isLine || !/^\d{1,9}$/u.test(partition ?? "") || !/^\d{1,15}$/u.test(offset ?? "")) {
      throw new UsageError(`${file}:${index + 1}: wanted is topic,partition,offset or group,topic,partition,offset`);
    }
    return [{ groupId, topic, partition: Number(partition), offset: Number(offset) }];
  });
}

/** `orders`, or `orders:0,2`. */
export interface TopicScope {
  readonly topic: string;
  readonly partitions: readonly number[] | undefined;
}

/** @throws UsageError */
export function topicScope(text: string): TopicScope {
  const [topic = "", partitions, ...more] = text.split(":");
  if (topic === "" || more.length > 0) throw new UsageError(`${JSON.stringify(text)} is no topic:partitions`);
  if (partitions === undefined) return { topic, partitions: undefined };
  if (!/^\d{1,9}(,\d{1,9})*$/u.test(partitions)) {
    throw new UsageError(`${JSON.stringify(text)}: partitions are numbers with commas, as in ${topic}:0,2`);
  }
  return { topic, partitions: partitions.split(",").map(Number) };
}
