/**
 * Reads schemas/ and refuses what is no schema. The form is ours; the facts in it are Kafka's:
 *
 *   { "name": "FetchRequest", "kind": "request", "apiKey": 1, "versions": "4-18", "flexible": "12+", "about": "…",
 *     "fields": [{ "name": "clusterId", "type": "string", "versions": "12+", "nullable": "12+", "tag": 0, "default": null }] }
 *
 * A range of versions is "3", "3-7", "3+" or "none". A type is a primitive, the name of a struct, or "[]" and one of them. A
 * struct is declared by the "fields" of the field that uses it, or under "structs" when several do.
 */

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/**
 * @typedef {object} FieldSchema
 * @property {string} name
 * @property {string} type
 * @property {string} versions in which the field exists
 * @property {string} [nullable] versions in which it may be null
 * @property {number} [tag]
 * @property {string} [tagged] versions in which it is a tagged field, when not all of them
 * @property {string} [flexible] versions in which it is coded compactly, when not those of the message
 * @property {number | string | boolean | null} [default] what is read in versions without the field; zero or empty when not said
 * @property {boolean} [ignorable] dropped in silence when written in a version without it; otherwise that is an error
 * @property {boolean} [key] a map key among the elements of its array
 * @property {string} [entity] what it names: topicName, brokerId, …
 * @property {boolean} [zeroCopy]
 * @property {"bigint"} [as] an int64 that uses all its bits
 * @property {string} [about]
 * @property {readonly FieldSchema[]} [fields]
 */

/**
 * @typedef {object} StructSchema
 * @property {string} name
 * @property {string} versions
 * @property {readonly FieldSchema[]} fields
 */

/**
 * @typedef {object} MessageSchema
 * @property {string} name
 * @property {"request" | "response" | "header" | "data" | "metadata" | "coordinator-key" | "coordinator-value"} kind
 * @property {number} [apiKey] of the request; for records the type that is written before them
 * @property {string} versions valid ones; "none" for a message that Kafka has removed
 * @property {string} [flexible]
 * @property {boolean} [unstable] the latest version may still change
 * @property {readonly string[]} [listeners]
 * @property {string} about
 * @property {readonly FieldSchema[]} [fields]
 * @property {readonly StructSchema[]} [structs]
 */

/**
 * @typedef {object} VersionRange
 * @property {number} lowest
 * @property {number} highest inclusive; below `lowest` when the range is empty
 */

const HIGHEST = 0x7fff;
const KINDS = new Set(["request", "response", "header", "data", "metadata", "coordinator-key", "coordinator-value"]);
const MESSAGE_KEYS = new Set("name kind apiKey versions flexible unstable listeners about fields structs".split(" "));
const FIELD_KEYS = new Set(
  "name type versions nullable tag tagged flexible default ignorable key entity zeroCopy as about fields".split(" "),
);

/**
 * @param {string} folder absolute
 * @returns {MessageSchema[]} in order of folder and file
 */
export function loadSchemas(folder) {
  return schemaFiles(folder).map((file) => {
    const schema = /** @type {MessageSchema} */ (JSON.parse(readFileSync(join(folder, file), "utf8")));
    try {
      checkMessage(schema);
    } catch (error) {
      throw new Error(`schemas/${file}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
    }
    return schema;
  });
}

/**
 * @param {string} folder absolute
 * @returns {string[]} relative to it, sorted
 */
export function schemaFiles(folder) {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".json"))
    .map((file) => file.replaceAll("\\", "/"))
    .sort();
}

/**
 * @param {string | undefined} text
 * @returns {VersionRange}
 */
export function parseVersions(text) {
  if (text === undefined || text === "none") return { lowest: 1, highest: 0 };
  const [, lowest, open, highest] = /^(\d+)(?:(\+)|-(\d+))?$/.exec(text) ?? [];
  if (lowest === undefined) throw new Error(`no range of versions: ${text}`);
  return { lowest: Number(lowest), highest: open === undefined ? Number(highest ?? lowest) : HIGHEST };
}

/**
 * @param {VersionRange} range
 * @param {number} version
 */
export function contains(range, version) {
  return version >= range.lowest && version <= range.highest;
}

/** @param {MessageSchema} schema */
function checkMessage(schema) {
  for (const key of Object.keys(schema)) ensure(MESSAGE_KEYS.has(key), `unknown key ${key}`);
  ensure(/^[A-Z]\w+$/.test(schema.name), "a message has a name in PascalCase");
  ensure(KINDS.has(schema.kind), `unknown kind ${schema.kind}`);
  ensure(/^[A-Z].*\.$/.test(schema.about ?? ""), "a message is explained in a sentence");
  const versions = parseVersions(schema.versions);
  ensure(versions.highest < HIGHEST, "the versions of a message end somewhere");
  ensure(/^(\d+\+|none)$/.test(schema.flexible ?? "none"), "flexible versions go on once they have begun");
  checkFields(schema.fields ?? [], schema);
  for (const struct of schema.structs ?? []) checkFields(struct.fields, schema);
}

/**
 * @param {readonly FieldSchema[]} fields of one struct
 * @param {MessageSchema} schema
 */
function checkFields(fields, schema) {
  for (const field of fields) {
    for (const key of Object.keys(field)) ensure(FIELD_KEYS.has(key), `unknown key ${key} in field ${field.name}`);
    ensure(/^[a-z]\w*$/.test(field.name), `field ${field.name} has a name in camelCase`);
    for (const range of [field.versions, field.nullable, field.tagged, field.flexible]) parseVersions(range);
    ensure(
      field.as === undefined || (field.as === "bigint" && field.type === "int64"),
      `${field.name}: only an int64 is a bigint`,
    );
    ensure(field.tag === undefined || field.type !== "records", `${field.name}: records are never a tagged field`);
    if (field.fields !== undefined) checkFields(field.fields, schema);
  }
  // Contiguous from zero, as Kafka demands: every tag above is an unknown one, and unknown ones are written last.
  const tags = fields.flatMap(({ tag }) => (tag === undefined ? [] : [tag])).sort((a, b) => a - b);
  ensure(
    tags.every((tag, index) => tag === index),
    `tags ${tags.join()} are not contiguous`,
  );
}

/**
 * @param {boolean} condition
 * @param {string} message
 */
function ensure(condition, message) {
  if (!condition) throw new Error(message);
}
