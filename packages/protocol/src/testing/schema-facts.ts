/** Apache's definitions and our schemas in one plain form, so that they can be compared field by field. */

import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { FieldSchema, MessageSchema } from "./message-schemas.ts";

/** Where the facts lie beside a checkout; elsewhere only their digests are known. */
const APACHE = fileURLToPath(new URL("../../../../../shared/kafka-4.4/schemas/", import.meta.url));

/** As in Apache's files, but only what they hold: every key is optional there. */
interface ApacheField {
  readonly name: string;
  readonly type: string;
  readonly versions?: string;
  readonly nullableVersions?: string;
  readonly taggedVersions?: string;
  readonly flexibleVersions?: string;
  readonly tag?: number;
  readonly default?: string | number | boolean | null;
  readonly ignorable?: boolean | string;
  readonly mapKey?: boolean;
  readonly entityType?: string;
  readonly zeroCopy?: boolean;
  readonly fields?: readonly ApacheField[];
}

interface ApacheMessage {
  readonly name: string;
  readonly type: string;
  readonly apiKey?: number;
  readonly validVersions: string;
  readonly flexibleVersions?: string;
  readonly latestVersionUnstable?: boolean | string;
  readonly listeners?: readonly string[];
  readonly fields?: readonly ApacheField[];
  readonly commonStructs?: readonly {
    readonly name: string;
    readonly versions: string;
    readonly fields: readonly ApacheField[];
  }[];
}

export type Facts = Readonly<Record<string, unknown>>;

/** Apache's definitions by folder and name, as in `rpc/FetchRequest`; undefined when they are not at hand. */
export function apacheFacts(): ReadonlyMap<string, Facts> | undefined {
  if (!existsSync(APACHE)) return undefined;
  const paths = readdirSync(APACHE, { recursive: true, encoding: "utf8" }).map((path) => path.replaceAll("\\", "/"));
  return new Map(
    paths
      .filter((path) => path.endsWith(".json"))
      .map((path) => {
        const message = JSON.parse(readFileSync(APACHE + path, "utf8")) as ApacheMessage;
        return [path.replace(/\.json$/, ""), factsOfApache(message)];
      }),
  );
}

export function factsOfSchema(schema: MessageSchema): Facts {
  return {
    name: schema.name,
    type: schema.kind,
    apiKey: schema.apiKey,
    validVersions: schema.versions,
    flexibleVersions: schema.flexible,
    latestVersionUnstable: schema.unstable === true,
    listeners: schema.listeners,
    fields: schema.fields?.map(factsOfField),
    commonStructs: schema.structs?.map(({ name, versions, fields }) => ({
      name,
      versions,
      fields: fields.map(factsOfField),
    })),
  };
}

function factsOfField(field: FieldSchema): Facts {
  const tagged = field.tag === undefined ? undefined : (field.tagged ?? field.versions);
  return {
    name: field.name,
    type: field.type,
    versions: field.versions,
    nullableVersions: field.nullable,
    taggedVersions: tagged,
    flexibleVersions: field.flexible,
    tag: field.tag,
    default: field.default === undefined ? undefined : String(field.default),
    ignorable: field.ignorable === true,
    mapKey: field.key === true,
    entityType: field.entity,
    zeroCopy: field.zeroCopy === true,
    fields: field.fields?.map(factsOfField),
  };
}

function factsOfApache(message: ApacheMessage): Facts {
  return {
    name: message.name,
    type: message.type,
    apiKey: message.apiKey,
    validVersions: message.validVersions,
    flexibleVersions: message.flexibleVersions,
    latestVersionUnstable: String(message.latestVersionUnstable) === "true",
    listeners: message.listeners,
    fields: message.fields?.map(factsOfApacheField),
    commonStructs: message.commonStructs?.map(({ name, versions, fields }) => ({
      name,
      versions,
      fields: fields.map(factsOfApacheField),
    })),
  };
}

function factsOfApacheField(field: ApacheField): Facts {
  return {
    name: field.name.charAt(0).toLowerCase() + field.name.slice(1),
    type: field.type,
    versions: field.versions ?? field.taggedVersions, // what is only tagged may leave its versions out
    nullableVersions: field.nullableVersions,
    taggedVersions: field.taggedVersions,
    flexibleVersions: field.flexibleVersions,
    tag: field.tag,
    default: defaultOf(field),
    ignorable: String(field.ignorable) === "true",
    mapKey: field.mapKey === true,
    entityType: field.entityType,
    zeroCopy: field.zeroCopy === true,
    fields: field.fields?.map(factsOfApacheField),
  };
}

/** A JSON null is "not said" to Kafka's generator; the text "null" is null. */
function defaultOf(field: ApacheField): string | undefined {
  if (field.default === undefined || field.default === null) return undefined;
  const text = String(field.default);
  return text.startsWith("0x") ? String(Number(text)) : text;
}

/** Of everything in the facts; the same for Apache's definition and for ours. */
export function digestOf(facts: Facts): string {
  return createHash("sha256").update(JSON.stringify(facts)).digest("hex").slice(0, 16);
}
