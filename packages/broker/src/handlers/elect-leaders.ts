import { ElectLeadersRequest } from "@samsa/protocol/messages/elect-leaders-request";
import { ElectLeadersResponse } from "@samsa/protocol/messages/elect-leaders-response";
import { ErrorCode } from "@samsa/base";
import type { ApiHandler } from "../api-handler.ts";
import { RequestTimedOutError, withinTimeout } from "../request-deadline.ts";

/** ElectLeaders 0-2. v1 has unclean elections and an error for the whole (KIP-460); v2 is flexible. */
export const electLeaders: ApiHandler<ElectLeadersRequest, ElectLeadersResponse> = {
  request: ElectLeadersRequest,
  response: ElectLeadersResponse,
  async handle(request, { apiVersion }, { controller, clock }) {
    try {
      return await withinTimeout(clock, request.timeoutMs, () => controller.electLeaders(request));
    } catch (error) {
      if (!(error instanceof RequestTimedOutError)) throw error;
      // Version 0 has no room for it.
      return ElectLeadersResponse.create({ errorCode: apiVersion === 0 ? ErrorCode.NONE : error.code });
    }
  },
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
