import type { Clock } from "@samsa/base";
import type { QuorumController } from "@samsa/controller";
import type { GroupCoordinator, TransactionCoordinator } from "@samsa/coordinator";
import type { BrokerConfig } from "@samsa/metadata";
import type { ReplicaManager } from "@samsa/replication";
import type { AutoTopicCreation } from "./auto-topic-creation.ts";
import type { InternalTopicCreation } from "./internal-topics.ts";
import type { ClientMetricsManager } from "./client-telemetry/client-metrics-manager.ts";
import type { FetchSessionCache } from "./fetch-session/fetch-session-cache.ts";
import type { BrokerLoggers, LeveledLogger } from "./broker-loggers.ts";
import type { Logger } from "./logger.ts";
import type { BrokerMetrics } from "./metrics/broker-metrics.ts";
import type { MetadataCache } from "./metadata-cache.ts";
import type { QuotaManagers } from "./quota/quota-managers.ts";
import type { ProducerIdManager } from "./producer-id-manager.ts";
import type { RequestProbe } from "./request-probe.ts";
import type { TransactionVerifier } from "./transaction-verification.ts";

/** What the handlers share. */
export interface BrokerServices {
  readonly nodeId: number;
  readonly clusterId: string;
  /** The level of the feature kraft.version: the metadata image does not hold it. */
  readonly kraftVersion: number;
  readonly config: BrokerConfig;
  readonly metadata: MetadataCache;
  readonly replicas: ReplicaManager;
  readonly controller: QuorumController;
  readonly autoTopicCreation: AutoTopicCreation;
  readonly internalTopics: InternalTopicCreation;
  readonly groups: GroupCoordinator;
  readonly transactions: TransactionCoordinator;
  readonly transactionVerifier: TransactionVerifier;
  readonly producerIds: ProducerIdManager;
  readonly fetchSessions: FetchSessionCache;
  readonly quotas: QuotaManagers;
  readonly clock: Clock;
  /** Of the handlers. */
  readonly logger: Logger;
  /** Told of each request at DEBUG, as Kafka's of the same name. */
  readonly requestLog: LeveledLogger;
  readonly loggers: BrokerLoggers;
  readonly clientMetrics: ClientMetricsManager;
  /** Counts what is done. None: nobody asks. */
  readonly metrics?: BrokerMetrics | undefined;
  /** Sees every request before its handler. None: as it should be outside of tests. */
  readonly probe?: RequestProbe | undefined;
  /** What the ApiVersions answer lists. */
  readonly servedApis: () => readonly ServedApi[];
}

export interface ServedApi {
  readonly apiKey: number;
  readonly lowestVersion: number;
  readonly highestVersion: number;
}
