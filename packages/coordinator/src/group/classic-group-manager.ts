import type { Random } from "@samsa/base";
import { ErrorCode, errorCodeOf, refusal } from "@samsa/base";
import type { HeartbeatRequest } from "@samsa/protocol/messages/heartbeat-request";
import type { JoinGroupRequest } from "@samsa/protocol/messages/join-group-request";
import type { JoinGroupResponse } from "@samsa/protocol/messages/join-group-response";
import type { LeaveGroupRequestMemberIdentity } from "@samsa/protocol/messages/leave-group-request";
import type { LeaveGroupResponseMemberResponse } from "@samsa/protocol/messages/leave-group-response";
import type { SyncGroupRequest } from "@samsa/protocol/messages/sync-group-request";
import type { SyncGroupResponse } from "@samsa/protocol/messages/sync-group-response";
import type { Reply, Step } from "../runtime/coordinator-shard.ts";
import { ClassicGroup, NOT_YET_REBALANCED_MS } from "./classic-group.ts";
import type { MemberProtocol } from "./classic-group-member.ts";
import { ClassicGroupMember } from "./classic-group-member.ts";
import type { ClassicGroupRebalance } from "./classic-group-rebalance.ts";
import { joinResponse, refusedJoin, syncResponse } from "./classic-group-responses.ts";
import type { ClassicMembers } from "./consumer/classic-members.ts";
import { groupTombstones } from "./consumer/consumer-group-records.ts";
import type { GroupConfig } from "./group-config.ts";
import type { CoordinatedGroup, Groups } from "./group.ts";
import { isForeign } from "./group.ts";
import type { GroupRecord } from "./group-records.ts";
import { memberIdOf } from "./member-id.ts";

/** Who asks to join. */
export interface JoinContext {
  readonly apiVersion: number;
  readonly clientId: string;
  readonly clientHost: string;
}

export interface ClassicGroupManagerOptions {
  readonly config: GroupConfig;
  readonly random: Random;
  readonly groups: Groups;
  readonly rebalance: ClassicGroupRebalance;
  readonly classicMembers: ClassicMembers;
}

const UNKNOWN_MEMBER_ID = "";
/** How long a JoinGroup of one that has no member id yet may wait (Kafka's internal group.new.member.join.timeout). */
const NEW_MEMBER_JOIN_TIMEOUT_MS = 5 * 60_000;
const FIRST_VERSION_WITH_MEMBER_ID_REQUIRED = 4;
const FIRST_VERSION_WITH_SKIP_ASSIGNMENT = 9;

type GroupStep = Step<GroupRecord>;

/**
 * The classic group protocol, as Kafka 4.4's GroupMetadataManager decides it. Of a group's own records none is replayed while
 * it lives here: what its members are told and what the disk has are brought together by the outcome of the write.
 */
export class ClassicGroupManager {
  readonly #config: GroupConfig;
  readonly #random: Random;
  readonly #rebalance: ClassicGroupRebalance;
  readonly #classicMembers: ClassicMembers;
  readonly #groups: Groups;

  constructor({ config, random, groups, rebalance, classicMembers }: ClassicGroupManagerOptions) {
    this.#config = config;
    this.#random = random;
    this.#groups = groups;
    this.#rebalance = rebalance;
    this.#classicMembers = classicMembers;
  }

  /** Everyone who was a member gets a whole session to be heard of again. */
  onLoaded(step: GroupStep): void {
    for (const group of this.#groups.values()) {
      if (group.type !== "classic") continue;
      for (const member of group.members) this.#rebalance.expectHeartbeat(step, group, member, member.sessionTimeoutMs);
      const mustRebalance = group.size > this.#config.maxSize || group.stateTimestampMs === NOT_YET_REBALANCED_MS;
      if (group.size > 0 && mustRebalance) this.#rebalance.prepareRebalance(step, group);
    }
  }

