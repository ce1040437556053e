/**
 * Writes the TypeScript of one message: an interface, a factory, a reader and a writer for each struct, and the codec.
 *
 * Fields are coded one after the other without a table or a loop over descriptions. Where versions differ, the versions that
 * share a coding are grouped, and a chain of comparisons picks the group.
 */

import { FIXED, minimumElementSize } from "./model.mjs";

/** @typedef {import("./model.mjs").Field} Field */
/** @typedef {import("./model.mjs").Message} Message */
/** @typedef {import("./model.mjs").Struct} Struct */

const RESERVED = new Set(
  (
    "reader writer message version count fields tag end tagsLeft " +
    "break case catch class const continue debugger default delete do else enum export extends false finally for function if " +
    "implements import in instanceof interface let new null package private protected public return static super switch this " +
    "throw true try typeof var void while with yield await arguments eval undefined"
  ).split(" "),
);

const FROM_BASE = { types: ["ByteReader", "Uuid"], values: ["ByteWriter", "INT64_MAX", "ZERO_UUID"] };
const WIDTH = 118;

/**
 * @param {Message} message
 * @param {readonly string[]} helpers names that message-primitives.ts exports
 * @returns {string}
 */
export function emitMessage(message, helpers) {
  const { schema, structs } = message;
  const needs = findNeeds(message);
  const parts = structs
    .toReversed()
    .map((struct) => emitInterface(struct, struct.typeName === schema.name ? schema.about : ""));
  for (const struct of structs) {
    parts.push(emitFactory(struct));
    if (needs.defaults.has(struct)) parts.push(`const ${defaultName(struct)} = create${struct.typeName}();`);
  }
  for (const struct of structs) {
    parts.push(emitReader(struct));
    if (needs.elements.has(struct)) parts.push(emitElementsReader(struct));
    parts.push(emitWriter(struct));
    if (needs.elements.has(struct)) parts.push(emitElementsWriter(struct));
    if (needs.comparisons.has(struct)) parts.push(emitIsDefault(struct));
  }
  parts.push(emitCodec(message));
  const body = parts.join("\n\n");
  return `// Generated from schemas/ by scripts/generate-messages.mjs.\n\n${emitImports(body, schema.apiKey !== undefined, helpers)}\n\n${body}\n`;
}

/**
 * @param {string} body
 * @param {boolean} hasApiKey
 * @param {readonly string[]} helpers
 */
function emitImports(body, hasApiKey, helpers) {
  /** @param {string} name */
  const isUsed = (name) => new RegExp(`\\b${name}\\b`).test(body);
  const types = FROM_BASE.types.filter(isUsed);
  const values = FROM_BASE.values.filter((name) =>
    name === "ByteWriter" ? body.includes("new ByteWriter") : isUsed(name),
  );
  if (!values.includes("ByteWriter")) types.push("ByteWriter");
  const codecTypes = [hasApiKey ? "ApiMessageCodec" : "MessageCodec", "MessageFields", "UnknownTaggedField"].filter(
    isUsed,
  );
  const lines = [];
  if (values.length > 0) lines.push(`import { ${values.join(", ")} } from "@samsa/base";`);
  lines.push(`import type { ${types.sort().join(", ")} } from "@samsa/base";`);
  lines.push(`import type { ${codecTypes.join(", ")} } from "../message-codec.ts";`);
  lines.push(
    `import {\n${helpers
      .filter(isUsed)
      .map((name) => `  ${name},\n`)
      .join("")}} from "../message-primitives.ts";`,
  );
  return lines.join("\n");
}

/**
 * Which helpers of a struct somebody uses: unused ones would not pass the compiler.
 *
 * @param {Message} message
 */
