import { ErrorCode } from "@samsa/base";
import type { TransactionAnswer } from "@samsa/coordinator";
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

  /** At once where the disk was quick, as for Produce. */
  handle({ transactionalId, producerId, producerEpoch, committed }, { apiVersion }, { transactions }) {
    if (transactionalId === "") return EndTxnResponse.create({ errorCode: ErrorCode.INVALID_REQUEST });
    const answer = transactions.endTxn(transactionalId, {
      producerId,
      producerEpoch,
      isCommit: committed,
      clientTransactionVersion: apiVersion >= FIRST_VERSION_WITH_EPOCH_BUMP ? 2 : 0,
    });
    return answer instanceof Promise
      ? answer.then((later) => responseOf(later, apiVersion))
      : responseOf(answer, apiVersion);
  },

  refuse: (_request, errorCode) => EndTxnResponse.create({ errorCode }),
};

function responseOf({ errorCode, producer }: TransactionAnswer, apiVersion: number): EndTxnResponse {
  const { producerId, producerEpoch } = producer;
  return EndTxnResponse.create({
    errorCode: producerErrorFor(errorCode, apiVersion, FIRST_VERSION_WITH_PRODUCER_FENCED),
    producerId,
    producerEpoch,
  });
}
