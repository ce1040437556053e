import type { Random } from "@samsa/base";
import { topicNameProblem } from "@samsa/protocol";

export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

/** What the name of a partition's folder says. */
export interface LogDirName extends TopicPartition {
  /** `deleted` and `stray` wait for removal, `future` is a replica on its way to another data directory. */
  readonly state: "current" | "deleted" | "stray" | "future";
}

const MAX_FILE_NAME_LENGTH = 255;
const SUFFIXED = /^(.+)\.[^.]+-(delete|stray|future)$/;
const STATES = { delete: "deleted", stray: "stray", future: "future" } as const;

/** The folder of a partition: `topic-0`. */
export function logDirName(topicPartition: TopicPartition): string {
  return `${topicPartition.topic}-${topicPartition.partition}`;
}

/** What the folder is renamed to before its files go: `topic-0.<32 hex digits>-delete`, cut to the length a file name may have. */
export function logDeleteDirName(topicPartition: TopicPartition, random: Random): string {
  return suffixedDirName(topicPartition, random, "delete");
}

/** What the folder of a partition that is not ours any more is renamed to. */
export function logStrayDirName(topicPartition: TopicPartition, random: Random): string {
  return suffixedDirName(topicPartition, random, "stray");
}

/** The folder of a replica on its way to another data directory: `topic-0.<32 hex digits>-future`. */
export function logFutureDirName(topicPartition: TopicPartition, random: Random): string {
  return suffixedDirName(topicPartition, random, "future");
}

/** Whether the path of a log's folder is that of a replica on its way. */
export function isFutureLogDir(path: string): boolean {
  return path.endsWith("-future");
}

/** Whether a replica's name leaves room for the endings of its folder; if not, it cannot be moved (KAFKA-4893). */
export function hasRoomForSuffix({ topic, partition }: TopicPartition): boolean {
  return `${topic}-${partition}.${"0".repeat(32)}-future`.length <= MAX_FILE_NAME_LENGTH;
}

/** Reads a folder's name back; undefined when it is none of a partition. */
export function parseLogDirName(name: string): LogDirName | undefined {
  const suffixed = SUFFIXED.exec(name);
  const state = suffixed === null ? "current" : STATES[suffixed[2] as keyof typeof STATES];
  const base = suffixed?.[1] ?? name;
  const dash = base.lastIndexOf("-");
  const topic = base.slice(0, dash);
  const digits = base.slice(dash + 1);
  if (dash <= 0 || !/^(0|[1-9][0-9]{0,9})$/.test(digits) || topicNameProblem(topic) !== undefined) return undefined;
  const partition = Number(digits);
  return partition > 0x7fffffff ? undefined : { topic, partition, state };
}

function suffixedDirName(topicPartition: TopicPartition, random: Random, state: keyof typeof STATES): string {
  let uniqueId = "";
  for (let word = 0; word < 4; word++) uniqueId += random.uint32().toString(16).padStart(8, "0");
  const suffix = `-${topicPartition.partition}.${uniqueId}-${state}`;
  return topicPartition.topic.slice(0, MAX_FILE_NAME_LENGTH - suffix.length) + suffix;
}
