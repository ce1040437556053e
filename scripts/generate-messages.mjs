/**
 * Writes packages/protocol/src/generated/ from schemas/: one file a message, and the table of the APIs. Files that would not
 * change are left alone, so that the compiler has nothing to do; when neither the schemas nor the generator changed since the
 * last run, nothing is even read twice.
 */

import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { emitApiInfo } from "./generator/emit-api-info.mjs";
import { emitMessage } from "./generator/emit-message.mjs";
import { emitStoredMessages } from "./generator/emit-stored-messages.mjs";
import { resolveMessage } from "./generator/model.mjs";
import { loadSchemas, schemaFiles } from "./generator/schema.mjs";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const SCHEMAS = join(ROOT, "schemas");
const GENERATED = join(ROOT, "packages/protocol/src/generated");
const PRIMITIVES = join(ROOT, "packages/protocol/src/message-primitives.ts");
const DIGEST = join(GENERATED, ".digest");

main();

function main() {
  const digest = digestOfInputs();
  if (isUpToDate(digest)) return;
  const schemas = loadSchemas(SCHEMAS);
  const helpers = [...readFileSync(PRIMITIVES, "utf8").matchAll(/^export (?:function|const) (\w+)/gm)].flatMap(
    ([, name]) => name ?? [],
  );
  /** @type {Map<string, string>} */
  const files = new Map([["api-info.ts", emitApiInfo(schemas)]]);
  const messages = schemas.filter(({ versions }) => versions !== "none").map((schema) => resolveMessage(schema));
  files.set("stored-messages.ts", emitStoredMessages(messages, kebabCase));
  for (const message of messages) {
    const file = `${kebabCase(message.schema.name)}.ts`;
    if (files.has(file)) throw new Error(`two messages are named ${message.schema.name}`);
    files.set(file, emitMessage(message, helpers));
  }
  writeChanged(files);
  writeFileSync(DIGEST, [digest, ...files.keys()].join("\n"));
}

/** @returns {string} */
function digestOfInputs() {
  const hash = createHash("sha256");
  const generator = join(ROOT, "scripts/generator");
  const inputs = [
    ...schemaFiles(SCHEMAS).map((file) => join(SCHEMAS, file)),
    ...readdirSync(generator)
      .sort()
      .map((file) => join(generator, file)),
    fileURLToPath(import.meta.url),
    PRIMITIVES, // the names of its functions
  ];
  for (const file of inputs) hash.update(file.slice(ROOT.length)).update("\0").update(readFileSync(file)).update("\0");
  return hash.digest("hex");
}

/**
 * @param {string} digest
 * @returns {boolean} whether the last run saw the same inputs, and what it wrote is still there and nothing else
 */
function isUpToDate(digest) {
  if (!existsSync(DIGEST)) return false;
  const [last, ...files] = readFileSync(DIGEST, "utf8").split("\n");
  const present = readdirSync(GENERATED).filter((file) => file.endsWith(".ts"));
  return last === digest && present.length === files.length && files.every((file) => present.includes(file));
}

/** @param {ReadonlyMap<string, string>} files */
function writeChanged(files) {
  mkdirSync(GENERATED, { recursive: true });
  for (const file of readdirSync(GENERATED)) {
    if (!files.has(file)) rmSync(join(GENERATED, file), { recursive: true });
  }
  for (const [file, text] of files) {
    const path = join(GENERATED, file);
    if (!existsSync(path) || readFileSync(path, "utf8") !== text) writeFileSync(path, text);
  }
}

/** @param {string} name */
function kebabCase(name) {
  return name
    .replace("KRaft", "Kraft")
    .replaceAll(/([a-z0-9])([A-Z])/g, "$1-$2")
    .toLowerCase();
}