function findNeeds({ structs }) {
  /** @type {{ defaults: Set<Struct>, elements: Set<Struct>, comparisons: Set<Struct> }} */
  const needs = { defaults: new Set(), elements: new Set(), comparisons: new Set() };
  for (const struct of structs) {
    for (const field of struct.fields) {
      if (field.struct === undefined) continue;
      if (field.isArray) needs.elements.add(field.struct);
      else if (!field.isNullByDefault) needs.defaults.add(field.struct);
      if (!field.isArray && struct.versions.some((version) => comparesWithDefault(field, version))) compare(field);
    }
  }
  return needs;

  /** @param {Field} field */
  function compare(field) {
    if (field.struct === undefined || field.isArray || field.isNullByDefault) return;
    needs.comparisons.add(field.struct);
    for (const inner of field.struct.fields) compare(inner);
  }
}

/**
 * @param {Field} field
 * @param {number} version
 */
function comparesWithDefault(field, version) {
  return field.isTagged(version) || (!field.exists(version) && field.schema.ignorable !== true);
}

// ---- interface and factory ------------------------------------------------------------------------------------------------

/**
 * @param {Struct} struct
 * @param {string} about
 */
function emitInterface(struct, about) {
  const lines = about === "" ? [] : comment(about, "");
  lines.push(`export interface ${struct.typeName} {`);
  for (const field of struct.fields) {
    lines.push(...comment(fieldComment(field), "  "));
    lines.push(`  readonly ${field.name}: ${typeOf(field)};`);
  }
  if (struct.isEverFlexible) {
    lines.push("  /** Tagged fields that this version of Samsa does not know, in order of their tags. */");
    lines.push("  readonly unknownTaggedFields?: readonly UnknownTaggedField[] | undefined;");
  }
  lines.push("}");
  return lines.join("\n");
}

/** @param {Field} field */
function fieldComment(field) {
  const { about, versions, tag, nullable, ignorable } = field.schema;
  const isEverAbsent = field.owner.versions.some((version) => !field.exists(version));
  const facts = [];
  if (isEverAbsent) facts.push(`versions ${versions}`);
  if (tag !== undefined) facts.push(`tag ${tag}`);
  if (
    nullable !== undefined &&
    field.owner.versions.some((version) => field.exists(version) && !field.isNullable(version))
  ) {
    facts.push(`nullable ${nullable}`);
  }
  if (isEverAbsent && ignorable === true) facts.push("dropped from others");
  const range = facts.length === 0 ? "" : `(${facts.join(", ")})`;
  return [about ?? "", range].filter((part) => part !== "").join(" ");
}

/**
 * @param {string} text
 * @param {string} indent
 * @returns {string[]}
 */
function comment(text, indent) {
  if (text === "") return [];
  if (indent.length + text.length + 7 <= WIDTH) return [`${indent}/** ${text} */`];
  const lines = [`${indent}/**`];
  let line = `${indent} *`;
  for (const word of text.split(" ")) {
    if (line.length + 1 + word.length > WIDTH) {
      lines.push(line);
      line = `${indent} *`;
    }
    line += ` ${word}`;
  }
  return [...lines, line, `${indent} */`];
}

/** @param {Field} field */
function typeOf(field) {
  const type = field.isArray ? `readonly ${elementType(field)}[]` : elementType(field);
  return field.canBeNull ? `${type} | null` : type;
}

/** @param {Field} field */
function elementType(field) {
  if (field.struct !== undefined) return field.struct.typeName;
  if (field.schema.as === "bigint") return "bigint";
  if (field.element === "string") return "string";
  if (field.element === "bytes" || field.element === "records") return "Uint8Array";
  return FIXED[field.element]?.type ?? "never";
}

/** @param {Field} field */
function defaultOf(field) {
  const value = field.schema.default;
  if (field.isNullByDefault) return "null";
  if (field.isArray) return "[]";
  if (field.struct !== undefined) return defaultName(field.struct);
  switch (field.element) {
    case "string":
      return JSON.stringify(typeof value === "string" ? value : "");
    case "bytes":
    case "records":
      return "EMPTY_BYTES";
    case "uuid":
      return "ZERO_UUID";
    case "bool":
      return String(value ?? false);
    default:
      if (field.schema.as === "bigint") return `${value ?? 0}n`;
      return value === "9223372036854775807" ? "INT64_MAX" : String(value ?? 0);
  }
}

