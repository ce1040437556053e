import { existsSync, mkdirSync } from "node:fs";
import path from "node:path";
import type { Uuid } from "@samsa/base";
import { KafkaError, parseUuid, randomUuid } from "@samsa/base";
import { NodeDisk, SystemClock, SystemRandom } from "@samsa/io";
import { readWholeFile, writeFileAtomically } from "@samsa/log";
import type { MetadataRecord, MetaProperties } from "@samsa/metadata";
import {
  BOOTSTRAP_SNAPSHOT_ID,
  BrokerConfig,
  CLUSTER_METADATA_TOPIC_NAME,
  encodeSnapshot,
  formatMetaProperties,
  META_PROPERTIES_FILE,
  metadataRecord,
  parseMetaProperties,
  snapshotFileName,
} from "@samsa/metadata";
import {
  createVotersRecordEndpoint,
  createVotersRecordKRaftVersionFeature,
  createVotersRecordVoter,
  VotersRecord,
} from "@samsa/protocol/messages/voters-record";
import { refuseForeignDirectory } from "../data-directory.ts";
import { dataDirectoryHolder } from "../data-directory-lock.ts";
import { StartError } from "../server-error.ts";
import { featureLevels } from "./feature-levels.ts";
import { scramRecords } from "./scram-arguments.ts";

/** Who votes at first: this node alone, nobody yet, or those of a list `id@host:port:directory,…`. */
export type InitialControllers = "standalone" | "none" | { readonly list: string };

export interface FormatStorageOptions {
  /** server.properties. */
  readonly properties: ReadonlyMap<string, string>;
  /** A random one when left out. */
  readonly clusterId?: string | undefined;
  readonly initialControllers: InitialControllers;
  readonly releaseVersion?: string | undefined;
  /** As `feature=level`. */
  readonly features?: readonly string[];
  /** As `SCRAM-SHA-256=[name=ada,password=secret]`. */
  readonly scramCredentials?: readonly string[];
  /** Passes over directories that are formatted, and formats the others. */
  readonly ignoreFormatted?: boolean;
  /** Told what is done, in the words of Kafka's StorageTool. */
  readonly say: (line: string) => void;
}

interface BootstrapMetadata {
  readonly voters: readonly Voter[] | undefined;
  readonly levels: readonly (readonly [feature: string, level: number])[];
  readonly credentials: readonly MetadataRecord[];
  readonly listenerName: string;
}

interface Voter {
  readonly id: number;
  readonly host: string;
  readonly port: number;
  readonly directoryId: Uuid;
}

const KRAFT_VERSION = 1;
const METADATA_FOLDER = `${CLUSTER_METADATA_TOPIC_NAME}-0`;

/**
 * Makes the directories of a configuration those of a node of a new cluster, as Kafka's `storage format` does.
 * @returns the id of the cluster
 * @throws StartError, in Kafka's words where it has some
 */
export async function formatStorage(options: FormatStorageOptions): Promise<string> {
  const config = new BrokerConfig(new Map(options.properties));
  if (!options.properties.has("process.roles")) {
    throw new StartError(
      "The kafka configuration file appears to be for a legacy cluster. Formatting is only supported for clusters in KRaft mode.",
    );
  }
  const nodeId = config.number("node.id");
  const { metadataVersion, levels } = featureLevels(options.releaseVersion, options.features ?? []);
  const credentials = await scramRecords(options.scramCredentials ?? [], new Map(levels).get("metadata.version") ?? 0);
  const { directories, metadataDirectory } = storageDirectories(options.properties);
  const found = await readDirectories(directories);
  const clusterId = options.clusterId ?? [...found.values()][0]?.clusterId ?? randomUuid(new SystemRandom());
  for (const [directory, properties] of found) checkSame(directory, properties, clusterId, nodeId);
  const [first] = found.keys();
  if (first !== undefined && options.ignoreFormatted !== true) {
    throw new StartError(
      `Log directory ${first} is already formatted. Use --ignore-formatted to ignore this directory and format the others.`,
    );
  }
  const empty = directories.filter((directory) => !found.has(directory));
  if (empty.length === 0) {
    options.say("All of the log directories are already formatted.");
    return clusterId;
  }
  const voters = votersOf(options.initialControllers, config, nodeId);
  for (const directory of empty) checkFree(directory);
  options.say(`Bootstrap metadata: ${bootstrapText(levels)}`);
  for (const directory of empty) {
    const isMetadata = directory === metadataDirectory;
    const own = voters?.find(({ id }) => id === nodeId);
    options.say(`Formatting ${kindOf(isMetadata, voters, own)} ${directory} with metadata.version ${metadataVersion}.`);
    const directoryId = isMetadata && own !== undefined ? own.directoryId : randomUuid(new SystemRandom());
    const listenerName = config.list("controller.listener.names")[0] ?? "CONTROLLER";
    const snapshot = isMetadata ? { voters, levels, credentials, listenerName } : undefined;
    await formatDirectory(directory, { clusterId, nodeId, directoryId }, snapshot);
  }
  return clusterId;
}

