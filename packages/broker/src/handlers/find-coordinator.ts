import { ErrorCode } from "@samsa/base";
import { FindCoordinatorRequest } from "@samsa/protocol/messages/find-coordinator-request";
import { FindCoordinatorResponse } from "@samsa/protocol/messages/find-coordinator-response";
import type { ApiHandler } from "../api-handler.ts";

const KEY_TYPES: readonly number[] = [0, 1, 2]; // group, transaction, share
const NO_COORDINATOR = "this broker coordinates no groups and no transactions yet";

/**
 * FindCoordinator 0-6. v1 has key types and messages; v3 is flexible; v4 takes many keys (KIP-699); v6 knows share groups
 * (KIP-932). Every key of a known type is answered with COORDINATOR_NOT_AVAILABLE until there are coordinators.
 */
export const findCoordinator: ApiHandler<FindCoordinatorRequest, FindCoordinatorResponse> = {
  request: FindCoordinatorRequest,
  response: FindCoordinatorResponse,

  handle(request, { apiVersion }) {
    const isKnown = KEY_TYPES.includes(request.keyType);
    const errorCode = isKnown ? ErrorCode.COORDINATOR_NOT_AVAILABLE : ErrorCode.INVALID_REQUEST;
    return refused(
      request,
      apiVersion,
      errorCode,
      isKnown ? NO_COORDINATOR : `there is no key type ${request.keyType}`,
    );
  },

  refuse: (request, errorCode, message) => refused(request, 4, errorCode, message),
};

function refused(
  { coordinatorKeys }: FindCoordinatorRequest,
  apiVersion: number,
  errorCode: ErrorCode,
  errorMessage: string,
): FindCoordinatorResponse {
  const nowhere = { errorCode, errorMessage, nodeId: -1, host: "", port: -1 };
  if (apiVersion < 4) return FindCoordinatorResponse.create(nowhere);
  return FindCoordinatorResponse.create({ coordinators: coordinatorKeys.map((key) => ({ key, ...nowhere })) });
}
