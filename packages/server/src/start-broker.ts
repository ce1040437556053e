import type { Clock, Disk, Random, Transport, Uuid } from "@samsa/base";
import { ErrorCode, InvariantError, KafkaError, randomUuid } from "@samsa/base";
import type { Logger } from "@samsa/broker";
import { Broker, BrokerMetrics, MetadataCache } from "@samsa/broker";
import { prepareDataDirectories, QuorumController, raftConfigOf, SingleVoterQuorum } from "@samsa/controller";
import { descriptorLimit, SystemClock, SystemRandom, TcpTransport } from "@samsa/io";
import { LogDirs, OpenFiles, PooledDisk } from "@samsa/log";
import { BrokerConfig, EffectiveBrokerConfig, SUPPORTED_FEATURES } from "@samsa/metadata";
import { logCleanerConfigOf, ReplicaManager } from "@samsa/replication";
import { withoutEffect } from "./configs-without-effect.ts";
import { DirectoryReporter } from "./directory-reporter.ts";
import { advertisedListeners, clientListeners } from "./listeners.ts";
import { BrokerTopics } from "./broker-topics.ts";
import type { TopicOptions } from "./broker-topics.ts";
import { CloseStack, Outcome } from "./closing.ts";
import { Gate, listenAll } from "./listening.ts";
import { defaultLogger } from "./logger.ts";
import type { MetricsEndpoint, MetricsEndpointOptions } from "./metrics/metrics-endpoint.ts";
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
  /** Told what happens. Default: warnings and errors as JSON lines on stderr. */
  readonly logger?: Logger;
  readonly clock?: Clock;
  readonly random?: Random;
  readonly disk?: Disk;
  readonly transport?: Transport;
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
  /** Resolves after a stop; rejects when the broker had to stop by itself. */
  readonly closed: Promise<void>;
  /** Answers what was started, writes what is pending and stops. */
  close(): Promise<void>;
}

