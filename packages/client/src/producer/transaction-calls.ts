import { ErrorCode, KafkaError, ProtocolError, ZERO_UUID } from "@samsa/base";
import { AddOffsetsToTxnRequest } from "@samsa/protocol/messages/add-offsets-to-txn-request";
import { AddOffsetsToTxnResponse } from "@samsa/protocol/messages/add-offsets-to-txn-response";
import { AddPartitionsToTxnRequest } from "@samsa/protocol/messages/add-partitions-to-txn-request";
import { AddPartitionsToTxnResponse } from "@samsa/protocol/messages/add-partitions-to-txn-response";
import { DescribeTransactionsRequest } from "@samsa/protocol/messages/describe-transactions-request";
import { DescribeTransactionsResponse } from "@samsa/protocol/messages/describe-transactions-response";
import { EndTxnRequest } from "@samsa/protocol/messages/end-txn-request";
import { EndTxnResponse } from "@samsa/protocol/messages/end-txn-response";
import { InitProducerIdRequest } from "@samsa/protocol/messages/init-producer-id-request";
import { InitProducerIdResponse } from "@samsa/protocol/messages/init-producer-id-response";
import {
  createTxnOffsetCommitRequestPartition,
  TxnOffsetCommitRequest,
} from "@samsa/protocol/messages/txn-offset-commit-request";
import { TxnOffsetCommitResponse } from "@samsa/protocol/messages/txn-offset-commit-response";
import type { Cluster } from "../cluster/cluster.ts";
import { CoordinatorType, findCoordinators } from "../cluster/find-coordinators.ts";
import type { TopicPartition } from "../cluster/topic-metadata.ts";
import { api } from "../connection/api.ts";
import type { BrokerConnection } from "../connection/connection.ts";
import type { ConsumerGroupMetadata } from "../consumer/group/member.ts";
import type { OffsetToCommit } from "../consumer/group/offset-requests.ts";
import { BrokerError, ClosedError, ConnectionError, toKafkaError } from "../errors.ts";
import { backoffDelayMs, sleep } from "../retry.ts";
import type { ProducerIdAndEpoch } from "./transaction-errors.ts";
import { ProducerFencedError } from "./transaction-errors.ts";

const INIT_PRODUCER_ID = api(InitProducerIdRequest, InitProducerIdResponse, { highestVersion: 5 }); // 6: KIP-939
/** From version 3 on a producer may ask for its own next epoch (KIP-360). */
const BUMP_EPOCH = api(InitProducerIdRequest, InitProducerIdResponse, { lowestVersion: 3, highestVersion: 5 });
/** What follows is for brokers. */
const ADD_PARTITIONS_TO_TXN = api(AddPartitionsToTxnRequest, AddPartitionsToTxnResponse, { highestVersion: 3 });
const ADD_OFFSETS_TO_TXN = api(AddOffsetsToTxnRequest, AddOffsetsToTxnResponse);
const END_TXN_V1 = api(EndTxnRequest, EndTxnResponse, { highestVersion: 4 });
const END_TXN_V2 = api(EndTxnRequest, EndTxnResponse, { lowestVersion: 5 });
const TXN_OFFSET_COMMIT = api(TxnOffsetCommitRequest, TxnOffsetCommitResponse);
const DESCRIBE_TRANSACTIONS = api(DescribeTransactionsRequest, DescribeTransactionsResponse);
const TRANSACTION_VERSION_FEATURE = "transaction.version";
/** From version 3 on a commit says which member of the group it comes from (KIP-447). */
const FIRST_COMMIT_WITH_MEMBER = 3;
const LAST_COMMIT_OF_V1 = 4;
const FIRST_COMMIT_OF_V2 = 5;
const FIRST_COMMIT_WITH_TOPIC_IDS = 6;
/** The transaction before is about to be over: a moment is enough. */
const CONCURRENT_TRANSACTIONS_BACKOFF_MS = 20;

