import { ConfigurationError } from "../../errors.ts";
import type { OptionRule } from "../../options.ts";
import { aFunction, anything, milliseconds, oneOf, optional, resolveOptions, whole } from "../../options.ts";
import type { ConsumerBatch, ConsumerRecord } from "../consumer-record.ts";
import type { FailurePolicy } from "./failed-record.ts";
import type { CommitFunction } from "./position-committer.ts";

/**
 * "at-least-once" commits what is done: a crash repeats some of what was done last. "at-most-once" commits before it hands over: a
 * crash loses what was under way. "exactly-once" has options of its own: ExactlyOnceRunOptions.
 */
export type DeliveryGuarantee = "at-least-once" | "at-most-once";

/** Trying a handler again before anything else of its partition, or key. */
export interface HandlerRetries {
  /** Calls of the handler, the first one included. */
  readonly attempts: number;
  /** Before the second call; doubles from call to call, 20 % more or less. Default 100. */
  readonly backoffMs?: number;
  /** Default 10000. */
  readonly backoffMaxMs?: number;
  /** Which errors a retry may help against. Default: all. */
  readonly isRetriable?: (error: unknown) => boolean;
}

/** What to do with what comes; one of `eachRecord` and `eachBatch`. */
export interface RunOptions<K, V> {
  readonly eachRecord?: (record: ConsumerRecord<K, V>) => Promise<void> | void;
  readonly eachBatch?: (batch: ConsumerBatch<K, V>) => Promise<void> | void;
  /** Handlers under way at once. Default 1: everything one after another. */
  readonly concurrency?: number;
  /**
   * Whose records come one after another: those of a partition, or those of a key within a partition (records without a key then
   * wait for nobody). Default "partition".
   */
  readonly orderedBy?: "partition" | "key";
  /** Default "at-least-once". "at-most-once" needs a group or `commit`, and tries nothing twice. */
  readonly deliveryGuarantee?: DeliveryGuarantee;
  /** Default: one attempt. */
  readonly retry?: HandlerRetries;
  /** What becomes of a record whose handler has failed for good. Default "stop". A function is for `eachRecord`. */
  readonly onFailure?: FailurePolicy;
  /** Holds a record back, and what comes after it in its order, until this time by the wall clock; see `dueAt`. */
  readonly delayUntil?: (record: ConsumerRecord<K, V>) => number | undefined;
  /** Told how far all records are done, in each partition the lowest that is not. In a group `enableAutoCommit` does as much. */
  readonly commit?: CommitFunction;
  /** Between two commits; 0 for as often as possible. Default 5000. */
  readonly commitIntervalMs?: number;
  /** Ends the run once the handlers under way have ended; `run` then resolves. */
  readonly signal?: AbortSignal;
}

export interface ResolvedRunOptions<K, V> extends Required<
  Omit<RunOptions<K, V>, "eachRecord" | "eachBatch" | "retry" | "delayUntil" | "commit" | "signal">
> {
  readonly eachRecord: RunOptions<K, V>["eachRecord"] | undefined;
  readonly eachBatch: RunOptions<K, V>["eachBatch"] | undefined;
  readonly retry: Required<HandlerRetries>;
  readonly delayUntil: RunOptions<K, V>["delayUntil"] | undefined;
  readonly commit: CommitFunction | undefined;
  readonly signal: AbortSignal | undefined;
}

const INT32_MAX = 0x7fffffff;

const DEFAULTS = {
  eachRecord: undefined,
  eachBatch: undefined,
  concurrency: 1,
  orderedBy: "partition" as const,
  deliveryGuarantee: "at-least-once" as const,
  retry: undefined,
  onFailure: "stop" as const,
  delayUntil: undefined,
  commit: undefined,
  commitIntervalMs: 5000,
  signal: undefined,
};

const RULES: { readonly [Name in keyof typeof DEFAULTS]: OptionRule } = {
  eachRecord: optional(aFunction),
  eachBatch: optional(aFunction),
  concurrency: whole(1, INT32_MAX),
  orderedBy: oneOf("partition", "key"),
  deliveryGuarantee: oneOf("at-least-once", "at-most-once", "exactly-once"), // the last has options of its own
  retry: optional((value) => (typeof value === "object" && value !== null ? undefined : "an object with attempts")),
  onFailure: (value) =>
    typeof value === "function" || value === "stop" || value === "skip" ? undefined : "stop, skip or a function",
  delayUntil: optional(aFunction),
  commit: optional(aFunction),
  commitIntervalMs: milliseconds,
  signal: optional(anything),
};

const RETRY_DEFAULTS: Required<HandlerRetries> = {
  attempts: 1,
  backoffMs: 100,
  backoffMaxMs: 10_000,
  isRetriable: () => true,
};

const RETRY_RULES: { readonly [Name in keyof HandlerRetries]-?: OptionRule } = {
  attempts: whole(1),
  backoffMs: milliseconds,
  backoffMaxMs: milliseconds,
  isRetriable: aFunction,
};

/**
 * @param groupCommit what "at-most-once" commits with unless told otherwise; undefined without a group
 * @throws ConfigurationError
 */
export function resolveRunOptions<K, V>(
  given: RunOptions<K, V>,
  groupCommit?: CommitFunction,
): ResolvedRunOptions<K, V> {
  const resolved = resolveOptions("consumer.run", given, DEFAULTS, RULES) as unknown as RunOptions<K, V>;
  const retry = resolveOptions("consumer.run retry", resolved.retry ?? {}, RETRY_DEFAULTS, RETRY_RULES);
  const isEager = resolved.deliveryGuarantee === "at-most-once";
  const ownCommit = resolved.commit ?? (isEager ? groupCommit : undefined);
  const options = { ...resolved, retry, commit: ownCommit } as ResolvedRunOptions<K, V>;
  const { eachRecord, eachBatch, orderedBy, deliveryGuarantee, commit, onFailure } = options;
  if ((eachRecord === undefined) === (eachBatch === undefined)) {
    throw new ConfigurationError("consumer.run: one of eachRecord and eachBatch is wanted");
  }
  if (eachBatch !== undefined && orderedBy === "key") {
    throw new ConfigurationError("consumer.run: a batch has records of many keys; orderedBy key is for eachRecord");
  }
  if (eachBatch !== undefined && typeof onFailure === "function") {
    throw new ConfigurationError("consumer.run: a batch has many records; onFailure with a function is for eachRecord");
  }
  if (eachBatch !== undefined && options.delayUntil !== undefined) {
    throw new ConfigurationError("consumer.run: a batch has many records; delayUntil is for eachRecord");
  }
  if (deliveryGuarantee === "at-most-once" && commit === undefined) {
    throw new ConfigurationError(
      "consumer.run: at-most-once commits before it hands over; it needs a groupId or commit",
    );
  }
  if (deliveryGuarantee === "at-most-once" && retry.attempts > 1) {
    throw new ConfigurationError("consumer.run: what is tried again is not handled at most once");
  }
  if (deliveryGuarantee === "at-most-once" && options.delayUntil !== undefined) {
    throw new ConfigurationError("consumer.run: what is committed cannot wait; delayUntil is for at-least-once");
  }
  return options;
}
