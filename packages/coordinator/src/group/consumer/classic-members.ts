import type { Random } from "@samsa/base";
import { ErrorCode, errorCodeOf, KafkaError, randomUuid } from "@samsa/base";
import type { HeartbeatRequest } from "@samsa/protocol/messages/heartbeat-request";
import type { JoinGroupRequest } from "@samsa/protocol/messages/join-group-request";
import { JoinGroupResponse } from "@samsa/protocol/messages/join-group-response";
import type { LeaveGroupRequestMemberIdentity } from "@samsa/protocol/messages/leave-group-request";
import type { LeaveGroupResponseMemberResponse } from "@samsa/protocol/messages/leave-group-response";
import type { SyncGroupRequest } from "@samsa/protocol/messages/sync-group-request";
import { SyncGroupResponse } from "@samsa/protocol/messages/sync-group-response";
import type { Reply, Step } from "../../runtime/coordinator-shard.ts";
import { refusedJoin } from "../classic-group-responses.ts";
import type { JoinContext } from "../classic-group-manager.ts";
import type { GroupConfig } from "../group-config.ts";
import type { GroupRecord } from "../group-records.ts";
import type { GroupTopics } from "../group-topics.ts";
import type { ConsumerGroup } from "./consumer-group.ts";
import { replaceMember } from "./consumer-group-manager.ts";
import type { ConsumerGroupMember } from "./consumer-group-member.ts";
import { MemberState, newConsumerGroupMember, sortedNames } from "./consumer-group-member.ts";
import type { ConsumerGroupTimers } from "./consumer-group-timers.ts";
import type { ConsumerGroupUpdater } from "./consumer-group-updater.ts";
import type { NamedPartitions } from "./current-assignment.ts";
import type { GroupMigration } from "./group-migration.ts";
import { assignmentBytes, CONSUMER_PROTOCOL_TYPE, rackOf, readSubscription } from "./group-migration.ts";

type GroupStep = Step<GroupRecord>;

export interface ClassicMembersOptions {
  readonly config: GroupConfig;
  readonly random: Random;
  readonly topics: () => GroupTopics;
  readonly timers: ConsumerGroupTimers;
  readonly updater: ConsumerGroupUpdater;
  readonly migration: GroupMigration;
}

const FIRST_VERSION_WITH_MEMBER_ID_REQUIRED = 4;

/**
 * Members that speak the classic protocol in a consumer group, while a deployment moves from one to the other (KIP-848). Nobody leads:
 * the broker assigns. A generation is the epoch of the member; a rebalance is announced by the answer to a heartbeat, a join hands over
 * what was given up, a sync fetches what was assigned.
 */
export class ClassicMembers {
  readonly #options: ClassicMembersOptions;

  constructor(options: ClassicMembersOptions) {
    this.#options = options;
  }

