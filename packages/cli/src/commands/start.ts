import path from "node:path";
import process from "node:process";
import { ErrorCode, KafkaError } from "@samsa/base";
import type { RunningBroker, StartBrokerOptions } from "@samsa/server";
import { CommandError, ExitCode, UsageError } from "../exit-code.ts";
import { tuneGarbageCollection } from "../garbage-collection.ts";
import { invocation } from "../invocation.ts";
import { addPairs, readPropertiesFile } from "../properties.ts";
import type { Interruption } from "../signals.ts";
import { onInterrupt } from "../signals.ts";
import { bold, say } from "../talk.ts";

export interface StartOptions {
  readonly port?: number;
  readonly host?: string;
  readonly dataDir?: string;
  readonly brokers: number;
  readonly metricsPort?: number;
  readonly property?: readonly string[];
  readonly config?: string;
}

const DEFAULT_PORT = 9092;
const DEFAULT_HOST = "127.0.0.1";
/** In the folder where the command runs: in plain sight, one per project, and gone when the folder goes. */
const DEFAULT_DATA_DIR = "samsa-data";

/** Runs a broker until a signal or its own end. */
export async function start(options: StartOptions): Promise<ExitCode> {
  const settings = startSettings(options);
  const startedMs = performance.now();
  tuneGarbageCollection();
  const { brokerConfigNames, startBroker } = await import("@samsa/server");
  await tellOfUnknownKeys(Object.keys(settings.properties ?? {}), brokerConfigNames());
  let broker: RunningBroker;
  try {
    broker = await startBroker(settings);
  } catch (error) {
    const host = settings.host ?? DEFAULT_HOST;
    throw (
      listenFailure(error, host, settings.port ?? DEFAULT_PORT) ?? dataFailure(error, dataDirectory(settings)) ?? error
    );
  }
  announce(broker, performance.now() - startedMs);
  return await untilStopped(broker);
}

/** The command line, the file and the defaults as one: `-X` over `--config` over defaults, and the named options over all. */
export function startSettings(options: StartOptions): StartBrokerOptions {
  if (options.brokers !== 1) throw new UsageError("one broker for the time being: --brokers 1, or leave it out");
  const properties = options.config === undefined ? new Map<string, string>() : readPropertiesFile(options.config);
  addPairs(properties, options.property ?? [], "-X");

  // A file that names its own listeners or directories is obeyed, as Kafka would.
  const hasListeners = properties.has("listeners");
  const hasDirectory = properties.has("log.dirs") || properties.has("log.dir");
  const host = options.host ?? (hasListeners ? undefined : DEFAULT_HOST);
  const port = options.port ?? (hasListeners ? undefined : DEFAULT_PORT);
  const dataDir = options.dataDir ?? (hasDirectory ? undefined : DEFAULT_DATA_DIR);
  if (hasListeners && (options.host !== undefined || options.port !== undefined)) {
    throw new UsageError("--host and --port say the same as the property listeners: use one of them");
  }
  return {
    ...(host === undefined ? {} : { host }),
    ...(port === undefined ? {} : { port }),
    ...(dataDir === undefined ? {} : { dataDir: dataDir === "memory" ? dataDir : path.resolve(dataDir) }),
    ...(options.metricsPort === undefined ? {} : { metricsPort: options.metricsPort }),
    properties: Object.fromEntries(properties),
  };
}

/** As Kafka we start all the same, for a plugin may read the key; but most often it is a slip. */
async function tellOfUnknownKeys(keys: readonly string[], known: readonly string[]): Promise<void> {
  const unknown = keys.filter((key) => !known.includes(key) && !key.startsWith("listener.name."));
  if (unknown.length === 0) return;
  const { nearestName } = await import("@samsa/client"); // only now: no other start is to take longer for it
  for (const key of unknown) {
    const nearest = nearestName(key, known);
    if (nearest !== undefined) say(`${key}: there is no such key; did you mean ${nearest}?`);
  }
}