const DEFAULT_PORT = 9092;
const DEFAULT_NODE_ID = 1;
const PLAINTEXT = 0; // the code of the security protocol
/** Ours, not Kafka's: allows a listener without authentication on an address that is not loopback. */
const ALLOW_OPEN_LISTENERS = "samsa.allow.open.listeners";
const MOST_OPEN_FILES = 16_384;
const CONTROLLER_LISTENER = { name: "CONTROLLER", host: "localhost", port: 9093 };

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
  const logger = options.logger ?? defaultLogger();
  const clock = options.clock ?? new SystemClock();
  const random = options.random ?? new SystemRandom();
  const transport = options.transport ?? new TcpTransport();
  const { config, isOpenAllowed } = brokerConfig(options);
  if (config.unknownKeys.length > 0) logger.warn({ keys: config.unknownKeys }, "configuration keys that nobody reads");
  const idle = withoutEffect(config.explicit.keys());
  if (idle.size > 0) logger.warn(Object.fromEntries(idle), "configuration keys that have no effect here");
  const wantedListeners = clientListeners(config, isOpenAllowed);
  const nodeId = config.number("node.id");
  const storage = await openStorage(options, config, stack);
  const { metadataDirectory } = storage;
  const mostConnections = mostOpenFiles(); // the other half of what the process may open
  const disk = new PooledDisk(storage.disk, new OpenFiles(mostOpenFiles()));

  const gate = new Gate(mostConnections);
  const listening = await listenAll(transport, wantedListeners, gate, stack);
  const advertised = advertisedListeners(config, listening);
  const brokerListeners = advertised.map(({ name, address }) => ({ name, ...address, securityProtocol: PLAINTEXT }));

  const prepared = await prepareDataDirectories({
    disk,
    clock,
    random,
    metadataDirectory,
    directories: storage.directories,
    nodeId,
    clusterId: options.clusterId,
    controllerListener: CONTROLLER_LISTENER,
  });
  const { clusterId, metadataDirectoryId, directories } = prepared;
  for (const { path, failure } of directories) {
    if (failure !== undefined) logger.error({ directory: path, err: failure }, "a data directory cannot be used");
  }
  const outcome = new Outcome();
  let hasFailed = false;
  const onFatal = (error: unknown): void => {
    if (hasFailed) return;
    hasFailed = true;
    logger.error({ err: error }, "the broker stops: it can no longer keep its promises");
    outcome.reject(error);
    void stack.close().catch((failure: unknown) => logger.error({ err: failure }, "closing failed"));
  };
  // After a failure nothing is written any more, the clean marker least of all: the next start recovers.
  const unlessFailed = (closer: () => Promise<void>) => () => (hasFailed ? undefined : closer());

  const metadata = new MetadataCache();
  let brokerEpoch = -1;
  const reporter = new DirectoryReporter({
    clock,
    nodeId,
    failureTimeoutMs: config.number("log.dir.failure.timeout.ms"),
    onFatal,
  });
  const replicas: ReplicaManager = new ReplicaManager({
    brokerId: nodeId,
    config,
    clock,
    assignDirectory: (assignment) => reporter.assign(assignment),
    onBrokerConfigChanged: () => reporter.directoriesCordoned(cordonedDirectories(replicas)),
    openLogs: async (image, configFor, isCordoned) => {
      const isStray = (_partition: unknown, topicId: Uuid) => !image.topics.byId.has(topicId);
      const broker = new EffectiveBrokerConfig(image.configs, config);
      const logs = await LogDirs.open({
        disk,
        clock,
        random,
        directories,
        configFor,
        isCordoned,
        onDirectoryFailure: ({ path, directoryId }, error) => {
          logger.error({ directory: path, err: error }, "a data directory has failed: what is in it is offline");
          const isLast = replicas.logDirs().length > 0 && replicas.logDirs().every(({ isOffline }) => isOffline);
          if (path === metadataDirectory) return onFatal(directoryFailure(`the metadata log is in ${path}`, error));
          if (isLast) return onFatal(directoryFailure("no other directory is left", error));
          const lost = replicas.onDirectoryFailure(path);
          if (lost.length > 0) logger.error({ directory: path, replicas: lost }, "replicas are offline");
          if (directoryId !== undefined) reporter.directoryFailed(directoryId);
        },
        isStray,
        numRecoveryThreads: config.number("num.recovery.threads.per.data.dir"),
        highWatermarkCheckpointIntervalMs: config.number("replica.high.watermark.checkpoint.interval.ms"),
        recoveryPointCheckpointIntervalMs: config.number("log.flush.offset.checkpoint.interval.ms"),
        startOffsetCheckpointIntervalMs: config.number("log.flush.start.offset.checkpoint.interval.ms"),
        flushSchedulerIntervalMs: config.number("log.flush.scheduler.interval.ms"),
        initialTaskDelayMs: config.number("log.initial.task.delay.ms"),
        retentionCheckIntervalMs: config.number("log.retention.check.interval.ms"),
        cleaner: logCleanerConfigOf(broker),
        producerIdExpirationMs: broker.number("producer.id.expiration.ms"),
        producerIdExpirationCheckIntervalMs: config.number("producer.id.expiration.check.interval.ms"),
      });
      for (const { path: file, message } of logs.problems) logger.warn({ file }, message);
      return logs;
    },
    onReplicaError: (name, error) => logger.error({ replica: name, err: error }, "a replica is offline"),
  });
  const metrics = options.metricsPort === undefined ? undefined : new BrokerMetrics({ clock });
  const endpoint =
    metrics === undefined
      ? undefined
      : await startMetrics(
          { port: options.metricsPort ?? 0, metrics, metadata, replicas, hasFailed: () => hasFailed },
          stack,
        );
  const quorum = await SingleVoterQuorum.open({
    disk,
    clock,
    random,
    directory: metadataDirectory,
    nodeId,
    directoryId: metadataDirectoryId,
    raftConfig: raftConfigOf(config),
    segmentBytes: config.number("metadata.log.segment.bytes"),
    segmentMs: config.number("metadata.log.segment.ms"),
    maxRetentionBytes: config.number("metadata.max.retention.bytes"),
    maxRetentionMs: config.number("metadata.max.retention.ms"),
  });
  const controller = await QuorumController.start({
    config,
    random,
    metadataLog: quorum,
    listeners: [{ ...CONTROLLER_LISTENER, securityProtocol: PLAINTEXT }],
    publishers: [replicas, metadata],
    snapshots: {
      clock,
      maxBytesSinceLastSnapshot: config.number("metadata.log.max.record.bytes.between.snapshots"),
      maxTimeSinceLastSnapshotMs: config.number("metadata.log.max.snapshot.interval.ms"),
      onFailure: (error) => logger.error({ err: error }, "a snapshot of the metadata could not be written"),
    },
    onFatal,
  });
  stack.defer(unlessFailed(() => controller.close()));
  stack.defer(unlessFailed(() => replicas.close(brokerEpoch)));
  ({ brokerEpoch } = await controller.registerBroker({
    brokerId: nodeId,
    incarnationId: randomUuid(random),
    listeners: brokerListeners,
    supportedFeatures: SUPPORTED_FEATURES,
    previousBrokerEpoch: replicas.previousBrokerEpoch,
    rack: config.value("broker.rack") === null ? null : config.string("broker.rack"),
    directories: onlineDirectories(replicas),
  }));
  reporter.begin(controller, brokerEpoch);
  const broker = new Broker({
    nodeId,
    clusterId,
    brokerEpoch,
    kraftVersion: quorum.kraftVersion,
    config,
    metadata,
    replicas,
    controller,
    clock,
    random,
    mostConnections,
    logger,
    ...(metrics !== undefined && { metrics }),
    onFatal,
  });
  stack.defer(() => broker.drain());
  stack.defer(() => endpoint?.stops());
  await controller.unfenceBroker(nodeId, brokerEpoch, cordonedDirectories(replicas));
  gate.open(broker);
  endpoint?.serves(broker);

  const topics = new BrokerTopics(controller);
  const first = brokerListeners[0];
  if (first === undefined) throw new InvariantError("a broker has a listener");
  const close = async (): Promise<void> => {
    await stack.close().catch((error: unknown) => {
      outcome.reject(error);
      throw error;
    });
    outcome.resolve();
  };
  return {
    bootstrapServers: brokerListeners
      .map(({ host, port }) => `${host.includes(":") ? `[${host}]` : host}:${port}`)
      .join(","),
    host: first.host,
    port: first.port,
    metricsPort: endpoint?.port,
    dataDir: storage.name,
    clusterId,
    nodeId,
    version: samsaVersion(),
    createTopic: (name, topic) => topics.create(name, topic),
    topics: () => topics.names(),
    deleteAllTopics: () => topics.deleteAll(),
    closed: outcome.promise,
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** Loads what makes the pages only where they are asked for: a start without them does not wait for it. */
async function startMetrics(options: MetricsEndpointOptions, stack: CloseStack): Promise<MetricsEndpoint> {
  const { startMetricsEndpoint } = await import("./metrics/metrics-endpoint.ts");
  return startMetricsEndpoint(options, stack);
}

/** Those that the cluster may rely on. */
function onlineDirectories(replicas: ReplicaManager): readonly Uuid[] {
  return replicas.logDirs().flatMap(({ isOffline, directoryId }) => (isOffline ? [] : (directoryId ?? [])));
}

function cordonedDirectories(replicas: ReplicaManager): readonly Uuid[] {
  return replicas.logDirs().flatMap(({ isCordoned, directoryId }) => (isCordoned ? (directoryId ?? []) : []));
}

function directoryFailure(why: string, cause: unknown): KafkaError {
  const message = cause instanceof Error ? cause.message : String(cause);
  return new KafkaError(ErrorCode.KAFKA_STORAGE_ERROR, `a data directory has failed, and ${why}: ${message}`, {
    cause,
  });
}

function brokerConfig({ host, port, dataDir, properties = {} }: StartBrokerOptions): {
  readonly config: BrokerConfig;
  readonly isOpenAllowed: boolean;
} {
  const values = new Map(Object.entries(properties));
  const isOpenAllowed = values.get(ALLOW_OPEN_LISTENERS) === "true";
  values.delete(ALLOW_OPEN_LISTENERS);
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
  return { config: new BrokerConfig(new Map([...defaults, ...values])), isOpenAllowed };
}

/** Half of what the process may have open is for connections. */
function mostOpenFiles(): number {
  return Math.min(Math.floor((descriptorLimit() ?? 2048) / 2), MOST_OPEN_FILES);
}
