import type { Clock, Random, Uuid } from "@samsa/base";
import { ErrorCode, KafkaError, randomUuid, ZERO_UUID } from "@samsa/base";
import type { BrokerLoggers, BrokerMetrics, ClientMetricsReceiver, RequestProbe } from "@samsa/broker";
import { Broker, LoggerName, MetadataCache } from "@samsa/broker";
import { prepareDataDirectories, QuorumController, raftConfigOf, SingleVoterQuorum } from "@samsa/controller";
import { descriptorLimit } from "@samsa/io";
import type { LogProblem, TopicPartition } from "@samsa/log";
import { KafkaStorageError, LogDirs, OpenFiles, PooledDisk } from "@samsa/log";
import type { BrokerConfig, Endpoint } from "@samsa/metadata";
import { EffectiveBrokerConfig, SUPPORTED_FEATURES } from "@samsa/metadata";
import { logCleanerConfigOf, ReplicaManager } from "@samsa/replication";
import type { CloseStack } from "./closing.ts";
import { DirectoryReporter } from "./directory-reporter.ts";
import type { Storage } from "./storage.ts";

export interface NodeOptions {
  readonly config: BrokerConfig;
  readonly storage: Storage;
  /** Of a directory that is formatted now. */
  readonly clusterId: string | undefined;
  /** Where clients are told to go. */
  readonly listeners: readonly Endpoint[];
  readonly clock: Clock;
  readonly random: Random;
  readonly loggers: BrokerLoggers;
  readonly mostConnections: number;
  readonly metrics: BrokerMetrics | undefined;
  readonly clientMetricsReceiver: ClientMetricsReceiver | undefined;
  readonly probe: RequestProbe;
  readonly failure: { readonly hasHappened: boolean };
  readonly onFatal: (error: unknown) => void;
}

/** All of a broker but its listeners: from its data directories to what serves connections. */
export interface BrokerNode {
  readonly clusterId: string;
  readonly metadata: MetadataCache;
  readonly replicas: ReplicaManager;
  readonly controller: QuorumController;
  readonly broker: Broker;
}

const PLAINTEXT = 0; // the code of the security protocol
export const CONTROLLER_LISTENER = { name: "CONTROLLER", host: "localhost", port: 9093 };
const MOST_OPEN_FILES = 16_384;

/**
 * Opens the data directories, formatted first where they are empty, and makes the node that serves them.
 * @param stack takes how to stop it again, also of one that does not come up
 */
export async function startNode(options: NodeOptions, stack: CloseStack): Promise<BrokerNode> {
  const { config, storage, listeners, clock, random, loggers, mostConnections, metrics, probe, failure, onFatal } =
    options;
  const { metadataDirectory } = storage;
  const logger = loggers.get(LoggerName.replicas);
  const nodeId = config.number("node.id");
  const disk = new PooledDisk(storage.disk, new OpenFiles(mostOpenFiles()));
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
  for (const { path, failure: why } of directories) {
    if (why !== undefined) logger.error({ directory: path, err: why }, "a data directory cannot be used");
  }
  // After a failure nothing is written any more, the clean marker least of all: the next start recovers.
  const unlessFailed = (closer: () => Promise<void>) => () => (failure.hasHappened ? undefined : closer());

  const metadata = new MetadataCache();
  let brokerEpoch = -1;
  const reporter = new DirectoryReporter({
    clock,
    nodeId,
    failureTimeoutMs: config.number("log.dir.failure.timeout.ms"),
    onFatal,
  });
  const tellProblem = ({ path: file, message, isOffline }: LogProblem): void => {
    const text = message.startsWith(`${file}: `) ? message.slice(file.length + 2) : message;
    if (isOffline) logger.error({ file }, text);
    else logger.warn({ file }, text);
  };
  const replicas: ReplicaManager = new ReplicaManager({
    brokerId: nodeId,
    config,
    clock,
    assignDirectory: (assignment) => reporter.assign(assignment),
    onBrokerConfigChanged: () => reporter.directoriesCordoned(cordonedDirectories(replicas)),
    openLogs: async (image, configFor, isCordoned) => {
      const isStray = ({ topic }: TopicPartition, topicId: Uuid) =>
        topicId === ZERO_UUID ? !image.topics.byName.has(topic) : !image.topics.byId.has(topicId);
      const broker = new EffectiveBrokerConfig(image.configs, config);
      return await LogDirs.open({
        onProblem: tellProblem,
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
    },
    onReplicaError: (name, error) => {
      const reason = error instanceof KafkaStorageError ? { reason: error.message } : { err: error };
      logger.error({ replica: name, ...reason }, "a replica is offline");
    },
  });
  const quorum = await SingleVoterQuorum.open({
    disk,
    clock,
    random,
    directory: metadataDirectory,
    nodeId,
    directoryId: metadataDirectoryId,
    clusterId,
    raftConfig: raftConfigOf(config),
    segmentBytes: config.number("metadata.log.segment.bytes"),
    segmentMs: config.number("metadata.log.segment.ms"),
    maxRetentionBytes: config.number("metadata.max.retention.bytes"),
    maxRetentionMs: config.number("metadata.max.retention.ms"),
    report: (path, message) => tellProblem({ path, message, isOffline: false }),
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
      onFailure: (error) =>
        loggers.get(LoggerName.controller).error({ err: error }, "a snapshot of the metadata could not be written"),
    },
    onFatal,
  });
  stack.defer(unlessFailed(() => controller.close()));
  stack.defer(unlessFailed(() => replicas.close(brokerEpoch)));
  ({ brokerEpoch } = await controller.registerBroker({
    brokerId: nodeId,
    incarnationId: randomUuid(random),
    listeners,
    supportedFeatures: SUPPORTED_FEATURES,
    previousBrokerEpoch: replicas.previousBrokerEpoch,
    rack: config.value("broker.rack") === null ? null : config.string("broker.rack"),
    directories: onlineDirectories(replicas),
  }));
  stack.defer(unlessFailed(() => leaveCluster(controller, nodeId, brokerEpoch)));
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
    loggers,
    ...(metrics !== undefined && { metrics }),
    clientMetricsReceiver: options.clientMetricsReceiver,
    probe,
    onFatal,
  });
  stack.defer(() => broker.drain());
  await controller.unfenceBroker(nodeId, brokerEpoch, cordonedDirectories(replicas));

  return { clusterId, metadata, replicas, controller, broker };
}

/**
 * Gives up what the broker leads, then its registration, as Kafka does. One that is left unfenced is taken for one that runs: Apache
 * Kafka, started on this directory, refuses to register until the session of it has ended.
 */
async function leaveCluster(controller: QuorumController, brokerId: number, brokerEpoch: number): Promise<void> {
  const fenced = [
    controller.beginControlledShutdown(brokerId, brokerEpoch),
    controller.fenceBroker(brokerId, brokerEpoch),
  ];
  await Promise.all(fenced);
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

/** Half of what the process may have open is for connections. */
export function mostOpenFiles(): number {
  return Math.min(Math.floor((descriptorLimit() ?? 2048) / 2), MOST_OPEN_FILES);
}
