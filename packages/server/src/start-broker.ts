import type { Clock, Disk, Random, Transport } from "@samsa/base";
import { InvariantError } from "@samsa/base";
import type { ClientMetricsReceiver, Logger } from "@samsa/broker";
import { BrokerLoggers, BrokerMetrics, LoggerName } from "@samsa/broker";
import { SystemClock, SystemRandom, TcpTransport } from "@samsa/io";
import { BrokerConfig } from "@samsa/metadata";
import { ALLOW_OPEN_LISTENERS, BUSY_POLL_MS } from "./broker-config-names.ts";
import type { TopicOptions } from "./broker-topics.ts";
import { BrokerTopics } from "./broker-topics.ts";
import { CloseStack, Outcome } from "./closing.ts";
import { withoutEffect } from "./configs-without-effect.ts";
import { EmbeddingProbe } from "./embedding/embedding-probe.ts";
import type { InjectedError, Injection } from "./embedding/injected-errors.ts";
import type { LoggedRequest, RequestFilter } from "./embedding/request-log.ts";
import type { BrokerSnapshot } from "./embedding/snapshots.ts";
import { Snapshots } from "./embedding/snapshots.ts";
import { advertisedListeners, clientListeners } from "./listeners.ts";
import { Gate, listenAll } from "./listening.ts";
import { defaultLogSettings, logSettingsOf } from "./logger.ts";
import type { MetricsEndpoint, MetricsEndpointOptions } from "./metrics/metrics-endpoint.ts";
import { StartError } from "./server-error.ts";
import type { BrokerNode } from "./start-node.ts";
import { CONTROLLER_LISTENER, mostOpenFiles, startNode } from "./start-node.ts";
import { openStorage } from "./storage.ts";
import { samsaVersion } from "./version.ts";

export interface StartBrokerOptions {
  /** Where to listen, unless `properties` names listeners. Default 127.0.0.1. */
  readonly host?: string;
  /** 0 takes any free port. Default 9092. */
  readonly port?: number;
  /** A folder; "memory" keeps everything in memory; "temporary" makes a folder and removes it at the end. Default "memory". */
  readonly dataDir?: string;
  /** Of a directory that is formatted now: 22 characters, as `samsa storage random-uuid` makes them. Default: a random one. */
  readonly clusterId?: string;
  /** Kafka's configuration by its dotted names, as in server.properties. */
  readonly properties?: Readonly<Record<string, string>>;
  /** Serves `/metrics`, `/health/live` and `/health/ready` over HTTP on this port of 127.0.0.1; 0 takes any free one. Default: not. */
  readonly metricsPort?: number;
  /** Takes the metrics that clients push (KIP-714); what it throws is answered with INVALID_RECORD. Default: they are counted, and dropped. */
  readonly onClientMetrics?: ClientMetricsReceiver;
  /** Told what happens, as far as its own `level` allows. Default: warnings and errors on stderr, as JSON unless it is a terminal. */
  readonly logger?: Logger;
  /** `manualClock()` in the hands of a test: retention and time-outs without waiting. Default: the system's. */
  readonly clock?: Clock;
  readonly random?: Random;
  readonly disk?: Disk;
  readonly transport?: Transport;
  /**
   * Allows `snapshot()` and `restore()`. Default: in memory and in a temporary folder. A folder that stays has to ask for it, because
   * a restore replaces what is in it.
   */
  readonly snapshots?: boolean;
  /** How many requests `requests()` remembers; true for a thousand. Default: none. */
  readonly requestLog?: boolean | number;
}

