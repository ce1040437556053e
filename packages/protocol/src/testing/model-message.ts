/**
 * A plain model of Kafka's message coding: it walks the schema, field by field, and knows nothing of speed. The generated codecs
 * must write the same bytes, and read what it writes.
 */

import type { Uuid } from "@samsa/base";
import { INT64_MAX, INT64_MIN, uuidFromBytes, uuidToBytes, ZERO_UUID } from "@samsa/base";
import fc from "fast-check";
import type { UnknownTaggedField } from "../message-codec.ts";
import type { AnyMessage, FieldSchema, MessageSchema } from "./message-schemas.ts";
import { hasVersion } from "./message-schemas.ts";

const FIXED_SIZES: Readonly<Record<string, number>> = {
  bool: 1,
  int8: 1,
  int16: 2,
  uint16: 2,
  int32: 4,
  uint32: 4,
  int64: 8,
  float64: 8,
  uuid: 16,
};

export class MessageModel {
  readonly #schema: MessageSchema;
  readonly #structs = new Map<string, readonly FieldSchema[]>();

  constructor(schema: MessageSchema) {
    this.#schema = schema;
    for (const { name, fields } of schema.structs ?? []) this.#declare(name, fields);
    for (const field of schema.fields ?? []) this.#declareInner(field);
  }

  /** Any message of the version, with nulls, unknown tags and extremes. */
  arbitrary(version: number): fc.Arbitrary<AnyMessage> {
    return this.#struct(this.#schema.fields ?? [], version);
  }

  /** The bytes of the message. */
  encode(message: AnyMessage, version: number): Uint8Array {
    const out: number[] = [];
    this.#encodeStruct(out, this.#schema.fields ?? [], message, version);
    return new Uint8Array(out);
  }

  #declare(name: string, fields: readonly FieldSchema[]): void {
    this.#structs.set(name, fields);
    for (const field of fields) this.#declareInner(field);
  }

  #declareInner(field: FieldSchema): void {
    if (field.fields !== undefined) this.#declare(elementOf(field), field.fields);
  }

  /** Whether any version that is still valid has the field. */
  #isEver(field: FieldSchema): boolean {
    const [lowest = "", highest = lowest] = this.#schema.versions.split("-");
    for (let version = Number(lowest); version <= Number(highest); version++) {
      if (hasVersion(field.versions, version)) return true;
    }
    return false;
  }

  #isFlexible(field: FieldSchema | undefined, version: number): boolean {
    return hasVersion(field?.flexible ?? this.#schema.flexible, version);
  }

  // Values

  #struct(fields: readonly FieldSchema[], version: number): fc.Arbitrary<AnyMessage> {
    const entries: Record<string, fc.Arbitrary<unknown>> = {};
    for (const field of fields) {
      if (hasVersion(field.versions, version)) entries[field.name] = this.#field(field, version);
      else if (this.#isEver(field)) entries[field.name] = fc.constant(this.#defaultOf(field));
    }
    if (this.#isFlexible(undefined, version)) entries["unknownTaggedFields"] = unknownTaggedFields(fields);
    return fc.record(entries);
  }

  #field(field: FieldSchema, version: number): fc.Arbitrary<unknown> {
    const element = this.#element(field, version);
    const value = field.type.startsWith("[]") ? fc.array(element, { maxLength: 3 }) : element;
    const withNull = hasVersion(field.nullable, version) ? fc.option(value, { freq: 3 }) : value;
    if (field.tag === undefined) return withNull;
    // What is tagged is mostly at its default, and then is not written.
    return fc.oneof(fc.constant(this.#defaultOf(field)), withNull);
  }

  #element(field: FieldSchema, version: number): fc.Arbitrary<unknown> {
    const struct = this.#structs.get(elementOf(field));
    if (struct !== undefined) return this.#struct(struct, version);
    switch (elementOf(field)) {
      case "bool":
        return fc.boolean();
      case "int8":
        return fc.integer({ min: -0x80, max: 0x7f });
      case "int16":
        return fc.integer({ min: -0x8000, max: 0x7fff });
      case "uint16":
        return fc.integer({ min: 0, max: 0xffff });
      case "int32":
        return fc.integer();
      case "uint32":
        return fc.integer({ min: 0, max: 0xffffffff });
      case "int64":
        if (field.as === "bigint") return fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
        return fc.oneof(fc.maxSafeInteger(), fc.constantFrom(-1, INT64_MAX, INT64_MIN));
      case "float64":
        return fc.double();
      case "uuid":
        return fc.oneof(
          fc.constant(ZERO_UUID),
          fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => uuidFromBytes(bytes)),
        );
      case "string":
        return fc.string({ unit: "binary", maxLength: 40 });
      default:
        return fc.uint8Array({ maxLength: 40 });
    }
  }

  #defaultOf(field: FieldSchema): unknown {
    const struct = this.#structs.get(elementOf(field));
    if (field.default === null) return null;
    if (field.type.startsWith("[]")) return [];
    if (struct !== undefined) {
      const entries = struct
        .filter((inner) => this.#isEver(inner))
        .map((inner) => [inner.name, this.#defaultOf(inner)]);
      return Object.fromEntries(entries) as AnyMessage;
    }
    switch (field.type) {
      case "bool":
        return field.default ?? false;
      case "string":
        return field.default ?? "";
      case "uuid":
        return ZERO_UUID;
      case "bytes":
        return new Uint8Array(0);
      case "records":
        return null;
      default:
        if (field.as === "bigint") return BigInt(Number(field.default ?? 0));
        return Number(field.default ?? 0);
    }
  }

  // Bytes

  #encodeStruct(out: number[], fields: readonly FieldSchema[], message: AnyMessage, version: number): void {
    const tagged: { tag: number; bytes: readonly number[] }[] = [];
    for (const field of fields) {
      if (!hasVersion(field.versions, version)) continue;
      const value = message[field.name];
      if (field.tag === undefined || !hasVersion(field.tagged ?? field.versions, version)) {
        this.#encodeField(out, field, value, version);
      } else if (!isSame(value, this.#defaultOf(field))) {
        const bytes: number[] = [];
        this.#encodeField(bytes, field, value, version);
        tagged.push({ tag: field.tag, bytes });
      }
    }
    if (!this.#isFlexible(undefined, version)) return;
    const unknown = (message["unknownTaggedFields"] ?? []) as readonly UnknownTaggedField[];
    for (const { tag, bytes } of unknown) tagged.push({ tag, bytes: [...bytes] });
    tagged.sort((a, b) => a.tag - b.tag);
    unsignedVarint(out, tagged.length);
    for (const { tag, bytes } of tagged) {
      unsignedVarint(out, tag);
      unsignedVarint(out, bytes.length);
      out.push(...bytes);
    }
  }

  #encodeField(out: number[], field: FieldSchema, value: unknown, version: number): void {
    if (!field.type.startsWith("[]")) return this.#encodeElement(out, field, value, version);
    const elements = value as readonly unknown[] | null;
    this.#length(out, field, elements?.length ?? null, 4, version);
    for (const element of elements ?? []) this.#encodeElement(out, field, element, version);
  }

  #encodeElement(out: number[], field: FieldSchema, value: unknown, version: number): void {
    const struct = this.#structs.get(elementOf(field));
    if (struct !== undefined) {
      const isNullable = hasVersion(field.nullable, version) && !field.type.startsWith("[]");
      const isTagged = field.tag !== undefined;
      if (isNullable) out.push(value === null ? (isTagged ? 0 : 0xff) : 1);
      if (value !== null) this.#encodeStruct(out, struct, value as AnyMessage, version);
      return;
    }
    const type = elementOf(field);
    if (type === "string") {
      const bytes = value === null ? null : Buffer.from(value as string);
      this.#length(out, field, bytes?.length ?? null, 2, version);
      out.push(...(bytes ?? []));
    } else if (type === "bytes" || type === "records") {
      const bytes = value as Uint8Array | null;
      this.#length(out, field, bytes?.length ?? null, 4, version);
      out.push(...(bytes ?? []));
    } else {
      out.push(...fixed(type, value));
    }
  }

  /** Compact: an unsigned varint, one more than the length. Plain: an integer of `size` bytes. Null is 0 or -1. */
  #length(out: number[], field: FieldSchema, length: number | null, size: 2 | 4, version: number): void {
    if (this.#isFlexible(field, version)) unsignedVarint(out, (length ?? -1) + 1);
    else out.push(...fixed(size === 2 ? "int16" : "int32", length ?? -1));
  }
}

