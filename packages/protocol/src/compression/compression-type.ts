import { InvalidRecordError } from "../record/errors.ts";

/** Kafka's codecs, in the order of their ids in the attributes of a batch. */
export const COMPRESSION_TYPES = ["none", "gzip", "snappy", "lz4", "zstd"] as const;
export type CompressionType = (typeof COMPRESSION_TYPES)[number];

/** @throws InvalidRecordError for an id that Kafka does not know */
export function compressionTypeOf(id: number): CompressionType {
  const type = COMPRESSION_TYPES[id];
  if (type === undefined) throw new InvalidRecordError(`compression type ${id} is unknown`);
  return type;
}

export function compressionTypeId(type: CompressionType): number {
  return COMPRESSION_TYPES.indexOf(type);
}
