import { ErrorCode, KafkaError } from "@samsa/base";
import type { RecordHeader } from "@samsa/protocol";

export interface UndecodedRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly timestamp: number;
  readonly keyBytes: Uint8Array | null;
  readonly valueBytes: Uint8Array | null;
  readonly headers: readonly RecordHeader[];
}

/** A key or value that its deserialiser cannot read. It is a value like another, with all that a dead letter needs. */
export class DecodeError extends KafkaError implements UndecodedRecord {
  override readonly name = "DecodeError";
  readonly part: "key" | "value";
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly timestamp: number;
  readonly keyBytes: Uint8Array | null;
  readonly valueBytes: Uint8Array | null;
  readonly headers: readonly RecordHeader[];

  /** @param cause what the deserialiser threw */
  constructor(part: "key" | "value", record: UndecodedRecord, cause: unknown) {
    const { topic, partition, offset } = record;
    const reason = cause instanceof Error ? cause.message : String(cause);
    super(ErrorCode.INVALID_RECORD, `the ${part} of ${topic}-${partition} at offset ${offset}: ${reason}`, { cause });
    this.part = part;
    this.topic = topic;
    this.partition = partition;
    this.offset = offset;
    this.timestamp = record.timestamp;
    this.keyBytes = record.keyBytes;
    this.valueBytes = record.valueBytes;
    this.headers = record.headers;
  }
}

/**
 * "stop" ends the iteration with the error, and the position stays at the record. "skip" goes on behind it. A function is told
 * of each, may send a dead letter, and nothing of the partition overtakes it: when it returns the iteration goes on behind the record,
 * what it throws ends it.
 */
export type DecodeErrorPolicy = "skip" | "stop" | ((error: DecodeError) => Promise<void> | void);

/** @throws the error, or what the function throws */
export async function applyPolicy(policy: DecodeErrorPolicy, error: DecodeError): Promise<void> {
  if (policy === "stop") throw error;
  if (typeof policy === "function") await policy(error);
}