/** @param {Struct} struct */
function defaultName(struct) {
  return `DEFAULT_${struct.typeName.replaceAll(/([a-z0-9])([A-Z])/g, "$1_$2").toUpperCase()}`;
}

/** @param {Struct} struct */
function emitFactory(struct) {
  const { typeName } = struct;
  const lines = [
    `/** Every field that is not given gets its default. */`,
    `export function create${typeName}(fields: MessageFields<${typeName}> = {}): ${typeName} {`,
  ];
  if (struct.fields.length > 0 || struct.isEverFlexible) {
    lines.push("  const {");
    for (const field of struct.fields) lines.push(`    ${bind(field)} = ${defaultOf(field)},`);
    if (struct.isEverFlexible) lines.push("    unknownTaggedFields,");
    lines.push("  } = fields;");
  }
  lines.push(...returnStruct(struct), "}");
  return lines.join("\n");
}

/** @param {Field} field */
function bind(field) {
  return local(field) === field.name ? field.name : `${field.name}: ${local(field)}`;
}

/** @param {Field} field */
function local(field) {
  return RESERVED.has(field.name) ? `${field.name}Field` : field.name;
}

/** @param {Struct} struct */
function returnStruct(struct) {
  // One literal, so that all objects of the struct have one hidden class.
  const lines = ["  return {", ...struct.fields.map((field) => `    ${bind(field)},`)];
  if (struct.isEverFlexible) lines.push("    unknownTaggedFields,");
  return [...lines, "  };"];
}

// ---- versions -------------------------------------------------------------------------------------------------------------

/**
 * Groups consecutive versions that share a coding.
 *
 * @param {readonly number[]} versions
 * @param {(version: number) => string} codingOf
 * @returns {{ coding: string, versions: number[] }[]} oldest first
 */
function groups(versions, codingOf) {
  /** @type {{ coding: string, versions: number[] }[]} */
  const found = [];
  for (const version of versions) {
    const coding = codingOf(version);
    const last = found.at(-1);
    if (last?.coding === coding) last.versions.push(version);
    else found.push({ coding, versions: [version] });
  }
  return found;
}

/**
 * An expression that gives each version its own.
 *
 * @param {readonly number[]} versions
 * @param {(version: number) => string} expressionOf
 */
function chooseExpression(versions, expressionOf) {
  const [oldest, ...newer] = groups(versions, expressionOf);
  let expression = oldest?.coding ?? "";
  for (const {
    coding,
    versions: [since],
  } of newer)
    expression = `version >= ${since} ? ${coding} : ${expression}`;
  return expression;
}

/**
 * Statements that give each version its own; nothing for the empty ones.
 *
 * @param {readonly number[]} versions
 * @param {(version: number) => readonly string[]} statementsOf
 * @returns {string[]}
 */
function chooseStatements(versions, statementsOf) {
  const found = groups(versions, (version) => statementsOf(version).join("\n")).toReversed();
  const [newest, ...older] = found;
  if (newest === undefined) return [];
  if (older.length === 0) return newest.coding === "" ? [] : newest.coding.split("\n");
  if (newest.coding === "") {
    const before = versions.filter((version) => version < (newest.versions[0] ?? 0));
    return [`if (version < ${newest.versions[0]}) {`, ...indent(chooseStatements(before, statementsOf)), "}"];
  }
  const lines = [];
  for (const [
    index,
    {
      coding,
      versions: [since],
    },
  ] of found.entries()) {
    const statements = coding === "" ? [] : coding.split("\n");
    const isOldest = index === found.length - 1;
    if (isOldest && coding === "") continue;
    const lead = index === 0 ? "" : "} else ";
    if (isOldest && statements.length === 1 && coding.startsWith("if (")) {
      const [, condition, statement] = /^(if \(.*?\)) (throw .*)$/.exec(coding) ?? [];
      lines.push(`${lead}${condition} {`, `  ${statement}`);
      continue;
    }
    lines.push(isOldest ? `${lead}{` : `${lead}if (version >= ${since}) {`, ...indent(statements));
  }
  return [...lines, "}"];
}

