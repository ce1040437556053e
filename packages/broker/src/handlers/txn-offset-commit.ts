import { ErrorCode, KafkaError } from "@samsa/base";
import type { OffsetToCommit } from "@samsa/coordinator";
import { GROUP_METADATA_TOPIC_NAME } from "@samsa/metadata";
import { NO_SEQUENCE } from "@samsa/protocol";
import { TxnOffsetCommitRequest } from "@samsa/protocol/messages/txn-offset-commit-request";
import { TxnOffsetCommitResponse } from "@samsa/protocol/messages/txn-offset-commit-response";
import type { ApiHandler } from "../api-handler.ts";
import type { BrokerServices } from "../broker-services.ts";
import type { TransactionSupport } from "../transaction-verification.ts";
import { offsetsToCommit, refusedOffsets } from "./offsets-to-commit.ts";

const FIRST_VERSION_WITH_LOAD_IN_PROGRESS = 2; // KAFKA-7296
const FIRST_VERSION_WITH_ABORTABLE_ERRORS = 4;
const FIRST_VERSION_WITH_IMPLICIT_PARTITIONS = 5;
const FIRST_VERSION_WITH_TOPIC_IDS = 6;

/**
 * TxnOffsetCommit 0-6: offsets of a group that count when a transaction commits. v2 has leader epochs; v3 is flexible and says
 * which member of the group it comes from, so that one that has lost its partitions is refused (KIP-447); v4 knows
 * TRANSACTION_ABORTABLE; v5 adds the group to the transaction (KIP-890); v6 names topics by id.
 */
export const txnOffsetCommit: ApiHandler<TxnOffsetCommitRequest, TxnOffsetCommitResponse> = {
  request: TxnOffsetCommitRequest,
  response: TxnOffsetCommitResponse,

  async handle(request, { apiVersion }, services) {
    const isById = apiVersion >= FIRST_VERSION_WITH_TOPIC_IDS;
    const { offsets, answer } = offsetsToCommit(services.metadata, request.topics, isById);
    const codes = offsets.length === 0 ? [] : await commit(request, offsets, apiVersion, services);
    return TxnOffsetCommitResponse.create({ topics: answer(codes) });
  },

  refuse: ({ topics }, errorCode) => TxnOffsetCommitResponse.create({ topics: refusedOffsets(topics, errorCode) }),
};

/** @throws KafkaError for what is refused as a whole */
async function commit(
  request: TxnOffsetCommitRequest,
  offsets: readonly OffsetToCommit[],
  apiVersion: number,
  { groups, replicas, metadata, transactionVerifier }: BrokerServices,
): Promise<readonly ErrorCode[]> {
  const { transactionalId, groupId, producerId, producerEpoch, memberId, groupInstanceId } = request;
  if (groupId === "") throw new KafkaError(ErrorCode.INVALID_GROUP_ID);
  try {
    if (metadata.topic(GROUP_METADATA_TOPIC_NAME) === undefined) {
      throw new KafkaError(ErrorCode.COORDINATOR_NOT_AVAILABLE);
    }
    const found = replicas.find(GROUP_METADATA_TOPIC_NAME, groups.partitionFor(groupId));
    if (typeof found === "number") throw new KafkaError(ErrorCode.NOT_COORDINATOR);
    const { answer } = await transactionVerifier.inTurn(
      { transactionalId, producerId, producerEpoch },
      [{ partition: found, baseSequence: NO_SEQUENCE }],
      supportOf(apiVersion),
      ([verdict]) => {
        if (verdict instanceof KafkaError) throw asCommitError(verdict);
        const transaction = { producerId, producerEpoch, verification: verdict };
        const generationId = request.generationIdOrMemberEpoch;
        const who = { groupId, memberId, groupInstanceId, generationId };
        // In an object: who comes next in turn need not wait for the disk.
        return { answer: groups.commitTransactionalOffsets({ ...who, offsets, transaction }) };
      },
    );
    return await answer;
  } catch (error) {
    const isTooOld = apiVersion < FIRST_VERSION_WITH_LOAD_IN_PROGRESS;
    const isLoading = error instanceof KafkaError && error.code === ErrorCode.COORDINATOR_LOAD_IN_PROGRESS;
    throw isTooOld && isLoading ? new KafkaError(ErrorCode.COORDINATOR_NOT_AVAILABLE) : error;
  }
}

function supportOf(apiVersion: number): TransactionSupport {
  if (apiVersion >= FIRST_VERSION_WITH_IMPLICIT_PARTITIONS) return "implicit-partitions";
  return apiVersion >= FIRST_VERSION_WITH_ABORTABLE_ERRORS ? "abortable-errors" : "default";
}

/** What has the client try again here, rather than look for the coordinator of the group. */
function asCommitError(verdict: KafkaError): KafkaError {
  switch (verdict.code) {
    case ErrorCode.NETWORK_EXCEPTION:
    case ErrorCode.NOT_COORDINATOR:
    case ErrorCode.COORDINATOR_NOT_AVAILABLE:
      return new KafkaError(
        ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
        `the transaction could not be verified: ${verdict.codeName}`,
      );
    case ErrorCode.NOT_LEADER_OR_FOLLOWER:
      return new KafkaError(ErrorCode.NOT_COORDINATOR);
    default:
      return verdict;
  }
}
