/** The schemas as the tests read them: on their own, without the generator whose work they check. */

import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { MessageCodec } from "../message-codec.ts";

const SCHEMAS = fileURLToPath(new URL("../../../../schemas/", import.meta.url));

export interface FieldSchema {
  readonly name: string;
  readonly type: string;
  readonly versions: string;
  readonly nullable?: string;
  readonly tag?: number;
  readonly tagged?: string;
  readonly flexible?: string;
  readonly default?: number | string | boolean | null;
  readonly ignorable?: boolean;
  readonly key?: boolean;
  readonly entity?: string;
  readonly zeroCopy?: boolean;
  readonly as?: "bigint";
  readonly about?: string;
  readonly fields?: readonly FieldSchema[];
}

export interface MessageSchema {
  readonly name: string;
  readonly kind: string;
  readonly apiKey?: number;
  readonly versions: string;
  readonly flexible?: string;
  readonly unstable?: boolean;
  readonly listeners?: readonly string[];
  readonly about: string;
  readonly fields?: readonly FieldSchema[];
  readonly structs?: readonly {
    readonly name: string;
    readonly versions: string;
    readonly fields: readonly FieldSchema[];
  }[];
}

/** Every schema by its path without the extension, as in `rpc/fetch-request`. */
export function loadSchemas(): ReadonlyMap<string, MessageSchema> {
  const paths = readdirSync(SCHEMAS, { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".json"))
    .map((path) => path.replaceAll("\\", "/"))
    .toSorted();
  return new Map(
    paths.map((path) => [
      path.replace(/\.json$/, ""),
      JSON.parse(readFileSync(SCHEMAS + path, "utf8")) as MessageSchema,
    ]),
  );
}

/** What a decoded message is to a test that takes any. */
export type AnyMessage = Readonly<Record<string, unknown>>;

export interface TestedMessage {
  readonly schema: MessageSchema;
  readonly codec: MessageCodec<AnyMessage>;
  readonly versions: readonly number[];
}

/** Every message that has versions, with its generated codec. */
export async function loadMessages(): Promise<readonly TestedMessage[]> {
  const messages: TestedMessage[] = [];
  for (const [path, schema] of loadSchemas()) {
    if (schema.versions === "none") continue;
    const module = (await import(`../generated/${path.replace(/^.*\//, "")}.js`)) as Record<
      string,
      MessageCodec<AnyMessage>
    >;
    const codec = module[schema.name];
    if (codec === undefined) throw new Error(`no codec of ${schema.name}`);
    const { lowestVersion, highestVersion } = codec;
    const versions = Array.from({ length: highestVersion - lowestVersion + 1 }, (_, index) => lowestVersion + index);
    messages.push({ schema, codec, versions });
  }
  return messages;
}

/** Whether a range such as "3", "3-7", "3+" or "none" has the version. */
export function hasVersion(range: string | undefined, version: number): boolean {
  if (range === undefined || range === "none") return false;
  const [lowest = "", highest = lowest] = range.split("-");
  if (lowest.endsWith("+")) return version >= Number.parseInt(lowest, 10);
  return version >= Number(lowest) && version <= Number(highest);
}