/** Comparable in a test: without keys that say nothing, and with bytes as text. */
export function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return `bytes ${Buffer.from(value).toString("hex")}`;
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).filter(([, inner]) => inner !== undefined);
  return Object.fromEntries(entries.map(([key, inner]) => [key, plain(inner)]));
}

function elementOf(field: FieldSchema): string {
  return field.type.replace("[]", "");
}

function unknownTaggedFields(fields: readonly FieldSchema[]): fc.Arbitrary<readonly UnknownTaggedField[] | undefined> {
  const known = fields.filter(({ tag }) => tag !== undefined).length;
  const tags = fc.oneof(fc.integer({ min: known, max: 200 }), fc.integer({ min: 200, max: 0x7ffffffe }));
  const field = fc.record({ tag: tags, bytes: fc.uint8Array({ maxLength: 10 }) });
  const list = fc
    .uniqueArray(field, { selector: ({ tag }) => tag, minLength: 1, maxLength: 3 })
    .map((found) => found.toSorted((a, b) => a.tag - b.tag));
  return fc.option(list, { nil: undefined, freq: 3 });
}

function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(plain(a), textOfBigint) === JSON.stringify(plain(b), textOfBigint);
}

function textOfBigint(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? `${value}n` : value;
}

function unsignedVarint(out: number[], value: number): void {
  let rest = BigInt(value);
  for (; rest >= 0x80n; rest >>= 7n) out.push(Number(rest & 0x7fn) | 0x80);
  out.push(Number(rest));
}

function fixed(type: string, value: unknown): Uint8Array {
  const bytes = new Uint8Array(FIXED_SIZES[type] ?? 0);
  if (type === "uuid") {
    uuidToBytes(value as Uuid, bytes);
    return bytes;
  }
  const view = new DataView(bytes.buffer);
  if (type === "float64") view.setFloat64(0, value as number);
  else if (bytes.length === 8) view.setBigInt64(0, value === INT64_MAX ? 2n ** 63n - 1n : BigInt(value as number));
  else
    for (let i = 0, rest = Number(value); i < bytes.length; i++, rest = Math.floor(rest / 256))
      bytes[bytes.length - 1 - i] = rest;
  return bytes;
}