  joinGroup(
    step: GroupStep,
    group: ConsumerGroup,
    request: JoinGroupRequest,
    context: JoinContext,
    reply: Reply<JoinGroupResponse>,
  ): void {
    const { config, random, migration } = this.#options;
    const { groupInstanceId: instanceId, protocols } = request;
    const refuse = (code: ErrorCode): void => step.reply(reply, refusedJoin(code, ""));
    if (config.consumerMigrationPolicy === "disabled") return refuse(ErrorCode.INCONSISTENT_GROUP_PROTOCOL);
    const isUnknown = request.memberId === "";
    const memberId = isUnknown ? randomUuid(random) : request.memberId;
    const known = group.staticMember(instanceId) ?? group.member(memberId);
    if (group.size >= config.consumerMaxSize && known === undefined) return refuse(ErrorCode.GROUP_MAX_SIZE_REACHED);
    const [protocol] = protocols;
    const subscription = protocol === undefined ? undefined : readSubscription(protocol.metadata);
    const isSupported =
      request.protocolType === CONSUMER_PROTOCOL_TYPE &&
      group.supportsClassicProtocols(protocols.map(({ name }) => name));
    if (protocol === undefined || subscription === undefined || !isSupported) {
      return refuse(ErrorCode.INCONSISTENT_GROUP_PROTOCOL);
    }
    if (isUnknown && instanceId === null && context.apiVersion >= FIRST_VERSION_WITH_MEMBER_ID_REQUIRED) {
      return step.reply(reply, refusedJoin(ErrorCode.MEMBER_ID_REQUIRED, memberId));
    }
    const existing = group.staticMember(instanceId);
    if (instanceId !== null && !isUnknown) {
      if (existing === undefined) return refuse(ErrorCode.UNKNOWN_MEMBER_ID);
      if (existing.memberId !== memberId) return refuse(ErrorCode.FENCED_INSTANCE_ID);
    }
    const replaced = existing !== undefined && existing.memberId !== memberId ? existing : undefined;
    if (replaced !== undefined && replaced.classic === null && migration.canDowngrade(group, [replaced])) {
      // The last member of the consumer protocol comes back as a classic one: it comes again, to a classic group.
      const again = (later: GroupStep): void =>
        later.reply(reply, refusedJoin(ErrorCode.REBALANCE_IN_PROGRESS, request.memberId));
      return migration.downgrade(step, group, [replaced], { onCommitted: again, onFailed: again });
    }
    const records: GroupRecord[] = [];
    const member =
      replaced === undefined
        ? (existing ?? group.member(memberId) ?? newConsumerGroupMember(memberId))
        : replaceMember(group, replaced, memberId, records);
    const { rebalanceTimeoutMs, sessionTimeoutMs } = request;
    const updated: ConsumerGroupMember = {
      ...member,
      instanceId: instanceId ?? member.instanceId,
      rackId: rackOf(subscription) ?? member.rackId,
      clientId: context.clientId,
      clientHost: context.clientHost,
      subscribedTopicNames: sortedNames(subscription.topics),
      subscribedTopicRegex: "",
      rebalanceTimeoutMs: rebalanceTimeoutMs < 0 ? sessionTimeoutMs : rebalanceTimeoutMs,
      classic: {
        sessionTimeoutMs,
        // Copies: what came is part of a larger read.
        supportedProtocols: protocols.map(({ name, metadata }) => ({ name, metadata: metadata.slice() })),
      },
    };
    const owned = this.#named(subscription.ownedPartitions);
    const next = this.#options.updater.update(step, { group, member, updated, replaced, owned, records });
    this.#options.timers.joined(step, group, memberId);
    this.#options.timers.expectHeartbeat(step, group, next);
    this.#options.timers.expectSync(step, group, next);
    const response = JoinGroupResponse.create({
      memberId,
      generationId: next.memberEpoch,
      protocolType: CONSUMER_PROTOCOL_TYPE,
      protocolName: protocol.name,
    });
    step.append(records, {
      onCommitted: (later) => later.reply(reply, response),
      onFailed: (later, error) => later.reply(reply, refusedJoin(error.code, memberId)),
    });
  }

  /** @throws KafkaError what the member must do about it */
  syncGroup(step: GroupStep, group: ConsumerGroup, request: SyncGroupRequest, reply: Reply<SyncGroupResponse>): void {
    const member = classicMember(group, request.memberId, request.groupInstanceId);
    checkGeneration(member, request.generationId);
    const [protocol] = member.classic?.supportedProtocols ?? [];
    const { protocolType, protocolName } = request;
    const isOtherType = protocolType !== null && protocolType !== CONSUMER_PROTOCOL_TYPE;
    if (isOtherType || (protocolName !== null && protocolName !== protocol?.name)) {
      throw new KafkaError(ErrorCode.INCONSISTENT_GROUP_PROTOCOL);
    }
    const { timers, topics } = this.#options;
    if (group.groupEpoch > member.memberEpoch && member.state !== MemberState.UNREVOKED_PARTITIONS) {
      timers.expectJoin(step, group, member);
      throw new KafkaError(ErrorCode.REBALANCE_IN_PROGRESS);
    }
    timers.synced(step, group, member.memberId);
    timers.expectHeartbeat(step, group, member);
    const assignment = assignmentBytes(member, topics());
    step.reply(reply, SyncGroupResponse.create({ protocolType, protocolName, assignment }));
  }

