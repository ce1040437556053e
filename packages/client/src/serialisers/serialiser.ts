import type { RecordHeader } from "@samsa/protocol";

/** What a serialiser may look at beside the data itself. */
export interface SerialisationContext {
  readonly topic: string;
  readonly isKey: boolean;
}

/**
 * Turns what the application has into bytes. `null` never reaches it, nor a key that is left out: they are a record without key, or a
 * tombstone. What it throws fails the record, not the producer.
 *
 * Text is sent as UTF-8, without a copy in between; a promise costs the record its place in the fast path, and no other record of
 * its partition overtakes it.
 */
export interface Serializer<T> {
  serialize(data: T, context: SerialisationContext): Uint8Array | string | Promise<Uint8Array | string>;
}

/** Turns bytes back. `null` never reaches it. What it throws becomes a decode error with topic, partition, offset and the bytes. */
export interface Deserializer<T> {
  /** That nothing of what it returns lies in the bytes it was given: their memory may be used again. Default false. */
  readonly copiesBytes?: boolean;
  deserialize(bytes: Uint8Array, context: DeserialisationContext): T;
}

export interface DeserialisationContext extends SerialisationContext {
  readonly headers: readonly RecordHeader[];
}

/** Both ways. */
export interface Serde<T> extends Serializer<T>, Deserializer<T> {}
