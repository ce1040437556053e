/**
 * Writes the table of what Kafka keeps in its internal topics: each message with its codec and the form of its fields, which is
 * what it takes to show a record as JSON. It is a file of its own because only tools for people want it.
 */

import { contains, parseVersions } from "./schema.mjs";

/** @typedef {import("./model.mjs").Field} Field */
/** @typedef {import("./model.mjs").Message} Message */
/** @typedef {import("./model.mjs").Struct} Struct */

/** Messages that have no number, and are told by where they stand: in control records, and inside of other records. */
const BY_NAME = new Set([
  "ConsumerProtocolAssignment",
  "ConsumerProtocolSubscription",
  "KRaftVersionRecord",
  "LeaderChangeMessage",
  "SnapshotFooterRecord",
  "SnapshotHeaderRecord",
  "VotersRecord",
]);

/** Kafka counts the records of each coordinator from 0 on. */
const FAMILIES = [
  { name: "TRANSACTION", topic: "__transaction_state", pattern: /^TransactionLog/ },
  { name: "SHARE_STATE", topic: "__share_group_state", pattern: /^Share(?:Snapshot|Update)/ },
  { name: "GROUP", topic: "__consumer_offsets", pattern: /./ },
];

/**
 * @param {readonly Message[]} messages
 * @param {(name: string) => string} fileOf the module of a message, without its ending
 * @returns {string}
 */
export function emitStoredMessages(messages, fileOf) {
  // Those of remote log storage have the kind of metadata, and numbers of their own.
  const metadata = messages.filter(({ schema }) => schema.kind === "metadata" && !schema.name.startsWith("Remote"));
  const keys = messages.filter(({ schema }) => schema.kind === "coordinator-key");
  const named = messages.filter(({ schema }) => BY_NAME.has(schema.name));
  /** @type {Set<string>} */
  const used = new Set();
  /** @type {(message: Message) => string} */
  const stored = (message) => {
    used.add(message.schema.name);
    const root = message.structs.at(-1);
    if (root === undefined) throw new Error(`${message.schema.name} has no fields`);
    return `{ codec: ${message.schema.name}, fields: ${form(root, message)} }`;
  };
  const families = FAMILIES.map(({ name, topic, pattern }, index) => {
    const others = FAMILIES.slice(0, index);
    const own = keys.filter(
      ({ schema }) => pattern.test(schema.name) && !others.some((other) => other.pattern.test(schema.name)),
    );
    const rows = own.map((key) => {
      const value = messages.find(({ schema }) => schema.name === key.schema.name.replace(/Key$/, "Value"));
      if (value === undefined) throw new Error(`${key.schema.name} has no value`);
      return `  [${key.schema.apiKey ?? -1}, { key: ${stored(key)}, value: ${stored(value)} }],`;
    });
    return `/** Of \`${topic}\`, by the type that opens a key. */
export const ${name}_RECORDS: ReadonlyMap<number, { readonly key: StoredMessage; readonly value: StoredMessage }> = new Map<
  number,
  { readonly key: StoredMessage; readonly value: StoredMessage }
>([
${rows.join("\n")}
]);`;
  });
  const metadataRows = metadata.map((message) => `  [${message.schema.apiKey ?? -1}, ${stored(message)}],`);
  const namedRows = named.map((message) => `  ${message.schema.name}: ${stored(message)},`);
  const imports = [...used].sort().map((name) => `import { ${name} } from "./${fileOf(name)}.ts";`);
  return `// Generated from schemas/ by scripts/generate-messages.mjs.

import type { StoredMessage } from "../message-json.ts";
${imports.join("\n")}

/** Of \`__cluster_metadata\`, by the type in the frame. */
export const METADATA_RECORDS: ReadonlyMap<number, StoredMessage> = new Map<number, StoredMessage>([
${metadataRows.join("\n")}
]);

${families.join("\n\n")}

/** What control records hold, and what members of classic groups tell each other. */
export const NAMED_MESSAGES = {
${namedRows.join("\n")}
} as const satisfies Readonly<Record<string, StoredMessage>>;
`;
}

/**
 * @param {Struct} struct
 * @param {Message} message
 * @returns {string} the fields, as an array literal
 */
function form(struct, message) {
  return `[${struct.fields.map((field) => fieldForm(field, message)).join(", ")}]`;
}

/**
 * @param {Field} field
 * @param {Message} message
 * @returns {string}
 */
function fieldForm(field, message) {
  const { schema, element, isArray, struct } = field;
  const versions = parseVersions(schema.versions);
  const highest = Math.min(versions.highest, message.highestVersion);
  const entries = [`name: "${field.name}"`, `type: "${struct === undefined ? element : "struct"}"`];
  if (isArray) entries.push("isArray: true");
  entries.push(`versions: [${versions.lowest}, ${highest}]`);
  const tagged = range(field, message, (version) => contains(field.tagged, version));
  if (tagged !== undefined) entries.push(`tagged: [${tagged.join(", ")}]`);
  if (schema.default !== undefined && tagged !== undefined) entries.push(`default: ${JSON.stringify(schema.default)}`);
  if (struct !== undefined) entries.push(`fields: ${form(struct, message)}`);
  return `{ ${entries.join(", ")} }`;
}

/**
 * @param {Field} field
 * @param {Message} message
 * @param {(version: number) => boolean} holds
 * @returns {[number, number] | undefined} first and last version of which it holds
 */
function range(field, message, holds) {
  const found = [];
  for (let version = message.lowestVersion; version <= message.highestVersion; version++) {
    if (field.exists(version) && holds(version)) found.push(version);
  }
  const [first] = found;
  const last = found.at(-1);
  return first === undefined || last === undefined ? undefined : [first, last];
}
