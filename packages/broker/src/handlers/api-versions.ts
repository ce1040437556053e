import { ErrorCode } from "@samsa/base";
import { ApiVersionsRequest } from "@samsa/protocol/messages/api-versions-request";
import { ApiVersionsResponse } from "@samsa/protocol/messages/api-versions-response";
import type { ApiHandler } from "../api-handler.ts";
import { finalizedFeatures, supportedFeatures } from "../features.ts";

const NO_NODE = -1;
const NAME = /^[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?$/;

/**
 * ApiVersions 0-5. v3 is flexible (but for the response header) and brings the client's software and the features
 * (KIP-511, KIP-584); v4 lists features whose lowest level is 0; v5 checks that the client reached the node it meant (KIP-1242).
 */
export const apiVersions: ApiHandler<ApiVersionsRequest, ApiVersionsResponse> = {
  request: ApiVersionsRequest,
  response: ApiVersionsResponse,

  handle(request, { apiVersion, clientSoftware }, services) {
    const { clientSoftwareName, clientSoftwareVersion, clusterId, nodeId } = request;
    const isNamed = apiVersion < 3 || (NAME.test(clientSoftwareName) && NAME.test(clientSoftwareVersion));
    if (!isNamed) return ApiVersionsResponse.create({ errorCode: ErrorCode.INVALID_REQUEST });
    if (apiVersion >= 3) {
      clientSoftware.name = clientSoftwareName;
      clientSoftware.version = clientSoftwareVersion;
    }
    const hasTarget = clusterId !== null && nodeId !== NO_NODE;
    if (!hasTarget && (clusterId !== null || nodeId !== NO_NODE)) {
      return ApiVersionsResponse.create({ errorCode: ErrorCode.INVALID_REQUEST }); // a target is both or none
    }
    if (hasTarget && (clusterId !== services.clusterId || nodeId !== services.nodeId)) {
      return ApiVersionsResponse.create({ errorCode: ErrorCode.REBOOTSTRAP_REQUIRED });
    }
    const { image } = services.metadata;
    return ApiVersionsResponse.create({
      apiKeys: services.servedApis().map(({ apiKey, lowestVersion, highestVersion }) => ({
        apiKey,
        minVersion: lowestVersion,
        maxVersion: highestVersion,
      })),
      supportedFeatures: supportedFeatures(apiVersion),
      finalizedFeaturesEpoch: image.provenance.lastContainedOffset,
      finalizedFeatures: finalizedFeatures(image, services.kraftVersion),
    });
  },

  refuse: (_request, errorCode) => ApiVersionsResponse.create({ errorCode }),
};
