import type { IsolationLevel } from "../cluster/list-offsets.ts";
import type { OptionRule } from "../options.ts";
import { aName, boolean, oneOf, optional, resolveOptions, text, whole } from "../options.ts";
import type { Deserializer } from "../serialisers/serialiser.ts";
import type { DecodeErrorPolicy } from "./decode-error.ts";
import { durationMs } from "./duration.ts";
import type { GroupOptions } from "./group/group-options.ts";
import { checkGroupOptions } from "./group/group-options.ts";

/** Where to begin, or begin again, where there is no offset or it is gone. `by_duration:P1D` goes back so far (KIP-1106). */
export type AutoOffsetReset = "earliest" | "latest" | "none" | `by_duration:${string}`;

/** Kafka's consumer configuration in camelCase, with Kafka's defaults. Keys and values have the types of the deserialisers. */
export interface ConsumerOptions<K = Uint8Array, V = Uint8Array> extends GroupOptions {
  /** Default: bytes as they are, a view of what was fetched. */
  readonly keyDeserializer?: Deserializer<K> | undefined;
  readonly valueDeserializer?: Deserializer<V> | undefined;
  /** What to do with a record whose key or value cannot be read. Default "stop". */
  readonly onDecodeError?: DecodeErrorPolicy;
  /** Default "latest". */
  readonly autoOffsetReset?: AutoOffsetReset;
  /** Default "read_uncommitted". */
  readonly isolationLevel?: IsolationLevel;
  /** The broker answers once it has so many bytes. Default 1. */
  readonly fetchMinBytes?: number;
  /** … or after this. Default 500. */
  readonly fetchMaxWaitMs?: number;
  /** Bytes of one answer, save that the first batch comes whole. Default 52428800. */
  readonly fetchMaxBytes?: number;
  /** Bytes of one partition in one answer, save that the first batch comes whole. Default 1048576. */
  readonly maxPartitionFetchBytes?: number;
  /** Records of one ConsumerBatch; what was written as one larger batch comes in parts. Default 500. */
  readonly maxPollRecords?: number;
  /** Whether to check that bytes are those that were written. Default true. */
  readonly checkCrcs?: boolean;
  /** The rack, zone or room to read in, from followers if need be (KIP-392). Default: that of the client. */
  readonly clientRack?: string | undefined;
  /** Bytes fetched and not yet taken. Ours; default 33554432. */
  readonly maxBufferedBytes?: number;
}

type Absent =
  | "keyDeserializer"
  | "valueDeserializer"
  | "clientRack"
  | "groupId"
  | "groupInstanceId"
  | "groupProtocol"
  | "groupRemoteAssignor"
  | "partitionAssignmentStrategy"
  | "sessionTimeoutMs"
  | "heartbeatIntervalMs";

export interface ResolvedConsumerOptions
  extends
    Required<Omit<ConsumerOptions, Absent>>,
    Pick<
      { [Name in keyof GroupOptions]-?: GroupOptions[Name] | undefined },
      Exclude<Absent, `${string}Deserializer` | "clientRack">
    > {
  readonly keyDeserializer: Deserializer<unknown> | undefined;
  readonly valueDeserializer: Deserializer<unknown> | undefined;
  readonly clientRack: string | undefined;
}

const INT32_MAX = 0x7fffffff;

const DEFAULTS: ResolvedConsumerOptions = {
  keyDeserializer: undefined,
  valueDeserializer: undefined,
  onDecodeError: "stop",
  autoOffsetReset: "latest",
  isolationLevel: "read_uncommitted",
  fetchMinBytes: 1,
  fetchMaxWaitMs: 500,
  fetchMaxBytes: 52_428_800,
  maxPartitionFetchBytes: 1_048_576,
  maxPollRecords: 500,
  checkCrcs: true,
  clientRack: undefined,
  maxBufferedBytes: 33_554_432,
  groupId: undefined,
  groupInstanceId: undefined,
  groupProtocol: undefined,
  groupRemoteAssignor: undefined,
  partitionAssignmentStrategy: undefined,
  sessionTimeoutMs: undefined,
  heartbeatIntervalMs: undefined,
  maxPollIntervalMs: 300_000,
  enableAutoCommit: true,
  autoCommitIntervalMs: 5000,
  allowAutoCreateTopics: true,
  excludeInternalTopics: true,
};

const deserializer: OptionRule = (value) =>
  typeof value === "object" && value !== null && "deserialize" in value && typeof value.deserialize === "function"
    ? undefined
    : "an object with deserialize";

const reset: OptionRule = (value) => {
  if (value === "earliest" || value === "latest" || value === "none") return undefined;
  const isDuration = typeof value === "string" && value.startsWith(BY_DURATION);
  return isDuration && durationMs(value.slice(BY_DURATION.length)) !== undefined
    ? undefined
    : "earliest, latest, none or by_duration: with a duration as of ISO 8601, as in by_duration:PT1H";
};

const BY_DURATION = "by_duration:";

const RULES: { readonly [Name in keyof ResolvedConsumerOptions]: OptionRule } = {
  keyDeserializer: optional(deserializer),
  valueDeserializer: optional(deserializer),
  onDecodeError: (value) =>
    typeof value === "function" || value === "stop" || value === "skip" ? undefined : "stop, skip or a function",
  autoOffsetReset: reset,
  isolationLevel: oneOf("read_uncommitted", "read_committed"),
  fetchMinBytes: whole(0, INT32_MAX),
  fetchMaxWaitMs: whole(0, INT32_MAX),
  fetchMaxBytes: whole(0, INT32_MAX),
  maxPartitionFetchBytes: whole(0, INT32_MAX),
  maxPollRecords: whole(1, INT32_MAX),
  checkCrcs: boolean,
  clientRack: optional(text),
  maxBufferedBytes: whole(1),
  groupId: optional(aName),
  groupInstanceId: optional(aName),
  groupProtocol: optional(oneOf("classic", "consumer")),
  groupRemoteAssignor: optional(aName),
  partitionAssignmentStrategy: optional((value) =>
    Array.isArray(value) && value.length > 0 ? undefined : "a list of names and assignors",
  ),
  sessionTimeoutMs: optional(whole(1, INT32_MAX)),
  heartbeatIntervalMs: optional(whole(1, INT32_MAX)),
  maxPollIntervalMs: whole(1, INT32_MAX),
  enableAutoCommit: boolean,
  autoCommitIntervalMs: whole(1, INT32_MAX),
  allowAutoCreateTopics: boolean,
  excludeInternalTopics: boolean,
};

/** What `kafka.consumer()` takes. */
export const CONSUMER_OPTION_NAMES: readonly string[] = Object.keys(RULES);

/** @throws ConfigurationError */
export function resolveConsumerOptions(given: object): ResolvedConsumerOptions {
  const resolved = resolveOptions("kafka.consumer()", given, DEFAULTS, RULES);
  checkGroupOptions(resolved, given);
  return resolved;
}

/** The place that a policy means now; undefined for none. */
export function resetSpec(
  policy: AutoOffsetReset,
  nowMs: number,
): "earliest" | "latest" | { readonly timestampMs: number } | undefined {
  if (policy === "none") return undefined;
  if (policy === "earliest" || policy === "latest") return policy;
  return { timestampMs: Math.max(0, nowMs - (durationMs(policy.slice(BY_DURATION.length)) ?? 0)) };
}
