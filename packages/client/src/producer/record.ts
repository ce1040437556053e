import type { KafkaError } from "@samsa/base";

/** What needs no serialiser: bytes as they are, text as UTF-8. */
export type Data = Uint8Array | string;

/**
 * A record as the application hands it over. Key and value have the types of the producer's serialisers. Bytes must not change
 * until the record has been put into its batch, which is when `send` or `write` returns, unless the record had to wait.
 */
export interface ProducerRecord<K = Data, V = Data> {
  readonly topic: string;
  /** Chosen by the partitioner when left out. */
  readonly partition?: number | undefined;
  readonly key?: K | null | undefined;
  /** `null` is a tombstone: in a compacted topic it deletes the key. */
  readonly value: V | null;
  /** Milliseconds since 1970; now when left out. */
  readonly timestamp?: number | undefined;
  /** In order, and a name may stand there more than once. */
  readonly headers?: readonly ProducerHeader[] | undefined;
}

export interface ProducerHeader {
  readonly key: string;
  readonly value: Data | null;
}

/** Where a record has gone. */
export interface RecordMetadata {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number; // UNKNOWN_OFFSET with acks=0
  readonly timestamp: number; // the broker's where the topic has log append time
}

/** Told once what became of a record: an error or where it is. */
export type DeliveryCallback = (error: KafkaError | undefined, metadata: RecordMetadata | undefined) => void;

/**
 * With acks=0 nobody says which offset a record got; and an answer that was lost may come to be "you sent that before", without
 * the offset.
 */
export const UNKNOWN_OFFSET = -1;

export const NO_HEADERS: readonly ProducerHeader[] = [];
