import type { DescribedTransaction } from "@samsa/coordinator";
import { isTransactionState, transactionalIdPattern } from "@samsa/coordinator";
import { ListTransactionsRequest } from "@samsa/protocol/messages/list-transactions-request";
import { ListTransactionsResponse } from "@samsa/protocol/messages/list-transactions-response";
import type { ApiHandler } from "../api-handler.ts";

/**
 * ListTransactions 0-2 (KIP-664): the transactional ids that this broker coordinates. v1 filters by how long a transaction has been
 * open (KIP-994), v2 by a pattern of the id (KIP-1152).
 */
export const listTransactions: ApiHandler<ListTransactionsRequest, ListTransactionsResponse> = {
  request: ListTransactionsRequest,
  response: ListTransactionsResponse,

  async handle(request, _context, { transactions, clock }) {
    const nowMs = clock.wallMs();
    const isIdMeant = transactionalIdPattern(request.transactionalIdPattern);
    const found = (await transactions.listTransactions()).filter(
      (transaction) => isMeant(transaction, request, nowMs) && isIdMeant(transaction.transactionalId),
    );
    return ListTransactionsResponse.create({
      unknownStateFilters: request.stateFilters.filter((name) => !isTransactionState(name)),
      transactionStates: found.map(({ transactionalId, producerId, state }) => ({
        transactionalId,
        producerId,
        transactionState: state,
      })),
    });
  },

  refuse: (_request, errorCode) => ListTransactionsResponse.create({ errorCode }),
};

function isMeant(
  { state, producerId, startTimestampMs }: DescribedTransaction,
  { stateFilters, producerIdFilters, durationFilter }: ListTransactionsRequest,
  nowMs: number,
): boolean {
  if (stateFilters.length > 0 && !stateFilters.includes(state)) return false;
  if (producerIdFilters.length > 0 && !producerIdFilters.includes(producerId)) return false;
  return durationFilter < 0 || nowMs - startTimestampMs > durationFilter;
}
