import type { KafkaError } from "@samsa/base";
import { utf8Length } from "@samsa/base";
import { RecordTooLargeError, SerialisationError } from "../errors.ts";
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

/** Bytes it takes as UTF-8, or as it is. */
export function sizeOf(data: Data | null): number {
  if (data === null) return 0;
  return typeof data === "string" ? utf8Length(data) : data.length;
}
