import type { ByteReader as Reader } from "@samsa/base";
import { ByteReader, ByteWriter, ErrorCode, KafkaError, ZERO_UUID } from "@samsa/base";
import type { ApiMessageCodec, MessageCodec } from "@samsa/protocol";
import { ConsumerGroupCurrentMemberAssignmentKey } from "@samsa/protocol/messages/consumer-group-current-member-assignment-key";
import { ConsumerGroupCurrentMemberAssignmentValue } from "@samsa/protocol/messages/consumer-group-current-member-assignment-value";
import { ConsumerGroupMemberMetadataKey } from "@samsa/protocol/messages/consumer-group-member-metadata-key";
import { ConsumerGroupMemberMetadataValue } from "@samsa/protocol/messages/consumer-group-member-metadata-value";
import { ConsumerGroupMetadataKey } from "@samsa/protocol/messages/consumer-group-metadata-key";
import { ConsumerGroupMetadataValue } from "@samsa/protocol/messages/consumer-group-metadata-value";
import { ConsumerGroupPartitionMetadataKey } from "@samsa/protocol/messages/consumer-group-partition-metadata-key";
import { ConsumerGroupPartitionMetadataValue } from "@samsa/protocol/messages/consumer-group-partition-metadata-value";
import { ConsumerGroupRegularExpressionKey } from "@samsa/protocol/messages/consumer-group-regular-expression-key";
import { ConsumerGroupRegularExpressionValue } from "@samsa/protocol/messages/consumer-group-regular-expression-value";
import { ConsumerGroupTargetAssignmentMemberKey } from "@samsa/protocol/messages/consumer-group-target-assignment-member-key";
import { ConsumerGroupTargetAssignmentMemberValue } from "@samsa/protocol/messages/consumer-group-target-assignment-member-value";
import { ConsumerGroupTargetAssignmentMetadataKey } from "@samsa/protocol/messages/consumer-group-target-assignment-metadata-key";
import { ConsumerGroupTargetAssignmentMetadataValue } from "@samsa/protocol/messages/consumer-group-target-assignment-metadata-value";
import { GroupMetadataKey } from "@samsa/protocol/messages/group-metadata-key";
import { GroupMetadataValue } from "@samsa/protocol/messages/group-metadata-value";
import { LegacyOffsetCommitKey } from "@samsa/protocol/messages/legacy-offset-commit-key";
import { LegacyOffsetCommitValue } from "@samsa/protocol/messages/legacy-offset-commit-value";
import { OffsetCommitKey } from "@samsa/protocol/messages/offset-commit-key";
import { OffsetCommitValue } from "@samsa/protocol/messages/offset-commit-value";
import { ShareGroupMetadataKey } from "@samsa/protocol/messages/share-group-metadata-key";
import { StreamsGroupCurrentMemberAssignmentKey } from "@samsa/protocol/messages/streams-group-current-member-assignment-key";
import { StreamsGroupCurrentMemberAssignmentValue } from "@samsa/protocol/messages/streams-group-current-member-assignment-value";
import { StreamsGroupMemberMetadataKey } from "@samsa/protocol/messages/streams-group-member-metadata-key";
import { StreamsGroupMemberMetadataValue } from "@samsa/protocol/messages/streams-group-member-metadata-value";
import { StreamsGroupMetadataKey } from "@samsa/protocol/messages/streams-group-metadata-key";
import { StreamsGroupMetadataValue } from "@samsa/protocol/messages/streams-group-metadata-value";
import { StreamsGroupTargetAssignmentMemberKey } from "@samsa/protocol/messages/streams-group-target-assignment-member-key";
import { StreamsGroupTargetAssignmentMemberValue } from "@samsa/protocol/messages/streams-group-target-assignment-member-value";
import { StreamsGroupTargetAssignmentMetadataKey } from "@samsa/protocol/messages/streams-group-target-assignment-metadata-key";
import { StreamsGroupTargetAssignmentMetadataValue } from "@samsa/protocol/messages/streams-group-target-assignment-metadata-value";
import { StreamsGroupTopologyKey } from "@samsa/protocol/messages/streams-group-topology-key";
import { StreamsGroupTopologyValue } from "@samsa/protocol/messages/streams-group-topology-value";
import type { RecordSerde, StoredRecord } from "../runtime/coordinator-shard.ts";

