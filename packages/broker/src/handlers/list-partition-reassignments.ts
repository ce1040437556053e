import { ListPartitionReassignmentsRequest } from "@samsa/protocol/messages/list-partition-reassignments-request";
import { ListPartitionReassignmentsResponse } from "@samsa/protocol/messages/list-partition-reassignments-response";
import type { ApiHandler } from "../api-handler.ts";

/** ListPartitionReassignments 0 (KIP-455): the moves that are under way, of all topics or of some. */
export const listPartitionReassignments: ApiHandler<
  ListPartitionReassignmentsRequest,
  ListPartitionReassignmentsResponse
> = {
  request: ListPartitionReassignmentsRequest,
  response: ListPartitionReassignmentsResponse,
  handle: (request, _context, { controller }) => controller.listPartitionReassignments(request),
  refuse: (_request, errorCode, errorMessage) => ListPartitionReassignmentsResponse.create({ errorCode, errorMessage }),
};