export interface StorageInfo {
  readonly directories: readonly string[]; // those that are there
  readonly metadata: Readonly<Record<string, string>> | undefined; // of the first that is formatted
  readonly problems: readonly string[];
}

/** What Kafka's `storage info` tells of the directories of a configuration. */
export async function storageInfo(properties: ReadonlyMap<string, string>): Promise<StorageInfo> {
  const { directories } = storageDirectories(properties);
  const there: string[] = [];
  const problems: string[] = [];
  let first: MetaProperties | undefined;
  for (const directory of directories) {
    if (!existsSync(directory)) {
      problems.push(`${directory} does not exist`);
      continue;
    }
    try {
      const bytes = await readWholeFile(new NodeDisk(directory), META_PROPERTIES_FILE);
      await new NodeDisk(directory).list(".");
      there.push(directory);
      if (bytes === undefined) {
        problems.push(`${directory} is not formatted.`);
        continue;
      }
      const found = parseMetaProperties(bytes, path.join(directory, META_PROPERTIES_FILE));
      first ??= found;
      if (found.clusterId !== first.clusterId) problems.push("Mismatched cluster IDs between storage directories.");
      else if (found.nodeId !== first.nodeId) problems.push("Mismatched node IDs between storage directories.");
    } catch (error) {
      if (error instanceof KafkaError)
        problems.push(`Error loading ${directory}/${META_PROPERTIES_FILE}: ${error.message}`);
      else problems.push(`${directory} is not a directory`);
    }
  }
  if (first === undefined) return { directories: there, metadata: undefined, problems };
  const { clusterId, directoryId, nodeId } = first;
  const metadata = { "cluster.id": clusterId, "directory.id": directoryId, "node.id": String(nodeId), version: "1" };
  return { directories: there, metadata, problems };
}

/** A random id, as for a cluster. Kafka makes none that begins with a dash, which would look like an option. */
export function randomClusterId(): string {
  return randomUuid(new SystemRandom());
}

function storageDirectories(properties: ReadonlyMap<string, string>): {
  readonly directories: readonly string[];
  readonly metadataDirectory: string;
} {
  const names = (properties.get("log.dirs") ?? properties.get("log.dir") ?? "/tmp/kafka-logs")
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
  const metadataDirectory = properties.get("metadata.log.dir") ?? names[0];
  if (metadataDirectory === undefined) throw new StartError("You must specify at least one directory to format");
  return { directories: [...new Set([...names, metadataDirectory])].toSorted(), metadataDirectory };
}

async function readDirectories(directories: readonly string[]): Promise<ReadonlyMap<string, MetaProperties>> {
  const found = new Map<string, MetaProperties>();
  for (const directory of directories) {
    const bytes = await readWholeFile(new NodeDisk(directory), META_PROPERTIES_FILE);
    if (bytes !== undefined)
      found.set(directory, parseMetaProperties(bytes, path.join(directory, META_PROPERTIES_FILE)));
  }
  return found;
}

function checkSame(directory: string, found: MetaProperties, clusterId: string, nodeId: number): void {
  const file = path.join(directory, META_PROPERTIES_FILE);
  if (found.clusterId !== clusterId) {
    throw new StartError(`Invalid cluster.id in: ${file}. Expected ${clusterId}, but read ${found.clusterId}`);
  }
  if (found.nodeId !== nodeId) {
    throw new StartError(`Stored node id ${found.nodeId} doesn't match previous node id ${nodeId} in ${file}.`);
  }
}

/** Nothing of others is overwritten, and no running broker is surprised. */
function checkFree(directory: string): void {
  mkdirSync(directory, { recursive: true });
  const holder = dataDirectoryHolder(directory);
  if (holder !== undefined) throw new StartError(`${directory} is in use by a broker (${holder})`);
  refuseForeignDirectory(directory);
}

