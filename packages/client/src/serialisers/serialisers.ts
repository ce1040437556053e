import { SerialisationError } from "../errors.ts";
import type { Serde } from "./serialiser.ts";

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const CANONICAL_UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/iu;

/** Bytes as they are. */
const bytes: Serde<Uint8Array> = {
  serialize: (data) => data,
  deserialize: (data) => data,
};

/** Text as UTF-8, as Java's StringSerializer. */
const string: Serde<string> = {
  copiesBytes: true,
  serialize: (data) => data,
  deserialize: (data) => decoder.decode(data),
};

/** Four bytes, big-endian, as Java's IntegerSerializer. */
const int32: Serde<number> = {
  copiesBytes: true,
  serialize(data) {
    if (data !== (data | 0)) throw new SerialisationError(`${data} is no int32`);
    const made = new Uint8Array(4);
    new DataView(made.buffer).setInt32(0, data);
    return made;
  },
  deserialize: (data) => viewOf(data, 4, "an int32").getInt32(0),
};

/** Eight bytes, big-endian, as Java's LongSerializer. All 64 bits, so a bigint. */
const int64: Serde<bigint> = {
  copiesBytes: true,
  serialize(data) {
    if (BigInt.asIntN(64, data) !== data) throw new SerialisationError(`${data} is no int64`);
    const made = new Uint8Array(8);
    new DataView(made.buffer).setBigInt64(0, data);
    return made;
  },
  deserialize: (data) => viewOf(data, 8, "an int64").getBigInt64(0),
};

/** Eight bytes, IEEE 754, big-endian, as Java's DoubleSerializer. */
const float64: Serde<number> = {
  copiesBytes: true,
  serialize(data) {
    const made = new Uint8Array(8);
    new DataView(made.buffer).setFloat64(0, data);
    return made;
  },
  deserialize: (data) => viewOf(data, 8, "a float64").getFloat64(0),
};

/** The canonical 36 characters as text, as Java's UUIDSerializer. */
const uuid: Serde<string> = {
  copiesBytes: true,
  serialize(data) {
    if (!CANONICAL_UUID.test(data)) throw new SerialisationError(`${JSON.stringify(data)} is no UUID`);
    return data.toLowerCase();
  },
  deserialize(data) {
    const text = decoder.decode(data);
    if (!CANONICAL_UUID.test(text)) throw new SerialisationError(`${JSON.stringify(text)} is no UUID`);
    return text;
  },
};

/**
 * JSON as UTF-8. What comes out of `JSON.parse` is whatever was sent: hand `check` a function that narrows it, and what it throws
 * is a decode error.
 */
function json<T = unknown>(check?: (value: unknown) => T): Serde<T> {
  return {
    copiesBytes: true,
    serialize(data) {
      const text = JSON.stringify(data) as string | undefined;
      if (text === undefined) throw new SerialisationError("a function, a symbol or undefined is no JSON");
      return text;
    },
    deserialize(data) {
      const value: unknown = JSON.parse(decoder.decode(data));
      return check === undefined ? (value as T) : check(value);
    },
  };
}

/** The usual ones. Anything with `serialize` and `deserialize` is another. */
export const serializers = { bytes, string, int32, int64, float64, uuid, json } as const;

function viewOf(data: Uint8Array, length: number, what: string): DataView {
  if (data.length !== length) throw new SerialisationError(`${what} has ${length} bytes, not ${data.length}`);
  return new DataView(data.buffer, data.byteOffset, data.length);
}
