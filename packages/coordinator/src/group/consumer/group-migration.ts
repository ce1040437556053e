import { ByteReader, ByteWriter, ErrorCode, KafkaError } from "@samsa/base";
import { ConsumerProtocolAssignment } from "@samsa/protocol/messages/consumer-protocol-assignment";
import type { ConsumerProtocolSubscription } from "@samsa/protocol/messages/consumer-protocol-subscription";
import { ConsumerProtocolSubscription as Subscription } from "@samsa/protocol/messages/consumer-protocol-subscription";
import type { Step, WriteOutcome } from "../../runtime/coordinator-shard.ts";
import { ClassicGroup, NOT_YET_REBALANCED_MS } from "../classic-group.ts";
import { ClassicGroupMember } from "../classic-group-member.ts";
import type { ClassicGroupRebalance } from "../classic-group-rebalance.ts";
import type { GroupConfig } from "../group-config.ts";
import type { Groups } from "../group.ts";
import type { GroupRecord } from "../group-records.ts";
import type { GroupTopics } from "../group-topics.ts";
import { ConsumerGroup } from "./consumer-group.ts";
import type { ConsumerGroupMember, OwnedPartitions } from "./consumer-group-member.ts";
import { newConsumerGroupMember, NOTHING_OWNED, sortedNames } from "./consumer-group-member.ts";
import {
  currentAssignmentRecord,
  groupEpochRecord,
  groupTombstones,
  memberRecord,
  targetEpochRecord,
  targetRecord,
} from "./consumer-group-records.ts";
import type { ConsumerGroupTimers } from "./consumer-group-timers.ts";
import { metadataHash } from "./metadata-hash.ts";

type GroupStep = Step<GroupRecord>;

export interface GroupMigrationOptions {
  readonly config: GroupConfig;
  readonly groups: Groups;
  readonly topics: () => GroupTopics;
  readonly rebalance: ClassicGroupRebalance;
  readonly timers: ConsumerGroupTimers;
}

/**
 * From one protocol to the other with members in place (KIP-848): a classic group becomes a consumer group when the first member of
 * the consumer protocol joins, and a classic one again when the last of them goes; `group.consumer.migration.policy` says which way
 * is open. A group without members goes either way.
 */
export class GroupMigration {
  readonly #options: GroupMigrationOptions;

  constructor(options: GroupMigrationOptions) {
    this.#options = options;
  }

  /**
   * The consumer group that takes the place of a classic one, as soon as the records are written.
   * @throws KafkaError GROUP_ID_NOT_FOUND when it may not be
   */
  upgrade(step: GroupStep, classic: ClassicGroup, records: GroupRecord[]): ConsumerGroup {
    const { groupId } = classic;
    const { config, rebalance, timers, topics } = this.#options;
    const tombstone: GroupRecord = { kind: "group-metadata", key: { group: groupId }, value: null };
    if (classic.state === "Empty") {
      rebalance.dissolve(step, classic);
      records.push(tombstone);
      return new ConsumerGroup(groupId);
    }
    const refuse = (why: string): never => {
      const message = `Cannot upgrade classic group ${groupId} to consumer group because ${why}.`;
      throw new KafkaError(ErrorCode.GROUP_ID_NOT_FOUND, message);
    };
    const policy = config.consumerMigrationPolicy;
    if (policy !== "upgrade" && policy !== "bidirectional") refuse("online upgrade is disabled");
    if (!classic.usesConsumerProtocol) refuse("the group does not use the consumer embedded protocol");
    if (classic.size > config.consumerMaxSize) refuse("the group size exceeds the consumer group maximum size");
    const members = this.#membersOf(classic, refuse);
    const group = consumerGroupOf(classic, members, topics());
    records.push(
      tombstone,
      ...members.map((member) => memberRecord(groupId, member)),
      groupEpochRecord(groupId, group.groupEpoch, group.metadataHash),
      ...members.map(({ memberId }) => targetRecord(groupId, memberId, group.target(memberId))),
      targetEpochRecord(groupId, group.assignmentEpoch, 0),
      ...members.map((member) => currentAssignmentRecord(groupId, member)),
    );
    rebalance.dissolve(step, classic);
    for (const member of members) timers.expectHeartbeat(step, group, member);
    return group;
  }

