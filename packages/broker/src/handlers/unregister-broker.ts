import { ErrorCode, KafkaError } from "@samsa/base";
import { UnregisterBrokerRequest } from "@samsa/protocol/messages/unregister-broker-request";
import { UnregisterBrokerResponse } from "@samsa/protocol/messages/unregister-broker-response";
import type { ApiHandler } from "../api-handler.ts";

/**
 * UnregisterBroker 0 (KIP-631): forgets a broker that does not come back. Kafka would forget one that runs as well, and leave its
 * partitions without a leader until it is started again; this broker does not forget itself.
 */
export const unregisterBroker: ApiHandler<UnregisterBrokerRequest, UnregisterBrokerResponse> = {
  request: UnregisterBrokerRequest,
  response: UnregisterBrokerResponse,

  async handle({ brokerId }, _context, { controller, nodeId }) {
    if (brokerId === nodeId) throw new KafkaError(ErrorCode.INVALID_REQUEST, `broker ${nodeId} is running`);
    await controller.unregisterBroker(brokerId);
    return UnregisterBrokerResponse.create({});
  },

  refuse: (_request, errorCode, errorMessage) => UnregisterBrokerResponse.create({ errorCode, errorMessage }),
};
