import type { Random } from "@samsa/base";
import { ErrorCode, KafkaError, randomUuid } from "@samsa/base";
import type { ConsumerGroupHeartbeatRequest } from "@samsa/protocol/messages/consumer-group-heartbeat-request";
import { ConsumerGroupHeartbeatResponse } from "@samsa/protocol/messages/consumer-group-heartbeat-response";
import type { Reply, Step } from "../../runtime/coordinator-shard.ts";
import type { JoinContext } from "../classic-group-manager.ts";
import type { GroupConfig } from "../group-config.ts";
import type { Groups } from "../group.ts";
import type { GroupRecord } from "../group-records.ts";
import { ConsumerGroup } from "./consumer-group.ts";
import type { ConsumerGroupMember, MemberDescription } from "./consumer-group-member.ts";
import {
  hasSamePartitions,
  LEAVE_GROUP_MEMBER_EPOCH,
  LEAVE_GROUP_STATIC_MEMBER_EPOCH,
  MemberState,
  newConsumerGroupMember,
  NOTHING_OWNED,
  sortedNames,
} from "./consumer-group-member.ts";
import { currentAssignmentRecord, memberRecord, memberTombstones, targetRecord } from "./consumer-group-records.ts";
import type { ConsumerGroupTimers } from "./consumer-group-timers.ts";
import type { ConsumerGroupUpdater } from "./consumer-group-updater.ts";
import { checkHeartbeat } from "./heartbeat-validation.ts";
import type { GroupMigration } from "./group-migration.ts";

type GroupStep = Step<GroupRecord>;

export interface ConsumerGroupManagerOptions {
  readonly config: GroupConfig;
  readonly random: Random;
  readonly groups: Groups;
  readonly migration: GroupMigration;
  readonly timers: ConsumerGroupTimers;
  readonly updater: ConsumerGroupUpdater;
}

/**
 * The consumer protocol (KIP-848), as Kafka 4.4's GroupMetadataManager decides it: one heartbeat says everything a member wants, and
 * its answer everything it shall do. The state is what the records say; nothing is changed in place.
 */
export class ConsumerGroupManager {
  readonly #options: ConsumerGroupManagerOptions;

  constructor(options: ConsumerGroupManagerOptions) {
    this.#options = options;
  }

  /** Everyone gets a whole session to be heard of again, and those that are revoking their whole time for that. */
  onLoaded(step: GroupStep): void {
    for (const group of this.#options.groups.values()) {
      if (group.type !== "consumer") continue;
      for (const member of group.members.values()) {
        this.#options.timers.expectHeartbeat(step, group, member);
        if (member.state === MemberState.UNREVOKED_PARTITIONS && member.classic === null) {
          this.#options.timers.expectRevocation(step, group, member);
        }
      }
    }
  }

