import path from "node:path";
import type { Clock, Disk } from "@samsa/base";
import { HoldableDisk, MemoryDisk, NodeDisk, temporaryDirectory } from "@samsa/io";
import type { BrokerConfig } from "@samsa/metadata";
import { refuseForeignDirectory } from "./data-directory.ts";
import { lockDataDirectory } from "./data-directory-lock.ts";
import type { CopyState } from "./embedding/snapshots.ts";
import { copyDirectories, copyMemoryDisk } from "./embedding/snapshots.ts";
import { StartError } from "./server-error.ts";

/** Takes what is to be done at the end. */
export interface Closers {
  defer(closer: () => void | Promise<void>): void;
}

export interface Storage {
  readonly disk: Disk;
  /** Where the metadata log is: one of the directories, or one of its own. */
  readonly metadataDirectory: string;
  /** Those of the partitions; with what keeps one from being used. */
  readonly directories: readonly { readonly path: string; readonly failure?: unknown }[];
  /** What people are told. */
  readonly name: string;
  /** How to take a copy of all of it; undefined where nobody may put one back. */
  readonly copyState: CopyState | undefined;
}

export interface StorageOptions {
  readonly dataDir?: string;
  readonly disk?: Disk;
  /** A folder that stays may be replaced by a snapshot. */
  readonly snapshots?: boolean;
  readonly clock: Clock;
}

/**
 * Where the records are kept, with every directory locked for this broker. A directory that cannot be used does not keep the
 * broker from starting where others are left, unless it is the one of the metadata log.
 * @throws StartError
 */
export async function openStorage(
  { dataDir, disk, snapshots, clock }: StorageOptions,
  config: BrokerConfig,
  closers: Closers,
): Promise<Storage> {
  const names = dataDir === undefined ? configuredDirectories(config) : [dataDir];
  const name = names.join(", ");
  checkCordoned(config, names);
  const metadataName = config.value("metadata.log.dir") === null ? names[0] : config.string("metadata.log.dir");
  if (metadataName === undefined) throw new StartError("log.dirs names no directory");
  if (disk !== undefined) {
    const copyState = disk instanceof MemoryDisk ? copyMemoryDisk(disk) : undefined;
    return { disk, metadataDirectory: metadataName, directories: names.map((one) => ({ path: one })), name, copyState };
  }
  if (name === "memory") {
    const memory = new MemoryDisk({ clock });
    const copyState = snapshots === false ? undefined : copyMemoryDisk(memory);
    return { disk: memory, metadataDirectory: "data", directories: [{ path: "data" }], name, copyState };
  }
  if (name === "temporary") {
    const temporary = await temporaryDirectory("samsa-");
    closers.defer(() => temporary.remove());
    closers.defer(lockDataDirectory(temporary.path));
    const directories = [{ path: temporary.path }];
    const stored = onDisk(temporary.path, [temporary.path], snapshots ?? true, closers);
    return { ...stored, metadataDirectory: temporary.path, directories, name: temporary.path };
  }
  const metadataDirectory = path.resolve(metadataName);
  const paths = [...new Set(names.map((one) => path.resolve(one)))];
  const directories = paths.map((one) => ({ path: one, failure: claim(one, closers) }));
  const metadata = directories.find((one) => one.path === metadataDirectory);
  const failure = metadata === undefined ? claim(metadataDirectory, closers) : metadata.failure;
  if (failure !== undefined) {
    const isOnly = directories.length === 1 && metadata !== undefined;
    if (isOnly && failure instanceof StartError) throw failure;
    throw new StartError(
      `${metadataDirectory}, which is to hold the metadata log, cannot be used: ${messageOf(failure)}`,
      {
        cause: failure,
      },
    );
  }
  const isUsable = directories.some((one) => one.failure === undefined);
  if (!isUsable) throw new StartError(`none of the directories in log.dirs can be used: ${paths.join(", ")}`);
  const stored = onDisk(metadataDirectory, [...new Set([...paths, metadataDirectory])], snapshots ?? false, closers);
  return { ...stored, metadataDirectory, directories, name: paths.join(", ") };
}

/** Only a disk of which snapshots are taken has to be held up for them. */
function onDisk(
  start: string,
  directories: readonly string[],
  mayBeReplaced: boolean,
  closers: Closers,
): Pick<Storage, "disk" | "copyState"> {
  const disk = new NodeDisk(start);
  if (!mayBeReplaced) return { disk, copyState: undefined };
  const holdable = new HoldableDisk(disk);
  return { disk: holdable, copyState: copyDirectories(holdable, directories, closers) };
}

/** `log.dirs`, or `log.dir` where that is not set. */
function configuredDirectories(config: BrokerConfig): readonly string[] {
  if (config.value("log.dirs") !== null) return config.list("log.dirs");
  return config.explicit.has("log.dir") ? config.list("log.dir") : ["memory"];
}

/** Kafka's words. @throws StartError */
function checkCordoned(config: BrokerConfig, names: readonly string[]): void {
  const cordoned = config.value("cordoned.log.dirs");
  if (!Array.isArray(cordoned)) return;
  const missing = cordoned.filter((one) => one !== "*" && !names.includes(String(one)));
  if (missing.length === 0) return;
  throw new StartError(
    `All entries in cordoned.log.dirs must be present in log.dirs or log.dir. Missing entries : ${missing.join(", ")}`,
  );
}

/**
 * Locks a directory for this broker.
 * @returns what keeps it from being used
 * @throws StartError when another broker or other things live there
 */
function claim(directory: string, closers: Closers): unknown {
  try {
    closers.defer(lockDataDirectory(directory));
    refuseForeignDirectory(directory);
    return undefined;
  } catch (error) {
    if (error instanceof StartError && error.cause === undefined) throw error;
    return error; // what the system said
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
