import { ErrorCode } from "@samsa/base";
import { DescribeClusterRequest } from "@samsa/protocol/messages/describe-cluster-request";
import { DescribeClusterResponse } from "@samsa/protocol/messages/describe-cluster-response";
import type { ApiHandler } from "../api-handler.ts";
import { ALL_CLUSTER_OPERATIONS, NO_AUTHORIZED_OPERATIONS } from "../authorized-operations.ts";

const BROKERS = 1;
const CONTROLLERS = 2;

/** DescribeCluster 0-2. v1 asks for brokers or controllers (KIP-919); v2 shows fenced brokers (KIP-1073). */
export const describeCluster: ApiHandler<DescribeClusterRequest, DescribeClusterResponse> = {
  request: DescribeClusterRequest,
  response: DescribeClusterResponse,

  handle(request, { listenerName }, services) {
    const { endpointType } = request;
    if (endpointType !== BROKERS) {
      const isController = endpointType === CONTROLLERS;
      return DescribeClusterResponse.create({
        errorCode: isController ? ErrorCode.MISMATCHED_ENDPOINT_TYPE : ErrorCode.UNSUPPORTED_ENDPOINT_TYPE,
        errorMessage: isController
          ? "controllers are described by the controller listener, and this is a broker's"
          : `there is no endpoint type ${endpointType}`,
      });
    }
    const brokers = services.metadata.brokers(listenerName, { includeFenced: request.includeFencedBrokers });
    return DescribeClusterResponse.create({
      endpointType,
      clusterId: services.clusterId,
      controllerId: services.nodeId,
      brokers: brokers.map(({ nodeId: brokerId, host, port, rack, isFenced }) => ({
        brokerId,
        host,
        port,
        rack,
        isFenced,
      })),
      clusterAuthorizedOperations: request.includeClusterAuthorizedOperations
        ? ALL_CLUSTER_OPERATIONS
        : NO_AUTHORIZED_OPERATIONS,
    });
  },

  refuse: (_request, errorCode, errorMessage) => DescribeClusterResponse.create({ errorCode, errorMessage }),
};