  /** Whether none but members of the classic protocol are left when these go. */
  canDowngrade(group: ConsumerGroup, leaving: readonly ConsumerGroupMember[]): boolean {
    const { consumerMigrationPolicy: policy, maxSize } = this.#options.config;
    const left = group.size - leaving.length;
    if (left <= 0 || left > maxSize || !group.allUseClassicProtocolBut(leaving)) return false;
    return policy === "downgrade" || policy === "bidirectional";
  }

  /** The members that are left are called together anew. */
  downgrade(
    step: GroupStep,
    group: ConsumerGroup,
    leaving: readonly ConsumerGroupMember[],
    outcome: WriteOutcome<GroupRecord>,
  ): void {
    const { groups, rebalance, timers } = this.#options;
    const { groupId } = group;
    const classic = this.#classicGroupOf(group, leaving);
    for (const memberId of group.members.keys()) timers.cancelAll(step, group, memberId);
    step.append([...groupTombstones(group), classic.toRecord()], {
      ...outcome,
      onAppended: () => void groups.set(groupId, classic),
      onFailed: (later, error) => {
        rebalance.dissolve(later, classic);
        for (const member of group.members.values()) timers.expectHeartbeat(later, group, member);
        outcome.onFailed?.(later, error);
      },
    });
    for (const member of classic.members) rebalance.expectHeartbeat(step, classic, member, member.sessionTimeoutMs);
    rebalance.prepareRebalance(step, classic);
  }

  #membersOf(classic: ClassicGroup, refuse: (why: string) => never): readonly ConsumerGroupMember[] {
    const protocolName = classic.protocolName ?? classic.selectProtocol();
    const topics = this.#options.topics();
    const { generationId } = classic;
    return classic.members.map((member): ConsumerGroupMember => {
      const { memberId, groupInstanceId, clientId, clientHost, rebalanceTimeoutMs, sessionTimeoutMs } = member;
      const subscription = readSubscription(member.metadata(protocolName));
      const assigned = readAssignment(member.assignment, topics, generationId);
      if (subscription === undefined || assigned === undefined) {
        return refuse("the embedded consumer protocol is malformed");
      }
      if (assigned === "custom") {
        return refuse(
          "an unsupported custom assignor is in use. Please refer to the documentation or switch to a default assignor " +
            "before re-attempting the upgrade",
        );
      }
      return {
        ...newConsumerGroupMember(memberId),
        instanceId: groupInstanceId,
        rackId: rackOf(subscription),
        clientId,
        clientHost,
        subscribedTopicNames: sortedNames(subscription.topics),
        rebalanceTimeoutMs,
        classic: { sessionTimeoutMs, supportedProtocols: member.protocols },
        memberEpoch: generationId,
        previousMemberEpoch: generationId,
        assigned,
      };
    });
  }

  #classicGroupOf(group: ConsumerGroup, leaving: readonly ConsumerGroupMember[]): ClassicGroup {
    const { groupId, groupEpoch, members } = group;
    const draft = new ClassicGroup(groupId, NOT_YET_REBALANCED_MS);
    draft.protocolType = CONSUMER_PROTOCOL_TYPE;
    draft.generationId = groupEpoch;
    for (const member of members.values()) {
      if (leaving.includes(member) || member.classic === null) continue;
      const { memberId, instanceId: groupInstanceId, clientId, clientHost, rebalanceTimeoutMs, classic } = member;
      const { sessionTimeoutMs, supportedProtocols: protocols } = classic;
      const assignment = assignmentBytes(member, this.#options.topics());
      const fields = { memberId, groupInstanceId, clientId, clientHost, rebalanceTimeoutMs, sessionTimeoutMs };
      draft.add(new ClassicGroupMember({ ...fields, protocols, assignment }));
    }
    draft.protocolName = draft.selectProtocol();
    return draft.asLoaded();
  }
}