/** @param {readonly string[]} lines */
function indent(lines) {
  return lines.map((line) => `  ${line}`);
}

// ---- reading --------------------------------------------------------------------------------------------------------------

/** @param {Struct} struct */
function emitReader(struct) {
  const tagged = struct.taggedFields;
  const lines = [];
  for (const field of struct.fields) {
    if (tagged.includes(field)) {
      const regular = chooseExpression(struct.versions, (version) => readExpression(field, version));
      lines.push(`let ${local(field)}: ${typeOf(field)} = ${regular};`);
    } else {
      lines.push(
        `const ${local(field)}${annotation(field)} = ${chooseExpression(struct.versions, (version) => readExpression(field, version))};`,
      );
    }
  }
  if (struct.isEverFlexible) lines.push(...emitTagsReader(struct, tagged));
  const body = [...lines.map((line) => `  ${line}`), ...returnStruct(struct)];
  /** @param {string} name */
  const parameter = (name) => (mentions(body, name) ? name : `_${name}`);
  return [
    `function read${struct.typeName}(${parameter("reader")}: ByteReader, ${parameter("version")}: number): ${struct.typeName} {`,
    ...body,
    "}",
  ].join("\n");
}

/**
 * A literal default would otherwise give the constant too narrow or, for an empty array, no type.
 *
 * @param {Field} field
 */
function annotation(field) {
  return field.owner.versions.every((version) => field.exists(version)) ? "" : `: ${typeOf(field)}`;
}

/**
 * Whether the name is used as a variable, and not only as the name of a field or in a text.
 *
 * @param {readonly string[]} body
 * @param {string} name
 */
