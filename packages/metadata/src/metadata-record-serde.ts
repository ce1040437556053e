import { ByteReader, ByteWriter, ErrorCode, KafkaError } from "@samsa/base";
import type { ApiMessageCodec } from "@samsa/protocol";
import type { MetadataRecord, MetadataRecordType } from "./metadata-record.ts";
import { METADATA_RECORD_CODECS } from "./metadata-record.ts";

/*
 * The value of a record in __cluster_metadata (its key is null):
 *
 *   frame version   unsigned varint, always 1
 *   api key         unsigned varint: the type of the message
 *   version         unsigned varint: of the message
 *   message
 */
const FRAME_VERSION = 1;

const CODECS: ReadonlyMap<number, ApiMessageCodec<unknown>> = new Map(
  Object.values(METADATA_RECORD_CODECS).map((codec) => [codec.apiKey, codec as ApiMessageCodec<unknown>]),
);

/** A value that this version of Samsa cannot read: damaged, or written by a newer node. */
export class MetadataParseError extends KafkaError {
  override readonly name = "MetadataParseError";

  constructor(message: string, options?: ErrorOptions) {
    super(ErrorCode.CORRUPT_MESSAGE, message, options);
  }
}

export function serializeMetadataRecord(record: MetadataRecord): Uint8Array {
  const codec = METADATA_RECORD_CODECS[record.type] as ApiMessageCodec<unknown>;
  const writer = new ByteWriter(128);
  writer.unsignedVarint(FRAME_VERSION);
  writer.unsignedVarint(codec.apiKey);
  writer.unsignedVarint(record.version);
  codec.write(writer, record.message, record.version);
  return writer.toBytes();
}

/**
 * @param value byte fields of the message are views of it
 * @throws MetadataParseError
 */
export function deserializeMetadataRecord(value: Uint8Array): MetadataRecord {
  const reader = new ByteReader(value);
  try {
    return readRecord(reader);
  } catch (error) {
    if (error instanceof MetadataParseError || !(error instanceof KafkaError)) throw error;
    throw new MetadataParseError(`a metadata record cannot be read: ${error.message}`, { cause: error });
  }
}

function readRecord(reader: ByteReader): MetadataRecord {
  const frameVersion = reader.unsignedVarint();
  if (frameVersion !== FRAME_VERSION) {
    throw new MetadataParseError(
      `a metadata record has frame version ${frameVersion}, where ${FRAME_VERSION} is known`,
    );
  }
  const apiKey = reader.unsignedVarint();
  const codec = CODECS.get(apiKey);
  if (codec === undefined) {
    throw new MetadataParseError(
      `a metadata record has the unknown type ${apiKey}: a newer version may have written it`,
    );
  }
  const version = reader.unsignedVarint();
  if (version < codec.lowestVersion || version > codec.highestVersion) {
    throw new MetadataParseError(
      `a ${codec.name} has version ${version}, where ${codec.lowestVersion} to ${codec.highestVersion} are known: ` +
        "a newer version may have written it",
    );
  }
  const message = codec.read(reader, version);
  if (reader.remaining > 0) throw new MetadataParseError(`${reader.remaining} bytes follow a ${codec.name}`);
  return { type: codec.name as MetadataRecordType, version, message } as MetadataRecord;
}
