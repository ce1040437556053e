import type { KafkaError } from "@samsa/base";
import { DescribeProducersRequest } from "@samsa/protocol/messages/describe-producers-request";
import { DescribeProducersResponse } from "@samsa/protocol/messages/describe-producers-response";
import { DescribeTransactionsRequest } from "@samsa/protocol/messages/describe-transactions-request";
import { DescribeTransactionsResponse } from "@samsa/protocol/messages/describe-transactions-response";
import { InitProducerIdRequest } from "@samsa/protocol/messages/init-producer-id-request";
import { InitProducerIdResponse } from "@samsa/protocol/messages/init-producer-id-response";
import { ListTransactionsRequest } from "@samsa/protocol/messages/list-transactions-request";
import { ListTransactionsResponse } from "@samsa/protocol/messages/list-transactions-response";
import { WriteTxnMarkersRequest } from "@samsa/protocol/messages/write-txn-markers-request";
import { WriteTxnMarkersResponse } from "@samsa/protocol/messages/write-txn-markers-response";
import { CoordinatorType } from "../cluster/find-coordinators.ts";
import type { TopicPartition } from "../cluster/topic-metadata.ts";
import { api } from "../connection/api.ts";
import type { AdminDriver } from "./admin-driver.ts";
import { errorOf, throwCode } from "./admin-driver.ts";
import type { ItemResults } from "./item-results.ts";
import { nameOf } from "./offsets.ts";
import { group, toBroker, toCoordinator, toLeader } from "./routes.ts";
import { byName } from "./topics.ts";

const DESCRIBE_PRODUCERS = api(DescribeProducersRequest, DescribeProducersResponse);
const LIST_TRANSACTIONS = api(ListTransactionsRequest, ListTransactionsResponse);
const DESCRIBE_TRANSACTIONS = api(DescribeTransactionsRequest, DescribeTransactionsResponse);
const WRITE_TXN_MARKERS = api(WriteTxnMarkersRequest, WriteTxnMarkersResponse);
const INIT_PRODUCER_ID = api(InitProducerIdRequest, InitProducerIdResponse);
const UNKNOWN = -1;

export interface ProducerState {
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly lastSequence: number;
  readonly lastTimestamp: number;
  readonly coordinatorEpoch: number | undefined;
  readonly currentTransactionStartOffset: number | undefined; // undefined when none is open
}

/** Who writes to partitions (KIP-664), as their leaders know it or a broker that is named. Named `topic-partition`. */
export async function describeProducers(
  driver: AdminDriver,
  partitions: readonly TopicPartition[],
  brokerId: number | undefined,
): Promise<ItemResults<readonly ProducerState[]>> {
  return await driver.items<TopicPartition, readonly ProducerState[]>({
    what: "DescribeProducers",
    items: partitions,
    nameOf,
    route: brokerId === undefined ? toLeader() : toBroker(() => brokerId),
    ask: async (connection, some) => {
      const request = DescribeProducersRequest.create({
        topics: Array.from(
          group(some, ({ topic }) => topic),
          ([name, same]) => ({
            name,
            partitionIndexes: same.map(({ partition }) => partition),
          }),
        ),
      });
      const { topics } = await connection.send(DESCRIBE_PRODUCERS, request);
      const answers = topics.flatMap(({ name: topic, partitions: told }) =>
        told.map((answer): [string, readonly ProducerState[] | KafkaError] => {
          const name = `${topic}-${answer.partitionIndex}`;
          const error = errorOf(answer.errorCode, `DescribeProducers of ${name}`, answer.errorMessage);
          const states = answer.activeProducers.map((state) => ({
            producerId: state.producerId,
            producerEpoch: state.producerEpoch,
            lastSequence: state.lastSequence,
            lastTimestamp: state.lastTimestamp,
            coordinatorEpoch: state.coordinatorEpoch < 0 ? undefined : state.coordinatorEpoch,
            currentTransactionStartOffset: state.currentTxnStartOffset < 0 ? undefined : state.currentTxnStartOffset,
          }));
          return [name, error ?? states];
        }),
      );
      return byName(some, nameOf, answers);
    },
  });
}

export interface TransactionListing {
  readonly transactionalId: string;
  readonly producerId: number;
  readonly state: string; // Kafka's: Ongoing, PrepareCommit, CompleteAbort …
  readonly coordinatorId: number;
}

export interface TransactionFilter {
  readonly states?: readonly string[];
  readonly producerIds?: readonly number[];
  /** Open for longer than this (KIP-994). */
  readonly olderThanMs?: number;
  /** A regular expression (KIP-1152). */
  readonly transactionalIdPattern?: string;
}

