import type { Uuid } from "@samsa/base";
import { ErrorCode, KafkaError, parseUuid, ZERO_UUID } from "@samsa/base";

/** The file in every data directory that says whose it is (version 1, KIP-858). */
export const META_PROPERTIES_FILE = "meta.properties";

export interface MetaProperties {
  readonly clusterId: string;
  readonly nodeId: number;
  readonly directoryId: Uuid;
}

/** The file is damaged, or the directory belongs to another cluster or node. Nothing in it was touched. */
export class InconsistentMetaPropertiesError extends KafkaError {
  override readonly name = "InconsistentMetaPropertiesError";
  readonly path: string;

  constructor(path: string, message: string) {
    super(ErrorCode.INCONSISTENT_CLUSTER_ID, message);
    this.path = path;
  }
}

/** The file as Java's Properties writes it. */
export function formatMetaProperties(properties: MetaProperties, wallMs: number): Uint8Array {
  const lines = [
    "#",
    `#${javaDate(wallMs)}`,
    `node.id=${properties.nodeId}`,
    `directory.id=${properties.directoryId}`,
    "version=1",
    `cluster.id=${properties.clusterId}`,
  ];
  return new TextEncoder().encode(`${lines.join("\n")}\n`);
}

/**
 * @param path named in the error
 * @throws InconsistentMetaPropertiesError when a value is missing or no value of its kind
 */
export function parseMetaProperties(bytes: Uint8Array, path: string): MetaProperties {
  const values = parseProperties(new TextDecoder().decode(bytes));
  const required = (key: string): string => {
    const value = values.get(key);
    if (value === undefined || value === "")
      throw new InconsistentMetaPropertiesError(path, `${path} is damaged: ${key} is missing`);
    return value;
  };
  const version = required("version");
  if (version !== "1") {
    throw new InconsistentMetaPropertiesError(path, `${path}: version ${version} is not the version 1 of a KRaft node`);
  }
  const nodeId = required("node.id");
  if (!/^\d{1,10}$/.test(nodeId) || Number(nodeId) > 0x7fffffff) {
    throw new InconsistentMetaPropertiesError(path, `${path} is damaged: node.id ${nodeId} is no node id`);
  }
  return { clusterId: required("cluster.id"), nodeId: Number(nodeId), directoryId: directoryId(values, path) };
}

/**
 * Whether this directory is the one that was meant.
 * @throws InconsistentMetaPropertiesError, in a line that a person can act on
 */
export function checkMetaProperties(
  found: MetaProperties,
  expected: { readonly clusterId?: string | undefined; readonly nodeId?: number | undefined },
  path: string,
): void {
  if (expected.clusterId !== undefined && expected.clusterId !== found.clusterId) {
    throw new InconsistentMetaPropertiesError(
      path,
      `${path} belongs to cluster ${found.clusterId}, not to ${expected.clusterId}: use another data directory`,
    );
  }
  if (expected.nodeId !== undefined && expected.nodeId !== found.nodeId) {
    throw new InconsistentMetaPropertiesError(
      path,
      `${path} belongs to node ${found.nodeId}, not to ${expected.nodeId}: set node.id=${found.nodeId} or use another data directory`,
    );
  }
}

function directoryId(values: ReadonlyMap<string, string>, path: string): Uuid {
  const text = values.get("directory.id");
  if (text === undefined) return ZERO_UUID; // written before KIP-858; Kafka gives it an id when it starts
  try {
    return parseUuid(text);
  } catch {
    throw new InconsistentMetaPropertiesError(path, `${path} is damaged: directory.id ${text} is no id`);
  }
}

/** The part of Java's Properties that appears in this file: `key=value` lines, `#` comments, a backslash before a character. */
function parseProperties(text: string): Map<string, string> {
  const values = new Map<string, string>();
  for (const line of text.split(/\r?\n/)) {
    const match = /^\s*([^#!=:\s][^=:\s]*)\s*[=:]\s*(.*)$/.exec(line);
    if (match !== null) values.set(match[1] ?? "", (match[2] ?? "").replaceAll(/\\(.)/g, "$1").trim());
  }
  return values;
}

/** `Sat Nov 21 05:59:40 UTC 2026` */
function javaDate(wallMs: number): string {
  const [weekday = "", day, month, year, time] = new Date(wallMs).toUTCString().split(" ");
  return `${weekday.slice(0, 3)} ${month} ${day} ${time} UTC ${year}`;
}
