import { AlterConfigsRequest } from "@samsa/protocol/messages/alter-configs-request";
import {
  AlterConfigsResponse,
  createAlterConfigsResponseAlterConfigsResourceResponse,
} from "@samsa/protocol/messages/alter-configs-response";
import type { ApiHandler } from "../api-handler.ts";

/**
 * AlterConfigs 0-2: replaces all that is set on a resource, so that two who change it at once undo each other.
 * IncrementalAlterConfigs took its place. v2 is flexible.
 */
export const alterConfigs: ApiHandler<AlterConfigsRequest, AlterConfigsResponse> = {
  request: AlterConfigsRequest,
  response: AlterConfigsResponse,
  handle: (request, _context, { controller }) => controller.alterConfigs(request),
  refuse: (request, errorCode, errorMessage) =>
    AlterConfigsResponse.create({
      responses: request.resources.map(({ resourceType, resourceName }) =>
        createAlterConfigsResponseAlterConfigsResourceResponse({ resourceType, resourceName, errorCode, errorMessage }),
      ),
    }),
};
