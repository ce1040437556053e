import type { ByteReader, ByteWriter } from "@samsa/base";

/** A field of a flexible version that we do not know (KIP-482): kept, and written again as it came. */
export interface UnknownTaggedField {
  readonly tag: number;
  readonly bytes: Uint8Array;
}

/** What a factory is given: any of the fields, the rest get their defaults. */
export type MessageFields<T> = { readonly [K in keyof T]?: T[K] | undefined };

/**
 * Reads and writes one message in all its versions. The object in memory has every field of every version; those that the
 * version read does not have hold their defaults.
 */
export interface MessageCodec<T> {
  readonly name: string;
  readonly lowestVersion: number;
  readonly highestVersion: number;
  /** Compact lengths and tagged fields from this version on; infinite when never. */
  readonly firstFlexibleVersion: number;
  readonly latestVersionUnstable: boolean;
  create(this: void, fields?: MessageFields<T>): T;
  /**
   * Byte fields are views of what is read.
   * @throws ProtocolError when the bytes are no such message; KafkaError UNSUPPORTED_VERSION for a version out of range
   */
  read(this: void, reader: ByteReader, version: number): T;
  /**
   * @throws KafkaError UNSUPPORTED_VERSION for a version out of range, or when a field is set that the version lacks and that
   *   may not be dropped; INVALID_REQUEST when a value does not fit its type
   */
  write(this: void, writer: ByteWriter, message: T, version: number): void;
}

/** The codec of a request, a response, or a record that has a number for its type. */
export interface ApiMessageCodec<T> extends MessageCodec<T> {
  readonly apiKey: number;
}
