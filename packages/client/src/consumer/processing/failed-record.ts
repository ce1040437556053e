import type { RecordHeader } from "@samsa/protocol";
import type { DecodeError } from "../decode-error.ts";

/** A record that cannot be handled, as it was on the wire, with what a dead letter needs to tell. */
export interface FailedRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly timestamp: number;
  readonly keyBytes: Uint8Array | null;
  readonly valueBytes: Uint8Array | null;
  readonly headers: readonly RecordHeader[];
  /** What the handler threw last, or a DecodeError. */
  readonly error: unknown;
  /** Calls of the handler; 0 for what could not be decoded. */
  readonly attempts: number;
  /** By the wall clock. */
  readonly failedAtMs: number;
}

/**
 * What becomes of a record that cannot be handled. "stop" ends the run with the error, and the position stays at the record;
 * "skip" goes on behind it. A function puts it elsewhere: when it returns the run goes on, what it throws ends it.
 */
export type FailurePolicy = "stop" | "skip" | ((failed: FailedRecord) => Promise<void> | void);

export function failedToDecode(error: DecodeError, failedAtMs: number): FailedRecord {
  const { topic, partition, offset, timestamp, keyBytes, valueBytes, headers } = error;
  return { topic, partition, offset, timestamp, keyBytes, valueBytes, headers, error, attempts: 0, failedAtMs };
}
