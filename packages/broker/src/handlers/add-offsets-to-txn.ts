import { ErrorCode } from "@samsa/base";
import { topicPartitions } from "@samsa/coordinator";
import { GROUP_METADATA_TOPIC_NAME } from "@samsa/metadata";
import { AddOffsetsToTxnRequest } from "@samsa/protocol/messages/add-offsets-to-txn-request";
import { AddOffsetsToTxnResponse } from "@samsa/protocol/messages/add-offsets-to-txn-response";
import type { ApiHandler } from "../api-handler.ts";
import { producerErrorFor } from "../transaction-errors.ts";

const FIRST_VERSION_WITH_PRODUCER_FENCED = 2;
const CLIENT_TRANSACTION_VERSION = 0;

/**
 * AddOffsetsToTxn 0-4. v2 knows PRODUCER_FENCED; v3 is flexible; v4 knows TRANSACTION_ABORTABLE (KIP-890). The partition of
 * `__consumer_offsets` that holds the offsets of the group joins the transaction.
 */
export const addOffsetsToTxn: ApiHandler<AddOffsetsToTxnRequest, AddOffsetsToTxnResponse> = {
  request: AddOffsetsToTxnRequest,
  response: AddOffsetsToTxnResponse,

  async handle(request, { apiVersion }, { transactions, groups, internalTopics, metadata }) {
    const { transactionalId, producerId, producerEpoch, groupId } = request;
    if (transactionalId === "") return refused(ErrorCode.INVALID_REQUEST);
    if (metadata.topic(GROUP_METADATA_TOPIC_NAME) === undefined) {
      // A group that nobody has looked for yet.
      const code = await internalTopics.createOffsetsTopic();
      if (code !== ErrorCode.NONE) return refused(ErrorCode.COORDINATOR_NOT_AVAILABLE);
    }
    const errorCode = await transactions.addPartitions(transactionalId, {
      producerId,
      producerEpoch,
      partitions: topicPartitions([[GROUP_METADATA_TOPIC_NAME, [groups.partitionFor(groupId)]]]),
      clientTransactionVersion: CLIENT_TRANSACTION_VERSION,
    });
    return refused(producerErrorFor(errorCode, apiVersion, FIRST_VERSION_WITH_PRODUCER_FENCED));
  },

  refuse: (_request, errorCode) => refused(errorCode),
};

function refused(errorCode: ErrorCode): AddOffsetsToTxnResponse {
  return AddOffsetsToTxnResponse.create({ errorCode });
}
