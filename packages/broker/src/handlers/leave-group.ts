import { LeaveGroupRequest } from "@samsa/protocol/messages/leave-group-request";
import { LeaveGroupResponse } from "@samsa/protocol/messages/leave-group-response";
import type { ApiHandler } from "../api-handler.ts";

const FIRST_VERSION_WITH_BATCH = 3;

/**
 * LeaveGroup 0-5. v3 takes many members, static ones by their names (KIP-345); v4 is flexible; v5 carries reasons (KIP-800).
 */
export const leaveGroup: ApiHandler<LeaveGroupRequest, LeaveGroupResponse> = {
  request: LeaveGroupRequest,
  response: LeaveGroupResponse,
  async handle({ groupId, memberId, members }, { apiVersion }, { groups }) {
    if (apiVersion >= FIRST_VERSION_WITH_BATCH) {
      return LeaveGroupResponse.create({ members: await groups.leaveGroup(groupId, members) });
    }
    const [only] = await groups.leaveGroup(groupId, [{ memberId, groupInstanceId: null, reason: null }]);
    return LeaveGroupResponse.create({ errorCode: only?.errorCode });
  },
  refuse: (_request, errorCode) => LeaveGroupResponse.create({ errorCode }),
};
