import path from "node:path";
import process from "node:process";
import type { InitialControllers } from "@samsa/server";
import { formatStorage, jsonText, randomClusterId, StartError, storageInfo } from "@samsa/server";
import { CommandError, ExitCode, UsageError } from "../exit-code.ts";
import { invocation } from "../invocation.ts";
import { readPropertiesFile } from "../properties.ts";

interface WhereOptions {
  readonly config?: string;
  readonly dataDir?: string;
  readonly nodeId?: number;
  readonly json?: boolean;
}

export interface FormatCommandOptions extends WhereOptions {
  readonly clusterId?: string;
  readonly standalone?: boolean;
  /** False for --no-initial-controllers, a list for --initial-controllers. */
  readonly initialControllers?: string | boolean;
  readonly ignoreFormatted?: boolean;
  readonly releaseVersion?: string;
  readonly feature?: readonly string[];
  readonly addScram?: readonly string[];
}

const DEFAULT_DATA_DIR = "samsa-data";

/** Makes data directories those of a new cluster, as Kafka's `kafka-storage format` does. */
export async function formatCommand(options: FormatCommandOptions): Promise<ExitCode> {
  const lines: string[] = [];
  const initialControllers = initialControllersOf(options);
  try {
    const clusterId = await formatStorage({
      properties: propertiesOf(options),
      clusterId: options.clusterId,
      initialControllers,
      releaseVersion: options.releaseVersion,
      features: options.feature ?? [],
      scramCredentials: options.addScram ?? [],
      ignoreFormatted: options.ignoreFormatted === true,
      say(line) {
        lines.push(line);
        if (options.json !== true) process.stdout.write(`${line}\n`);
      },
    });
    if (options.json === true) process.stdout.write(`${jsonText({ clusterId, messages: lines })}\n`);
    return ExitCode.DONE;
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    const remedies = error.message.includes("is already formatted")
      ? [
          `whose it is:  ${invocation()} storage info ${options.config === undefined ? "--data-dir" : "-c"} ${options.config ?? options.dataDir ?? DEFAULT_DATA_DIR}`,
        ]
      : [];
    throw new CommandError(ExitCode.KAFKA_ERROR, error.message, remedies, { cause: error });
  }
}

/** Tells whose the data directories of a configuration are, and what is wrong with them. */
export async function infoCommand(options: WhereOptions): Promise<ExitCode> {
  const { directories, metadata, problems } = await storageInfo(propertiesOf(options));
  if (options.json === true) {
    process.stdout.write(`${jsonText({ directories, metadata: metadata ?? null, problems })}\n`);
    return problems.length === 0 ? ExitCode.DONE : ExitCode.KAFKA_ERROR;
  }
  const lines: string[] = [];
  const list = (title: string, entries: readonly string[]): void => {
    if (entries.length > 0) lines.push(title, ...entries.map((entry) => `  ${entry}`), "");
  };
  list(directories.length === 1 ? "Found log directory:" : "Found log directories:", directories);
  if (metadata !== undefined) {
    const facts = Object.entries(metadata).map(([key, value]) => `${key}=${value}`);
    lines.push(`Found metadata: {${facts.join(", ")}}`, "");
  }
  list(problems.length === 1 ? "Found problem:" : "Found problems:", problems);
  process.stdout.write(`${lines.join("\n")}\n`);
  return problems.length === 0 ? ExitCode.DONE : ExitCode.KAFKA_ERROR;
}

export function randomUuidCommand(options: { readonly json?: boolean }): ExitCode {
  const uuid = randomClusterId();
  process.stdout.write(`${options.json === true ? jsonText({ uuid }) : uuid}\n`);
  return ExitCode.DONE;
}

function initialControllersOf({ standalone, initialControllers, config }: FormatCommandOptions): InitialControllers {
  const isListed = typeof initialControllers === "string";
  const isNone = initialControllers === false;
  if (standalone === true && (isListed || isNone)) {
    throw new UsageError("--standalone, --initial-controllers and --no-initial-controllers exclude each other");
  }
  if (isListed) return { list: initialControllers };
  if (isNone) return "none";
  if (standalone === true || config === undefined) return "standalone";
  throw new UsageError(
    "Because controller.quorum.voters is not set on this controller, you must specify one of the following: " +
      "--standalone, --initial-controllers, or --no-initial-controllers.",
  );
}

/** The file of `-c`; without one, the configuration with which `samsa start` runs on a directory. */
function propertiesOf({ config, dataDir, nodeId }: WhereOptions): ReadonlyMap<string, string> {
  if (config !== undefined && dataDir !== undefined) {
    throw new UsageError("--config names directories, and --data-dir does so, too: use one of them");
  }
  if (config !== undefined) {
    const properties = readPropertiesFile(config);
    if (properties.has("controller.quorum.voters")) {
      throw new UsageError(
        `${config} sets controller.quorum.voters: a fixed quorum is not supported, only one that can change (KIP-853)`,
      );
    }
    return properties;
  }
  return new Map([
    ["process.roles", "broker,controller"],
    ["node.id", String(nodeId ?? 1)],
    ["listeners", "PLAINTEXT://127.0.0.1:9092,CONTROLLER://localhost:9093"],
    ["controller.listener.names", "CONTROLLER"],
    ["log.dirs", path.resolve(dataDir ?? DEFAULT_DATA_DIR)],
  ]);
}
