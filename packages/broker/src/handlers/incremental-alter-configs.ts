import { errorCodeOf, ErrorCode } from "@samsa/base";
import { ConfigResourceType } from "@samsa/metadata";
import type { IncrementalAlterConfigsRequestAlterConfigsResource as Resource } from "@samsa/protocol/messages/incremental-alter-configs-request";
import { IncrementalAlterConfigsRequest } from "@samsa/protocol/messages/incremental-alter-configs-request";
import type { IncrementalAlterConfigsResponseAlterConfigsResourceResponse as Result } from "@samsa/protocol/messages/incremental-alter-configs-response";
import {
  createIncrementalAlterConfigsResponseAlterConfigsResourceResponse as createResult,
  IncrementalAlterConfigsResponse,
} from "@samsa/protocol/messages/incremental-alter-configs-response";
import { alterBrokerLoggers } from "../alter-broker-loggers.ts";
import type { ApiHandler } from "../api-handler.ts";
import type { BrokerServices } from "../broker-services.ts";

/**
 * IncrementalAlterConfigs 0-1 (KIP-339). v1 is flexible. Answered when the change is in force here. Loggers are this broker's own
 * affair (KIP-412), all else is the controller's.
 */
export const incrementalAlterConfigs: ApiHandler<IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse> = {
  request: IncrementalAlterConfigsRequest,
  response: IncrementalAlterConfigsResponse,

  handle(request, _context, services) {
    const { controller } = services;
    if (!request.resources.some(isLogger)) return controller.incrementalAlterConfigs(request);
    const ofLoggers = request.resources.filter(isLogger).map((resource) => alterLoggers(resource, request, services));
    const others = request.resources.filter((resource) => !isLogger(resource));
    const answer = (ofOthers: readonly Result[]): IncrementalAlterConfigsResponse => {
      const [next, nextOther] = [ofLoggers.values(), ofOthers.values()];
      const responses = request.resources.map((resource) => (isLogger(resource) ? next : nextOther).next().value);
      return IncrementalAlterConfigsResponse.create({ responses: responses.filter((result) => result !== undefined) });
    };
    if (others.length === 0) return answer([]);
    return controller
      .incrementalAlterConfigs({ ...request, resources: others })
      .then(({ responses }) => answer(responses));
  },

  refuse: (request, errorCode, errorMessage) =>
    IncrementalAlterConfigsResponse.create({
      responses: request.resources.map(({ resourceType, resourceName }) =>
        createResult({ resourceType, resourceName, errorCode, errorMessage }),
      ),
    }),
};

function isLogger({ resourceType }: Resource): boolean {
  return resourceType === ConfigResourceType.BROKER_LOGGER;
}

function alterLoggers(
  resource: Resource,
  { resources, validateOnly }: IncrementalAlterConfigsRequest,
  { loggers, nodeId }: BrokerServices,
): Result {
  const { resourceType, resourceName } = resource;
  const isRepeated = resources.some(
    (other) => other !== resource && isLogger(other) && other.resourceName === resourceName,
  );
  if (isRepeated) {
    const errorMessage = "Each resource must appear at most once.";
    return createResult({ resourceType, resourceName, errorCode: ErrorCode.INVALID_REQUEST, errorMessage });
  }
  try {
    alterBrokerLoggers(resource, { loggers, nodeId, validateOnly });
    return createResult({ resourceType, resourceName, errorMessage: null });
  } catch (error) {
    const errorMessage = error instanceof Error ? error.message : String(error);
    return createResult({ resourceType, resourceName, errorCode: errorCodeOf(error), errorMessage });
  }
}
