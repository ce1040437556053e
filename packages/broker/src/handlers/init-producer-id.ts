import { ErrorCode } from "@samsa/base";
import { InitProducerIdRequest } from "@samsa/protocol/messages/init-producer-id-request";
import { InitProducerIdResponse } from "@samsa/protocol/messages/init-producer-id-response";
import type { ApiHandler } from "../api-handler.ts";

/**
 * InitProducerId 0-5 (6 is unstable: KIP-939). v2 is flexible; v3 lets a producer keep its id and asks for a new epoch (KIP-360).
 * Ids for idempotent producers; a transactional id is sent to look for its coordinator, which this broker is not yet.
 */
export const initProducerId: ApiHandler<InitProducerIdRequest, InitProducerIdResponse> = {
  request: InitProducerIdRequest,
  response: InitProducerIdResponse,
  highestVersion: 5,

  async handle({ transactionalId, producerId, producerEpoch }, _context, { producerIds }) {
    if (transactionalId === "") return refused(ErrorCode.INVALID_REQUEST);
    if (transactionalId !== null) return refused(ErrorCode.COORDINATOR_NOT_AVAILABLE);
    const hasHalf = (producerId === -1) !== (producerEpoch === -1);
    if (hasHalf) return refused(ErrorCode.INVALID_REQUEST);
    // An idempotent producer always gets a new id: only a transactional one is known from before.
    return InitProducerIdResponse.create({ producerId: await producerIds.generateProducerId(), producerEpoch: 0 });
  },

  refuse: (_request, errorCode) => refused(errorCode),
};

function refused(errorCode: ErrorCode): InitProducerIdResponse {
  return InitProducerIdResponse.create({ errorCode, producerEpoch: -1 });
}
