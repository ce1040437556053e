import type { Clock, Connection, ConnectionHandler, InvariantError, Random, Timer } from "@samsa/base";
import type { QuorumController } from "@samsa/controller";
import type { DescribedTransaction, ListedGroup } from "@samsa/coordinator";
import type { BrokerConfig } from "@samsa/metadata";
import { EffectiveBrokerConfig, isAlive } from "@samsa/metadata";
import { ApiKey } from "@samsa/protocol";
import type { ReplicaManager } from "@samsa/replication";
import { API_ENDPOINTS } from "./api-endpoints.ts";
import { type BrokerLoggers, LoggerName } from "./broker-loggers.ts";
import { AutoTopicCreation } from "./auto-topic-creation.ts";
import { ClientConnection } from "./client-connection.ts";
import type { ClientMetricsReceiver } from "./client-telemetry/client-metrics-manager.ts";
import { ClientMetricsManager } from "./client-telemetry/client-metrics-manager.ts";
import { ConnectionAcceptor } from "./connection-acceptor.ts";
import { FetchSessionCache } from "./fetch-session/fetch-session-cache.ts";
import { GroupCoordinatorService } from "./group-coordinator-service.ts";
import { InternalTopicCreation } from "./internal-topics.ts";
import type { BrokerMetrics } from "./metrics/broker-metrics.ts";
import type { MetadataCache } from "./metadata-cache.ts";
import { ProducerIdManager } from "./producer-id-manager.ts";
import { BrokerConnectionLimits } from "./quota/broker-connection-limits.ts";
import type { ConnectionLimits } from "./quota/connection-quotas.ts";
import { ConnectionQuotas } from "./quota/connection-quotas.ts";
import { QuotaManagers, quotaWindow } from "./quota/quota-managers.ts";
import { RequestMemory } from "./quota/request-memory.ts";
import { RequestDispatcher } from "./request-dispatcher.ts";
import type { RequestProbe } from "./request-probe.ts";
import { TransactionCoordinatorService } from "./transaction-coordinator-service.ts";
import { TransactionVerifier } from "./transaction-verification.ts";
import { writeTxnMarkers } from "./write-txn-markers.ts";

const ALL_APIS = API_ENDPOINTS.map(({ advertised }) => advertised);
const TELEMETRY: readonly number[] = [ApiKey.GetTelemetrySubscriptions, ApiKey.PushTelemetry];
const APIS_WITHOUT_TELEMETRY = ALL_APIS.filter(({ apiKey }) => !TELEMETRY.includes(apiKey));

const VERIFICATION_ENABLE = "transaction.partition.verification.enable";
/** How long a stop waits for clients to take their last answers. */
const DRAIN_TIMEOUT_MS = 2000;
/** How often connections are looked at, for those that are idle or too slow. */
const CHECK_INTERVAL_MS = 1000;
/** Memory for requests and answers on their way, where `queued.max.request.bytes` sets no bound. */
const DEFAULT_REQUEST_MEMORY_BYTES = 256 * 1024 * 1024;
/** Connections, where neither `max.connections` nor the process sets a bound. */
const DEFAULT_MAX_CONNECTIONS = 10_000;

export interface BrokerOptions {
  readonly nodeId: number;
  readonly clusterId: string;
  readonly brokerEpoch: number;
  readonly kraftVersion: number;
  readonly config: BrokerConfig;
  readonly metadata: MetadataCache;
  readonly replicas: ReplicaManager;
  readonly controller: QuorumController;
  readonly clock: Clock;
  readonly random: Random;
  readonly loggers: BrokerLoggers;
  /** Connections to take where `max.connections` is not set. */
  readonly mostConnections?: number;
  /** Counts what is done. Default: nothing is counted. */
  readonly metrics?: BrokerMetrics;
  /** Takes the metrics that clients push. */
  readonly clientMetricsReceiver?: ClientMetricsReceiver | undefined;
  /** Stands in front of the handlers, for tests. */
  readonly probe?: RequestProbe;
  /** A promise of our own code was broken; the process must stop. */
  readonly onFatal: (error: InvariantError) => void;
}

