import { ErrorCode } from "@samsa/base";
import { EndTxnRequest } from "@samsa/protocol/messages/end-txn-request";
import { EndTxnResponse } from "@samsa/protocol/messages/end-txn-response";
import type { ApiHandler } from "../api-handler.ts";
import { producerErrorFor } from "../transaction-errors.ts";

const FIRST_VERSION_WITH_PRODUCER_FENCED = 2;
const FIRST_VERSION_WITH_EPOCH_BUMP = 5;

/**
 * EndTxn 0-5. v2 knows PRODUCER_FENCED; v3 is flexible; v4 knows TRANSACTION_ABORTABLE; v5 raises the epoch with every
 * transaction and answers what the next one is sent under (KIP-890).
 */
export const endTxn: ApiHandler<EndTxnRequest, EndTxnResponse> = {
  request: EndTxnRequest,
  response: EndTxnResponse,

  async handle({ transactionalId, producerId, producerEpoch, committed }, { apiVersion }, { transactions }) {
    if (transactionalId === "") return EndTxnResponse.create({ errorCode: ErrorCode.INVALID_REQUEST });
    const answer = await transactions.endTxn(transactionalId, {
      producerId,
      producerEpoch,
      isCommit: committed,
      clientTransactionVersion: apiVersion >= FIRST_VERSION_WITH_EPOCH_BUMP ? 2 : 0,
    });
    const errorCode = producerErrorFor(answer.errorCode, apiVersion, FIRST_VERSION_WITH_PRODUCER_FENCED);
    return EndTxnResponse.create({ errorCode, ...answer.producer });
  },

  refuse: (_request, errorCode) => EndTxnResponse.create({ errorCode }),
};
