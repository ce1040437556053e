import { KafkaError, utf8Length } from "@samsa/base";
import { RecordTooLargeError, SerialisationError, toKafkaError } from "../errors.ts";
import type { Serializer } from "../serialisers/serialiser.ts";
import type { Data } from "./record.ts";

/** Bytes or text of a key or value, by the serialiser if there is one. @throws SerialisationError */
export function serialise(
  serializer: Serializer<unknown> | undefined,
  data: unknown,
  topic: string,
  isKey: boolean,
): Data | null | Promise<Data> {
  if (data === null) return null;
  if (serializer === undefined) {
    if (typeof data === "string" || data instanceof Uint8Array) return data;
    const what = isKey ? "key" : "value";
    throw new SerialisationError(`a ${what} of type ${typeof data} needs a ${what}Serializer`);
  }
  try {
    return serializer.serialize(data, { topic, isKey });
  } catch (thrown) {
    throw serialisationError(thrown, topic);
  }
}

export function serialisationError(thrown: unknown, topic: string): KafkaError {
  if (thrown instanceof SerialisationError || thrown instanceof RecordTooLargeError) return thrown;
  const reason = thrown instanceof Error ? thrown.message : String(thrown);
  return new SerialisationError(`a record for ${topic}: ${reason}`, { cause: thrown });
}

const RECORD_FIELDS = ["topic", "partition", "key", "value", "timestamp", "headers"];

/** What kept a record from its batch, in words that lead to the mistake. */
export function explained(thrown: unknown, record: unknown): KafkaError {
  return thrown instanceof KafkaError ? thrown : (wrongRecord(record) ?? toKafkaError(thrown));
}

/**
 * What is wrong with what was handed over as a record, where a compiler would have said so. A value that is missing is no tombstone:
 * it has most likely been given under another name.
 */
function wrongRecord(record: unknown): SerialisationError | undefined {
  const wrong = (why: string): SerialisationError => new SerialisationError(`a record ${why}`);
  if (typeof record !== "object" || record === null) return wrong("is an object with topic and value");
  const { topic, value, headers } = record as Readonly<Record<string, unknown>>;
  if (typeof topic !== "string" || topic === "") return wrong("names its topic by a text that is not empty");
  if (value === undefined) {
    if ("messages" in record) return wrong("has one value: hand a list over, as in sendBatch([{ topic, value }])");
    const unknown = Object.keys(record).filter((name) => !RECORD_FIELDS.includes(name));
    const found = unknown.length === 0 ? "" : `, and none is called ${unknown.join(", ")}`;
    return wrong(`for ${topic} has no value; null makes a tombstone (fields are ${RECORD_FIELDS.join(", ")}${found})`);
  }
  if (headers !== undefined && !Array.isArray(headers)) {
    return wrong(`for ${topic} has its headers in a list, as in [{ key: "trace", value: "7" }]`);
  }
  return undefined;
}

/** Bytes it takes as UTF-8, or as it is. */
export function sizeOf(data: Data | null): number {
  if (data === null) return 0;
  return typeof data === "string" ? utf8Length(data) : data.length;
}
