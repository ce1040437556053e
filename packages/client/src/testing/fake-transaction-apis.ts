import { ErrorCode } from "@samsa/base";
import type { ApiMessageCodec } from "@samsa/protocol";
import { AddOffsetsToTxnRequest } from "@samsa/protocol/messages/add-offsets-to-txn-request";
import { AddOffsetsToTxnResponse } from "@samsa/protocol/messages/add-offsets-to-txn-response";
import { AddPartitionsToTxnRequest } from "@samsa/protocol/messages/add-partitions-to-txn-request";
import { AddPartitionsToTxnResponse } from "@samsa/protocol/messages/add-partitions-to-txn-response";
import { DescribeTransactionsRequest } from "@samsa/protocol/messages/describe-transactions-request";
import {
  createDescribeTransactionsResponseTransactionState,
  DescribeTransactionsResponse,
} from "@samsa/protocol/messages/describe-transactions-response";
import { EndTxnRequest } from "@samsa/protocol/messages/end-txn-request";
import { EndTxnResponse } from "@samsa/protocol/messages/end-txn-response";
import { TxnOffsetCommitRequest } from "@samsa/protocol/messages/txn-offset-commit-request";
import { TxnOffsetCommitResponse } from "@samsa/protocol/messages/txn-offset-commit-response";
import type { FakeApi, FakeCluster } from "./fake-cluster.ts";

/** The APIs of transactional producers, but for those that others use too. */
export const TRANSACTION_APIS: readonly FakeApi[] = [
  transactionApi(AddPartitionsToTxnRequest, AddPartitionsToTxnResponse, answerAddPartitions),
  transactionApi(AddOffsetsToTxnRequest, AddOffsetsToTxnResponse, answerAddOffsets),
  transactionApi(EndTxnRequest, EndTxnResponse, answerEndTxn),
  transactionApi(TxnOffsetCommitRequest, TxnOffsetCommitResponse, answerTxnOffsetCommit),
  transactionApi(DescribeTransactionsRequest, DescribeTransactionsResponse, answerDescribeTransactions),
];

function transactionApi<Req, Res>(
  request: ApiMessageCodec<Req>,
  response: ApiMessageCodec<Res>,
  answer: (cluster: FakeCluster, request: Req, version: number) => Res,
): FakeApi {
  return { request, response, answer } as unknown as FakeApi;
}

function answerAddPartitions(
  { transactions }: FakeCluster,
  request: AddPartitionsToTxnRequest,
): AddPartitionsToTxnResponse {
  const { v3AndBelowTransactionalId: transactionalId, v3AndBelowTopics: topics } = request;
  const producer = {
    producerId: request.v3AndBelowProducerId,
    producerEpoch: request.v3AndBelowProducerEpoch,
  };
  const partitionErrorCode = transactions.check(transactionalId, producer);
  return AddPartitionsToTxnResponse.create({
    resultsByTopicV3AndBelow: topics.map(({ name, partitions }) => ({
      name,
      resultsByPartition: partitions.map((partitionIndex) => {
        if (partitionErrorCode === ErrorCode.NONE) transactions.add(transactionalId, `${name}/${partitionIndex}`);
        return { partitionIndex, partitionErrorCode };
      }),
    })),
  });
}

function answerAddOffsets({ transactions }: FakeCluster, request: AddOffsetsToTxnRequest): AddOffsetsToTxnResponse {
  const errorCode = transactions.check(request.transactionalId, request);
  const found = transactions.byId.get(request.transactionalId);
  if (errorCode === ErrorCode.NONE && found !== undefined) {
    found.isOpen = true;
    found.groups.add(request.groupId);
  }
  return AddOffsetsToTxnResponse.create({ errorCode });
}

function answerEndTxn({ transactions }: FakeCluster, request: EndTxnRequest, version: number): EndTxnResponse {
  const errorCode = transactions.check(request.transactionalId, request);
  if (errorCode !== ErrorCode.NONE) return EndTxnResponse.create({ errorCode });
  const isV2 = version >= 5;
  const next = transactions.end(request.transactionalId, request.committed, isV2);
  if (!isV2 || next === undefined) return EndTxnResponse.create();
  return EndTxnResponse.create({ producerId: next.producerId, producerEpoch: next.producerEpoch });
}

function answerTxnOffsetCommit(
  cluster: FakeCluster,
  request: TxnOffsetCommitRequest,
  version: number,
): TxnOffsetCommitResponse {
  const { transactions } = cluster;
  const { transactionalId, groupId } = request;
  const found = transactions.byId.get(transactionalId);
  const checked = transactions.check(transactionalId, request);
  const isIn = version >= 5 || found?.groups.has(groupId) === true;
  const { memberId, generationIdOrMemberEpoch, groupInstanceId } = request;
  // A producer that knows no members is taken at its word.
  const group = cluster.groups.get(groupId);
  const isMember = memberId !== "" && group.classic.size + group.consumers.size > 0;
  const fencing = isMember ? group.checkCommit(memberId, generationIdOrMemberEpoch, groupInstanceId) : ErrorCode.NONE;
  const inTransaction = isIn ? fencing : ErrorCode.INVALID_TXN_STATE;
  const errorCode = checked === ErrorCode.NONE ? inTransaction : checked;
  return TxnOffsetCommitResponse.create({
    topics: request.topics.map(({ name, topicId, partitions }) => ({
      name,
      topicId,
      partitions: partitions.map(({ partitionIndex, committedOffset }) => {
        const topic = version >= 6 ? cluster.topicName(topicId) : name;
        if (errorCode === ErrorCode.NONE && found !== undefined) {
          found.isOpen = true;
          found.pendingOffsets.push({ groupId, partition: `${topic}-${partitionIndex}`, offset: committedOffset });
        }
        return { partitionIndex, errorCode };
      }),
    })),
  });
}

function answerDescribeTransactions(
  { transactions }: FakeCluster,
  { transactionalIds }: DescribeTransactionsRequest,
): DescribeTransactionsResponse {
  return DescribeTransactionsResponse.create({
    transactionStates: transactionalIds.map((transactionalId) => {
      const found = transactions.byId.get(transactionalId);
      if (found === undefined) {
        const errorCode = ErrorCode.TRANSACTIONAL_ID_NOT_FOUND;
        return createDescribeTransactionsResponseTransactionState({ transactionalId, errorCode });
      }
      const { producerId, producerEpoch } = found;
      return createDescribeTransactionsResponseTransactionState({ transactionalId, producerId, producerEpoch });
    }),
  });
}
