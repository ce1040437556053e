import type { IsolationLevel } from "../cluster/list-offsets.ts";
import type { OptionRule } from "../options.ts";
import { boolean, oneOf, resolveOptions, whole } from "../options.ts";

/** Kafka's consumer configuration in camelCase, with Kafka's defaults. */
export interface ConsumerOptions {
  /** Where to begin, or begin again, where there is no offset or it is gone. Default "latest". */
  readonly autoOffsetReset?: "earliest" | "latest" | "none";
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
  /** Whether to check that bytes are those that were written. Default true. */
  readonly checkCrcs?: boolean;
  /** Bytes fetched and not yet taken from which on no more is asked for. Ours; default 16777216. */
  readonly maxBufferedBytes?: number;
}

export type ResolvedConsumerOptions = Required<ConsumerOptions>;

const INT32_MAX = 0x7fffffff;

const DEFAULTS: ResolvedConsumerOptions = {
  autoOffsetReset: "latest",
  isolationLevel: "read_uncommitted",
  fetchMinBytes: 1,
  fetchMaxWaitMs: 500,
  fetchMaxBytes: 52_428_800,
  maxPartitionFetchBytes: 1_048_576,
  checkCrcs: true,
  maxBufferedBytes: 16_777_216,
};

const RULES: { readonly [Name in keyof ResolvedConsumerOptions]: OptionRule } = {
  autoOffsetReset: oneOf("earliest", "latest", "none"),
  isolationLevel: oneOf("read_uncommitted", "read_committed"),
  fetchMinBytes: whole(0, INT32_MAX),
  fetchMaxWaitMs: whole(0, INT32_MAX),
  fetchMaxBytes: whole(0, INT32_MAX),
  maxPartitionFetchBytes: whole(0, INT32_MAX),
  checkCrcs: boolean,
  maxBufferedBytes: whole(1),
};

/** @throws ConfigurationError */
export function resolveConsumerOptions(given: ConsumerOptions): ResolvedConsumerOptions {
  return resolveOptions("kafka.consumer()", given, DEFAULTS, RULES);
}
