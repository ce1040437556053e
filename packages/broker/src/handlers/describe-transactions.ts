import { ErrorCode, errorCodeOf } from "@samsa/base";
import { DescribeTransactionsRequest } from "@samsa/protocol/messages/describe-transactions-request";
import type { DescribeTransactionsResponseTransactionState as DescribedState } from "@samsa/protocol/messages/describe-transactions-response";
import {
  createDescribeTransactionsResponseTransactionState,
  DescribeTransactionsResponse,
} from "@samsa/protocol/messages/describe-transactions-response";
import type { ApiHandler } from "../api-handler.ts";
import type { BrokerServices } from "../broker-services.ts";

/** DescribeTransactions 0 (KIP-664): what the coordinator knows of transactional ids, and which partitions are in a transaction. */
export const describeTransactions: ApiHandler<DescribeTransactionsRequest, DescribeTransactionsResponse> = {
  request: DescribeTransactionsRequest,
  response: DescribeTransactionsResponse,

  async handle({ transactionalIds }, _context, services) {
    const transactionStates = await Promise.all(transactionalIds.map((id) => describe(id, services)));
    return DescribeTransactionsResponse.create({ transactionStates });
  },

  refuse: ({ transactionalIds }, errorCode) =>
    DescribeTransactionsResponse.create({ transactionStates: transactionalIds.map((id) => unknown(id, errorCode)) }),
};

async function describe(transactionalId: string, { transactions }: BrokerServices): Promise<DescribedState> {
  if (transactionalId === "") return unknown(transactionalId, ErrorCode.INVALID_REQUEST);
  try {
    const found = await transactions.describeTransaction(transactionalId);
    if (found === undefined) return unknown(transactionalId, ErrorCode.TRANSACTIONAL_ID_NOT_FOUND);
    return {
      errorCode: ErrorCode.NONE,
      transactionalId,
      transactionState: found.state,
      transactionTimeoutMs: found.transactionTimeoutMs,
      transactionStartTimeMs: found.startTimestampMs,
      producerId: found.producerId,
      producerEpoch: found.producerEpoch,
      topics: Array.from(found.partitions, ([topic, partitions]) => ({ topic, partitions: [...partitions] })),
    };
  } catch (error) {
    return unknown(transactionalId, errorCodeOf(error));
  }
}

function unknown(transactionalId: string, errorCode: ErrorCode): DescribedState {
  return createDescribeTransactionsResponseTransactionState({ transactionalId, errorCode });
}
