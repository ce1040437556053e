import { HeartbeatRequest } from "@samsa/protocol/messages/heartbeat-request";
import { HeartbeatResponse } from "@samsa/protocol/messages/heartbeat-response";
import type { ApiHandler } from "../api-handler.ts";

/** Heartbeat 0-4. v3 knows static members (KIP-345); v4 is flexible. REBALANCE_IN_PROGRESS tells the member to join again. */
export const heartbeat: ApiHandler<HeartbeatRequest, HeartbeatResponse> = {
  request: HeartbeatRequest,
  response: HeartbeatResponse,
  handle: async (request, _context, { groups }) => {
    await groups.heartbeat(request);
    return HeartbeatResponse.create();
  },
  refuse: (_request, errorCode) => HeartbeatResponse.create({ errorCode }),
};
