import { AlterPartitionReassignmentsRequest } from "@samsa/protocol/messages/alter-partition-reassignments-request";
import { AlterPartitionReassignmentsResponse } from "@samsa/protocol/messages/alter-partition-reassignments-response";
import type { ApiHandler } from "../api-handler.ts";

/** AlterPartitionReassignments 0-1 (KIP-455). v1 says whether the number of replicas may change. */
export const alterPartitionReassignments: ApiHandler<
  AlterPartitionReassignmentsRequest,
  AlterPartitionReassignmentsResponse
> = {
  request: AlterPartitionReassignmentsRequest,
  response: AlterPartitionReassignmentsResponse,
  handle: (request, _context, { controller }) => controller.alterPartitionReassignments(request),
  refuse: (_request, errorCode, errorMessage) =>
    AlterPartitionReassignmentsResponse.create({ errorCode, errorMessage }),
};