interface RecordOf<Kind extends string, Key, Value> {
  readonly kind: Kind;
  readonly key: Key;
  readonly value: Value | null;
}

/** What a consumer group's record may be about; see KIP-848. */
export type ConsumerGroupRecord =
  | RecordOf<"consumer-group-metadata", ConsumerGroupMetadataKey, ConsumerGroupMetadataValue>
  | RecordOf<
      "consumer-group-partition-metadata",
      ConsumerGroupPartitionMetadataKey,
      ConsumerGroupPartitionMetadataValue
    >
  | RecordOf<"consumer-group-member-metadata", ConsumerGroupMemberMetadataKey, ConsumerGroupMemberMetadataValue>
  | RecordOf<
      "consumer-group-target-assignment-metadata",
      ConsumerGroupTargetAssignmentMetadataKey,
      ConsumerGroupTargetAssignmentMetadataValue
    >
  | RecordOf<
      "consumer-group-target-assignment-member",
      ConsumerGroupTargetAssignmentMemberKey,
      ConsumerGroupTargetAssignmentMemberValue
    >
  | RecordOf<
      "consumer-group-current-member-assignment",
      ConsumerGroupCurrentMemberAssignmentKey,
      ConsumerGroupCurrentMemberAssignmentValue
    >
  | RecordOf<
      "consumer-group-regular-expression",
      ConsumerGroupRegularExpressionKey,
      ConsumerGroupRegularExpressionValue
    >;

/** What a streams group's record may be about; see KIP-1071. */
export type StreamsGroupRecord =
  | RecordOf<
      "streams-group-current-member-assignment",
      StreamsGroupCurrentMemberAssignmentKey,
      StreamsGroupCurrentMemberAssignmentValue
    >
  | RecordOf<"streams-group-member-metadata", StreamsGroupMemberMetadataKey, StreamsGroupMemberMetadataValue>
  | RecordOf<"streams-group-metadata", StreamsGroupMetadataKey, StreamsGroupMetadataValue>
  | RecordOf<
      "streams-group-target-assignment-member",
      StreamsGroupTargetAssignmentMemberKey,
      StreamsGroupTargetAssignmentMemberValue
    >
  | RecordOf<
      "streams-group-target-assignment-metadata",
      StreamsGroupTargetAssignmentMetadataKey,
      StreamsGroupTargetAssignmentMetadataValue
    >
  | RecordOf<"streams-group-topology", StreamsGroupTopologyKey, StreamsGroupTopologyValue>;

/** A group of a protocol that is not coordinated here yet: its records stay where they are, and nobody else takes its name. */
export interface ForeignGroupRecord {
  readonly kind: "foreign-group";
  readonly key: { readonly groupId: string };
  readonly value: { readonly type: "share" } | null;
}

/** A record of `__consumer_offsets`; a value of null is a tombstone. */
export type GroupRecord =
  | RecordOf<"offset-commit", OffsetCommitKey, OffsetCommitValue>
  | RecordOf<"group-metadata", GroupMetadataKey, GroupMetadataValue>
  | ConsumerGroupRecord
  | StreamsGroupRecord
  | ForeignGroupRecord;

/** The versions that Kafka 4.4 writes: the highest that are not flexible, unless there is more to say. */
const GROUP_METADATA_VALUE_VERSION = 3;
const OFFSET_COMMIT_VALUE_VERSION = 3;
const OFFSET_COMMIT_VALUE_VERSION_WITH_TOPIC_ID = 4;
const OFFSET_COMMIT_VALUE_VERSION_WITH_EXPIRY = 1; // for who commits with a retention time
const NO_EXPIRY = -1;

type NewerGroupRecord = ConsumerGroupRecord | StreamsGroupRecord;

interface RecordCodec {
  readonly key: ApiMessageCodec<unknown>;
  readonly value: MessageCodec<unknown>;
}