/** A broker in this process. Two of them do not disturb each other. */
export interface RunningBroker extends AsyncDisposable {
  /** What clients are given: `host:port` of the first listener. */
  readonly bootstrapServers: string;
  readonly host: string;
  readonly port: number;
  /** Where `/metrics` is, when it was asked for. */
  readonly metricsPort: number | undefined;
  readonly dataDir: string;
  readonly clusterId: string;
  readonly nodeId: number;
  readonly version: string;
  /** Makes a topic; resolves when it takes records. @throws KafkaError in Kafka's words */
  createTopic(name: string, options?: TopicOptions): Promise<void>;
  /** Names of the topics, without Kafka's own. */
  topics(): readonly string[];
  /** Removes every topic but Kafka's own, with its records: a clean broker for the next test. */
  deleteAllTopics(): Promise<void>;
  /**
   * All that the broker has at this moment: topics, records, committed offsets, configurations. It goes on meanwhile; what it has
   * acknowledged is in it.
   */
  snapshot(): Promise<BrokerSnapshot>;
  /**
   * Makes the broker what it was, as often as wanted. It starts anew on the same port: connections are closed, clients connect
   * again. A producer or consumer from before may remember what is no more; make a new one.
   */
  restore(snapshot: BrokerSnapshot): Promise<void>;
  /** Has requests fail, wait, or lose their connection. @throws TypeError for an API or an error that there is not */
  injectError(error: InjectedError): Injection;
  /** Takes back all that was injected. */
  clearErrors(): void;
  /** The last requests, the oldest first. @throws StartError where `requestLog` was not asked for */
  requests(filter?: RequestFilter): readonly LoggedRequest[];
  /** Forgets the requests so far. */
  clearRequests(): void;
  /** Resolves after a stop; rejects when the broker had to stop by itself. */
  readonly closed: Promise<void>;
  /** Answers what was started, writes what is pending and stops. */
  close(): Promise<void>;
}

const DEFAULT_PORT = 9092;
const DEFAULT_NODE_ID = 1;
const MOST_BUSY_POLL_MS = 1000;
const PLAINTEXT = 0; // the code of the security protocol
/** Requests that `requestLog: true` remembers. */
const DEFAULT_REQUEST_LOG = 1000;

/**
 * Starts a broker with its own quorum of one.
 * @throws StartError, TransportError (EADDRINUSE …), DiskError or KafkaError: what keeps it from starting
 */
export async function startBroker(options: StartBrokerOptions = {}): Promise<RunningBroker> {
  const stack = new CloseStack();
  try {
    return await start(options, stack);
  } catch (error) {
    await stack.close();
    throw error;
  }
}

async function start(options: StartBrokerOptions, stack: CloseStack): Promise<RunningBroker> {
  const clock = options.clock ?? new SystemClock();
  const { sink, rootLevel } = options.logger === undefined ? defaultLogSettings(clock) : logSettingsOf(options.logger);
  const loggers = new BrokerLoggers(sink, rootLevel);
  const logger = loggers.get(LoggerName.server);
  const random = options.random ?? new SystemRandom();
  const { config, isOpenAllowed, busyPollMs } = brokerConfig(options);
  const transport = options.transport ?? new TcpTransport({ busyPollMs });
  if (config.unknownKeys.length > 0) logger.warn({ keys: config.unknownKeys }, "configuration keys that nobody reads");
  const idle = withoutEffect(config.explicit.keys());
  if (idle.size > 0) logger.warn(Object.fromEntries(idle), "configuration keys that have no effect here");
  const wantedListeners = clientListeners(config, isOpenAllowed);
  const storage = await openStorage({ ...options, clock }, config, stack);
  const mostConnections = mostOpenFiles(); // the other half of what the process may open

  const gate = new Gate(mostConnections);
  const listening = await listenAll(transport, wantedListeners, gate, stack);
  const listeners = advertisedListeners(config, listening).map(({ name, address }) => ({
    name,
    ...address,
    securityProtocol: PLAINTEXT,
  }));
  const first = listeners[0];
  if (first === undefined) throw new InvariantError("a broker has a listener");

  const outcome = new Outcome();
  const failure = { hasHappened: false };
  const onFatal = (error: unknown): void => {
    if (failure.hasHappened) return;
    failure.hasHappened = true;
    logger.error({ err: error }, "the broker stops: it can no longer keep its promises");
    outcome.reject(error);
    void stack.close().catch((cause: unknown) => logger.error({ err: cause }, "closing failed"));
  };
  let node: BrokerNode | undefined;
  const metrics = options.metricsPort === undefined ? undefined : new BrokerMetrics({ clock });
  const sources = {
    metadata: () => node?.metadata,
    partitions: () => node?.replicas.partitions() ?? [],
    broker: () => node?.broker,
    hasFailed: () => failure.hasHappened,
  };
  const endpoint =
    metrics === undefined
      ? undefined
      : await startMetrics({ port: options.metricsPort ?? 0, metrics, ...sources }, stack);
  const probe = new EmbeddingProbe(clock, mostLogged(options), (id) => node?.metadata.image.topics.byId.get(id)?.name);
  const { clusterId } = options;
  const clientMetricsReceiver = options.onClientMetrics;
  const parts = {
    config,
    clientMetricsReceiver,
    storage,
    clusterId,
    listeners,
    clock,
    random,
    loggers,
    mostConnections,
  };
  let nodeStack = new CloseStack();
  stack.defer(() => nodeStack.close());
  stack.defer(() => endpoint?.stops());
  const serve = async (): Promise<BrokerNode> => {
    const serving = await startNode({ ...parts, metrics, probe, failure, onFatal }, nodeStack);
    node = serving;
    gate.open(serving.broker);
    endpoint?.serves();
    return serving;
  };
  const stop = async (): Promise<void> => {
    endpoint?.stops();
    gate.close();
    probe.errors.release();
    await nodeStack.close();
    nodeStack = new CloseStack();
  };
  const { clusterId: servedClusterId } = await serve();

  // The one that serves now: whoever kept the first would keep it alive beyond the next restore.
  const topics = new BrokerTopics(() => {
    if (node === undefined) throw new InvariantError("a broker that was started has a node");
    return node.controller;
  });
  const snapshots = new Snapshots({ clock, copyState: storage.copyState, stop, serve, onFatal });
  const close = async (): Promise<void> => {
    await snapshots.settled();
    probe.errors.release();
    await stack.close().catch((error: unknown) => {
      outcome.reject(error);
      throw error;
    });
    outcome.resolve();
  };
  return {
    bootstrapServers: listeners.map(({ host, port }) => `${host.includes(":") ? `[${host}]` : host}:${port}`).join(","),
    host: first.host,
    port: first.port,
    metricsPort: endpoint?.port,
    dataDir: storage.name,
    clusterId: servedClusterId,
    nodeId: config.number("node.id"),
    version: samsaVersion(),
    createTopic: (name, topic) => topics.create(name, topic),
    topics: () => topics.names(),
    deleteAllTopics: () => topics.deleteAll(),
    snapshot: () => snapshots.take(),
    restore: (snapshot) => snapshots.restore(snapshot),
    injectError: (error) => probe.errors.add(error),
    clearErrors: () => probe.errors.clear(),
    requests: (filter = {}) => {
      if (!probe.log.isOn) throw new StartError("no requests are remembered: start the broker with requestLog: true");
      return probe.log.list(filter);
    },
    clearRequests: () => probe.log.clear(),
    closed: outcome.promise,
    close,
    [Symbol.asyncDispose]: close,
  };
}

