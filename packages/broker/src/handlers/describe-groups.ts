import { ErrorCode, errorCodeOf } from "@samsa/base";
import { DescribeGroupsRequest } from "@samsa/protocol/messages/describe-groups-request";
import type { DescribeGroupsResponseDescribedGroup } from "@samsa/protocol/messages/describe-groups-response";
import {
  createDescribeGroupsResponseDescribedGroup,
  DescribeGroupsResponse,
} from "@samsa/protocol/messages/describe-groups-response";
import type { ApiHandler } from "../api-handler.ts";
import { ALL_GROUP_OPERATIONS, NO_AUTHORIZED_OPERATIONS } from "../authorized-operations.ts";
import type { BrokerServices } from "../broker-services.ts";

const FIRST_VERSION_WITH_NOT_FOUND = 6;

/**
 * DescribeGroups 0-6. v3 answers what may be done (KIP-430); v4 names static members (KIP-345); v5 is flexible; v6 says that a
 * group is not there, which before was one in the state Dead (KIP-1043).
 */
export const describeGroups: ApiHandler<DescribeGroupsRequest, DescribeGroupsResponse> = {
  request: DescribeGroupsRequest,
  response: DescribeGroupsResponse,

  async handle({ groups: groupIds, includeAuthorizedOperations }, { apiVersion }, services) {
    const authorizedOperations = includeAuthorizedOperations ? ALL_GROUP_OPERATIONS : NO_AUTHORIZED_OPERATIONS;
    const groups = await Promise.all(groupIds.map((groupId) => describe(groupId, apiVersion, services)));
    return DescribeGroupsResponse.create({
      groups: groups.map((group) => (group.errorCode === ErrorCode.NONE ? { ...group, authorizedOperations } : group)),
    });
  },

  // Only version 6 has room for a message.
  refuse: ({ groups }, errorCode) =>
    DescribeGroupsResponse.create({ groups: groups.map((groupId) => refused(groupId, errorCode, null)) }),
};

async function describe(
  groupId: string,
  apiVersion: number,
  { groups }: BrokerServices,
): Promise<DescribeGroupsResponseDescribedGroup> {
  try {
    const group = await groups.describeGroup(groupId);
    return createDescribeGroupsResponseDescribedGroup({
      groupId,
      groupState: group.state,
      protocolType: group.protocolType,
      protocolData: group.protocolName,
      members: group.members.map(({ metadata, assignment, ...member }) => ({
        ...member,
        memberMetadata: metadata,
        memberAssignment: assignment,
      })),
    });
  } catch (error) {
    const errorCode = errorCodeOf(error);
    if (apiVersion >= FIRST_VERSION_WITH_NOT_FOUND) {
      return refused(groupId, errorCode, error instanceof Error ? error.message : null);
    }
    const refusal = refused(groupId, errorCode, null);
    return errorCode === ErrorCode.GROUP_ID_NOT_FOUND ? { ...refusal, errorCode: ErrorCode.NONE } : refusal;
  }
}

function refused(
  groupId: string,
  errorCode: ErrorCode,
  errorMessage: string | null,
): DescribeGroupsResponseDescribedGroup {
  const isMissing = errorCode === ErrorCode.GROUP_ID_NOT_FOUND;
  const authorizedOperations = NO_AUTHORIZED_OPERATIONS;
  const groupState = isMissing ? "Dead" : "";
  return createDescribeGroupsResponseDescribedGroup({
    groupId,
    errorCode,
    errorMessage,
    groupState,
    authorizedOperations,
  });
}
