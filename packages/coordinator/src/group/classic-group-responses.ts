import type { ErrorCode } from "@samsa/base";
import { JoinGroupResponse } from "@samsa/protocol/messages/join-group-response";
import { SyncGroupResponse } from "@samsa/protocol/messages/sync-group-response";
import type { ClassicGroup } from "./classic-group.ts";
import type { ClassicGroupMember } from "./classic-group-member.ts";

const NO_GENERATION = -1;

export function refusedJoin(errorCode: ErrorCode, memberId: string): JoinGroupResponse {
  return JoinGroupResponse.create({ errorCode, memberId, generationId: NO_GENERATION, protocolName: "" });
}

/** The current generation, and for the leader what it needs to assign. */
export function joinResponse(group: ClassicGroup, { memberId }: ClassicGroupMember): JoinGroupResponse {
  const { generationId, protocolName = "", leaderId = "" } = group;
  const protocolType = group.protocolType ?? null;
  const members = leaderId === memberId ? group.members.map((member) => member.toJoinResponse(protocolName)) : [];
  return JoinGroupResponse.create({ generationId, protocolType, protocolName, leader: leaderId, memberId, members });
}

export function syncResponse(group: ClassicGroup, { assignment }: ClassicGroupMember): SyncGroupResponse {
  const { protocolType, protocolName } = group;
  return SyncGroupResponse.create({
    protocolType: protocolType ?? null,
    protocolName: protocolName ?? null,
    assignment,
  });
}
