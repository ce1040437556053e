import { ErrorCode, KafkaError } from "@samsa/base";
import type { ConsumerGroupHeartbeatRequest } from "@samsa/protocol/messages/consumer-group-heartbeat-request";
import { LEAVE_GROUP_MEMBER_EPOCH, LEAVE_GROUP_STATIC_MEMBER_EPOCH } from "./consumer-group-member.ts";

const FIRST_VERSION_WITH_OWN_MEMBER_ID = 1;
const NO_TIMEOUT = -1;

/** @throws KafkaError INVALID_REQUEST, UNSUPPORTED_ASSIGNOR, in Kafka's words */
export function checkHeartbeat(
  request: ConsumerGroupHeartbeatRequest,
  apiVersion: number,
  assignors: readonly string[],
): void {
  const { memberEpoch, topicPartitions, serverAssignor } = request;
  // From version 1 on a member makes its id by itself, so that a first heartbeat may be sent twice (KIP-1082).
  const hasId =
    apiVersion >= FIRST_VERSION_WITH_OWN_MEMBER_ID || memberEpoch > 0 || memberEpoch === LEAVE_GROUP_MEMBER_EPOCH;
  if (hasId) refuseEmpty(request.memberId, "MemberId can't be empty.");
  refuseEmpty(request.groupId, "GroupId can't be empty.");
  refuseEmpty(request.instanceId, "InstanceId can't be empty.");
  refuseEmpty(request.rackId, "RackId can't be empty.");
  if (memberEpoch === 0) {
    if (request.rebalanceTimeoutMs === NO_TIMEOUT) {
      throw invalid("RebalanceTimeoutMs must be provided in first request.");
    }
    if (topicPartitions === null || topicPartitions.length > 0) {
      throw invalid("TopicPartitions must be empty when (re-)joining.");
    }
    if (request.subscribedTopicNames === null && request.subscribedTopicRegex === null) {
      throw invalid("Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.");
    }
  } else if (memberEpoch === LEAVE_GROUP_STATIC_MEMBER_EPOCH) {
    if (request.instanceId === null) throw invalid("InstanceId can't be null.");
  } else if (memberEpoch < LEAVE_GROUP_STATIC_MEMBER_EPOCH) {
    throw invalid("MemberEpoch is invalid.");
  }
  if (serverAssignor !== null && !assignors.includes(serverAssignor)) {
    const message = `ServerAssignor ${serverAssignor} is not supported. Supported assignors: ${assignors.join(", ")}.`;
    throw new KafkaError(ErrorCode.UNSUPPORTED_ASSIGNOR, message);
  }
}

function refuseEmpty(value: string | null, message: string): void {
  if (value !== null && value.trim() === "") throw invalid(message);
}

function invalid(message: string): KafkaError {
  return new KafkaError(ErrorCode.INVALID_REQUEST, message);
}