function mostLogged({ requestLog = false }: StartBrokerOptions): number {
  if (requestLog === true) return DEFAULT_REQUEST_LOG;
  return requestLog === false ? 0 : requestLog;
}

/** Loads what makes the pages only where they are asked for: a start without them does not wait for it. */
async function startMetrics(options: MetricsEndpointOptions, stack: CloseStack): Promise<MetricsEndpoint> {
  const { startMetricsEndpoint } = await import("./metrics/metrics-endpoint.ts");
  return startMetricsEndpoint(options, stack);
}

function brokerConfig({ host, port, dataDir, properties = {} }: StartBrokerOptions): {
  readonly config: BrokerConfig;
  readonly isOpenAllowed: boolean;
  readonly busyPollMs: number;
} {
  const values = new Map(Object.entries(properties));
  const isOpenAllowed = values.get(ALLOW_OPEN_LISTENERS) === "true";
  values.delete(ALLOW_OPEN_LISTENERS);
  const busyPollMs = busyPollMsOf(values.get(BUSY_POLL_MS) ?? "0");
  values.delete(BUSY_POLL_MS);
  const hasDirectory = dataDir !== undefined && dataDir !== "memory" && dataDir !== "temporary";
  if (hasDirectory) values.set("log.dirs", dataDir); // where it is asked for: it names what cordoned.log.dirs may name
  const address = host ?? "127.0.0.1";
  const literal = address.includes(":") && !address.startsWith("[") ? `[${address}]` : address;
  const defaults = new Map([
    ["process.roles", "broker,controller"],
    ["node.id", String(DEFAULT_NODE_ID)],
    ["listeners", `PLAINTEXT://${literal}:${port ?? DEFAULT_PORT}`],
    ["controller.listener.names", CONTROLLER_LISTENER.name],
  ]);
  return { config: new BrokerConfig(new Map([...defaults, ...values])), isOpenAllowed, busyPollMs };
}

function busyPollMsOf(text: string): number {
  const pollMs = Number(text);
  if (/^\d+$/.test(text) && pollMs <= MOST_BUSY_POLL_MS) return pollMs;
  throw new StartError(
    `${BUSY_POLL_MS} is a whole number of milliseconds from 0 to ${MOST_BUSY_POLL_MS}, not "${text}"`,
  );
}