function mentions(body, name) {
  const use = new RegExp(`(?<!\\.)\\b${name}\\b(?!:)`);
  return body.some((line) => use.test(line.replaceAll(/"[^"]*"/g, "")));
}

/**
 * @param {Field} field
 * @param {number} version
 * @returns {string}
 */
function readExpression(field, version) {
  if (!field.exists(version) || field.isTagged(version)) return defaultOf(field);
  return readValue(field, version);
}

/**
 * @param {Field} field
 * @param {number} version
 * @returns {string}
 */
function readValue(field, version) {
  const isNullable = field.isNullable(version);
  const compact = field.isFlexible(version) ? "Compact" : "";
  const nullable = isNullable ? "Nullable" : "";
  const path = JSON.stringify(field.path);
  if (field.isArray) {
    const size = `read${compact}${nullable}ArrayLength(reader, ${arrayMinimum(field, version)}, ${path})`;
    const elements = elementsReader(field, compact);
    return isNullable
      ? `readNullableArray(reader, ${size}, version, ${elements})`
      : `${elements}(reader, ${size}, version)`;
  }
  if (field.struct !== undefined) {
    const value = `read${field.struct.typeName}(reader, version)`;
    if (!isNullable) return value;
    // A mark before a struct that may be null: an int8, but an unsigned varint inside a tagged field.
    return field.isTagged(version)
      ? `reader.unsignedVarint() === 0 ? null : ${value}`
      : `(reader.int8() < 0 ? null : ${value})`;
  }
  switch (field.element) {
    case "string":
      return `read${compact}${nullable}String(reader, ${path})`;
    case "bytes":
    case "records":
      return `read${compact}${nullable}Bytes(reader, ${path})`;
    default:
      return `reader.${methodOf(field)}()`;
  }
}

/** @param {Field} field */
function methodOf(field) {
  if (field.schema.as === "bigint") return "bigInt64";
  return field.element === "bool" ? "boolean" : field.element;
}

/**
 * The least of all versions that share the coding, so that the minimum does not split what is otherwise the same.
 *
 * @param {Field} field
 * @param {number} version
 */
function arrayMinimum(field, version) {
  const alike = field.owner.versions.filter(
    (other) =>
      field.exists(other) &&
      field.isFlexible(other) === field.isFlexible(version) &&
      field.isNullable(other) === field.isNullable(version),
  );
  return Math.min(...alike.map((other) => minimumElementSize(field, other)));
}

/**
 * @param {Field} field
 * @param {string} compact
 */
function elementsReader(field, compact) {
  if (field.struct !== undefined) return `read${field.struct.typeName}Elements`;
  return field.element === "string" ? `read${compact}Strings` : `read${capital(field.element)}s`;
}

/**
 * @param {Struct} struct
 * @param {readonly Field[]} tagged
 * @returns {string[]}
 */
function emitTagsReader(struct, tagged) {
  if (tagged.length === 0) {
    return [
      `const unknownTaggedFields = ${chooseExpression(struct.versions, (version) => (struct.isFlexible(version) ? "readTaggedFields(reader)" : "undefined"))};`,
    ];
  }
  const cases = tagged.flatMap((field) => {
    const versions = struct.versions.filter((version) => struct.isFlexible(version));
    const known = versions.filter((version) => field.isTagged(version));
    const check =
      known.length === versions.length
        ? []
        : [`    if (version < ${known[0]}) throw tagOfLaterVersion(tag, ${JSON.stringify(struct.typeName)}, version);`];
    return [
      `  case ${field.schema.tag}:`,
      ...check,
      `    ${local(field)} = ${chooseExpression(known, (version) => readValue(field, version))};`,
      "    break;",
    ];
  });
  const loop = [
    "for (let tag = -1, tagsLeft = readTagCount(reader); tagsLeft > 0; tagsLeft--) {",
    "  tag = readTag(reader, tag);",
    "  const end = readTaggedFieldEnd(reader);",
    "  switch (tag) {",
    ...cases.map((line) => `  ${line}`),
    "    default:",
    "      unknownTaggedFields = keepTaggedField(unknownTaggedFields, tag, reader.view(end - reader.offset));",
    "  }",
    "  if (reader.offset !== end) throw wrongTagSize(tag);",
    "}",
  ];
  return [
    "let unknownTaggedFields: readonly UnknownTaggedField[] | undefined;",
    ...chooseStatements(struct.versions, (version) => (struct.isFlexible(version) ? loop : [])),
  ];
}

/** @param {Struct} struct */
function emitElementsReader({ typeName }) {
  return [
    `function read${typeName}Elements(reader: ByteReader, count: number, version: number): ${typeName}[] {`,
    // Room for one only, which is what most arrays have; an empty array that is added to gets room for seventeen.
    `  if (count === 1) return [read${typeName}(reader, version)];`,
    `  const elements: ${typeName}[] = [];`,
    `  for (let i = 0; i < count; i++) elements.push(read${typeName}(reader, version));`,
    "  return elements;",
    "}",
  ].join("\n");
}

// ---- writing --------------------------------------------------------------------------------------------------------------

/** @param {Struct} struct */
function emitWriter(struct) {
  const lines = [];
  for (const field of struct.fields) {
    lines.push(...chooseStatements(struct.versions, (version) => writeStatements(field, version)));
  }
  if (struct.isEverFlexible) {
    const tags = emitTagsWriter(struct);
    const refuse = [`refuseTaggedFields(message.unknownTaggedFields, ${JSON.stringify(struct.typeName)}, version);`];
    lines.push(...chooseStatements(struct.versions, (version) => (struct.isFlexible(version) ? tags : refuse)));
  }
  const body = lines.map((line) => `  ${line}`);
  /** @param {string} name */
  const parameter = (name) => (mentions(body, name) ? name : `_${name}`);
  return [
    `function write${struct.typeName}(${parameter("writer")}: ByteWriter, ${parameter("message")}: ${struct.typeName}, ${parameter("version")}: number): void {`,
    ...body,
    "}",
  ].join("\n");
}

/**
 * @param {Field} field
 * @param {number} version
 * @returns {string[]}
 */
function writeStatements(field, version) {
  if (field.isTagged(version)) return [];
  if (!field.exists(version)) {
    if (field.schema.ignorable === true) return [];
    return [`if (${isNotDefault(field)}) throw unsupportedField(${JSON.stringify(field.path)}, version);`];
  }
  return writeValue(field, version, "writer");
}

/**
 * @param {Field} field
 * @param {number} version
 * @param {string} writer
 * @returns {string[]}
 */
function writeValue(field, version, writer) {
  const compact = field.isFlexible(version) ? "Compact" : "";
  const isNullable = field.isNullable(version);
  const nullable = isNullable ? "Nullable" : "";
  const path = JSON.stringify(field.path);
  const mustCheck = field.canBeNull && !isNullable;
  const value = mustCheck ? `notNull(message.${field.name}, ${path}, version)` : `message.${field.name}`;
  if (field.isArray) {
    const elements = elementsWriter(field, compact);
    /** @param {string} array */
    const write = (array) => [
      `write${compact}ArrayLength(${writer}, ${array}.length);`,
      `${elements}(${writer}, ${array}, version);`,
    ];
    if (mustCheck) return ["{", `  const elements = ${value};`, ...write("elements").map((line) => `  ${line}`), "}"];
    if (!isNullable) return write(value);
    const nothing = compact === "" ? `${writer}.int32(-1);` : `${writer}.unsignedVarint(0);`;
    return [`if (${value} === null) {`, `  ${nothing}`, "} else {", ...write(value).map((line) => `  ${line}`), "}"];
  }
  if (field.struct !== undefined) {
    const write = `write${field.struct.typeName}(${writer}, ${value}, version);`;
    if (!isNullable) return [write];
    const [absent, present] = field.isTagged(version)
      ? [`${writer}.unsignedVarint(0);`, `${writer}.unsignedVarint(1);`]
      : [`${writer}.int8(-1);`, `${writer}.int8(1);`];
    return [`if (${value} === null) {`, `  ${absent}`, "} else {", `  ${present}`, `  ${write}`, "}"];
  }
  switch (field.element) {
    case "string":
      return [`write${compact}${nullable}String(${writer}, ${value}, ${path});`];
    case "bytes":
    case "records":
      return [`write${compact}${nullable}Bytes(${writer}, ${value});`];
    default:
      return [`${writer}.${methodOf(field)}(${value});`];
  }
}

/**
 * @param {Field} field
 * @param {string} compact
 */
function elementsWriter(field, compact) {
  if (field.struct !== undefined) return `write${field.struct.typeName}Elements`;
  return field.element === "string" ? `write${compact}Strings` : `write${capital(field.element)}s`;
}

/**
 * @param {Struct} struct
 * @returns {string[]}
 */
function emitTagsWriter(struct) {
  const tagged = struct.taggedFields;
  if (tagged.length === 0) return ["writeTaggedFields(writer, message.unknownTaggedFields);"];
  const flexible = struct.versions.filter((version) => struct.isFlexible(version));
  const lines = [`let tagCount = countTaggedFields(message.unknownTaggedFields, ${tagged.length});`];
  for (const field of tagged) {
    const known = flexible.filter((version) => field.isTagged(version));
    const condition = known.length === flexible.length ? "" : `version >= ${known[0]} && `;
    const isPresent = isNotDefault(field);
    lines.push(
      `const ${presence(field)} = ${condition}${condition !== "" && isPresent.includes("||") ? `(${isPresent})` : isPresent};`,
    );
    lines.push(`if (${presence(field)}) tagCount++;`);
  }
  lines.push("writer.unsignedVarint(tagCount);");
  for (const field of tagged) {
    const known = flexible.filter((version) => field.isTagged(version));
    const codings = groups(known, (version) => writeTagged(field, version).join("\n"));
    if (codings.length > 1) throw new Error(`${field.path}: a tagged field has one coding`);
    lines.push(`if (${presence(field)}) {`, ...(codings[0]?.coding ?? "").split("\n").map((line) => `  ${line}`), "}");
  }
  lines.push("writeUnknownTaggedFields(writer, message.unknownTaggedFields);");
  return lines;
}

/** @param {Field} field */
function presence(field) {
  return `has${capital(field.name)}`;
}

/**
 * @param {Field} field
 * @param {number} version
 * @returns {string[]}
 */
function writeTagged(field, version) {
  const { tag } = field.schema;
  const fixed = field.isArray ? undefined : FIXED[field.element];
  if (fixed !== undefined) {
    return [`writeTagHeader(writer, ${tag}, ${fixed.size});`, ...writeValue(field, version, "writer")];
  }
  // The size comes first, and is known when the value has been written: hence a second writer.
  return [
    "const sized = new ByteWriter(128);",
    ...writeValue(field, version, "sized"),
    `writeSizedTaggedField(writer, ${tag}, sized);`,
  ];
}

/** @param {Struct} struct */
function emitElementsWriter({ typeName }) {
  return [
    `function write${typeName}Elements(writer: ByteWriter, elements: readonly ${typeName}[], version: number): void {`,
    `  for (const element of elements) write${typeName}(writer, element, version);`,
    "}",
  ].join("\n");
}

/**
 * @param {Field} field
 * @returns {string}
 */
function isNotDefault(field) {
  const value = `message.${field.name}`;
  if (field.isNullByDefault) return `${value} !== null`;
  const orNull = field.canBeNull ? `${value} === null || ` : "";
  if (field.isArray || field.element === "bytes" || field.element === "records")
    return `${orNull}${value}.length !== 0`;
  if (field.struct !== undefined) return `${orNull}!isDefault${field.struct.typeName}(${value})`;
  return `${value} !== ${defaultOf(field)}`;
}

/** @param {Struct} struct */
function emitIsDefault(struct) {
  const conditions = struct.fields.map((field) => `(${isNotDefault(field)})`.replace(/^\(([^|]*)\)$/, "$1"));
  if (struct.isEverFlexible) conditions.push("hasTaggedFields(message.unknownTaggedFields)");
  const isShared = struct.fields.length > 0 ? `message === ${defaultName(struct)} || ` : "";
  return [
    `function isDefault${struct.typeName}(message: ${struct.typeName}): boolean {`,
    `  return ${isShared}!(`,
    `    ${conditions.join(" ||\n    ")}`,
    "  );",
    "}",
  ].join("\n");
}

// ---- codec ----------------------------------------------------------------------------------------------------------------

/** @param {Message} message */
function emitCodec({ schema, lowestVersion, highestVersion, firstFlexibleVersion }) {
  const { name, apiKey, unstable } = schema;
  const type = apiKey === undefined ? "MessageCodec" : "ApiMessageCodec";
  const range = `${JSON.stringify(name)}, version, ${lowestVersion}, ${highestVersion}`;
  return [
    `export const ${name}: ${type}<${name}> = {`,
    `  name: ${JSON.stringify(name)},`,
    ...(apiKey === undefined ? [] : [`  apiKey: ${apiKey},`]),
    `  lowestVersion: ${lowestVersion},`,
    `  highestVersion: ${highestVersion},`,
    `  firstFlexibleVersion: ${firstFlexibleVersion},`,
    `  latestVersionUnstable: ${unstable === true},`,
    `  create: create${name},`,
    "  read(reader, version) {",
    `    checkVersion(${range});`,
    `    return read${name}(reader, version);`,
    "  },",
    "  write(writer, message, version) {",
    `    checkVersion(${range});`,
    `    write${name}(writer, message, version);`,
    "  },",
    "};",
  ].join("\n");
}

/** @param {string} text */
function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
