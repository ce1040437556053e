import type { Random } from "@samsa/base";
import { ErrorCode, errorCodeOf, KafkaError } from "@samsa/base";
import type { HeartbeatRequest } from "@samsa/protocol/messages/heartbeat-request";
import type { JoinGroupRequest } from "@samsa/protocol/messages/join-group-request";
import { JoinGroupResponse } from "@samsa/protocol/messages/join-group-response";
import type { LeaveGroupRequestMemberIdentity } from "@samsa/protocol/messages/leave-group-request";
import type { LeaveGroupResponseMemberResponse } from "@samsa/protocol/messages/leave-group-response";
import type { SyncGroupRequest } from "@samsa/protocol/messages/sync-group-request";
import { SyncGroupResponse } from "@samsa/protocol/messages/sync-group-response";
import type { Reply, Step } from "../runtime/coordinator-shard.ts";
import { ClassicGroup } from "./classic-group.ts";
import type { MemberProtocol } from "./classic-group-member.ts";
import { ClassicGroupMember } from "./classic-group-member.ts";
import type { GroupConfig } from "./group-config.ts";
import type { GroupRecord } from "./group-records.ts";
import { memberIdOf } from "./member-id.ts";

/** Who asks to join. */
export interface JoinContext {
  readonly apiVersion: number;
  readonly clientId: string;
  readonly clientHost: string;
}

