import { ErrorCode } from "@samsa/base";
import { SyncGroupRequest } from "@samsa/protocol/messages/sync-group-request";
import { SyncGroupResponse } from "@samsa/protocol/messages/sync-group-response";
import type { ApiHandler } from "../api-handler.ts";

const FIRST_VERSION_WITH_PROTOCOL = 5;

/**
 * SyncGroup 0-5. v3 knows static members (KIP-345); v4 is flexible; v5 names the protocol on both ways (KIP-559), so that a member
 * never takes the assignment of another one. Answered when the leader's assignment is on the disk.
 */
export const syncGroup: ApiHandler<SyncGroupRequest, SyncGroupResponse> = {
  request: SyncGroupRequest,
  response: SyncGroupResponse,
  handle(request, { apiVersion }, { groups }) {
    const hasProtocol = request.protocolType !== null && request.protocolName !== null;
    if (apiVersion >= FIRST_VERSION_WITH_PROTOCOL && !hasProtocol) {
      return SyncGroupResponse.create({ errorCode: ErrorCode.INCONSISTENT_GROUP_PROTOCOL });
    }
    return groups.syncGroup(request);
  },
  refuse: (_request, errorCode) => SyncGroupResponse.create({ errorCode }),
};
