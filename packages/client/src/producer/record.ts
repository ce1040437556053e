import type { RecordHeader } from "@samsa/protocol";

/** A record as the application hands it over. Text is sent as UTF-8. */
export interface ProducerRecord {
  readonly topic: string;
  /** Chosen by the partitioner when left out. */
  readonly partition?: number;
  readonly key?: Uint8Array | string | null;
  /** `null` is a tombstone: in a compacted topic it deletes the key. */
  readonly value: Uint8Array | string | null;
  /** Milliseconds since 1970; now when left out. */
  readonly timestamp?: number;
  readonly headers?: readonly ProducerHeader[];
}

export interface ProducerHeader {
  readonly key: string;
  readonly value: Uint8Array | string | null;
}

/** Where a record has gone. */
export interface RecordMetadata {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number; // UNKNOWN_OFFSET with acks=0
  readonly timestamp: number; // the broker's where the topic has log append time
}

/** With acks=0 nobody says which offset a record got. */
export const UNKNOWN_OFFSET = -1;

const encoder = new TextEncoder();
const NO_HEADERS: readonly RecordHeader[] = [];

/** Text as UTF-8, bytes as they are. */
export function toBytes(data: Uint8Array | string | null | undefined): Uint8Array | null {
  if (data === null || data === undefined) return null;
  return typeof data === "string" ? encoder.encode(data) : data;
}

export function toHeaders(headers: readonly ProducerHeader[] | undefined): readonly RecordHeader[] {
  if (headers === undefined || headers.length === 0) return NO_HEADERS;
  return headers.map(({ key, value }) => ({ key, value: toBytes(value) }));
}