  /** @throws KafkaError what the member must do about it */
  heartbeat(
    step: GroupStep,
    request: ConsumerGroupHeartbeatRequest,
    context: JoinContext,
    reply: Reply<ConsumerGroupHeartbeatResponse>,
  ): void {
    checkHeartbeat(request, context.apiVersion, this.#options.config.consumerAssignors);
    const isLeaving =
      request.memberEpoch === LEAVE_GROUP_MEMBER_EPOCH || request.memberEpoch === LEAVE_GROUP_STATIC_MEMBER_EPOCH;
    if (isLeaving) return this.#leave(step, request, reply);
    const { groupId, memberEpoch, topicPartitions: owned, subscribedTopicNames: names } = request;
    const { config, random, timers, updater } = this.#options;
    const records: GroupRecord[] = [];
    const isJoining = memberEpoch === 0;
    const group = this.#groupToJoin(step, groupId, isJoining, records);
    this.#refuseWhenFull(group, request);
    const memberId = request.memberId === "" ? randomUuid(random) : request.memberId;
    const { member, replaced } = this.#memberOf(group, { ...request, memberId }, records);
    const updated: ConsumerGroupMember = { ...member, ...described(member, request, context) };
    const next = updater.update(step, { group, member, updated, replaced, owned, records });
    timers.expectHeartbeat(step, group, next);
    const isFull =
      isJoining ||
      (request.rebalanceTimeoutMs !== -1 &&
        (names !== null || request.subscribedTopicRegex !== null) &&
        owned !== null);
    const isNews = isFull || !hasSamePartitions(member.assigned, next.assigned);
    const response = ConsumerGroupHeartbeatResponse.create({
      memberId: next.memberId,
      memberEpoch: next.memberEpoch,
      heartbeatIntervalMs: config.consumerGroup(groupId).heartbeatIntervalMs,
      assignment: isNews ? assignmentOf(next) : null,
    });
    respond(step, records, reply, response);
  }

  #leave(
    step: GroupStep,
    { groupId, memberId, memberEpoch, instanceId }: ConsumerGroupHeartbeatRequest,
    reply: Reply<ConsumerGroupHeartbeatResponse>,
  ): void {
    const group = this.#options.groups.get(groupId);
    if (group === undefined) throw new KafkaError(ErrorCode.GROUP_ID_NOT_FOUND, `Group ${groupId} not found.`);
    if (group.type !== "consumer") throw notConsumerGroup(groupId);
    const member = instanceId === null ? group.memberOrRefuse(memberId) : staticMember(group, instanceId, memberId);
    const response = ConsumerGroupHeartbeatResponse.create({ memberId, memberEpoch });
    if (memberEpoch === LEAVE_GROUP_STATIC_MEMBER_EPOCH) {
      // Its partitions are kept for it, until its session is over.
      const gone = { ...member, memberEpoch, pendingRevocation: NOTHING_OWNED };
      return respond(step, [currentAssignmentRecord(groupId, gone)], reply, response);
    }
    this.#options.updater.fence(step, group, [member], {
      onCommitted: (later) => later.reply(reply, response),
      onFailed: (later, error) => later.fail(reply, error),
    });
  }

  /** The group; a new one, or one of the other protocol made into one of this, for a member that joins. */
  #groupToJoin(step: GroupStep, groupId: string, isJoining: boolean, records: GroupRecord[]): ConsumerGroup {
    const group = this.#options.groups.get(groupId);
    if (group === undefined) {
      if (isJoining) return new ConsumerGroup(groupId);
      throw new KafkaError(ErrorCode.GROUP_ID_NOT_FOUND, `Consumer group ${groupId} not found.`);
    }
    if (group.type === "consumer") return group;
    if (group.type === "classic" && isJoining) return this.#options.migration.upgrade(step, group, records);
    throw notConsumerGroup(groupId);
  }

  #refuseWhenFull(group: ConsumerGroup, request: ConsumerGroupHeartbeatRequest): void {
    const { consumerMaxSize } = this.#options.config;
    if (group.size < consumerMaxSize || group.member(request.memberId) !== undefined) return;
    if (group.staticMember(request.instanceId) !== undefined) return;
    const message = `The consumer group has reached its maximum capacity of ${consumerMaxSize} members.`;
    throw new KafkaError(ErrorCode.GROUP_MAX_SIZE_REACHED, message);
  }

  #memberOf(
    group: ConsumerGroup,
    request: ConsumerGroupHeartbeatRequest,
    records: GroupRecord[],
  ): { readonly member: ConsumerGroupMember; readonly replaced: ConsumerGroupMember | undefined } {
    const { memberId, memberEpoch, instanceId, topicPartitions } = request;
    if (memberEpoch !== 0) {
      const known = instanceId === null ? group.memberOrRefuse(memberId) : staticMember(group, instanceId, memberId);
      checkMemberEpoch(known, memberEpoch, topicPartitions);
      return { member: known, replaced: undefined };
    }
    const existing = group.staticMember(instanceId);
    if (existing === undefined || existing.memberId === memberId) {
      return { member: group.member(memberId) ?? newConsumerGroupMember(memberId), replaced: undefined };
    }
    if (existing.classic === null && existing.memberEpoch !== LEAVE_GROUP_STATIC_MEMBER_EPOCH) {
      const message =
        `Static member ${memberId} with instance id ${instanceId} cannot join the group because the instance id is ` +
        `owned by ${existing.memberId} member.`;
      throw new KafkaError(ErrorCode.UNRELEASED_INSTANCE_ID, message);
    }
    return { member: replaceMember(group, existing, memberId, records), replaced: existing };
  }
}