  /** @throws KafkaError what the member must do about it */
  heartbeat(step: GroupStep, group: ConsumerGroup, request: HeartbeatRequest): void {
    const { timers } = this.#options;
    const member = classicMember(group, request.memberId, request.groupInstanceId);
    checkGeneration(member, request.generationId);
    timers.expectHeartbeat(step, group, member);
    const mayHaveMore = member.state === MemberState.UNRELEASED_PARTITIONS && !group.isWaitingOnUnreleased(member);
    const mustJoin =
      member.memberEpoch < group.groupEpoch || member.state === MemberState.UNREVOKED_PARTITIONS || mayHaveMore;
    if (!mustJoin) return;
    timers.expectJoin(step, group, member);
    throw new KafkaError(ErrorCode.REBALANCE_IN_PROGRESS);
  }

  /** By this request anybody can be put out, also who speaks the newer protocol. */
  leaveGroup(
    step: GroupStep,
    group: ConsumerGroup,
    members: readonly LeaveGroupRequestMemberIdentity[],
    reply: Reply<readonly LeaveGroupResponseMemberResponse[]>,
  ): void {
    const leaving = new Set<ConsumerGroupMember>();
    const answers = members.map(({ memberId, groupInstanceId }): LeaveGroupResponseMemberResponse => {
      try {
        const known = memberId === "" ? group.staticMember(groupInstanceId)?.memberId : memberId;
        leaving.add(memberOrRefuse(group, known ?? memberId, groupInstanceId));
        return { memberId, groupInstanceId, errorCode: ErrorCode.NONE };
      } catch (error) {
        return { memberId, groupInstanceId, errorCode: errorCodeOf(error) };
      }
    });
    if (leaving.size === 0) return step.reply(reply, answers);
    this.#options.updater.fence(step, group, [...leaving], {
      onCommitted: (later) => later.reply(reply, answers),
      onFailed: (later, error) => later.fail(reply, error),
    });
  }

  #named(
    owned: readonly { readonly topic: string; readonly partitions: readonly number[] }[],
  ): readonly NamedPartitions[] {
    const topics = this.#options.topics();
    return owned.flatMap(({ topic, partitions }) => {
      const id = topics.topic(topic)?.id;
      return id === undefined ? [] : [{ topicId: id, partitions }];
    });
  }
}

/** @throws KafkaError UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID */
function classicMember(group: ConsumerGroup, memberId: string, instanceId: string | null): ConsumerGroupMember {
  const member = memberOrRefuse(group, memberId, instanceId);
  if (member.classic !== null) return member;
  throw new KafkaError(ErrorCode.UNKNOWN_MEMBER_ID, `Member ${memberId} does not use the classic protocol.`);
}

/** @throws KafkaError UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID */
function memberOrRefuse(group: ConsumerGroup, memberId: string, instanceId: string | null): ConsumerGroupMember {
  const member = instanceId === null ? group.memberOrRefuse(memberId) : group.staticMember(instanceId);
  if (member === undefined) {
    const message = `Member with instance id ${instanceId} is not a member of group ${group.groupId}.`;
    throw new KafkaError(ErrorCode.UNKNOWN_MEMBER_ID, message);
  }
  if (member.memberId !== memberId) throw new KafkaError(ErrorCode.FENCED_INSTANCE_ID);
  return member;
}

function checkGeneration({ memberId, memberEpoch }: ConsumerGroupMember, generationId: number): void {
  if (memberEpoch === generationId) return;
  const message = `The request generation id ${generationId} is not equal to the member epoch ${memberEpoch} of member ${memberId}.`;
  throw new KafkaError(ErrorCode.ILLEGAL_GENERATION, message);
}
