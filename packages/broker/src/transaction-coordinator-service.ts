import type { Clock, ErrorCode } from "@samsa/base";
import type { PartitionErrors, TransactionConfig } from "@samsa/coordinator";
import { topicPartitions, TransactionCoordinator } from "@samsa/coordinator";
import type { BrokerConfig, MetadataImage } from "@samsa/metadata";
import { TRANSACTION_STATE_TOPIC_NAME } from "@samsa/metadata";
import type { ReplicaManager } from "@samsa/replication";
import { leadPartitions } from "./coordinator-leadership.ts";
import type { Logger } from "./logger.ts";
import type { MetadataCache } from "./metadata-cache.ts";
import type { ProducerIdManager } from "./producer-id-manager.ts";
import type { MarkerWriter } from "./transaction-marker-channel.ts";
import { TransactionMarkerChannel } from "./transaction-marker-channel.ts";
import type { TransactionPartitions, TransactionPort } from "./transaction-port.ts";

export interface TransactionCoordinatorServiceOptions {
  readonly nodeId: number;
  readonly config: BrokerConfig;
  readonly metadata: MetadataCache;
  readonly replicas: ReplicaManager;
  readonly producerIds: ProducerIdManager;
  /** Into the partitions that this broker leads. */
  readonly writeTxnMarkers: MarkerWriter;
  readonly clock: Clock;
  readonly logger: Logger;
}

const TRANSACTION_VERSION_FEATURE = "transaction.version";
/** Of clients that leave it to the leaders to add partitions. */
const IMPLICIT_PARTITIONS_VERSION = 2;

/** Has the transaction coordinator lead what the metadata gives to this broker, on the logs of the replica manager. */
export class TransactionCoordinatorService implements TransactionPort {
  readonly coordinator: TransactionCoordinator;
  readonly #options: TransactionCoordinatorServiceOptions;
  #isClosed = false;

  constructor(options: TransactionCoordinatorServiceOptions) {
    const { nodeId, config, clock, logger, metadata, producerIds, writeTxnMarkers } = options;
    this.#options = options;
    const channel = new TransactionMarkerChannel({
      metadata,
      writerOf: (brokerId) => (brokerId === nodeId ? writeTxnMarkers : undefined),
      clock,
    });
    this.coordinator = new TransactionCoordinator({
      config: transactionConfigOf(config),
      ports: {
        generateProducerId: () => producerIds.generateProducerId(),
        writeMarkers: (marker, partitions) => channel.writeMarkers(marker, partitions),
        transactionVersion: () => metadata.image.features.level(TRANSACTION_VERSION_FEATURE),
      },
      clock,
      onProblem: (partition, error) =>
        logger.error(
          { topic: TRANSACTION_STATE_TOPIC_NAME, partition, err: error },
          "transactions cannot be coordinated",
        ),
    });
    metadata.subscribe((_delta, image) => this.#follow(image));
    this.#follow(metadata.image);
  }

  /** Whoever waits is told to look elsewhere. */
  close(): void {
    this.#isClosed = true;
    this.coordinator.close();
  }

  /** Asked by the leaders of partitions; a coordinator that is elsewhere is not reached yet. */
  verifyOrAddPartitions(request: TransactionPartitions): readonly ErrorCode[] | Promise<readonly ErrorCode[]> {
    const { transactionalId, producerId, producerEpoch, partitions, mode } = request;
    if (mode === "verify") {
      const judge = (verdict: PartitionErrors): readonly ErrorCode[] =>
        partitions.map(({ topic, partition }) => verdict(topic, partition));
      const verdict = this.coordinator.verifyPartitions(transactionalId, { producerId, producerEpoch });
      return verdict instanceof Promise ? verdict.then(judge) : judge(verdict);
    }
    const code = this.coordinator.addPartitions(transactionalId, {
      producerId,
      producerEpoch,
      partitions: topicPartitions(partitions.map(({ topic, partition }) => [topic, [partition]] as const)),
      clientTransactionVersion: IMPLICIT_PARTITIONS_VERSION,
    });
    const ofEach = (one: ErrorCode): readonly ErrorCode[] => partitions.map(() => one);
    return code instanceof Promise ? code.then(ofEach) : ofEach(code);
  }

  #follow(image: MetadataImage): void {
    if (this.#isClosed) return;
    const { nodeId, replicas, config } = this.#options;
    const topicName = TRANSACTION_STATE_TOPIC_NAME;
    const loadBufferBytes = config.number("transaction.state.log.load.buffer.size");
    leadPartitions(this.coordinator, image, { topicName, nodeId, replicas, loadBufferBytes });
  }
}

function transactionConfigOf(config: BrokerConfig): TransactionConfig {
  return {
    maxTimeoutMs: config.number("transaction.max.timeout.ms"),
    abortTimedOutIntervalMs: config.number("transaction.abort.timed.out.transaction.cleanup.interval.ms"),
    expirationMs: config.number("transactional.id.expiration.ms"),
    removeExpiredIntervalMs: config.number("transaction.remove.expired.transaction.cleanup.interval.ms"),
  };
}
