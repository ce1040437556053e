import { ErrorCode, errorCodeOf } from "@samsa/base";
import type { PartitionErrors } from "@samsa/coordinator";
import { topicPartitions } from "@samsa/coordinator";
import type {
  AddPartitionsToTxnRequestAddPartitionsToTxnTopic as RequestedTopic,
  AddPartitionsToTxnRequestAddPartitionsToTxnTransaction as RequestedTransaction,
} from "@samsa/protocol/messages/add-partitions-to-txn-request";
import { AddPartitionsToTxnRequest } from "@samsa/protocol/messages/add-partitions-to-txn-request";
import type { AddPartitionsToTxnResponseAddPartitionsToTxnTopicResult as TopicResult } from "@samsa/protocol/messages/add-partitions-to-txn-response";
import { AddPartitionsToTxnResponse } from "@samsa/protocol/messages/add-partitions-to-txn-response";
import type { ApiHandler } from "../api-handler.ts";
import type { BrokerServices } from "../broker-services.ts";
import { producerErrorFor } from "../transaction-errors.ts";

const FIRST_VERSION_WITH_PRODUCER_FENCED = 2;
const FIRST_VERSION_OF_BROKERS = 4;

/** Who still adds its partitions by itself knows nothing of epochs for each transaction; brokers add for those who do. */
const VERSION_OF_CLIENTS = 0;
const VERSION_OF_BROKERS = 2;

/**
 * AddPartitionsToTxn 0-5. v2 knows PRODUCER_FENCED; v3 is flexible, and the last that clients send; v4 is for brokers, which ask
 * for many transactions at once, to verify or to add (KIP-890); v5 knows TRANSACTION_ABORTABLE.
 */
export const addPartitionsToTxn: ApiHandler<AddPartitionsToTxnRequest, AddPartitionsToTxnResponse> = {
  request: AddPartitionsToTxnRequest,
  response: AddPartitionsToTxnResponse,

  async handle(request, { apiVersion }, services) {
    if (apiVersion >= FIRST_VERSION_OF_BROKERS) {
      const results = request.transactions.map(async (transaction) => ({
        transactionalId: transaction.transactionalId,
        topicResults: await addOrVerify(transaction, VERSION_OF_BROKERS, services),
      }));
      return AddPartitionsToTxnResponse.create({ resultsByTransaction: await Promise.all(results) });
    }
    const transaction: RequestedTransaction = {
      transactionalId: request.v3AndBelowTransactionalId,
      producerId: request.v3AndBelowProducerId,
      producerEpoch: request.v3AndBelowProducerEpoch,
      verifyOnly: false,
      topics: request.v3AndBelowTopics,
    };
    const results = await addOrVerify(transaction, VERSION_OF_CLIENTS, services);
    const resultsByTopicV3AndBelow = results.map(({ name, resultsByPartition }) => ({
      name,
      resultsByPartition: resultsByPartition.map(({ partitionIndex, partitionErrorCode }) => ({
        partitionIndex,
        partitionErrorCode: producerErrorFor(
          partitionErrorCode as ErrorCode,
          apiVersion,
          FIRST_VERSION_WITH_PRODUCER_FENCED,
        ),
      })),
    }));
    return AddPartitionsToTxnResponse.create({ resultsByTopicV3AndBelow });
  },

  refuse: (request, errorCode) =>
    AddPartitionsToTxnResponse.create({
      errorCode,
      resultsByTopicV3AndBelow: resultsOf(request.v3AndBelowTopics, () => errorCode),
    }),
};

async function addOrVerify(
  { transactionalId, producerId, producerEpoch, verifyOnly, topics }: RequestedTransaction,
  clientTransactionVersion: number,
  { transactions, metadata }: BrokerServices,
): Promise<readonly TopicResult[]> {
  const isThere = (topic: string, partition: number): boolean =>
    metadata.topic(topic)?.partitions.has(partition) === true;
  const isComplete = topics.every(({ name, partitions }) => partitions.every((partition) => isThere(name, partition)));
  if (!isComplete) {
    // None is added when one is not there.
    return resultsOf(topics, (topic, partition) =>
      isThere(topic, partition) ? ErrorCode.OPERATION_NOT_ATTEMPTED : ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
    );
  }
  if (transactionalId === "") return resultsOf(topics, () => ErrorCode.INVALID_REQUEST);
  const producer = { producerId, producerEpoch };
  try {
    if (verifyOnly) return resultsOf(topics, await transactions.verifyPartitions(transactionalId, producer));
    const partitions = topicPartitions(topics.map((topic) => [topic.name, topic.partitions] as const));
    const request = { ...producer, partitions, clientTransactionVersion };
    const code = await transactions.addPartitions(transactionalId, request);
    return resultsOf(topics, () => code);
  } catch (error) {
    const code = errorCodeOf(error);
    return resultsOf(topics, () => code);
  }
}

function resultsOf(topics: readonly RequestedTopic[], codeOf: PartitionErrors): readonly TopicResult[] {
  return topics.map(({ name, partitions }) => ({
    name,
    resultsByPartition: partitions.map((partitionIndex) => ({
      partitionIndex,
      partitionErrorCode: codeOf(name, partitionIndex),
    })),
  }));
}
