import type { ErrorCode } from "@samsa/base";
import { ErrorCode as Codes, KafkaError } from "@samsa/base";

/** The error fields of a part of a response. */
export interface ApiError {
  readonly errorCode: ErrorCode;
  readonly errorMessage: string | null;
}

export const NO_ERROR: ApiError = { errorCode: Codes.NONE, errorMessage: null };

/** @throws what is no KafkaError: that is our mistake, not the request's */
export function apiErrorOf(error: unknown): ApiError {
  if (!(error instanceof KafkaError)) throw error;
  return { errorCode: error.code, errorMessage: error.message };
}

/** What a request names more than once. */
export function repeatedIn(names: readonly string[]): ReadonlySet<string> {
  const seen = new Set<string>();
  return new Set(names.filter((name) => seen.size === seen.add(name).size));
}

/** The words of Kafka's Errors table, where it answers with them. */
export const UNKNOWN_TOPIC_OR_PARTITION_MESSAGE = "This server does not host this topic-partition.";
export const UNKNOWN_TOPIC_ID_MESSAGE = "This server does not host this topic ID.";
export const TOPIC_DELETION_DISABLED_MESSAGE = "Topic deletion is disabled.";