/** Records that have one version of key and value. */
const GROUP_CODECS: Readonly<Record<NewerGroupRecord["kind"], RecordCodec>> = {
  "consumer-group-metadata": codecs(ConsumerGroupMetadataKey, ConsumerGroupMetadataValue),
  "consumer-group-partition-metadata": codecs(ConsumerGroupPartitionMetadataKey, ConsumerGroupPartitionMetadataValue),
  "consumer-group-member-metadata": codecs(ConsumerGroupMemberMetadataKey, ConsumerGroupMemberMetadataValue),
  "consumer-group-target-assignment-metadata": codecs(
    ConsumerGroupTargetAssignmentMetadataKey,
    ConsumerGroupTargetAssignmentMetadataValue,
  ),
  "consumer-group-target-assignment-member": codecs(
    ConsumerGroupTargetAssignmentMemberKey,
    ConsumerGroupTargetAssignmentMemberValue,
  ),
  "consumer-group-current-member-assignment": codecs(
    ConsumerGroupCurrentMemberAssignmentKey,
    ConsumerGroupCurrentMemberAssignmentValue,
  ),
  "consumer-group-regular-expression": codecs(ConsumerGroupRegularExpressionKey, ConsumerGroupRegularExpressionValue),
  "streams-group-current-member-assignment": codecs(
    StreamsGroupCurrentMemberAssignmentKey,
    StreamsGroupCurrentMemberAssignmentValue,
  ),
  "streams-group-member-metadata": codecs(StreamsGroupMemberMetadataKey, StreamsGroupMemberMetadataValue),
  "streams-group-metadata": codecs(StreamsGroupMetadataKey, StreamsGroupMetadataValue),
  "streams-group-target-assignment-member": codecs(
    StreamsGroupTargetAssignmentMemberKey,
    StreamsGroupTargetAssignmentMemberValue,
  ),
  "streams-group-target-assignment-metadata": codecs(
    StreamsGroupTargetAssignmentMetadataKey,
    StreamsGroupTargetAssignmentMetadataValue,
  ),
  "streams-group-topology": codecs(StreamsGroupTopologyKey, StreamsGroupTopologyValue),
};
const KINDS = new Map(
  Object.entries(GROUP_CODECS).map(([kind, { key }]) => [key.apiKey, kind as NewerGroupRecord["kind"]]),
);

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
      case "foreign-group":
        throw new KafkaError(ErrorCode.UNKNOWN_SERVER_ERROR, "nothing is written about groups of other protocols");
      default: {
        const { key, value } = GROUP_CODECS[record.kind];
        return {
          key: write(key, record.key, key.apiKey, 0),
          value: record.value && write(value, record.value, 0, 0),
        };
      }
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
      case ShareGroupMetadataKey.apiKey:
        return {
          kind: "foreign-group",
          key: { groupId: ShareGroupMetadataKey.read(reader, 0).groupId },
          value: value && { type: "share" },
        };
      default: {
        const kind = KINDS.get(type);
        if (kind === undefined) return undefined; // details of share groups
        const codec = GROUP_CODECS[kind];
        const read = { kind, key: codec.key.read(reader, 0), value: value && readVersioned(codec.value, value) };
        return read as NewerGroupRecord; // kind and codecs belong together
      }
    }
  },
};

function codecs<Key, Value>(key: ApiMessageCodec<Key>, value: MessageCodec<Value>): RecordCodec {
  return { key, value };
}

function offsetCommitValueVersion({ expireTimestamp, topicId }: OffsetCommitValue): number {
  if (expireTimestamp !== NO_EXPIRY) return OFFSET_COMMIT_VALUE_VERSION_WITH_EXPIRY;
  return topicId === ZERO_UUID ? OFFSET_COMMIT_VALUE_VERSION : OFFSET_COMMIT_VALUE_VERSION_WITH_TOPIC_ID;
}

function write<T>(codec: MessageCodec<T>, message: T, prefix: number, version: number): Uint8Array {
  const writer = new ByteWriter("shared");
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