function votersOf(initial: InitialControllers, config: BrokerConfig, nodeId: number): readonly Voter[] | undefined {
  if (initial === "none") return undefined;
  if (typeof initial === "object") return initial.list.split(",").map(parseVoter);
  if (!config.list("process.roles").includes("controller")) {
    throw new StartError("You cannot use --standalone on a broker node.");
  }
  const name = config.list("controller.listener.names")[0] ?? "CONTROLLER";
  const listeners = config.list("listeners");
  const own = listeners.map((text) => /^(.+):\/\/(.*):(\d+)$/.exec(text)).find((match) => match?.[1] === name);
  if (own === undefined || own === null) throw new StartError("No controller listeners found.");
  const host = (own[2] ?? "").replaceAll(/^\[|\]$/g, "");
  const isAny = host === "" || host === "0.0.0.0";
  return [
    { id: nodeId, host: isAny ? "localhost" : host, port: Number(own[3]), directoryId: randomUuid(new SystemRandom()) },
  ];
}

/** `1@localhost:9093:MvDxzVmcRsaTz33bUuRU6A` */
function parseVoter(text: string): Voter {
  const match = /^(\d{1,10})@(.+):(\d{1,5}):([A-Za-z0-9_-]{22})$/.exec(text.trim());
  if (match === null) {
    throw new StartError(
      `${text} is no controller: id@hostname:port:directory is wanted, e.g. 1@localhost:9093:${randomClusterId()}`,
    );
  }
  const [, id = "", host = "", port = "", directory = ""] = match;
  return {
    id: Number(id),
    host: host.replaceAll(/^\[|\]$/g, ""),
    port: Number(port),
    directoryId: parseUuid(directory),
  };
}

function kindOf(isMetadata: boolean, voters: readonly Voter[] | undefined, own: Voter | undefined): string {
  if (!isMetadata) return "data directory";
  if (voters === undefined) return "metadata directory";
  return own === undefined ? "dynamic metadata directory" : "dynamic metadata voter directory";
}

function bootstrapText(levels: readonly (readonly [string, number])[]): string {
  const records = levels.map(
    ([name, level]) => `ApiMessageAndVersion(FeatureLevelRecord(name='${name}', featureLevel=${level}) at version 0)`,
  );
  const metadataLevel = levels[0]?.[1] ?? 0;
  return `BootstrapMetadata(records=[${records.join(", ")}], metadataVersionLevel=${metadataLevel}, source=format command)`;
}

async function formatDirectory(
  directory: string,
  properties: MetaProperties,
  metadata: BootstrapMetadata | undefined,
): Promise<void> {
  const disk = new NodeDisk(directory);
  const nowMs = new SystemClock().wallMs();
  if (metadata !== undefined) {
    await disk.makeDirectory(METADATA_FOLDER);
    const bytes = encodeSnapshot(
      {
        lastContainedLogTimeMs: nowMs,
        kraftVersion: KRAFT_VERSION,
        voters: metadata.voters === undefined ? undefined : votersRecord(metadata.voters, metadata.listenerName),
        records: [
          ...metadata.levels.map(([name, featureLevel]) =>
            metadataRecord("FeatureLevelRecord", { name, featureLevel }),
          ),
          ...metadata.credentials,
        ],
      },
      BOOTSTRAP_SNAPSHOT_ID.epoch,
      nowMs,
    );
    await writeFileAtomically(disk, `${METADATA_FOLDER}/${snapshotFileName(BOOTSTRAP_SNAPSHOT_ID)}`, bytes);
    await disk.syncDirectory(".");
  }
  // Last: a directory with this file is formatted.
  await writeFileAtomically(disk, META_PROPERTIES_FILE, formatMetaProperties(properties, nowMs));
}

function votersRecord(voters: readonly Voter[], name: string): VotersRecord {
  return VotersRecord.create({
    voters: voters.map(({ id, host, port, directoryId }) =>
      createVotersRecordVoter({
        voterId: id,
        voterDirectoryId: directoryId,
        endpoints: [createVotersRecordEndpoint({ name, host, port })],
        kRaftVersionFeature: createVotersRecordKRaftVersionFeature({ minSupportedVersion: 0, maxSupportedVersion: 1 }),
      }),
    ),
  });
}
