import { RemoveRaftVoterRequest } from "@samsa/protocol/messages/remove-raft-voter-request";
import { RemoveRaftVoterResponse } from "@samsa/protocol/messages/remove-raft-voter-response";
import type { ApiHandler } from "../api-handler.ts";

/** RemoveRaftVoter 0 (KIP-853), as the quorum answers. A quorum of one stays one: nothing carries its messages. */
export const removeRaftVoter: ApiHandler<RemoveRaftVoterRequest, RemoveRaftVoterResponse> = {
  request: RemoveRaftVoterRequest,
  response: RemoveRaftVoterResponse,
  handle: (request, _context, { controller }) => controller.removeRaftVoter(request),
  refuse: (_request, errorCode, errorMessage) => RemoveRaftVoterResponse.create({ errorCode, errorMessage }),
};