const UNKNOWN_MEMBER_ID = "";
const NO_GENERATION = -1;
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
  readonly groups = new Map<string, ClassicGroup>();

  constructor(config: GroupConfig, random: Random) {
    this.#config = config;
    this.#random = random;
  }

  /** Everyone who was a member gets a whole session to be heard of again. */
  onLoaded(step: GroupStep): void {
    for (const group of this.groups.values()) {
      for (const member of group.members) this.#expectHeartbeat(step, group, member, member.sessionTimeoutMs);
      if (group.size > this.#config.maxSize) this.#prepareRebalance(step, group);
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
    const known = this.groups.get(groupId);
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
      this.groups.set(groupId, group);
      step.append([group.toRecord()], { replay: false });
    }
    if (isUnknown) return this.#joinNewMember(step, group, request, context, reply);
    return this.#joinKnownMember(step, group, request, context, reply);
  }

  syncGroup(step: GroupStep, request: SyncGroupRequest, reply: Reply<SyncGroupResponse>): void {
    const { groupId, memberId, groupInstanceId, generationId } = request;
    if (groupId === "") throw new KafkaError(ErrorCode.INVALID_GROUP_ID);
    const group = this.#groupOfMember(groupId);
    const member = group.validateMember(memberId, groupInstanceId);
    if (generationId !== group.generationId) throw new KafkaError(ErrorCode.ILLEGAL_GENERATION);
    if (isOther(request.protocolType, group.protocolType) || isOther(request.protocolName, group.protocolName)) {
      throw new KafkaError(ErrorCode.INCONSISTENT_GROUP_PROTOCOL);
    }
    switch (group.state) {
      case "Empty":
      case "Dead":
        throw new KafkaError(ErrorCode.UNKNOWN_MEMBER_ID);
      case "PreparingRebalance":
        throw new KafkaError(ErrorCode.REBALANCE_IN_PROGRESS);
      case "CompletingRebalance":
        this.#refuseSync(step, member, ErrorCode.UNKNOWN_MEMBER_ID); // one that it sent before and waits for no more
        member.awaitingSync = reply;
        this.#syncReceived(step, group, memberId);
        if (group.leaderId === memberId) this.#persistAssignment(step, group, request);
        return;
      case "Stable":
        this.#syncReceived(step, group, memberId);
        step.reply(reply, syncResponse(group, member));
    }
  }

  /** @throws KafkaError what the member must do about it */
  heartbeat(step: GroupStep, { groupId, memberId, groupInstanceId, generationId }: HeartbeatRequest): void {
    if (groupId === "") throw new KafkaError(ErrorCode.INVALID_GROUP_ID);
    const group = this.#groupOfMember(groupId);
    const member = group.validateMember(memberId, groupInstanceId);
    if (generationId !== group.generationId) throw new KafkaError(ErrorCode.ILLEGAL_GENERATION);
    this.#expectHeartbeat(step, group, member, member.sessionTimeoutMs);
    if (group.state === "PreparingRebalance") throw new KafkaError(ErrorCode.REBALANCE_IN_PROGRESS);
  }

  /** @returns one answer for each member, in order */
  leaveGroup(
    step: GroupStep,
    groupId: string,
    members: readonly LeaveGroupRequestMemberIdentity[],
  ): readonly LeaveGroupResponseMemberResponse[] {
    if (groupId === "") throw new KafkaError(ErrorCode.INVALID_GROUP_ID);
    const group = this.#groupOfMember(groupId);
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
    if (hasLeft) this.#rebalanceOrCompleteJoin(step, group);
    return answers;
  }

  /** A commit keeps its member's session alive, as in Kafka. */
  onOffsetsCommitted(step: GroupStep, group: ClassicGroup, memberId: string): void {
    const member = group.member(memberId);
    if (member === undefined || (group.state !== "Stable" && group.state !== "PreparingRebalance")) return;
    this.#expectHeartbeat(step, group, member, member.sessionTimeoutMs);
  }

  #groupOfMember(groupId: string): ClassicGroup {
    const group = this.groups.get(groupId);
    if (group === undefined) throw new KafkaError(ErrorCode.UNKNOWN_MEMBER_ID, `there is no group ${groupId}`);
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
      group.pendingJoinMembers.add(newMemberId);
      step.setTimer(heartbeatKey(group, newMemberId), request.sessionTimeoutMs, (later) =>
        this.#expirePendingMember(later, group, newMemberId),
      );
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
    this.#rebalanceOrCompleteJoin(step, group);
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
    this.#expectHeartbeat(step, group, member, NEW_MEMBER_JOIN_TIMEOUT_MS);
    this.#rebalanceOrCompleteJoin(step, group);
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
    this.#refuseSync(step, old, ErrorCode.FENCED_INSTANCE_ID);
    step.cancelTimer(heartbeatKey(group, old.memberId));
    const member = group.replaceStatic(old, newMemberId);
    this.#expectHeartbeat(step, group, member, member.sessionTimeoutMs);
    this.#updateMember(step, member, request, reply);
    if (group.state !== "Stable" || group.selectProtocol() !== group.protocolName) {
      return this.#rebalanceOrCompleteJoin(step, group);
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
        this.#expectHeartbeat(later, group, member, member.sessionTimeoutMs);
      },
      onFailed: (later, error) => {
        if (group.member(newMemberId) !== member) return;
        member.awaitingJoin = undefined;
        later.reply(reply, refusedJoin(error.code, UNKNOWN_MEMBER_ID));
        const former = group.replaceStatic(member, old.memberId);
        former.protocols = old.protocols;
        former.rebalanceTimeoutMs = old.rebalanceTimeoutMs;
        former.sessionTimeoutMs = old.sessionTimeoutMs;
        later.cancelTimer(heartbeatKey(group, newMemberId));
        this.#expectHeartbeat(later, group, former, former.sessionTimeoutMs);
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
          this.#answerSync(later, group, member);
        }
      },
      onFailed: (later, error) => {
        if (!isCurrent()) return;
        for (const member of group.members) {
          member.assignment = new Uint8Array(0);
          this.#refuseSync(later, member, error.code);
        }
        this.#prepareRebalance(later, group);
      },
    });
  }

  #answerSync(step: GroupStep, group: ClassicGroup, member: ClassicGroupMember): void {
    if (member.awaitingSync === undefined) return;
    step.reply(member.awaitingSync, syncResponse(group, member));
    member.awaitingSync = undefined;
    this.#expectHeartbeat(step, group, member, member.sessionTimeoutMs);
  }

  #refuseSync(step: GroupStep, member: ClassicGroupMember, errorCode: ErrorCode): void {
    if (member.awaitingSync === undefined) return;
    step.reply(member.awaitingSync, SyncGroupResponse.create({ errorCode }));
    member.awaitingSync = undefined;
  }

  #leave(step: GroupStep, group: ClassicGroup, memberId: string, groupInstanceId: string | null): void {
    let leaving = memberId;
    if (memberId === UNKNOWN_MEMBER_ID) {
      // An administrator takes out a static member by its name.
      const named = groupInstanceId === null ? undefined : group.staticMemberId(groupInstanceId);
      if (named === undefined) throw new KafkaError(ErrorCode.UNKNOWN_MEMBER_ID);
      leaving = named;
    } else if (!group.pendingJoinMembers.has(memberId)) {
      group.validateMember(memberId, groupInstanceId);
    }
    this.#removeMember(step, group, leaving);
  }

  /** Whoever is removed while it waits is told to join anew. */
  #removeMember(step: GroupStep, group: ClassicGroup, memberId: string): void {
    const member = group.member(memberId);
    if (member?.awaitingJoin !== undefined) {
      step.reply(member.awaitingJoin, refusedJoin(ErrorCode.UNKNOWN_MEMBER_ID, UNKNOWN_MEMBER_ID));
      member.awaitingJoin = undefined;
    }
    if (member !== undefined) this.#refuseSync(step, member, ErrorCode.UNKNOWN_MEMBER_ID);
    group.remove(memberId);
    step.cancelTimer(heartbeatKey(group, memberId));
  }

  #rebalanceOrCompleteJoin(step: GroupStep, group: ClassicGroup): void {
    switch (group.state) {
      case "Empty":
        // Pending members may come and go without a rebalance.
        if (group.size > 0) this.#prepareRebalance(step, group);
        return;
      case "CompletingRebalance":
      case "Stable":
        return this.#prepareRebalance(step, group);
      case "PreparingRebalance":
        // The first rebalance ends with its delay, not with the first member.
        if (group.previousState !== "Empty" && group.hasAllMembersJoined) this.#completeJoin(step, group);
        return;
      case "Dead":
        return;
    }
  }

  #prepareRebalance(step: GroupStep, group: ClassicGroup): void {
    if (group.state === "CompletingRebalance") {
      for (const member of group.members) {
        member.assignment = new Uint8Array(0);
        if (member.awaitingSync === undefined) continue;
        this.#refuseSync(step, member, ErrorCode.REBALANCE_IN_PROGRESS);
        this.#expectHeartbeat(step, group, member, member.sessionTimeoutMs);
      }
    }
    step.cancelTimer(syncKey(group));
    const isInitial = group.state === "Empty";
    group.transitionTo("PreparingRebalance", step.nowMs);
    if (isInitial) {
      const { initialRebalanceDelayMs: delayMs } = this.#config;
      group.newMemberAdded = false;
      const remainingMs = Math.max(group.rebalanceTimeoutMs - delayMs, 0);
      if (delayMs <= 0) return this.#completeJoin(step, group);
      return this.#delayInitialRebalance(step, group, delayMs, remainingMs);
    }
    if (group.hasAllMembersJoined) return this.#completeJoin(step, group);
    step.setTimer(joinKey(group), group.rebalanceTimeoutMs, (later) => this.#completeJoin(later, group));
  }

  /** Waits once more as long as someone has come meanwhile, at most the rebalance timeout (KIP-134). */
  #delayInitialRebalance(step: GroupStep, group: ClassicGroup, delayMs: number, remainingMs: number): void {
    step.setTimer(joinKey(group), delayMs, (later) => {
      if (!group.newMemberAdded || remainingMs === 0) return this.#completeJoin(later, group);
      group.newMemberAdded = false;
      const next = Math.min(this.#config.initialRebalanceDelayMs, remainingMs);
      this.#delayInitialRebalance(later, group, next, Math.max(remainingMs - delayMs, 0));
    });
  }

  /** All have joined, or the time is over: who is not back is out, static members excepted. */
  #completeJoin(step: GroupStep, group: ClassicGroup): void {
    if (group.state !== "PreparingRebalance") return;
    step.cancelTimer(joinKey(group));
    for (const member of group.members) {
      if (member.awaitingJoin !== undefined || member.isStatic) continue;
      group.remove(member.memberId);
      step.cancelTimer(heartbeatKey(group, member.memberId));
    }
    if (group.size > 0 && !group.maybeElectNewJoinedLeader()) {
      // Only static members, and none of them is back: their sessions decide.
      step.setTimer(joinKey(group), group.rebalanceTimeoutMs, (later) => this.#completeJoin(later, group));
      return;
    }
    group.initNextGeneration(step.nowMs);
    if (group.size === 0) return step.append([group.toRecord()], { replay: false });
    for (const member of group.members) {
      if (member.awaitingJoin !== undefined) {
        step.reply(member.awaitingJoin, joinResponse(group, member));
        member.awaitingJoin = undefined;
        this.#expectHeartbeat(step, group, member, member.sessionTimeoutMs);
      }
      member.isNew = false;
      group.pendingSyncMembers.add(member.memberId);
    }
    const { generationId } = group;
    step.setTimer(syncKey(group), group.rebalanceTimeoutMs, (later) => this.#expireSync(later, group, generationId));
  }

  #syncReceived(step: GroupStep, group: ClassicGroup, memberId: string): void {
    group.pendingSyncMembers.delete(memberId);
    if (group.pendingSyncMembers.size === 0) step.cancelTimer(syncKey(group));
  }

  /** Members that did not sync in time are out, so that no phase waits for ever. */
  #expireSync(step: GroupStep, group: ClassicGroup, generationId: number): void {
    const isWaiting = group.state === "CompletingRebalance" || group.state === "Stable";
    if (!isWaiting || group.generationId !== generationId || group.pendingSyncMembers.size === 0) return;
    for (const memberId of group.pendingSyncMembers) this.#removeMember(step, group, memberId);
    this.#prepareRebalance(step, group);
  }

  #expectHeartbeat(step: GroupStep, group: ClassicGroup, member: ClassicGroupMember, timeoutMs: number): void {
    const { memberId } = member;
    step.setTimer(heartbeatKey(group, memberId), timeoutMs, (later) => {
      if (group.member(memberId) !== member) return;
      // Who waits for us does not owe us a sign of life, until it is answered.
      if (!member.isNew && (member.awaitingJoin !== undefined || member.awaitingSync !== undefined)) return;
      this.#removeMember(later, group, memberId);
      this.#rebalanceOrCompleteJoin(later, group);
    });
  }

  #expirePendingMember(step: GroupStep, group: ClassicGroup, memberId: string): void {
    if (!group.pendingJoinMembers.delete(memberId)) return;
    if (group.state === "PreparingRebalance") this.#rebalanceOrCompleteJoin(step, group);
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