  joinGroup(step: GroupStep, request: JoinGroupRequest, context: JoinContext, reply: Reply<JoinGroupResponse>): void {
    const { groupId, memberId } = request;
    const { minSessionTimeoutMs, maxSessionTimeoutMs } = this.#config;
    const refuse = (code: ErrorCode, id = memberId): void => step.reply(reply, refusedJoin(code, id));
    if (groupId === "") return refuse(ErrorCode.INVALID_GROUP_ID);
    if (request.sessionTimeoutMs < minSessionTimeoutMs || request.sessionTimeoutMs > maxSessionTimeoutMs) {
      return refuse(ErrorCode.INVALID_SESSION_TIMEOUT);
    }
    const isUnknown = memberId === UNKNOWN_MEMBER_ID;
    const found = this.#groups.get(groupId);
    if (found !== undefined && isForeign(found)) return refuse(ErrorCode.INCONSISTENT_GROUP_PROTOCOL);
    if (found?.type === "consumer" && found.size > 0) {
      return this.#classicMembers.joinGroup(step, found, request, context, reply);
    }
    const known = found?.type === "classic" ? found : undefined;
    if (known === undefined && !isUnknown) return refuse(ErrorCode.UNKNOWN_MEMBER_ID);
    const group = known ?? new ClassicGroup(groupId, step.nowMs);
    if (!this.#acceptsJoiningMember(group, memberId)) {
      group.remove(memberId);
      return refuse(ErrorCode.GROUP_MAX_SIZE_REACHED, UNKNOWN_MEMBER_ID);
    }
    if (!group.supportsProtocols(request.protocolType, request.protocols)) {
      return refuse(ErrorCode.INCONSISTENT_GROUP_PROTOCOL);
    }
    if (known === undefined) {
      // A consumer group that nobody is in becomes a classic one.
      if (found?.type === "consumer") step.append(groupTombstones(found));
      this.#groups.set(groupId, group);
      step.append([group.toRecord()], { replay: false });
    }
    if (isUnknown) return this.#joinNewMember(step, group, request, context, reply);
    return this.#joinKnownMember(step, group, request, context, reply);
  }

  syncGroup(step: GroupStep, request: SyncGroupRequest, reply: Reply<SyncGroupResponse>): void {
    const { groupId, memberId, groupInstanceId, generationId } = request;
    if (groupId === "") throw refusal(ErrorCode.INVALID_GROUP_ID);
    const group = this.#groupOfMember(groupId);
    if (group.type === "consumer") return this.#classicMembers.syncGroup(step, group, request, reply);
    const member = group.validateMember(memberId, groupInstanceId);
    if (generationId !== group.generationId) throw refusal(ErrorCode.ILLEGAL_GENERATION);
    if (isOther(request.protocolType, group.protocolType) || isOther(request.protocolName, group.protocolName)) {
      throw refusal(ErrorCode.INCONSISTENT_GROUP_PROTOCOL);
    }
    switch (group.state) {
      case "Empty":
      case "Dead":
        throw refusal(ErrorCode.UNKNOWN_MEMBER_ID);
      case "PreparingRebalance":
        throw refusal(ErrorCode.REBALANCE_IN_PROGRESS);
      case "CompletingRebalance":
        this.#rebalance.refuseSync(step, member, ErrorCode.UNKNOWN_MEMBER_ID); // one that it sent before and waits for no more
        member.awaitingSync = reply;
        this.#rebalance.syncReceived(step, group, memberId);
        if (group.leaderId === memberId) this.#persistAssignment(step, group, request);
        return;
      case "Stable":
        this.#rebalance.syncReceived(step, group, memberId);
        step.reply(reply, syncResponse(group, member));
    }
  }

  /** @throws KafkaError what the member must do about it */
  heartbeat(step: GroupStep, request: HeartbeatRequest): void {
    const { groupId, memberId, groupInstanceId, generationId } = request;
    if (groupId === "") throw refusal(ErrorCode.INVALID_GROUP_ID);
    const group = this.#groupOfMember(groupId);
    if (group.type === "consumer") return this.#classicMembers.heartbeat(step, group, request);
    const member = group.validateMember(memberId, groupInstanceId);
    if (generationId !== group.generationId) throw refusal(ErrorCode.ILLEGAL_GENERATION);
    this.#rebalance.expectHeartbeat(step, group, member, member.sessionTimeoutMs);
    if (group.state === "PreparingRebalance") throw refusal(ErrorCode.REBALANCE_IN_PROGRESS);
  }

