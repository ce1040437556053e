import { IncrementalAlterConfigsRequest } from "@samsa/protocol/messages/incremental-alter-configs-request";
import {
  createIncrementalAlterConfigsResponseAlterConfigsResourceResponse,
  IncrementalAlterConfigsResponse,
} from "@samsa/protocol/messages/incremental-alter-configs-response";
import type { ApiHandler } from "../api-handler.ts";

/** IncrementalAlterConfigs 0-1 (KIP-339). v1 is flexible. Answered when the change is in force here. */
export const incrementalAlterConfigs: ApiHandler<IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse> = {
  request: IncrementalAlterConfigsRequest,
  response: IncrementalAlterConfigsResponse,
  handle: (request, _context, { controller }) => controller.incrementalAlterConfigs(request),
  refuse: (request, errorCode, errorMessage) =>
    IncrementalAlterConfigsResponse.create({
      responses: request.resources.map(({ resourceType, resourceName }) =>
        createIncrementalAlterConfigsResponseAlterConfigsResourceResponse({
          resourceType,
          resourceName,
          errorCode,
          errorMessage,
        }),
      ),
    }),
};
