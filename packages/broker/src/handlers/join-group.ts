import { ErrorCode } from "@samsa/base";
import { JoinGroupRequest } from "@samsa/protocol/messages/join-group-request";
import { JoinGroupResponse } from "@samsa/protocol/messages/join-group-response";
import type { ApiHandler } from "../api-handler.ts";

const FIRST_VERSION_WITHOUT_PROTOCOL_NAME = 7; // where there is none

/**
 * JoinGroup 0-9. v1 has a rebalance timeout; v4 sends a new member back for its id (KIP-394); v5 knows static members (KIP-345);
 * v6 is flexible; v7 answers the protocol type (KIP-559); v8 carries a reason (KIP-800); v9 lets a leader that is back skip the
 * assignment (KIP-814). Answered when the group has been gathered.
 */
export const joinGroup: ApiHandler<JoinGroupRequest, JoinGroupResponse> = {
  request: JoinGroupRequest,
  response: JoinGroupResponse,
  async handle(request, { apiVersion, clientId, clientAddress }, { groups }) {
    // The slash is how Java prints an address, and so how Kafka's tools show it.
    const context = { apiVersion, clientId: clientId ?? "", clientHost: `/${clientAddress.host}` };
    const response = await groups.joinGroup(request, context);
    const hasNoProtocol = response.errorCode !== ErrorCode.NONE && apiVersion >= FIRST_VERSION_WITHOUT_PROTOCOL_NAME;
    return hasNoProtocol ? { ...response, protocolName: null } : response;
  },
  refuse: ({ memberId }, errorCode) =>
    JoinGroupResponse.create({ errorCode, memberId, generationId: -1, protocolName: "" }),
};
