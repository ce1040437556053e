import { ErrorCode, errorCodeOf, KafkaError } from "@samsa/base";
import type { DescribedConsumerGroupMember } from "@samsa/coordinator";
import { ConsumerGroupDescribeRequest } from "@samsa/protocol/messages/consumer-group-describe-request";
import type {
  ConsumerGroupDescribeResponseDescribedGroup,
  ConsumerGroupDescribeResponseMember,
} from "@samsa/protocol/messages/consumer-group-describe-response";
import {
  ConsumerGroupDescribeResponse,
  createConsumerGroupDescribeResponseDescribedGroup,
} from "@samsa/protocol/messages/consumer-group-describe-response";
import type { ApiHandler } from "../api-handler.ts";
import { ALL_GROUP_OPERATIONS, NO_AUTHORIZED_OPERATIONS } from "../authorized-operations.ts";
import type { BrokerServices } from "../broker-services.ts";
import { isConsumerProtocolEnabled } from "./consumer-group-heartbeat.ts";

const CLASSIC_MEMBER = 0;
const CONSUMER_MEMBER = 1;

/** ConsumerGroupDescribe 0-1 (KIP-848). v1 tells which members still speak the classic protocol (KIP-1099). */
export const consumerGroupDescribe: ApiHandler<ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse> = {
  request: ConsumerGroupDescribeRequest,
  response: ConsumerGroupDescribeResponse,

  async handle({ groupIds, includeAuthorizedOperations }, _context, services) {
    if (!isConsumerProtocolEnabled(services)) throw new KafkaError(ErrorCode.UNSUPPORTED_VERSION);
    const authorizedOperations = includeAuthorizedOperations ? ALL_GROUP_OPERATIONS : NO_AUTHORIZED_OPERATIONS;
    const groups = await Promise.all(groupIds.map((groupId) => describe(groupId, services)));
    return ConsumerGroupDescribeResponse.create({
      groups: groups.map((group) => (group.errorCode === ErrorCode.NONE ? { ...group, authorizedOperations } : group)),
    });
  },

  refuse: ({ groupIds }, errorCode, message) =>
    ConsumerGroupDescribeResponse.create({ groups: groupIds.map((groupId) => refused(groupId, errorCode, message)) }),
};

async function describe(
  groupId: string,
  { groups }: BrokerServices,
): Promise<ConsumerGroupDescribeResponseDescribedGroup> {
  if (groupId === "") return refused(groupId, ErrorCode.INVALID_GROUP_ID, null);
  try {
    const { state, groupEpoch, assignmentEpoch, assignorName, members } = await groups.describeConsumerGroup(groupId);
    return createConsumerGroupDescribeResponseDescribedGroup({
      groupId,
      groupState: state,
      groupEpoch,
      assignmentEpoch,
      assignorName,
      members: members.map(describeMember),
    });
  } catch (error) {
    return refused(groupId, errorCodeOf(error), error instanceof Error ? error.message : null);
  }
}

function describeMember(member: DescribedConsumerGroupMember): ConsumerGroupDescribeResponseMember {
  const { assignment, targetAssignment, usesClassicProtocol, subscribedTopicRegex } = member;
  return {
    memberId: member.memberId,
    instanceId: member.instanceId,
    rackId: member.rackId,
    memberEpoch: member.memberEpoch,
    clientId: member.clientId,
    clientHost: member.clientHost,
    subscribedTopicNames: member.subscribedTopicNames,
    subscribedTopicRegex,
    assignment: { topicPartitions: assignment },
    targetAssignment: { topicPartitions: targetAssignment },
    memberType: usesClassicProtocol ? CLASSIC_MEMBER : CONSUMER_MEMBER,
  };
}

function refused(
  groupId: string,
  errorCode: ErrorCode,
  errorMessage: string | null,
): ConsumerGroupDescribeResponseDescribedGroup {
  return createConsumerGroupDescribeResponseDescribedGroup({ groupId, errorCode, errorMessage });
}
