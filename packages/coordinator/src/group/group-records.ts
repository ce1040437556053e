import type { ByteReader as Reader } from "@samsa/base";
import { ByteReader, ByteWriter, ErrorCode, KafkaError, ZERO_UUID } from "@samsa/base";
import type { MessageCodec } from "@samsa/protocol";
import { GroupMetadataKey } from "@samsa/protocol/messages/group-metadata-key";
import { GroupMetadataValue } from "@samsa/protocol/messages/group-metadata-value";
import { LegacyOffsetCommitKey } from "@samsa/protocol/messages/legacy-offset-commit-key";
import { LegacyOffsetCommitValue } from "@samsa/protocol/messages/legacy-offset-commit-value";
import { OffsetCommitKey } from "@samsa/protocol/messages/offset-commit-key";
import { OffsetCommitValue } from "@samsa/protocol/messages/offset-commit-value";
import type { RecordSerde, StoredRecord } from "../runtime/coordinator-shard.ts";

/** A record of `__consumer_offsets`; a value of null is a tombstone. */
export type GroupRecord =
  | { readonly kind: "offset-commit"; readonly key: OffsetCommitKey; readonly value: OffsetCommitValue | null }
  | { readonly kind: "group-metadata"; readonly key: GroupMetadataKey; readonly value: GroupMetadataValue | null };

/** The versions that Kafka 4.4 writes: the highest that are not flexible, unless there is more to say. */
const GROUP_METADATA_VALUE_VERSION = 3;
const OFFSET_COMMIT_VALUE_VERSION = 3;
const OFFSET_COMMIT_VALUE_VERSION_WITH_TOPIC_ID = 4;
const OFFSET_COMMIT_VALUE_VERSION_WITH_EXPIRY = 1; // for who commits with a retention time
const NO_EXPIRY = -1;

/** Kafka's records: two bytes of type before the key, two bytes of version before the value. */
export const GROUP_RECORD_SERDE: RecordSerde<GroupRecord> = {
  encode(record: GroupRecord): StoredRecord {
    switch (record.kind) {
      case "offset-commit": {
        const { value } = record;
        const version = value === null ? OFFSET_COMMIT_VALUE_VERSION : offsetCommitValueVersion(value);
        return {
          key: write(OffsetCommitKey, record.key, OffsetCommitKey.apiKey, 0),
          value: value && write(OffsetCommitValue, value, version, version),
        };
      }
      case "group-metadata":
        return {
          key: write(GroupMetadataKey, record.key, GroupMetadataKey.apiKey, 0),
          value:
            record.value &&
            write(GroupMetadataValue, record.value, GROUP_METADATA_VALUE_VERSION, GROUP_METADATA_VALUE_VERSION),
        };
    }
  },

  decode(key: Uint8Array, value: Uint8Array | null): GroupRecord | undefined {
    const reader = new ByteReader(key);
    const type = reader.int16();
    switch (type) {
      case LegacyOffsetCommitKey.apiKey: {
        const legacy = LegacyOffsetCommitKey.read(reader, 0);
        const commit = value && readVersioned(LegacyOffsetCommitValue, value);
        return {
          kind: "offset-commit",
          key: OffsetCommitKey.create(legacy),
          value: commit && OffsetCommitValue.create(commit),
        };
      }
      case OffsetCommitKey.apiKey:
        return {
          kind: "offset-commit",
          key: OffsetCommitKey.read(reader, 0),
          value: value && readVersioned(OffsetCommitValue, value),
        };
      case GroupMetadataKey.apiKey:
        return {
          kind: "group-metadata",
          key: GroupMetadataKey.read(reader, 0),
          value: value && readVersioned(GroupMetadataValue, value),
        };
      default:
        return undefined; // the other group protocols
    }
  },
};

function offsetCommitValueVersion({ expireTimestamp, topicId }: OffsetCommitValue): number {
  if (expireTimestamp !== NO_EXPIRY) return OFFSET_COMMIT_VALUE_VERSION_WITH_EXPIRY;
  return topicId === ZERO_UUID ? OFFSET_COMMIT_VALUE_VERSION : OFFSET_COMMIT_VALUE_VERSION_WITH_TOPIC_ID;
}

function write<T>(codec: MessageCodec<T>, message: T, prefix: number, version: number): Uint8Array {
  const writer = new ByteWriter();
  writer.int16(prefix);
  codec.write(writer, message, version);
  return writer.toBytes();
}

function readVersioned<T>(codec: MessageCodec<T>, value: Uint8Array): T {
  const reader: Reader = new ByteReader(value);
  const version = reader.int16();
  if (version < codec.lowestVersion || version > codec.highestVersion) {
    throw new KafkaError(ErrorCode.UNSUPPORTED_VERSION, `${codec.name} of version ${version}`);
  }
  return codec.read(reader, version);
}