/** The request side of a node: connections come in, requests go to their handlers. */
export class Broker {
  readonly #options: BrokerOptions;
  readonly #dispatcher: RequestDispatcher;
  readonly #groups: GroupCoordinatorService;
  readonly #transactions: TransactionCoordinatorService;
  readonly #connections = new Set<ClientConnection>();
  readonly #quotas: QuotaManagers;
  readonly #acceptor: ConnectionAcceptor;
  readonly #connectionQuotas: ConnectionQuotas;
  readonly #connectionLimits: BrokerConnectionLimits;
  readonly #memory: RequestMemory;
  #check: Timer | undefined;
  readonly #fetchSessions: FetchSessionCache;
  readonly clientMetrics: ClientMetricsManager;
  #whenEmpty: (() => void) | undefined;
  #isDraining = false;

  constructor(options: BrokerOptions) {
    const { config, controller, nodeId, brokerEpoch, random, clock, loggers } = options;
    this.#options = options;
    this.#quotas = new QuotaManagers(options);
    this.#connectionQuotas = new ConnectionQuotas(quotaWindow(config));
    this.#connectionLimits = new BrokerConnectionLimits(config, options.mostConnections ?? DEFAULT_MAX_CONNECTIONS);
    const queuedBytes = config.number("queued.max.request.bytes");
    this.#memory = new RequestMemory(queuedBytes > 0 ? queuedBytes : DEFAULT_REQUEST_MEMORY_BYTES);
    this.#acceptor = new ConnectionAcceptor({
      quotas: this.#connectionQuotas,
      limits: () => this.#limits,
      serve: (connection, listenerName) => this.#serve(connection, listenerName),
      clock,
      logger: loggers.get(LoggerName.network),
    });
    this.#groups = new GroupCoordinatorService({ ...options, logger: loggers.get(LoggerName.groups) });
    const producerIds = new ProducerIdManager(() => controller.allocateProducerIds(nodeId, brokerEpoch));
    const groups = this.#groups.coordinator;
    const markerWriting = { replicas: options.replicas, groups, clock, logger: loggers.get(LoggerName.apis) };
    this.#transactions = new TransactionCoordinatorService({
      ...options,
      logger: loggers.get(LoggerName.transactions),
      producerIds,
      writeTxnMarkers: (markers) => writeTxnMarkers(markers, markerWriting),
    });
    this.#fetchSessions = new FetchSessionCache({
      maxSessions: config.number("max.incremental.fetch.session.cache.slots"),
      random,
    });
    this.clientMetrics = new ClientMetricsManager({
      clock,
      random,
      configs: () => options.metadata.image.configs,
      maxBytes: () => config.number("telemetry.max.bytes"),
      receiver: options.clientMetricsReceiver,
    });
    this.#dispatcher = new RequestDispatcher(API_ENDPOINTS, {
      ...options,
      logger: loggers.get(LoggerName.apis),
      requestLog: loggers.get(LoggerName.requests),
      autoTopicCreation: new AutoTopicCreation({
        config,
        createTopics: (request, quota) => controller.createTopics(request, quota),
      }),
      internalTopics: new InternalTopicCreation({
        config,
        aliveBrokers: () => [...options.metadata.image.cluster.brokers.values()].filter(isAlive).length,
        createTopics: (request) => controller.createTopics(request),
      }),
      groups,
      transactions: this.#transactions.coordinator,
      transactionVerifier: new TransactionVerifier({
        config,
        isVerificationEnabled: () =>
          new EffectiveBrokerConfig(options.metadata.image.configs, config).boolean(VERIFICATION_ENABLE),
        clock,
        transactions: this.#transactions,
      }),
      producerIds,
      fetchSessions: this.#fetchSessions,
      quotas: this.#quotas,
      clientMetrics: this.clientMetrics,
      servedApis: () => (this.clientMetrics.isAdvertised ? ALL_APIS : APIS_WITHOUT_TELEMETRY),
    });
  }

  /** For metrics. */
  get fetchSessions(): { readonly size: number; readonly partitions: number } {
    return this.#fetchSessions;
  }

  /** For metrics: those that are coordinated here; none while they cannot be told. */
  listGroups(): Promise<readonly ListedGroup[]> {
    return this.#groups.coordinator.listGroups().catch(() => []);
  }

  /** As `listGroups`. */
  listTransactions(): Promise<readonly DescribedTransaction[]> {
    return this.#transactions.coordinator.listTransactions().catch(() => []);
  }

  /** Serves a client that came in by the named listener. */
  accept(connection: Connection, listenerName: string): ConnectionHandler {
    return this.#acceptor.accept(connection, listenerName);
  }

  #serve(connection: Connection, listenerName: string): ConnectionHandler {
    const { config, clock } = this.#options;
    const client = new ClientConnection({
      connection,
      dispatcher: this.#dispatcher,
      listenerName,
      maxRequestBytes: config.number("socket.request.max.bytes"),
      maxIdleMs: config.number("connections.max.idle.ms"),
      memory: this.#memory,
      clock,
      metrics: this.#options.metrics,
      logger: this.#options.loggers.get(LoggerName.network),
      onClose: (closed) => {
        this.#forget(closed);
        this.#acceptor.release(connection, listenerName);
      },
      onFatal: this.#options.onFatal,
    });
    if (this.#isDraining) connection.destroy();
    else this.#connections.add(client);
    this.#checkLater();
    this.#countConnections(1);
    return client;
  }

  get #limits(): ConnectionLimits {
    return this.#connectionLimits.current(this.#options.metadata.image, this.#quotas.limits);
  }

  /** One timer for all connections, as long as there are any. */
  #checkLater(): void {
    if (this.#check !== undefined || this.#connections.size === 0) return;
    this.#check = this.#options.clock.setTimer(CHECK_INTERVAL_MS, () => {
      this.#check = undefined;
      for (const client of this.#connections) client.check();
      this.#closeExcess();
      this.#acceptor.retry(); // the limits may have been raised
      this.#checkLater();
    });
  }

  /** `max.connections` may have been lowered: those go that were used least lately, as in Kafka. */
  #closeExcess(): void {
    const excess = this.#connectionQuotas.total - this.#limits.maxConnections;
    if (excess <= 0) return;
    const byUse = [...this.#connections].sort((a, b) => a.lastActiveMs - b.lastActiveMs);
    for (const client of byUse.slice(0, excess)) client.close();
  }

  /** Answers what was started and closes every connection; a client that does not take its answers is cut off. */
  async drain(): Promise<void> {
    this.#isDraining = true;
    this.#acceptor.close();
    this.#transactions.close();
    this.#groups.close(); // members that wait for a rebalance are told to look elsewhere
    if (this.#connections.size === 0) return;
    await new Promise<void>((resolve) => {
      const timer = this.#options.clock.setTimer(DRAIN_TIMEOUT_MS, () => {
        for (const client of this.#connections) client.close();
      });
      this.#whenEmpty = () => {
        timer.cancel();
        resolve();
      };
      for (const client of this.#connections) client.drain();
    });
  }

  #countConnections(accepted: number): void {
    const { metrics } = this.#options;
    if (metrics === undefined) return;
    metrics.connections = this.#connections.size;
    metrics.connectionsAccepted += accepted;
  }

  #forget(client: ClientConnection): void {
    this.#connections.delete(client);
    this.#countConnections(0);
    if (this.#connections.size > 0) return;
    this.#check?.cancel();
    this.#check = undefined;
    this.#whenEmpty?.();
  }
}