/** Asks all brokers. Named by the ids of the brokers. */
export async function listTransactions(
  driver: AdminDriver,
  filter: TransactionFilter,
): Promise<ItemResults<readonly TransactionListing[]>> {
  const { states = [], producerIds = [], olderThanMs, transactionalIdPattern } = filter;
  const lowestVersion = transactionalIdPattern !== undefined ? 2 : olderThanMs !== undefined ? 1 : 0;
  const request = ListTransactionsRequest.create({
    stateFilters: states,
    producerIdFilters: producerIds,
    durationFilter: olderThanMs ?? -1,
    transactionalIdPattern: transactionalIdPattern ?? null,
  });
  return await driver.items<number, readonly TransactionListing[]>({
    what: "ListTransactions",
    items: await brokerIds(driver),
    nameOf: String,
    route: toBroker((id) => id),
    ask: async (connection, [coordinatorId = -1]) => {
      const response = await connection.send({ ...LIST_TRANSACTIONS, lowestVersion }, request);
      throwCode(response.errorCode, `ListTransactions of broker ${coordinatorId}`);
      const listed = response.transactionStates.map(({ transactionalId, producerId, transactionState }) => ({
        transactionalId,
        producerId,
        state: transactionState,
        coordinatorId,
      }));
      return new Map([[coordinatorId, listed]]);
    },
  });
}

export async function brokerIds(driver: AdminDriver): Promise<readonly number[]> {
  await driver.call("Metadata", () => driver.cluster.refreshMetadata([]));
  return [...driver.cluster.metadata.brokers.keys()].toSorted((a, b) => a - b);
}

export interface TransactionDescription {
  readonly transactionalId: string;
  readonly state: string;
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly timeoutMs: number;
  readonly startTimeMs: number | undefined;
  readonly partitions: readonly TopicPartition[];
}

/** Named by transactional id. */
export async function describeTransactions(
  driver: AdminDriver,
  transactionalIds: readonly string[],
): Promise<ItemResults<TransactionDescription>> {
  return await driver.items<string, TransactionDescription>({
    what: "DescribeTransactions",
    items: transactionalIds,
    nameOf: (id) => id,
    route: toCoordinator(CoordinatorType.transaction, (id) => id),
    ask: async (connection, some) => {
      const request = DescribeTransactionsRequest.create({ transactionalIds: some });
      const { transactionStates } = await connection.send(DESCRIBE_TRANSACTIONS, request);
      const answers = transactionStates.map((state): [string, TransactionDescription | KafkaError] => [
        state.transactionalId,
        errorOf(state.errorCode, `transactional id ${state.transactionalId}`) ?? {
          transactionalId: state.transactionalId,
          state: state.transactionState,
          producerId: state.producerId,
          producerEpoch: state.producerEpoch,
          timeoutMs: state.transactionTimeoutMs,
          startTimeMs: state.transactionStartTimeMs < 0 ? undefined : state.transactionStartTimeMs,
          partitions: state.topics.flatMap(({ topic, partitions }) =>
            partitions.map((partition) => ({ topic, partition })),
          ),
        },
      ]);
      return byName(some, (id) => id, answers);
    },
  });
}

export interface HangingTransaction extends TopicPartition {
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly coordinatorEpoch?: number;
}

/** Writes the abort marker of a transaction that no coordinator knows any more (KIP-664). */
export async function abortTransaction(driver: AdminDriver, hanging: HangingTransaction): Promise<void> {
  const { topic, partition, producerId, producerEpoch, coordinatorEpoch = UNKNOWN } = hanging;
  const results = await driver.items<HangingTransaction, true>({
    what: "WriteTxnMarkers",
    items: [hanging],
    nameOf,
    route: toLeader(),
    ask: async (connection) => {
      const request = WriteTxnMarkersRequest.create({
        markers: [
          {
            producerId,
            producerEpoch,
            transactionResult: false,
            topics: [{ name: topic, partitionIndexes: [partition] }],
            coordinatorEpoch,
            transactionVersion: 0,
          },
        ],
      });
      const { markers } = await connection.send(WRITE_TXN_MARKERS, request);
      const told = markers[0]?.topics[0]?.partitions[0];
      const what = `the transaction of producer ${producerId} in ${nameOf(hanging)}`;
      return new Map(told === undefined ? [] : [[hanging, errorOf(told.errorCode, what) ?? (true as const)]]);
    },
  });
  results.all();
}

/** Locks out whoever uses these transactional ids now, and ends what they have open. Named by transactional id. */
export async function fenceProducers(
  driver: AdminDriver,
  transactionalIds: readonly string[],
): Promise<ItemResults<{ readonly producerId: number; readonly producerEpoch: number }>> {
  return await driver.items<string, { readonly producerId: number; readonly producerEpoch: number }>({
    what: "InitProducerId",
    items: transactionalIds,
    nameOf: (id) => id,
    route: toCoordinator(CoordinatorType.transaction, (id) => id),
    ask: async (connection, some) => {
      const fence = async (
        transactionalId: string,
      ): Promise<[string, { producerId: number; producerEpoch: number } | KafkaError]> => {
        const request = InitProducerIdRequest.create({
          transactionalId,
          transactionTimeoutMs: driver.timeouts.requestTimeoutMs,
          producerId: UNKNOWN,
          producerEpoch: UNKNOWN,
        });
        const { errorCode, producerId, producerEpoch } = await connection.send(INIT_PRODUCER_ID, request);
        return [
          transactionalId,
          errorOf(errorCode, `transactional id ${transactionalId}`) ?? { producerId, producerEpoch },
        ];
      };
      return new Map(await Promise.all(some.map((id) => fence(id))));
    },
  });
}
