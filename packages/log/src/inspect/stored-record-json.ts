import { ByteReader, KafkaError, ProtocolError } from "@samsa/base";
import type { Json, StoredMessage } from "@samsa/protocol";
import { fromBase64, jsonText, messageToJson } from "@samsa/protocol";
import {
  GROUP_RECORDS,
  METADATA_RECORDS,
  NAMED_MESSAGES,
  SHARE_STATE_RECORDS,
  TRANSACTION_RECORDS,
} from "@samsa/protocol/messages/stored-messages";

/** What is known of the records of an internal topic. */
export type CoordinatorFamily = "offsets" | "transaction-log" | "share-group-state";

const FAMILIES = {
  offsets: GROUP_RECORDS,
  "transaction-log": TRANSACTION_RECORDS,
  "share-group-state": SHARE_STATE_RECORDS,
} as const;

const FRAME_VERSION = 1;
const GROUP_METADATA = 2;

/** A record's key and value as Kafka's decoders show them; undefined where there is none. */
export interface DecodedRecord {
  readonly key?: string | undefined;
  readonly payload?: string | undefined;
}

/** @throws KafkaError when the value is no metadata record that is known */
export function metadataRecordToJson(value: Uint8Array): Json {
  const reader = new ByteReader(value);
  const frameVersion = reader.unsignedVarint();
  if (frameVersion !== FRAME_VERSION) throw new ProtocolError(`frame version ${frameVersion}, not ${FRAME_VERSION}`);
  const apiKey = reader.unsignedVarint();
  const stored = METADATA_RECORDS.get(apiKey);
  if (stored === undefined) throw new ProtocolError(`the unknown type ${apiKey}`);
  const version = reader.unsignedVarint();
  const data = messageToJson(stored, stored.codec.read(reader, version), version);
  if (reader.remaining > 0) throw new ProtocolError(`${reader.remaining} bytes follow a ${stored.codec.name}`);
  return { type: upperSnakeCase(stored.codec.name), version, data };
}

/** A record of `__cluster_metadata`, which has no key. What cannot be read is said in its place, as in Kafka. */
export function decodeMetadataRecord(value: Uint8Array | null, offset: number): DecodedRecord {
  try {
    if (value === null) throw new ProtocolError("no value");
    return { payload: jsonText(metadataRecordToJson(value)) };
  } catch (error) {
    if (!(error instanceof KafkaError)) throw error;
    return { payload: `Error at ${offset}, skipping. ${error.message}` };
  }
}

/** A record of a coordinator's topic. A key that is missing is the caller's error: the topic is another. */
export function decodeCoordinatorRecord(
  family: CoordinatorFamily,
  key: Uint8Array,
  value: Uint8Array | null,
  offset: number,
): DecodedRecord {
  try {
    const reader = new ByteReader(key);
    const type = reader.int16();
    const record = FAMILIES[family].get(type);
    if (record === undefined) return { key: `Unknown record type ${type} at offset ${offset}, skipping.` };
    const keyData = messageToJson(record.key, record.key.codec.read(reader, 0), 0);
    const keyText = jsonText({ type: String(type), data: keyData });
    if (value === null) return { key: keyText, payload: "<DELETE>" };
    const valueReader = new ByteReader(value);
    const version = valueReader.int16();
    const message = record.value.codec.read(valueReader, version);
    const data = messageToJson(record.value, message, version);
    const shown = family === "offsets" && type === GROUP_METADATA ? openMembers(data) : data;
    return { key: keyText, payload: jsonText({ version: String(version), data: shown }) };
  } catch (error) {
    if (!(error instanceof KafkaError)) throw error;
    return { key: `Error at offset ${offset}, skipping. ${error.message}` };
  }
}

/** Members of a consumer group say what they want and have in a protocol of their own, inside of bytes. */
function openMembers(group: Json): Json {
  if (!isObject(group) || group["protocolType"] !== "consumer" || !Array.isArray(group["members"])) return group;
  const members = group["members"].map((member: Json) =>
    isObject(member)
      ? {
          ...member,
          subscription: opened(member["subscription"], NAMED_MESSAGES.ConsumerProtocolSubscription),
          assignment: opened(member["assignment"], NAMED_MESSAGES.ConsumerProtocolAssignment),
        }
      : member,
  );
  return { ...group, members };
}

/** Bytes that are no such message stay as they are. */
function opened(bytes: Json | undefined, message: StoredMessage): Json {
  if (typeof bytes !== "string") return bytes ?? null;
  try {
    const reader = new ByteReader(fromBase64(bytes));
    const version = reader.int16();
    return messageToJson(message, message.codec.read(reader, version), version);
  } catch (error) {
    if (error instanceof KafkaError) return bytes;
    throw error;
  }
}

function isObject(json: Json | undefined): json is { readonly [name: string]: Json } {
  return typeof json === "object" && json !== null && !Array.isArray(json);
}

/** `PartitionRecord` as `PARTITION_RECORD` */
function upperSnakeCase(name: string): string {
  return name.replaceAll(/([a-z0-9])([A-Z])/g, "$1_$2").toUpperCase();
}
