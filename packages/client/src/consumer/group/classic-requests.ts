import type { Random } from "@samsa/base";
import { HeartbeatRequest } from "@samsa/protocol/messages/heartbeat-request";
import { createJoinGroupRequestProtocol, JoinGroupRequest } from "@samsa/protocol/messages/join-group-request";
import { createLeaveGroupRequestMemberIdentity, LeaveGroupRequest } from "@samsa/protocol/messages/leave-group-request";
import { SyncGroupRequest } from "@samsa/protocol/messages/sync-group-request";
import type { TopicPartition } from "../../cluster/topic-metadata.ts";
import type { BackoffOptions } from "../../retry.ts";
import { CONSUMER_PROTOCOL_TYPE, encodeSubscription } from "../assignors/consumer-protocol.ts";
import type { LastAssignment, PartitionAssignor } from "../assignors/partition-assignor.ts";

export interface ClassicMemberOptions {
  readonly groupId: string;
  readonly groupInstanceId: string | null;
  readonly rackId: string | null;
  readonly assignors: readonly PartitionAssignor[];
  readonly sessionTimeoutMs: number;
  readonly heartbeatIntervalMs: number;
  readonly rebalanceTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly backoff: BackoffOptions;
  readonly random: Random;
}

/** What a member says of itself when it joins. */
export interface Joining {
  readonly memberId: string;
  readonly generationId: number;
  readonly topics: readonly string[];
  readonly owned: readonly TopicPartition[];
  readonly last: LastAssignment | undefined;
  readonly reason: string;
}

/** With the subscription as each of the assignors wants it. */
export function joinGroupRequest(options: ClassicMemberOptions, joining: Joining): JoinGroupRequest {
  const { groupId, groupInstanceId, sessionTimeoutMs, rebalanceTimeoutMs, rackId, assignors } = options;
  const { memberId, generationId, topics, owned: ownedPartitions, last, reason } = joining;
  const protocols = assignors.map((assignor) => {
    const userData = assignor.subscriptionUserData?.(topics, last) ?? null;
    const subscription = { topics, userData, ownedPartitions, generationId, rackId };
    return createJoinGroupRequestProtocol({ name: assignor.name, metadata: encodeSubscription(subscription) });
  });
  const protocolType = CONSUMER_PROTOCOL_TYPE;
  const timeouts = { sessionTimeoutMs, rebalanceTimeoutMs };
  return JoinGroupRequest.create({
    groupId,
    ...timeouts,
    memberId,
    groupInstanceId,
    protocolType,
    protocols,
    reason,
  });
}

export function syncGroupRequest(
  { groupId, groupInstanceId }: ClassicMemberOptions,
  given: Pick<SyncGroupRequest, "memberId" | "generationId" | "protocolName" | "assignments">,
): SyncGroupRequest {
  return SyncGroupRequest.create({ ...given, groupId, groupInstanceId, protocolType: CONSUMER_PROTOCOL_TYPE });
}

export function heartbeatRequest(
  { groupId, groupInstanceId }: ClassicMemberOptions,
  memberId: string,
  generationId: number,
): HeartbeatRequest {
  return HeartbeatRequest.create({ groupId, generationId, memberId, groupInstanceId });
}

/** For brokers that take many at once and for those that take one: `sendMemberRequest` chooses. */
export function leaveGroupRequest(
  { groupId, groupInstanceId }: ClassicMemberOptions,
  memberId: string,
  reason: string,
): LeaveGroupRequest {
  const members = [createLeaveGroupRequestMemberIdentity({ memberId, groupInstanceId, reason })];
  return LeaveGroupRequest.create({ groupId, memberId, members });
}
