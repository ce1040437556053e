import { ByteReader, ByteWriter, ProtocolError } from "@samsa/base";
import { EndTxnMarker } from "../generated/end-txn-marker.ts";
import { KRaftVersionRecord } from "../generated/kraft-version-record.ts";
import { LeaderChangeMessage } from "../generated/leader-change-message.ts";
import { SnapshotFooterRecord } from "../generated/snapshot-footer-record.ts";
import { SnapshotHeaderRecord } from "../generated/snapshot-header-record.ts";
import { VotersRecord } from "../generated/voters-record.ts";
import type { MessageCodec } from "../message-codec.ts";
import { NO_PARTITION_LEADER_EPOCH } from "./constants.ts";
import { InvalidRecordError } from "./errors.ts";
import { RecordBatchBuilder } from "./record-batch-builder.ts";

/** What a control batch says, by the type in the record's key: `int16 version, int16 type`. */
export const ControlRecordType = {
  ABORT: 0,
  COMMIT: 1,
  LEADER_CHANGE: 2,
  SNAPSHOT_HEADER: 3,
  SNAPSHOT_FOOTER: 4,
  KRAFT_VERSION: 5,
  KRAFT_VOTERS: 6,
} as const;
export type ControlRecordType = (typeof ControlRecordType)[keyof typeof ControlRecordType];

export type ControlRecord =
  | { readonly type: 0 | 1; readonly value: EndTxnMarker }
  | { readonly type: 2; readonly value: LeaderChangeMessage }
  | { readonly type: 3; readonly value: SnapshotHeaderRecord }
  | { readonly type: 4; readonly value: SnapshotFooterRecord }
  | { readonly type: 5; readonly value: KRaftVersionRecord }
  | { readonly type: 6; readonly value: VotersRecord };

const KEY_VERSION = 0;
const KEY_BYTES = 4;
const KNOWN_TYPES: readonly ControlRecordType[] = Object.values(ControlRecordType);
const NO_HEADERS: readonly [] = [];

/**
 * The type in the key of a control record; undefined for one that we do not know, which a reader passes over.
 * @throws InvalidRecordError when the key is none
 */
export function controlRecordType(key: Uint8Array | null): ControlRecordType | undefined {
  if (key === null || key.length < KEY_BYTES) throw new InvalidRecordError("a control record without its type");
  const reader = new ByteReader(key);
  const version = reader.int16();
  if (version < 0) throw new InvalidRecordError(`a control record whose key has version ${version}`);
  const type = reader.int16();
  return KNOWN_TYPES.find((known) => known === type);
}

export function controlRecordKey(type: ControlRecordType): Uint8Array {
  return Uint8Array.of(0, KEY_VERSION, 0, type);
}

/**
 * Reads a record of a control batch; undefined for a type that we do not know.
 * @throws InvalidRecordError
 */
export function readControlRecord(record: {
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
}): ControlRecord | undefined {
  const type = controlRecordType(record.key);
  if (type === undefined) return undefined;
  if (record.value === null) throw new InvalidRecordError(`a control record of type ${type} without a value`);
  const reader = new ByteReader(record.value);
  try {
    switch (type) {
      case ControlRecordType.ABORT:
      case ControlRecordType.COMMIT:
        return { type, value: readAfterVersion(EndTxnMarker, reader) };
      case ControlRecordType.LEADER_CHANGE:
        return { type, value: readWithVersion(LeaderChangeMessage, reader) };
      case ControlRecordType.SNAPSHOT_HEADER:
        return { type, value: readWithVersion(SnapshotHeaderRecord, reader) };
      case ControlRecordType.SNAPSHOT_FOOTER:
        return { type, value: readWithVersion(SnapshotFooterRecord, reader) };
      case ControlRecordType.KRAFT_VERSION:
        return { type, value: readWithVersion(KRaftVersionRecord, reader) };
      case ControlRecordType.KRAFT_VOTERS:
        return { type, value: readWithVersion(VotersRecord, reader) };
    }
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    throw new InvalidRecordError(`a control record of type ${type}: ${error.message}`);
  }
}

/** Key and value for `RecordBatchBuilder.append`, in a batch with `isControlBatch`. */
export function writeControlRecord(record: ControlRecord): { readonly key: Uint8Array; readonly value: Uint8Array } {
  return { key: controlRecordKey(record.type), value: controlValue(record) };
}

export interface EndTransactionMarkerOptions {
  readonly type: typeof ControlRecordType.ABORT | typeof ControlRecordType.COMMIT;
  readonly coordinatorEpoch: number;
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly timestamp: number;
  readonly baseOffset?: number;
  readonly partitionLeaderEpoch?: number;
}

/** The batch that ends a transaction in a partition (KIP-98). */
export function endTransactionMarker(options: EndTransactionMarkerOptions): Uint8Array {
  const { baseOffset = 0, partitionLeaderEpoch = NO_PARTITION_LEADER_EPOCH } = options;
  const builder = new RecordBatchBuilder({
    baseOffset,
    producerId: options.producerId,
    producerEpoch: options.producerEpoch,
    isTransactional: true,
    isControlBatch: true,
    partitionLeaderEpoch,
    initialCapacity: 128,
  });
  const { type, coordinatorEpoch } = options;
  const { key, value } = writeControlRecord({ type, value: EndTxnMarker.create({ coordinatorEpoch }) });
  builder.add(options.timestamp, key, value, NO_HEADERS);
  return builder.build();
}

function controlValue(record: ControlRecord): Uint8Array {
  const writer = new ByteWriter(64);
  switch (record.type) {
    case ControlRecordType.ABORT:
    case ControlRecordType.COMMIT:
      writer.int16(EndTxnMarker.lowestVersion);
      EndTxnMarker.write(writer, record.value, EndTxnMarker.lowestVersion);
      break;
    case ControlRecordType.LEADER_CHANGE:
      LeaderChangeMessage.write(writer, record.value, record.value.version);
      break;
    case ControlRecordType.SNAPSHOT_HEADER:
      SnapshotHeaderRecord.write(writer, record.value, record.value.version);
      break;
    case ControlRecordType.SNAPSHOT_FOOTER:
      SnapshotFooterRecord.write(writer, record.value, record.value.version);
      break;
    case ControlRecordType.KRAFT_VERSION:
      KRaftVersionRecord.write(writer, record.value, record.value.version);
      break;
    case ControlRecordType.KRAFT_VOTERS:
      VotersRecord.write(writer, record.value, record.value.version);
      break;
  }
  return writer.toBytes();
}

/** The version stands before the message. As in Kafka, a newer one is read as the newest that we know. */
function readAfterVersion<T>(codec: MessageCodec<T>, reader: ByteReader): T {
  return codec.read(reader, knownVersion(codec, reader.int16()));
}

/** The version is the first field of the message. */
function readWithVersion<T>(codec: MessageCodec<T>, reader: ByteReader): T {
  const version = reader.int16();
  reader.offset -= 2;
  return codec.read(reader, knownVersion(codec, version));
}

function knownVersion(codec: MessageCodec<unknown>, version: number): number {
  if (version < codec.lowestVersion) throw new InvalidRecordError(`${codec.name} of version ${version}`);
  return Math.min(version, codec.highestVersion);
}
