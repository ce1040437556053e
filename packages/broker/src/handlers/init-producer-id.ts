import { ErrorCode } from "@samsa/base";
import { InitProducerIdRequest } from "@samsa/protocol/messages/init-producer-id-request";
import { InitProducerIdResponse } from "@samsa/protocol/messages/init-producer-id-response";
import type { ApiHandler } from "../api-handler.ts";
import { producerErrorFor } from "../transaction-errors.ts";

const FIRST_VERSION_WITH_PRODUCER_FENCED = 4;
const NOTHING = -1;

/**
 * InitProducerId 0-5 (6 is unstable: KIP-939). v2 is flexible; v3 lets a producer keep its id and asks for a new epoch (KIP-360);
 * v4 knows PRODUCER_FENCED. Without a transactional id a producer gets a new id each time; with one it goes to the coordinator.
 */
export const initProducerId: ApiHandler<InitProducerIdRequest, InitProducerIdResponse> = {
  request: InitProducerIdRequest,
  response: InitProducerIdResponse,
  highestVersion: 5,

  async handle(request, { apiVersion }, { producerIds, transactions }) {
    const { transactionalId, transactionTimeoutMs, producerId, producerEpoch } = request;
    if ((producerId === NOTHING) !== (producerEpoch === NOTHING)) return refused(ErrorCode.INVALID_REQUEST);
    if (transactionalId === null) {
      // An idempotent producer always gets a new id: only a transactional one is known from before.
      return InitProducerIdResponse.create({ producerId: await producerIds.generateProducerId(), producerEpoch: 0 });
    }
    if (transactionalId === "") return refused(ErrorCode.INVALID_REQUEST);
    const expected = producerId === NOTHING ? undefined : { producerId, producerEpoch };
    const answer = await transactions.initProducerId(transactionalId, { transactionTimeoutMs, expected });
    const errorCode = producerErrorFor(answer.errorCode, apiVersion, FIRST_VERSION_WITH_PRODUCER_FENCED);
    return InitProducerIdResponse.create({ errorCode, ...answer.producer });
  },

  refuse: (_request, errorCode) => refused(errorCode),
};

function refused(errorCode: ErrorCode): InitProducerIdResponse {
  return InitProducerIdResponse.create({ errorCode, producerEpoch: NOTHING });
}