  /** Answers for each member, in order. */
  leaveGroup(
    step: GroupStep,
    groupId: string,
    members: readonly LeaveGroupRequestMemberIdentity[],
    reply: Reply<readonly LeaveGroupResponseMemberResponse[]>,
  ): void {
    if (groupId === "") throw refusal(ErrorCode.INVALID_GROUP_ID);
    const group = this.#groups.get(groupId);
    if (group === undefined || isForeign(group)) {
      const answerOf = ({ memberId, groupInstanceId }: LeaveGroupRequestMemberIdentity) =>
        ({ memberId, groupInstanceId, errorCode: ErrorCode.UNKNOWN_MEMBER_ID }) as const;
      return step.reply(reply, members.map(answerOf));
    }
    if (group.type === "consumer") return this.#classicMembers.leaveGroup(step, group, members, reply);
    let hasLeft = false;
    const answers = members.map(({ memberId, groupInstanceId }): LeaveGroupResponseMemberResponse => {
      try {
        this.#leave(step, group, memberId, groupInstanceId);
        hasLeft = true;
        return { memberId, groupInstanceId, errorCode: ErrorCode.NONE };
      } catch (error) {
        return { memberId, groupInstanceId, errorCode: errorCodeOf(error) };
      }
    });
    if (hasLeft) this.#rebalance.rebalanceOrCompleteJoin(step, group);
    step.reply(reply, answers);
  }

  /** A commit keeps its member's session alive, as in Kafka. */
  onOffsetsCommitted(step: GroupStep, group: ClassicGroup, memberId: string): void {
    const member = group.member(memberId);
    if (member === undefined || (group.state !== "Stable" && group.state !== "PreparingRebalance")) return;
    this.#rebalance.expectHeartbeat(step, group, member, member.sessionTimeoutMs);
  }