/** Somebody else coordinates, or nobody yet. */
const LOST_COORDINATOR: ReadonlySet<ErrorCode> = new Set([
  ErrorCode.NOT_COORDINATOR,
  ErrorCode.COORDINATOR_NOT_AVAILABLE,
  ErrorCode.REQUEST_TIMED_OUT,
]);

export interface TransactionCallsOptions {
  readonly cluster: Cluster;
  readonly transactionalId: string;
  readonly transactionTimeoutMs: number;
  readonly retryBackoffMs: number;
  readonly retryBackoffMaxMs: number;
}

/**
 * What a transactional producer asks of coordinators. Each call is tried again until it is answered for good, or the producer is
 * closed; whoever waits for it may have less patience.
 */
export class TransactionCalls {
  readonly #options: TransactionCallsOptions;
  readonly #coordinators = new Map<string, number>(); // node ids by type and key
  #isClosed = false;

  constructor(options: TransactionCallsOptions) {
    this.#options = options;
  }

  close(): void {
    this.#isClosed = true;
  }

  /** Level of `transaction.version` that the brokers have agreed on. */
  transactionVersion(): Promise<number> {
    return this.#withCoordinator(async (connection) => connection.finalizedFeature(TRANSACTION_VERSION_FEATURE));
  }

  /** @param current asks for the epoch after this one, and keeps the id */
  initProducerId(current: ProducerIdAndEpoch | undefined): Promise<ProducerIdAndEpoch> {
    const { transactionalId, transactionTimeoutMs } = this.#options;
    const what = `InitProducerId of ${transactionalId}`;
    return this.#fencing(what, current, () =>
      this.#withCoordinator(async (connection) => {
        const request = InitProducerIdRequest.create({ transactionalId, transactionTimeoutMs, ...current });
        const which = current === undefined ? INIT_PRODUCER_ID : BUMP_EPOCH;
        const { errorCode, producerId, producerEpoch } = await connection.send(which, request);
        check(errorCode, what, connection);
        return { producerId, producerEpoch };
      }),
    );
  }

  /** With transactions V1: the partitions belong to the transaction from now on. */
  addPartitions(producer: ProducerIdAndEpoch, partitions: readonly TopicPartition[]): Promise<void> {
    const { transactionalId } = this.#options;
    const what = `AddPartitionsToTxn of ${transactionalId}`;
    const topics = new Map<string, number[]>();
    for (const { topic, partition } of partitions) topics.set(topic, [...(topics.get(topic) ?? []), partition]);
    return this.#fencing(what, producer, () =>
      this.#withCoordinator(async (connection) => {
        const request = AddPartitionsToTxnRequest.create({
          v3AndBelowTransactionalId: transactionalId,
          v3AndBelowProducerId: producer.producerId,
          v3AndBelowProducerEpoch: producer.producerEpoch,
          v3AndBelowTopics: Array.from(topics, ([name, indexes]) => ({ name, partitions: indexes })),
        });
        const { resultsByTopicV3AndBelow: results } = await connection.send(ADD_PARTITIONS_TO_TXN, request);
        const codes = results.flatMap(({ resultsByPartition }) =>
          resultsByPartition.map(({ partitionErrorCode }) => partitionErrorCode as ErrorCode),
        );
        const isReason = (code: ErrorCode): boolean =>
          code !== ErrorCode.NONE && code !== ErrorCode.OPERATION_NOT_ATTEMPTED;
        check(codes.find(isReason) ?? codes.find((code) => code !== ErrorCode.NONE) ?? 0, what, connection);
      }),
    );
  }

  /**
   * Commits offsets for when the transaction commits.
   * @throws KafkaError ILLEGAL_GENERATION, UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID for who has lost the partitions; what the coordinator
   *   refuses
   */
  async commitOffsets(
    producer: ProducerIdAndEpoch,
    offsets: readonly OffsetToCommit[],
    group: ConsumerGroupMetadata,
    isV2: boolean,
  ): Promise<void> {
    const { transactionalId } = this.#options;
    const { groupId } = group;
    if (!isV2) {
      const what = `AddOffsetsToTxn of ${transactionalId}`;
      await this.#fencing(what, producer, () =>
        this.#withCoordinator(async (connection) => {
          const request = AddOffsetsToTxnRequest.create({ transactionalId, ...producer, groupId });
          check((await connection.send(ADD_OFFSETS_TO_TXN, request)).errorCode, what, connection);
        }),
      );
    }
    const what = `TxnOffsetCommit of ${transactionalId} for ${groupId}`;
    let left = offsets;
    await this.#fencing(what, producer, () =>
      this.#retrying(CoordinatorType.group, groupId, async (connection) => {
        const errors = await this.#sendOffsets(connection, producer, left, group, isV2);
        left = left.filter((one) => errors.has(nameOf(one)));
        const codes = [...errors.values()];
        // One that is final says more than one that goes by.
        check(codes.find((code) => !new KafkaError(code).isRetriable) ?? codes[0] ?? 0, what, connection);
      }),
    );
  }

  /** @returns who the producer is from now on; with V1 the same as before */
  endTxn(producer: ProducerIdAndEpoch, committed: boolean, isV2: boolean): Promise<ProducerIdAndEpoch> {
    const { transactionalId } = this.#options;
    const what = `EndTxn of ${transactionalId}`;
    return this.#fencing(what, producer, () =>
      this.#withCoordinator(async (connection) => {
        const request = EndTxnRequest.create({ transactionalId, ...producer, committed });
        const { errorCode, producerId, producerEpoch } = await connection.send(isV2 ? END_TXN_V2 : END_TXN_V1, request);
        check(errorCode, what, connection);
        return isV2 && producerEpoch >= 0 ? { producerId, producerEpoch } : producer;
      }),
    );
  }

  async #sendOffsets(
    connection: BrokerConnection,
    producer: ProducerIdAndEpoch,
    offsets: readonly OffsetToCommit[],
    { groupId, generationId, memberId, groupInstanceId }: ConsumerGroupMetadata,
    isV2: boolean,
  ): Promise<ReadonlyMap<string, ErrorCode>> {
    const { transactionalId, cluster } = this.#options;
    const { metadata } = cluster;
    const byTopic = new Map<string, OffsetToCommit[]>();
    for (const one of offsets) byTopic.set(one.topic, [...(byTopic.get(one.topic) ?? []), one]);
    const idOf = (topic: string) => metadata.topic(topic)?.topicId ?? ZERO_UUID;
    const hasIds = [...byTopic.keys()].every((topic) => idOf(topic) !== ZERO_UUID);
    const request = TxnOffsetCommitRequest.create({
      transactionalId,
      groupId,
      ...producer,
      generationIdOrMemberEpoch: generationId,
      memberId,
      groupInstanceId,
      topics: Array.from(byTopic, ([name, partitions]) => ({
        name,
        topicId: idOf(name),
        partitions: partitions.map(({ partition, offset, leaderEpoch = -1, metadata: note = "" }) =>
          createTxnOffsetCommitRequestPartition({
            partitionIndex: partition,
            committedOffset: offset,
            committedLeaderEpoch: leaderEpoch,
            committedMetadata: note,
          }),
        ),
      })),
    });
    const newest = hasIds ? FIRST_COMMIT_WITH_TOPIC_IDS : FIRST_COMMIT_OF_V2;
    const oldest = generationId >= 0 || memberId !== "" ? FIRST_COMMIT_WITH_MEMBER : 0;
    const { topics } = await connection.send(
      {
        ...TXN_OFFSET_COMMIT,
        lowestVersion: isV2 ? FIRST_COMMIT_OF_V2 : oldest,
        highestVersion: isV2 ? newest : LAST_COMMIT_OF_V1,
      },
      request,
    );
    const errors = new Map<string, ErrorCode>();
    for (const { name, topicId, partitions } of topics) {
      const topic = name === "" ? ([...byTopic.keys()].find((one) => idOf(one) === topicId) ?? "") : name;
      for (const { partitionIndex, errorCode } of partitions) {
        if (errorCode !== 0) errors.set(nameOf({ topic, partition: partitionIndex }), errorCode as ErrorCode);
      }
    }
    return errors;
  }

  #withCoordinator<T>(attempt: (connection: BrokerConnection) => Promise<T>): Promise<T> {
    return this.#retrying(CoordinatorType.transaction, this.#options.transactionalId, attempt);
  }

  async #retrying<T>(
    type: CoordinatorType,
    key: string,
    attempt: (connection: BrokerConnection) => Promise<T>,
  ): Promise<T> {
    const { cluster, retryBackoffMs: backoffMs, retryBackoffMaxMs: backoffMaxMs } = this.#options;
    for (let attempts = 0; ; attempts++) {
      if (this.#isClosed) throw new ClosedError("the producer");
      try {
        return await attempt(await this.#coordinator(type, key));
      } catch (thrown) {
        const error = toKafkaError(thrown);
        if (cluster.isClosed || !(error.isRetriable || error instanceof ProtocolError)) throw error;
        const isLost = error instanceof ConnectionError || error instanceof ProtocolError;
        if (isLost || LOST_COORDINATOR.has(error.code)) this.#coordinators.delete(`${type} ${key}`);
        const isBusy = error.code === ErrorCode.CONCURRENT_TRANSACTIONS;
        const firstMs = isBusy ? Math.min(CONCURRENT_TRANSACTIONS_BACKOFF_MS, backoffMs) : backoffMs;
        await sleep(
          backoffDelayMs({ backoffMs: firstMs, backoffMaxMs }, attempts, cluster.options.random),
          cluster.retries,
        );
      }
    }
  }

  async #coordinator(type: CoordinatorType, key: string): Promise<BrokerConnection> {
    const { cluster } = this.#options;
    const name = `${type} ${key}`;
    let nodeId = this.#coordinators.get(name);
    if (nodeId === undefined) {
      const found = (await findCoordinators(cluster, type, [key])).get(key);
      if (typeof found !== "number") throw found ?? new BrokerError(ErrorCode.COORDINATOR_NOT_AVAILABLE, key);
      nodeId = found;
      this.#coordinators.set(name, nodeId);
    }
    return await cluster.connectionTo(nodeId);
  }

  /** Coordinators of before KIP-588 say INVALID_PRODUCER_EPOCH for what is meant by PRODUCER_FENCED. */
  async #fencing<T>(what: string, producer: ProducerIdAndEpoch | undefined, call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } catch (error) {
      const { code } = toKafkaError(error);
      const isFenced = code === ErrorCode.PRODUCER_FENCED || code === ErrorCode.INVALID_PRODUCER_EPOCH;
      if (!isFenced || producer === undefined) throw error;
      const by = await this.#currentProducer(producer);
      throw new ProducerFencedError(this.#options.transactionalId, producer, by, what, { cause: error });
    }
  }

  /** Asked once, for the message only. */
  async #currentProducer(fenced: ProducerIdAndEpoch): Promise<ProducerIdAndEpoch | undefined> {
    const { transactionalId } = this.#options;
    try {
      const connection = await this.#coordinator(CoordinatorType.transaction, transactionalId);
      const request = DescribeTransactionsRequest.create({ transactionalIds: [transactionalId] });
      const [state] = (await connection.send(DESCRIBE_TRANSACTIONS, request)).transactionStates;
      if (state === undefined || state.errorCode !== 0) return undefined;
      const { producerId, producerEpoch } = state;
      const isOther = producerId !== fenced.producerId || producerEpoch !== fenced.producerEpoch;
      return isOther ? { producerId, producerEpoch } : undefined;
    } catch {
      return undefined; // what we know already is what matters
    }
  }
}

function check(errorCode: number, what: string, { address }: BrokerConnection): void {
  if (errorCode !== 0) throw new BrokerError(errorCode as ErrorCode, what, null, address);
}

function nameOf({ topic, partition }: TopicPartition): string {
  return `${topic}-${partition}`;
}
