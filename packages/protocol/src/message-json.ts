import { assert, INT64_MAX, INT64_MIN, ZERO_UUID } from "@samsa/base";
import type { MessageCodec } from "./message-codec.ts";

/** A field of a message, as much as it takes to show its value. */
export interface FieldForm {
  readonly name: string;
  readonly type: string; // a primitive of the schemas, or "struct"
  readonly isArray?: boolean;
  readonly versions: readonly [lowest: number, highest: number];
  /** Versions in which the field is left out when it has its default. */
  readonly tagged?: readonly [lowest: number, highest: number];
  readonly default?: string | number | boolean | null; // zero or empty when not said
  readonly fields?: readonly FieldForm[]; // of a struct
}

/** A message of Kafka's internal topics: `generated/stored-messages.ts` has them all. */
export interface StoredMessage {
  readonly codec: Pick<MessageCodec<unknown>, "name" | "lowestVersion" | "highestVersion" | "read">;
  readonly fields: readonly FieldForm[];
}

/** A number whose digits matter: an int64 beyond 2^53, or a float64, which Java writes with its point. */
export class JsonNumber {
  readonly digits: string;

  constructor(digits: string) {
    this.digits = digits;
  }
}

export type Json =
  | null
  | boolean
  | number
  | bigint
  | string
  | JsonNumber
  | readonly Json[]
  | { readonly [name: string]: Json | undefined };

/** The message as Kafka's JSON converters show it: the fields of this version in their order, bytes in base64. */
export function messageToJson({ fields }: StoredMessage, message: unknown, version: number): Json {
  return structToJson(fields, message, version);
}

/** JSON in one line, with the digits and the escapes that Kafka's tools print. What is undefined in an object is left out. */
export function jsonText(json: Json | object): string {
  if (json instanceof JsonNumber) return json.digits;
  if (Array.isArray(json)) return `[${json.map((element: Json) => jsonText(element)).join(",")}]`;
  if (typeof json === "object" && json !== null) {
    const entries = Object.entries(json).flatMap(([name, value]: [string, Json | undefined]) =>
      value === undefined ? [] : [`${JSON.stringify(name)}:${jsonText(value)}`],
    );
    return `{${entries.join(",")}}`;
  }
  if (typeof json === "string") return escaped(json);
  if (json === INT64_MAX) return "9223372036854775807";
  if (json === INT64_MIN) return "-9223372036854775808";
  return String(json);
}

/** Java's text of a double: `1000.0`, `1.0E7`. */
export function javaDouble(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity";
  const magnitude = Math.abs(value);
  if (value === 0) return Object.is(value, -0) ? "-0.0" : "0.0";
  if (magnitude >= 1e-3 && magnitude < 1e7) return Number.isInteger(value) ? `${value}.0` : String(value);
  const [digits = "", exponent = "0"] = value.toExponential().split("e");
  return `${digits.includes(".") ? digits : `${digits}.0`}E${Number(exponent)}`;
}

export function base64(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 3) {
    const left = bytes.length - at;
    const word = ((bytes[at] ?? 0) << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0);
    for (let digit = 0; digit < 4; digit++) {
      text += digit <= left ? BASE64[(word >>> (18 - 6 * digit)) & 63] : "=";
    }
  }
  return text;
}

/** The bytes of what `base64` wrote. */
export function fromBase64(text: string): Uint8Array {
  const bytes = new Uint8Array(Math.floor((text.replace(/=+$/, "").length * 3) / 4));
  let word = 0;
  for (let digit = 0, at = 0; at < bytes.length; digit++) {
    word = (word << 6) | BASE64.indexOf(text[digit] ?? "A");
    const bits = 6 * (digit + 1) - 8 * at;
    if (bits >= 8) bytes[at++] = word >>> (bits - 8);
    word &= 0xffff;
  }
  return bytes;
}

const BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

function structToJson(fields: readonly FieldForm[], struct: unknown, version: number): Json {
  assert(typeof struct === "object" && struct !== null, "a struct is an object");
  const json: Record<string, Json> = {};
  for (const field of fields) {
    if (!isIn(field.versions, version)) continue;
    const value = (struct as Record<string, unknown>)[field.name];
    if (isIn(field.tagged, version) && isDefault(field, value)) continue;
    json[field.name] = valueToJson(field, value, version);
  }
  return json;
}

function valueToJson(field: FieldForm, value: unknown, version: number): Json {
  if (value === null || value === undefined) return null;
  if (field.isArray !== true) return elementToJson(field, value, version);
  assert(Array.isArray(value), "an array field holds an array");
  return value.map((element: unknown) => elementToJson(field, element, version));
}

function elementToJson(field: FieldForm, value: unknown, version: number): Json {
  if (field.fields !== undefined) return structToJson(field.fields, value, version);
  if (value instanceof Uint8Array) return base64(value);
  if (field.type === "float64") return new JsonNumber(javaDouble(value as number));
  return value as Json;
}

function isDefault(field: FieldForm, value: unknown): boolean {
  if (field.type === "struct" && field.isArray !== true) return false; // as in Kafka, also when it is null
  if (typeof value === "bigint") return value === BigInt(Number(field.default ?? 0));
  if (value === null || value === undefined) return field.default === null;
  if (field.isArray === true) return field.default !== null && (value as readonly unknown[]).length === 0;
  if (value instanceof Uint8Array) return field.default !== null && value.length === 0;
  if (field.default !== undefined) return value === field.default;
  if (typeof value === "object") return false;
  return value === 0 || value === "" || value === false || value === ZERO_UUID;
}

function isIn(range: readonly [number, number] | undefined, version: number): boolean {
  return range !== undefined && version >= range[0] && version <= range[1];
}

/** As Jackson does: control characters with capital digits. */
function escaped(text: string): string {
  return JSON.stringify(text).replaceAll(/\\(?:u([0-9a-f]{4})|.)/g, (whole: string, hex: string | undefined) =>
    hex === undefined ? whole : `\\u${hex.toUpperCase()}`,
  );
}