  #groupOfMember(groupId: string): CoordinatedGroup {
    const group = this.#groups.get(groupId);
    if (group === undefined || isForeign(group))
      throw refusal(ErrorCode.UNKNOWN_MEMBER_ID, `there is no group ${groupId}`);
    return group;
  }

  #acceptsJoiningMember(group: ClassicGroup, memberId: string): boolean {
    const { maxSize } = this.#config;
    switch (group.state) {
      case "Empty":
      case "Dead":
        return true;
      case "PreparingRebalance":
        return group.member(memberId)?.awaitingJoin !== undefined || group.awaitingJoinCount < maxSize;
      case "CompletingRebalance":
      case "Stable":
        return group.member(memberId) !== undefined || group.size < maxSize;
    }
  }

  #joinNewMember(
    step: GroupStep,
    group: ClassicGroup,
    request: JoinGroupRequest,
    context: JoinContext,
    reply: Reply<JoinGroupResponse>,
  ): void {
    const { groupInstanceId } = request;
    const newMemberId = memberIdOf(groupInstanceId ?? context.clientId, this.#random);
    const existing = groupInstanceId === null ? undefined : group.staticMemberId(groupInstanceId);
    const old = existing === undefined ? undefined : group.member(existing);
    if (old !== undefined) return this.#replaceStaticMember(step, group, old, newMemberId, request, context, reply);
    if (groupInstanceId === null && context.apiVersion >= FIRST_VERSION_WITH_MEMBER_ID_REQUIRED) {
      this.#rebalance.expectPendingMember(step, group, newMemberId, request.sessionTimeoutMs);
      return step.reply(reply, refusedJoin(ErrorCode.MEMBER_ID_REQUIRED, newMemberId));
    }
    this.#addMember(step, group, newMemberId, request, context, reply);
  }

  #joinKnownMember(
    step: GroupStep,
    group: ClassicGroup,
    request: JoinGroupRequest,
    context: JoinContext,
    reply: Reply<JoinGroupResponse>,
  ): void {
    const { memberId, groupInstanceId, protocols } = request;
    if (group.pendingJoinMembers.has(memberId)) {
      // Only dynamic members are given an id to come back with.
      if (groupInstanceId !== null) return step.reply(reply, refusedJoin(ErrorCode.UNKNOWN_MEMBER_ID, memberId));
      return this.#addMember(step, group, memberId, request, context, reply);
    }
    let member: ClassicGroupMember;
    try {
      member = group.validateMember(memberId, groupInstanceId);
    } catch (error) {
      return step.reply(reply, refusedJoin(errorCodeOf(error), memberId));
    }
    const isUnchanged = member.matches(protocols);
    // A leader that joins a stable group asks for a new assignment; any other member may just have missed the answer.
    const isRepeat =
      isUnchanged &&
      (group.state === "CompletingRebalance" || (group.state === "Stable" && group.leaderId !== memberId));
    if (isRepeat) return step.reply(reply, joinResponse(group, member));
    if (group.state === "Empty" || group.state === "Dead") {
      return step.reply(reply, refusedJoin(ErrorCode.UNKNOWN_MEMBER_ID, memberId));
    }
    this.#updateMember(step, member, request, reply);
    this.#rebalance.rebalanceOrCompleteJoin(step, group);
  }

  #addMember(
    step: GroupStep,
    group: ClassicGroup,
    memberId: string,
    request: JoinGroupRequest,
    { clientId, clientHost }: JoinContext,
    reply: Reply<JoinGroupResponse>,
  ): void {
    const { groupInstanceId, sessionTimeoutMs, protocolType } = request;
    const protocols = ownProtocols(request);
    const rebalanceTimeoutMs = rebalanceTimeoutOf(request);
    const fields = { memberId, groupInstanceId, clientId, clientHost, rebalanceTimeoutMs, sessionTimeoutMs, protocols };
    const member = new ClassicGroupMember(fields);
    member.isNew = true;
    member.awaitingJoin = reply;
    if (group.state === "PreparingRebalance" && group.previousState === "Empty") group.newMemberAdded = true;
    if (group.size === 0) group.protocolType = protocolType;
    group.add(member);
    // It cannot send heartbeats, and a client that goes away while it waits is not noticed: so the waiting itself has an end.
    this.#rebalance.expectHeartbeat(step, group, member, NEW_MEMBER_JOIN_TIMEOUT_MS);
    this.#rebalance.rebalanceOrCompleteJoin(step, group);
  }

  #updateMember(
    step: GroupStep,
    member: ClassicGroupMember,
    request: JoinGroupRequest,
    reply: Reply<JoinGroupResponse>,
  ): void {
    // The one before is of a connection that is gone: a member has one at a time.
    if (member.awaitingJoin !== undefined) {
      step.reply(member.awaitingJoin, refusedJoin(ErrorCode.UNKNOWN_MEMBER_ID, member.memberId));
    }
    member.protocols = ownProtocols(request);
    member.rebalanceTimeoutMs = rebalanceTimeoutOf(request);
    member.sessionTimeoutMs = request.sessionTimeoutMs;
    member.awaitingJoin = reply;
  }

  /** A static member is back without its id, after a restart: its old self is fenced (KIP-345). */
  #replaceStaticMember(
    step: GroupStep,
    group: ClassicGroup,
    old: ClassicGroupMember,
    newMemberId: string,
    request: JoinGroupRequest,
    context: JoinContext,
    reply: Reply<JoinGroupResponse>,
  ): void {
    const leaderBefore = group.leaderId ?? "";
    if (old.awaitingJoin !== undefined) {
      step.reply(old.awaitingJoin, refusedJoin(ErrorCode.FENCED_INSTANCE_ID, old.memberId));
    }
    this.#rebalance.refuseSync(step, old, ErrorCode.FENCED_INSTANCE_ID);
    this.#rebalance.expectNoHeartbeat(step, group, old.memberId);
    const member = group.replaceStatic(old, newMemberId);
    this.#rebalance.expectHeartbeat(step, group, member, member.sessionTimeoutMs);
    this.#updateMember(step, member, request, reply);
    if (group.state !== "Stable" || group.selectProtocol() !== group.protocolName) {
      return this.#rebalance.rebalanceOrCompleteJoin(step, group);
    }
    // The group goes on as it is; that the member has another id must be known to a coordinator after this one.
    step.append([group.toRecord()], {
      replay: false,
      onCommitted: (later) => {
        if (member.awaitingJoin !== reply) return;
        member.awaitingJoin = undefined;
        const response = joinResponse(group, member);
        const maySkip = context.apiVersion >= FIRST_VERSION_WITH_SKIP_ASSIGNMENT;
        const isLeader = group.leaderId === newMemberId;
        // Before version 9 the old leader's name keeps the new one from assigning anew.
        const answer = maySkip
          ? { ...response, skipAssignment: isLeader }
          : { ...response, leader: leaderBefore, members: [] };
        later.reply(reply, answer);
        this.#rebalance.expectHeartbeat(later, group, member, member.sessionTimeoutMs);
      },
      onFailed: (later, error) => {
        if (group.member(newMemberId) !== member) return;
        member.awaitingJoin = undefined;
        later.reply(reply, refusedJoin(error.code, UNKNOWN_MEMBER_ID));
        const former = group.replaceStatic(member, old.memberId);
        former.protocols = old.protocols;
        former.rebalanceTimeoutMs = old.rebalanceTimeoutMs;
        former.sessionTimeoutMs = old.sessionTimeoutMs;
        this.#rebalance.expectNoHeartbeat(later, group, newMemberId);
        this.#rebalance.expectHeartbeat(later, group, former, former.sessionTimeoutMs);
      },
    });
  }

  #persistAssignment(step: GroupStep, group: ClassicGroup, request: SyncGroupRequest): void {
    const assignments = new Map(request.assignments.map(({ memberId, assignment }) => [memberId, assignment]));
    const { generationId } = group;
    // Others may have joined or left while the disk was at work.
    const isCurrent = (): boolean => group.state === "CompletingRebalance" && group.generationId === generationId;
    step.append([group.toRecord(assignments)], {
      replay: false,
      onCommitted: (later) => {
        if (!isCurrent()) return;
        group.transitionTo("Stable", later.nowMs);
        for (const member of group.members) {
          member.assignment = assignments.get(member.memberId)?.slice() ?? new Uint8Array(0);
          this.#rebalance.answerSync(later, group, member);
        }
      },
      onFailed: (later, error) => {
        if (!isCurrent()) return;
        for (const member of group.members) {
          member.assignment = new Uint8Array(0);
          this.#rebalance.refuseSync(later, member, error.code);
        }
        this.#rebalance.prepareRebalance(later, group);
      },
    });
  }

  #leave(step: GroupStep, group: ClassicGroup, memberId: string, groupInstanceId: string | null): void {
    let leaving = memberId;
    if (memberId === UNKNOWN_MEMBER_ID) {
      // An administrator takes out a static member by its name.
      const named = groupInstanceId === null ? undefined : group.staticMemberId(groupInstanceId);
      if (named === undefined) throw refusal(ErrorCode.UNKNOWN_MEMBER_ID);
      leaving = named;
    } else if (!group.pendingJoinMembers.has(memberId)) {
      group.validateMember(memberId, groupInstanceId);
    }
    this.#rebalance.removeMember(step, group, leaving);
  }
}

/** The session timeout stands for a rebalance timeout that was not given (JoinGroup 0). */
function rebalanceTimeoutOf({ rebalanceTimeoutMs, sessionTimeoutMs }: JoinGroupRequest): number {
  return rebalanceTimeoutMs < 0 ? sessionTimeoutMs : rebalanceTimeoutMs;
}

/** Copies: what came is part of a larger read, which a member would keep in memory for as long as it lives. */
function ownProtocols({ protocols }: JoinGroupRequest): readonly MemberProtocol[] {
  return protocols.map(({ name, metadata }) => ({ name, metadata: metadata.slice() }));
}

function isOther(requested: string | null, current: string | undefined): boolean {
  return requested !== null && current !== undefined && requested !== current;
}
