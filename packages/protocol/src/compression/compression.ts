import { ErrorCode, KafkaError } from "@samsa/base";
import type { Codec } from "./codec.ts";
import type { CompressionType } from "./compression-type.ts";
import { gzip } from "./gzip.ts";
import type { DecompressOptions } from "./limits.ts";
import { outputLimit } from "./limits.ts";
import { lz4 } from "./lz4.ts";
import { snappy } from "./snappy.ts";
import { zstd } from "./zstd.ts";

const CODECS: Readonly<Record<Exclude<CompressionType, "none">, () => Codec>> = { gzip: () => gzip, snappy, lz4, zstd };

/**
 * The records of a batch, compressed as Kafka does. Codecs are loaded at their first use, which takes some milliseconds once.
 * @param level as Kafka's `compression.*.level`: gzip 1 to 9 or -1, lz4 1 to 17, zstd -131072 to 22; snappy has none
 * @throws KafkaError INVALID_CONFIG for a level that the type does not have
 */
export function compress(type: CompressionType, bytes: Uint8Array, level?: number): Uint8Array {
  if (type === "none") return bytes;
  const codec = CODECS[type]();
  checkLevel(type, codec, level);
  return withoutBuffer(codec.compress(bytes, level));
}

/**
 * Undoes `compress`, whoever did it.
 * @throws CorruptRecordError for what cannot be decompressed, or only to more than the options allow
 */
export function decompress(type: CompressionType, bytes: Uint8Array, options: DecompressOptions = {}): Uint8Array {
  if (type === "none") return bytes;
  return withoutBuffer(CODECS[type]().decompress(bytes, outputLimit(bytes.length, options)));
}

/** Some codecs answer with a Buffer, whose `slice` is no copy. */
function withoutBuffer(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
}

function checkLevel(type: CompressionType, { levels }: Codec, level: number | undefined): void {
  if (level === undefined || levels === undefined) return;
  const isLevel = Number.isInteger(level) && level >= levels.lowest && level <= levels.highest;
  if (!isLevel || (type === "gzip" && level === 0)) {
    throw new KafkaError(
      ErrorCode.INVALID_CONFIG,
      `${type} has compression levels ${levels.lowest} to ${levels.highest}, not ${level}`,
    );
  }
}