export const CONSUMER_PROTOCOL_TYPE = "consumer";

const UNKNOWN_METADATA_HASH = 0n;

function consumerGroupOf(
  { groupId, generationId, state }: ClassicGroup,
  members: readonly ConsumerGroupMember[],
  topics: GroupTopics,
): ConsumerGroup {
  const group = new ConsumerGroup(groupId);
  group.groupEpoch = generationId;
  group.assignmentEpoch = generationId;
  for (const member of members) {
    group.setDescription(member.memberId, member);
    group.setAssignmentState(member.memberId, member);
    group.setTarget(
      member.memberId,
      new Map(Array.from(member.assigned, ([topicId, partitions]) => [topicId, new Set(partitions.keys())])),
    );
  }
  // Who joined in a rebalance has nothing yet, and a static member that comes back with the newer protocol is no change of its own:
  // another hash makes a new epoch, and that an assignment for all.
  group.metadataHash = state === "Stable" ? metadataHash(group.subscribedTopics(), topics) : UNKNOWN_METADATA_HASH;
  return group;
}

/** What a member of the classic protocol subscribes to; undefined when it cannot be read. */
export function readSubscription(metadata: Uint8Array): ConsumerProtocolSubscription | undefined {
  try {
    const reader = new ByteReader(metadata);
    const version = reader.int16();
    if (version < 0) return undefined;
    return Subscription.read(reader, Math.min(version, Subscription.highestVersion));
  } catch (error) {
    if (error instanceof KafkaError) return undefined;
    throw error;
  }
}

export function rackOf({ rackId }: ConsumerProtocolSubscription): string | null {
  return rackId === "" ? null : rackId;
}

/** "custom" for one with data of an assignor that would be lost. */
function readAssignment(bytes: Uint8Array, topics: GroupTopics, epoch: number): OwnedPartitions | "custom" | undefined {
  if (bytes.length === 0) return NOTHING_OWNED;
  try {
    const reader = new ByteReader(bytes);
    const version = reader.int16();
    if (version < 0) return undefined;
    const known = Math.min(version, ConsumerProtocolAssignment.highestVersion);
    const { assignedPartitions, userData } = ConsumerProtocolAssignment.read(reader, known);
    if (userData !== null && userData.length > 0) return "custom";
    const owned = new Map<GroupTopicId, ReadonlyMap<number, number>>();
    for (const { topic, partitions } of assignedPartitions) {
      const id = topics.topic(topic)?.id;
      if (id !== undefined && partitions.length > 0) owned.set(id, new Map(partitions.map((each) => [each, epoch])));
    }
    return owned;
  } catch (error) {
    if (error instanceof KafkaError) return undefined;
    throw error;
  }
}

type GroupTopicId = OwnedPartitions extends ReadonlyMap<infer Id, unknown> ? Id : never;

/** What a member has, as its protocol writes it, in the version of its subscription. */
export function assignmentBytes({ assigned, classic }: ConsumerGroupMember, topics: GroupTopics): Uint8Array {
  const [protocol] = classic?.supportedProtocols ?? [];
  const asked = protocol === undefined ? 0 : new ByteReader(protocol.metadata).int16();
  const version = Math.max(0, Math.min(asked, ConsumerProtocolAssignment.highestVersion));
  const assignedPartitions = [...assigned].flatMap(([topicId, partitions]) => {
    const topic = topics.topicById(topicId)?.name;
    return topic === undefined ? [] : [{ topic, partitions: [...partitions.keys()].sort((a, b) => a - b) }];
  });
  const writer = new ByteWriter();
  writer.int16(version);
  ConsumerProtocolAssignment.write(writer, ConsumerProtocolAssignment.create({ assignedPartitions }), version);
  return writer.toBytes();
}
