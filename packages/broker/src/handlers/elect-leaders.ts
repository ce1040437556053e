import { ElectLeadersRequest } from "@samsa/protocol/messages/elect-leaders-request";
import { ElectLeadersResponse } from "@samsa/protocol/messages/elect-leaders-response";
import type { ApiHandler } from "../api-handler.ts";

/** ElectLeaders 0-2. v1 has unclean elections and an error for the whole (KIP-460); v2 is flexible. */
export const electLeaders: ApiHandler<ElectLeadersRequest, ElectLeadersResponse> = {
  request: ElectLeadersRequest,
  response: ElectLeadersResponse,
  handle: (request, _context, { controller }) => controller.electLeaders(request),
  // Version 0 has no error for the whole, so each partition tells it.
  refuse: (request, errorCode, errorMessage) =>
    ElectLeadersResponse.create({
      errorCode,
      replicaElectionResults: (request.topicPartitions ?? []).map(({ topic, partitions }) => ({
        topic,
        partitionResult: partitions.map((partitionId) => ({ partitionId, errorCode, errorMessage })),
      })),
    }),
};
