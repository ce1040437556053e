import { ErrorCode } from "@samsa/base";
import { SyncGroupResponse } from "@samsa/protocol/messages/sync-group-response";
import type { Step } from "../runtime/coordinator-shard.ts";
import type { ClassicGroup } from "./classic-group.ts";
import type { ClassicGroupMember } from "./classic-group-member.ts";
import { joinResponse, refusedJoin, syncResponse } from "./classic-group-responses.ts";
import type { GroupConfig } from "./group-config.ts";
import type { GroupRecord } from "./group-records.ts";

type GroupStep = Step<GroupRecord>;

const NO_MEMBER_ID = "";
/** Of one group. Kafka has no bound. */
const MAX_PENDING_JOIN_MEMBERS = 10_000;

/** How a classic group goes from one generation to the next, and the deadlines of every phase on the way. */
export class ClassicGroupRebalance {
  readonly #config: GroupConfig;

  constructor(config: GroupConfig) {
    this.#config = config;
  }

  answerSync(step: GroupStep, group: ClassicGroup, member: ClassicGroupMember): void {
    if (member.awaitingSync === undefined) return;
    step.reply(member.awaitingSync, syncResponse(group, member));
    member.awaitingSync = undefined;
    this.expectHeartbeat(step, group, member, member.sessionTimeoutMs);
  }

  refuseSync(step: GroupStep, member: ClassicGroupMember, errorCode: ErrorCode): void {
    if (member.awaitingSync === undefined) return;
    step.reply(member.awaitingSync, SyncGroupResponse.create({ errorCode }));
    member.awaitingSync = undefined;
  }

  /** Whoever is removed while it waits is told to join anew. */
  removeMember(step: GroupStep, group: ClassicGroup, memberId: string): void {
    const member = group.member(memberId);
    if (member?.awaitingJoin !== undefined) {
      step.reply(member.awaitingJoin, refusedJoin(ErrorCode.UNKNOWN_MEMBER_ID, NO_MEMBER_ID));
      member.awaitingJoin = undefined;
    }
    if (member !== undefined) this.refuseSync(step, member, ErrorCode.UNKNOWN_MEMBER_ID);
    group.remove(memberId);
    step.cancelTimer(heartbeatKey(group, memberId));
  }

  rebalanceOrCompleteJoin(step: GroupStep, group: ClassicGroup): void {
    switch (group.state) {
      case "Empty":
        // Pending members may come and go without a rebalance.
        if (group.size > 0) this.prepareRebalance(step, group);
        return;
      case "CompletingRebalance":
      case "Stable":
        return this.prepareRebalance(step, group);
      case "PreparingRebalance":
        // The first rebalance ends with its delay, not with the first member.
        if (group.previousState !== "Empty" && group.hasAllMembersJoined) this.#completeJoin(step, group);
        return;
      case "Dead":
        return;
    }
  }

  prepareRebalance(step: GroupStep, group: ClassicGroup): void {
    if (group.state === "CompletingRebalance") {
      for (const member of group.members) {
        member.assignment = new Uint8Array(0);
        if (member.awaitingSync === undefined) continue;
        this.refuseSync(step, member, ErrorCode.REBALANCE_IN_PROGRESS);
        this.expectHeartbeat(step, group, member, member.sessionTimeoutMs);
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
        this.expectHeartbeat(step, group, member, member.sessionTimeoutMs);
      }
      member.isNew = false;
      group.pendingSyncMembers.add(member.memberId);
    }
    const { generationId } = group;
    step.setTimer(syncKey(group), group.rebalanceTimeoutMs, (later) => this.#expireSync(later, group, generationId));
  }

  syncReceived(step: GroupStep, group: ClassicGroup, memberId: string): void {
    group.pendingSyncMembers.delete(memberId);
    if (group.pendingSyncMembers.size === 0) step.cancelTimer(syncKey(group));
  }

  /** Members that did not sync in time are out, so that no phase waits for ever. */
  #expireSync(step: GroupStep, group: ClassicGroup, generationId: number): void {
    const isWaiting = group.state === "CompletingRebalance" || group.state === "Stable";
    if (!isWaiting || group.generationId !== generationId || group.pendingSyncMembers.size === 0) return;
    for (const memberId of group.pendingSyncMembers) this.removeMember(step, group, memberId);
    this.prepareRebalance(step, group);
  }

  expectHeartbeat(step: GroupStep, group: ClassicGroup, member: ClassicGroupMember, timeoutMs: number): void {
    const { memberId } = member;
    step.setTimer(heartbeatKey(group, memberId), timeoutMs, (later) => {
      if (group.member(memberId) !== member) return;
      // Who waits for us does not owe us a sign of life, until it is answered.
      if (!member.isNew && (member.awaitingJoin !== undefined || member.awaitingSync !== undefined)) return;
      this.removeMember(later, group, memberId);
      this.rebalanceOrCompleteJoin(later, group);
    });
  }

  /** The group is no classic one any more: who waits is told to come again, and no deadline counts. */
  dissolve(step: GroupStep, group: ClassicGroup): void {
    for (const member of group.members) {
      if (member.awaitingJoin !== undefined) {
        step.reply(member.awaitingJoin, refusedJoin(ErrorCode.REBALANCE_IN_PROGRESS, member.memberId));
        member.awaitingJoin = undefined;
      }
      this.refuseSync(step, member, ErrorCode.REBALANCE_IN_PROGRESS);
      this.expectNoHeartbeat(step, group, member.memberId);
    }
    for (const memberId of group.pendingJoinMembers) this.expectNoHeartbeat(step, group, memberId);
    step.cancelTimer(joinKey(group));
    step.cancelTimer(syncKey(group));
    group.transitionTo("Dead", step.nowMs);
  }

  expectNoHeartbeat(step: GroupStep, group: ClassicGroup, memberId: string): void {
    step.cancelTimer(heartbeatKey(group, memberId));
  }

  /** It was given a member id and is expected back with it (KIP-394), but not for ever. */
  expectPendingMember(step: GroupStep, group: ClassicGroup, memberId: string, timeoutMs: number): void {
    const { pendingJoinMembers } = group;
    const [oldest] = pendingJoinMembers;
    if (pendingJoinMembers.size >= MAX_PENDING_JOIN_MEMBERS && oldest !== undefined) {
      // Whoever asks for ids and never comes shall not fill the memory. An honest one comes back at once, else it starts anew.
      pendingJoinMembers.delete(oldest);
      this.expectNoHeartbeat(step, group, oldest);
    }
    pendingJoinMembers.add(memberId);
    step.setTimer(heartbeatKey(group, memberId), timeoutMs, (later) => {
      if (!pendingJoinMembers.delete(memberId)) return;
      if (group.state === "PreparingRebalance") this.rebalanceOrCompleteJoin(later, group);
    });
  }
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
