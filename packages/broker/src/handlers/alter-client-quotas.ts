import { AlterClientQuotasRequest } from "@samsa/protocol/messages/alter-client-quotas-request";
import { AlterClientQuotasResponse } from "@samsa/protocol/messages/alter-client-quotas-response";
import type { ApiHandler } from "../api-handler.ts";

/** AlterClientQuotas 0-1 (KIP-546). v1 is flexible. */
export const alterClientQuotas: ApiHandler<AlterClientQuotasRequest, AlterClientQuotasResponse> = {
  request: AlterClientQuotasRequest,
  response: AlterClientQuotasResponse,
  handle: (request, _context, { controller }) => controller.alterClientQuotas(request),
  refuse: (request, errorCode, errorMessage) =>
    AlterClientQuotasResponse.create({
      entries: request.entries.map(({ entity }) => ({ entity, errorCode, errorMessage })),
    }),
};