function refusedJoin(errorCode: ErrorCode, memberId: string): JoinGroupResponse {
  return JoinGroupResponse.create({ errorCode, memberId, generationId: NO_GENERATION, protocolName: "" });
}

/** The current generation, and for the leader what it needs to assign. */
function joinResponse(group: ClassicGroup, { memberId }: ClassicGroupMember): JoinGroupResponse {
  const { generationId, protocolName = "", leaderId = "" } = group;
  const protocolType = group.protocolType ?? null;
  const members = leaderId === memberId ? group.members.map((member) => member.toJoinResponse(protocolName)) : [];
  return JoinGroupResponse.create({ generationId, protocolType, protocolName, leader: leaderId, memberId, members });
}

function syncResponse(group: ClassicGroup, { assignment }: ClassicGroupMember): SyncGroupResponse {
  const { protocolType, protocolName } = group;
  return SyncGroupResponse.create({
    protocolType: protocolType ?? null,
    protocolName: protocolName ?? null,
    assignment,
  });
}

function heartbeatKey({ groupId }: ClassicGroup, memberId: string): string {
  return `heartbeat/${groupId}/${memberId}`;
}

function joinKey({ groupId }: ClassicGroup): string {
  return `join/${groupId}`;
}

function syncKey({ groupId }: ClassicGroup): string {
  return `sync/${groupId}`;
}