function announce(broker: RunningBroker, tookMs: number): void {
  const isDefault = broker.port === DEFAULT_PORT && broker.host === DEFAULT_HOST;
  const where = isDefault ? "" : ` --bootstrap-server ${broker.bootstrapServers}`;
  const samsa = invocation();
  say(bold(`samsa ${broker.version} ready on ${broker.bootstrapServers}, data in ${broker.dataDir}`));
  const keeps =
    broker.dataDir === "memory" ? "Ctrl-C stops it, and nothing is kept" : "Ctrl-C stops it, the data stays";
  say(`Started in ${Math.round(tookMs)} ms with Node ${process.versions.node}. ${keeps}.`);
  if (broker.metricsPort !== undefined)
    say(`Metrics and health: http://127.0.0.1:${broker.metricsPort}/metrics, /health/ready`);
  say("Next, in another terminal:");
  say(`  ${samsa} topic create greetings --partitions 3${where}`);
  say(`  echo hello | ${samsa} produce greetings${where}`);
  say(`  ${samsa} consume greetings -o start -e${where}`);
}

/** Until the broker has closed, on a signal or by itself. */
async function untilStopped(broker: RunningBroker): Promise<ExitCode> {
  let interruption: Interruption | undefined;
  const stopped = new Promise<void>((resolve, reject) => {
    interruption = onInterrupt((signal) => {
      say(`${signal}: stopping; a second one stops at once`);
      broker.close().then(resolve, reject);
    });
  });
  try {
    await Promise.race([broker.closed, stopped]);
  } finally {
    interruption?.dispose();
  }
  if (interruption?.exitCode === undefined)
    throw new CommandError(ExitCode.KAFKA_ERROR, "the broker has stopped by itself");
  say("stopped");
  return ExitCode.DONE;
}

/** An address that cannot be listened on, with what to do; undefined when the error is another. */
export function listenFailure(error: unknown, host: string, port: number): CommandError | undefined {
  const samsa = invocation();
  switch (systemCode(error)) {
    case "EADDRINUSE":
      return new CommandError(
        ExitCode.KAFKA_ERROR,
        `port ${port} of ${host} is taken: another broker (Samsa or Kafka) may be running there`,
        [
          `see who holds it:     lsof -nP -iTCP:${port} -sTCP:LISTEN`,
          `take another port:    ${samsa} start --port ${port === 65535 ? port - 1 : port + 1}`,
          `take any free port:   ${samsa} start --port 0`,
        ],
        { cause: error },
      );
    case "EACCES":
      return new CommandError(ExitCode.KAFKA_ERROR, `this user may not listen on port ${port} of ${host}`, [
        `take a port above 1023:  ${samsa} start --port ${DEFAULT_PORT}`,
      ]);
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
      return new CommandError(ExitCode.KAFKA_ERROR, `${host} is no address of this machine`, [
        `listen on this machine only:  ${samsa} start --host ${DEFAULT_HOST}`,
      ]);
    default:
      return undefined;
  }
}

/** Files that cannot be trusted or are not this broker's; undefined when the error is another. */
export function dataFailure(error: unknown, dataDir: string): CommandError | undefined {
  if (!(error instanceof KafkaError)) return undefined;
  const samsa = invocation();
  switch (error.code) {
    case ErrorCode.KAFKA_STORAGE_ERROR:
    case ErrorCode.CORRUPT_MESSAGE:
      return new CommandError(ExitCode.KAFKA_ERROR, error.message, [
        `what is damaged, file by file:  ${samsa} log verify ${dataDir}`,
        "Then put the files back from a copy, or start with another --data-dir.",
      ]);
    case ErrorCode.INCONSISTENT_CLUSTER_ID:
      return new CommandError(ExitCode.KAFKA_ERROR, error.message, [
        `whose the directory is:  ${samsa} storage info --data-dir ${dataDir}`,
      ]);
    default:
      return undefined;
  }
}

/** As one would type it; the first where there are several. */
function dataDirectory({ dataDir, properties }: StartBrokerOptions): string {
  const named = dataDir ?? properties?.["log.dirs"] ?? properties?.["log.dir"];
  const [first = ""] = (named ?? DEFAULT_DATA_DIR).split(",");
  return path.relative("", first.trim()) || first;
}

/** The code of a TransportError, also where it is the cause of another error. A disk's EACCES is not the network's. */
function systemCode(error: unknown): string | undefined {
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    if (at.name === "TransportError" && "code" in at && typeof at.code === "string") return at.code;
  }
  return undefined;
}
