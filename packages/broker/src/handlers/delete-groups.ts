import { ErrorCode, errorCodeOf } from "@samsa/base";
import { DeleteGroupsRequest } from "@samsa/protocol/messages/delete-groups-request";
import { DeleteGroupsResponse } from "@samsa/protocol/messages/delete-groups-response";
import type { ApiHandler } from "../api-handler.ts";

/** DeleteGroups 0-3. v2 is flexible; v3 answers messages (KIP-1043). A group without members goes, with its offsets. */
export const deleteGroups: ApiHandler<DeleteGroupsRequest, DeleteGroupsResponse> = {
  request: DeleteGroupsRequest,
  response: DeleteGroupsResponse,
  async handle({ groupsNames }, _context, { groups }) {
    const results = groupsNames.map(async (groupId) => {
      try {
        await groups.deleteGroup(groupId);
        return { groupId, errorCode: ErrorCode.NONE, errorMessage: null };
      } catch (error) {
        const errorMessage = error instanceof Error ? error.message : null;
        return { groupId, errorCode: errorCodeOf(error), errorMessage };
      }
    });
    return DeleteGroupsResponse.create({ results: await Promise.all(results) });
  },
  refuse: ({ groupsNames }, errorCode, errorMessage) =>
    DeleteGroupsResponse.create({ results: groupsNames.map((groupId) => ({ groupId, errorCode, errorMessage })) }),
};
