/** What the emitter works on: every struct of a message with its fields resolved, and the versions in which it occurs. */

import { contains, parseVersions } from "./schema.mjs";

/** @typedef {import("./schema.mjs").FieldSchema} FieldSchema */
/** @typedef {import("./schema.mjs").MessageSchema} MessageSchema */
/** @typedef {import("./schema.mjs").VersionRange} VersionRange */

/** Bytes and TypeScript type of what has a fixed size; the reader and writer methods have the name of the type. */
export const FIXED = /** @type {Readonly<Record<string, { size: number, type: string }>>} */ ({
  bool: { size: 1, type: "boolean" },
  int8: { size: 1, type: "number" },
  int16: { size: 2, type: "number" },
  uint16: { size: 2, type: "number" },
  int32: { size: 4, type: "number" },
  uint32: { size: 4, type: "number" },
  int64: { size: 8, type: "number" },
  float64: { size: 8, type: "number" },
  uuid: { size: 16, type: "Uuid" },
});

export class Field {
  /**
   * @param {FieldSchema} schema
   * @param {Struct} owner
   * @param {Struct | undefined} struct of the value, or of the elements
   */
  constructor(schema, owner, struct) {
    this.schema = schema;
    this.owner = owner;
    this.struct = struct;
    this.name = schema.name;
    /** In messages to people: where the field is. */
    this.path = `${owner.typeName}.${schema.name}`;
    this.isArray = schema.type.startsWith("[]");
    this.element = schema.type.replace("[]", "");
    this.versions = parseVersions(schema.versions);
    this.nullable = parseVersions(schema.nullable);
    this.tagged = schema.tag === undefined ? parseVersions("none") : parseVersions(schema.tagged ?? schema.versions);
    this.flexible = schema.flexible === undefined ? owner.flexible : parseVersions(schema.flexible);
  }

  /** @param {number} version */
  exists(version) {
    return contains(this.versions, version);
  }

  /** @param {number} version */
  isTagged(version) {
    return this.exists(version) && contains(this.tagged, version);
  }

  /** @param {number} version */
  isNullable(version) {
    return this.exists(version) && contains(this.nullable, version);
  }

  /** @param {number} version */
  isFlexible(version) {
    return contains(this.flexible, version);
  }

  /** Whether null is a value of the field in any version. */
  get canBeNull() {
    return this.owner.versions.some((version) => this.isNullable(version));
  }

  /** Whether the value of versions without the field is null. */
  get isNullByDefault() {
    return (
      this.canBeNull &&
      (this.schema.default === null || (this.schema.type === "records" && this.schema.default === undefined))
    );
  }
}

export class Struct {
  /**
   * @param {string} typeName of the TypeScript interface
   * @param {VersionRange} flexible
   */
  constructor(typeName, flexible) {
    this.typeName = typeName;
    this.flexible = flexible;
    /** @type {Field[]} */
    this.fields = [];
    /** @type {number[]} versions of the message in which the struct occurs, ascending */
    this.versions = [];
  }

  /** @param {number} version */
  isFlexible(version) {
    return contains(this.flexible, version);
  }

  get isEverFlexible() {
    return this.versions.some((version) => this.isFlexible(version));
  }

  get taggedFields() {
    return this.fields
      .filter((field) => this.versions.some((version) => field.isTagged(version)))
      .sort((a, b) => (a.schema.tag ?? 0) - (b.schema.tag ?? 0));
  }
}

/**
 * @typedef {object} Message
 * @property {MessageSchema} schema
 * @property {number} lowestVersion
 * @property {number} highestVersion
 * @property {number} firstFlexibleVersion infinite when there is none
 * @property {readonly Struct[]} structs inner ones before those that use them, the message itself last
 */

/**
 * @param {MessageSchema} schema of a message that has versions
 * @returns {Message}
 */