/** A static member is back under another id: it has what its old self had. */
export function replaceMember(
  group: ConsumerGroup,
  existing: ConsumerGroupMember,
  memberId: string,
  records: GroupRecord[],
): ConsumerGroupMember {
  const member = { ...existing, memberId, memberEpoch: 0, previousMemberEpoch: 0 };
  const { groupId } = group;
  records.push(
    ...memberTombstones(groupId, existing.memberId),
    memberRecord(groupId, member),
    targetRecord(groupId, memberId, group.target(existing.memberId)),
    currentAssignmentRecord(groupId, member),
  );
  return member;
}

/** @throws KafkaError UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID */
export function staticMember(group: ConsumerGroup, instanceId: string, memberId: string): ConsumerGroupMember {
  const member = group.staticMember(instanceId);
  if (member === undefined) throw new KafkaError(ErrorCode.UNKNOWN_MEMBER_ID, `Instance id ${instanceId} is unknown.`);
  if (member.memberId === memberId) return member;
  const message = `Static member ${memberId} with instance id ${instanceId} was fenced by member ${member.memberId}.`;
  throw new KafkaError(ErrorCode.FENCED_INSTANCE_ID, message);
}

/** An older epoch is taken when the answer that told of the new one may have been lost. */
function checkMemberEpoch(
  member: ConsumerGroupMember,
  memberEpoch: number,
  owned: ConsumerGroupHeartbeatRequest["topicPartitions"],
): void {
  if (memberEpoch === member.memberEpoch) return;
  const isGreater = memberEpoch > member.memberEpoch;
  const isPrevious = !isGreater && memberEpoch === member.previousMemberEpoch;
  const ownsOnlyItsOwn =
    owned?.every(({ topicId, partitions }) =>
      partitions.every((partition) => member.assigned.get(topicId)?.has(partition) === true),
    ) ?? false;
  if (isPrevious && ownsOnlyItsOwn) return;
  const message =
    `The consumer group member has a ${isGreater ? "greater" : "smaller"} member epoch (${memberEpoch}) than the one known by ` +
    `the group coordinator (${member.memberEpoch}). The member must abandon all its partitions and rejoin.`;
  throw new KafkaError(ErrorCode.FENCED_MEMBER_EPOCH, message);
}

/** What is not said stays as it was. */
function described(
  member: ConsumerGroupMember,
  request: ConsumerGroupHeartbeatRequest,
  { clientId, clientHost }: JoinContext,
): MemberDescription {
  const { subscribedTopicNames: names, rebalanceTimeoutMs } = request;
  return {
    instanceId: request.instanceId ?? member.instanceId,
    rackId: request.rackId ?? member.rackId,
    clientId,
    clientHost,
    subscribedTopicNames: names === null ? member.subscribedTopicNames : sortedNames(names),
    subscribedTopicRegex: request.subscribedTopicRegex ?? member.subscribedTopicRegex,
    rebalanceTimeoutMs: rebalanceTimeoutMs === -1 ? member.rebalanceTimeoutMs : rebalanceTimeoutMs,
    serverAssignor: request.serverAssignor ?? member.serverAssignor,
    classic: null,
  };
}

function notConsumerGroup(groupId: string): KafkaError {
  return new KafkaError(ErrorCode.GROUP_ID_NOT_FOUND, `Group ${groupId} is not a consumer group.`);
}

function assignmentOf({ assigned }: ConsumerGroupMember) {
  return {
    topicPartitions: Array.from(assigned, ([topicId, partitions]) => ({
      topicId,
      partitions: [...partitions.keys()].sort((a, b) => a - b),
    })),
  };
}

function respond<T>(step: GroupStep, records: readonly GroupRecord[], reply: Reply<T>, response: T): void {
  step.append(records, {
    onCommitted: (later) => later.reply(reply, response),
    onFailed: (later, error) => later.fail(reply, error),
  });
}
