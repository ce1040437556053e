import { AddRaftVoterRequest } from "@samsa/protocol/messages/add-raft-voter-request";
import { AddRaftVoterResponse } from "@samsa/protocol/messages/add-raft-voter-response";
import type { ApiHandler } from "../api-handler.ts";

/** AddRaftVoter 0-1 (KIP-853), as the quorum answers. v1 may ask for an answer before the commit (KIP-1186). A quorum of one stays one: nothing carries its messages. */
export const addRaftVoter: ApiHandler<AddRaftVoterRequest, AddRaftVoterResponse> = {
  request: AddRaftVoterRequest,
  response: AddRaftVoterResponse,
  handle: (request, _context, { controller }) => controller.addRaftVoter(request),
  refuse: (_request, errorCode, errorMessage) => AddRaftVoterResponse.create({ errorCode, errorMessage }),
};