export function resolveMessage(schema) {
  const versions = parseVersions(schema.versions);
  const flexible = parseVersions(schema.flexible);
  /** @type {Map<string, readonly FieldSchema[]>} */
  const declared = new Map();
  for (const { name, fields } of schema.structs ?? []) declare(declared, name, fields);
  collectDeclared(declared, schema.fields ?? []);
  for (const { fields } of schema.structs ?? []) collectDeclared(declared, fields);

  /** @type {Map<string, Struct>} */
  const made = new Map();
  /** @type {Struct[]} */
  const structs = [];
  const root = new Struct(schema.name, flexible);
  /** @type {(struct: Struct, fields: readonly FieldSchema[]) => Struct} */
  const fill = (struct, fields) => {
    for (const field of fields) {
      const element = field.type.replace("[]", "");
      const inner = isPrimitive(element) ? undefined : structNamed(element);
      struct.fields.push(new Field(field, struct, inner));
    }
    structs.push(struct);
    return struct;
  };
  /** @type {(name: string) => Struct} */
  const structNamed = (name) => {
    const known = made.get(name);
    if (known !== undefined) return known;
    const fields = declared.get(name);
    if (fields === undefined) throw new Error(`${schema.name}: no struct ${name}`);
    const typeName = name.startsWith(schema.name) ? name : schema.name + name;
    const struct = new Struct(typeName, flexible);
    made.set(name, struct);
    return fill(struct, fields);
  };
  fill(root, schema.fields ?? []);
  const all = Array.from({ length: versions.highest - versions.lowest + 1 }, (_, index) => versions.lowest + index);
  spread(root, all);
  // What lived only in versions that Kafka has since removed is no part of the message.
  for (const struct of structs) {
    struct.fields = struct.fields.filter((field) => struct.versions.some((version) => field.exists(version)));
  }
  const names = new Set(structs.map(({ typeName }) => typeName));
  if (names.size !== structs.length) throw new Error(`${schema.name}: two structs have one name`);
  const firstFlexibleVersion = schema.flexible === undefined || schema.flexible === "none" ? Infinity : flexible.lowest;
  return {
    schema,
    lowestVersion: versions.lowest,
    highestVersion: versions.highest,
    firstFlexibleVersion,
    structs: structs.filter((struct) => struct.versions.length > 0),
  };
}

/**
 * Bytes that the smallest value of the struct takes.
 *
 * @param {Struct} struct
 * @param {number} version
 * @returns {number}
 */
export function minimumStructSize(struct, version) {
  let size = struct.isFlexible(version) ? 1 : 0; // the count of tagged fields
  for (const field of struct.fields) {
    if (field.exists(version) && !field.isTagged(version)) size += minimumFieldSize(field, version);
  }
  return size;
}

/**
 * @param {Field} field
 * @param {number} version
 * @returns {number}
 */
export function minimumElementSize(field, version) {
  if (field.struct !== undefined) return Math.max(1, minimumStructSize(field.struct, version));
  const fixed = FIXED[field.element];
  if (fixed !== undefined) return fixed.size;
  return field.isFlexible(version) ? 1 : 2; // strings
}

/**
 * @param {Field} field
 * @param {number} version
 * @returns {number}
 */
function minimumFieldSize(field, version) {
  const isFlexible = field.isFlexible(version);
  if (field.isArray || field.element === "bytes" || field.element === "records") return isFlexible ? 1 : 4;
  if (field.struct !== undefined) return field.isNullable(version) ? 1 : minimumStructSize(field.struct, version);
  if (field.element === "string") return isFlexible ? 1 : 2;
  return FIXED[field.element]?.size ?? 0;
}

/** @param {string} type */
function isPrimitive(type) {
  return type in FIXED || type === "string" || type === "bytes" || type === "records";
}

/**
 * @param {Map<string, readonly FieldSchema[]>} declared
 * @param {readonly FieldSchema[]} fields
 */
function collectDeclared(declared, fields) {
  for (const field of fields) {
    if (field.fields === undefined) continue;
    declare(declared, field.type.replace("[]", ""), field.fields);
    collectDeclared(declared, field.fields);
  }
}

/**
 * @param {Map<string, readonly FieldSchema[]>} declared
 * @param {string} name
 * @param {readonly FieldSchema[]} fields
 */
function declare(declared, name, fields) {
  if (declared.has(name)) throw new Error(`struct ${name} is declared twice`);
  declared.set(name, fields);
}

/**
 * Notes the versions in which a struct occurs, and its inner ones.
 *
 * @param {Struct} struct
 * @param {readonly number[]} versions
 */
function spread(struct, versions) {
  const added = versions.filter((version) => !struct.versions.includes(version));
  if (added.length === 0) return;
  struct.versions = [...struct.versions, ...added].sort((a, b) => a - b);
  for (const field of struct.fields) {
    if (field.struct !== undefined)
      spread(
        field.struct,
        added.filter((version) => field.exists(version)),
      );
  }
}
