import type { Clock, Random } from "@samsa/base";
import { ErrorCode, errorCodeOf, KafkaError } from "@samsa/base";
import type { CompressionType } from "@samsa/protocol";
import type { ConsumerGroupHeartbeatRequest } from "@samsa/protocol/messages/consumer-group-heartbeat-request";
import type { ConsumerGroupHeartbeatResponse } from "@samsa/protocol/messages/consumer-group-heartbeat-response";
import type { HeartbeatRequest } from "@samsa/protocol/messages/heartbeat-request";
import type { JoinGroupRequest } from "@samsa/protocol/messages/join-group-request";
import type { JoinGroupResponse } from "@samsa/protocol/messages/join-group-response";
import type { LeaveGroupRequestMemberIdentity } from "@samsa/protocol/messages/leave-group-request";
import type { LeaveGroupResponseMemberResponse } from "@samsa/protocol/messages/leave-group-response";
import type { SyncGroupRequest } from "@samsa/protocol/messages/sync-group-request";
import type { SyncGroupResponse } from "@samsa/protocol/messages/sync-group-response";
import { Coordinator } from "../runtime/coordinator.ts";
import type { TransactionMarker } from "../runtime/coordinator-shard.ts";
import type { ClassicGroupState } from "./classic-group.ts";
import type { JoinContext } from "./classic-group-manager.ts";
import type { ConsumerGroupState } from "./consumer/consumer-group.ts";
import type { DescribedConsumerGroup } from "./consumer/describe-consumer-group.ts";
import { describeConsumerGroup } from "./consumer/describe-consumer-group.ts";
import type { GroupConfig } from "./group-config.ts";
import { GroupCoordinatorShard } from "./group-coordinator-shard.ts";
import type { OffsetCommit, TransactionalOffsetCommit } from "./group-coordinator-shard.ts";
import type { Group } from "./group.ts";
import type { GroupRecord } from "./group-records.ts";
import { GROUP_RECORD_SERDE } from "./group-records.ts";
import type { GroupTopics, GroupTopicsChange } from "./group-topics.ts";
import { NO_TOPICS } from "./group-topics.ts";
import type { TopicOffsets, TopicPartitionName } from "./offset-manager.ts";
import type { StreamsGroupState } from "./streams-group.ts";

export interface GroupCoordinatorOptions {
  readonly config: GroupConfig;
  readonly compressionType: CompressionType; // offsets.topic.compression.codec
  readonly clock: Clock;
  readonly random: Random;
  /** The topics that there are now. Default: none, which is enough for the classic protocol. */
  readonly topics?: () => GroupTopics;
  /** A partition of `__consumer_offsets` that could not be loaded or written. */
  readonly onProblem: (partition: number, error: unknown) => void;
}

/** A group as it is listed. */
export interface ListedGroup {
  readonly groupId: string;
  readonly protocolType: string;
  readonly state: ClassicGroupState | ConsumerGroupState | StreamsGroupState | "Unknown";
  readonly type: Group["type"];
}

export interface DescribedGroup extends ListedGroup {
  readonly state: ClassicGroupState;
  readonly protocolName: string; // empty unless the group is stable
  readonly members: readonly DescribedMember[];
}

export interface DescribedMember {
  readonly memberId: string;
  readonly groupInstanceId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  readonly metadata: Uint8Array;
  readonly assignment: Uint8Array;
}

const NO_BYTES = new Uint8Array(0);

/**
 * The group coordinator of a broker: each group belongs to the partition of `__consumer_offsets` that its name hashes to, and
 * whoever leads that partition coordinates the group. All methods reject with a KafkaError that is the answer, among them
 * NOT_COORDINATOR and COORDINATOR_LOAD_IN_PROGRESS.
 */
export class GroupCoordinator extends Coordinator<GroupRecord, GroupCoordinatorShard> {
  readonly #config: GroupConfig;
  readonly #topics: () => GroupTopics;

  constructor(options: GroupCoordinatorOptions) {
    const { config, compressionType, clock, random, onProblem, topics = () => NO_TOPICS } = options;
    super({
      topicName: "__consumer_offsets",
      withoutTopic: ErrorCode.COORDINATOR_NOT_AVAILABLE,
      clock,
      serde: GROUP_RECORD_SERDE,
      newShard: () => new GroupCoordinatorShard({ config, random, topics }),
      compressionType,
      onProblem,
    });
    this.#config = config;
    this.#topics = topics;
  }

  onTopicsDeleted(topics: ReadonlySet<string>): void {
    this.forEach((step, shard) => shard.onTopicsDeleted(step, topics));
  }

  onTopicsChanged(change: GroupTopicsChange): void {
    this.forEach((_step, shard) => shard.onTopicsChanged(change));
  }

  async consumerGroupHeartbeat(
    request: ConsumerGroupHeartbeatRequest,
    context: JoinContext,
  ): Promise<ConsumerGroupHeartbeatResponse> {
    return await this.schedule(request.groupId, (step, { consumer }, reply) =>
      consumer.heartbeat(step, request, context, reply),
    );
  }

  /** Rejects with GROUP_ID_NOT_FOUND, too. */
  async describeConsumerGroup(groupId: string): Promise<DescribedConsumerGroup> {
    return await this.schedule(groupId, (step, { groups }, reply) =>
      step.reply(reply, describeConsumerGroup(groups, groupId, this.#topics(), this.#config)),
    );
  }

  async joinGroup(request: JoinGroupRequest, context: JoinContext): Promise<JoinGroupResponse> {
    return await this.schedule(request.groupId, (step, { classic }, reply) =>
      classic.joinGroup(step, request, context, reply),
    );
  }

  async syncGroup(request: SyncGroupRequest): Promise<SyncGroupResponse> {
    return await this.schedule(request.groupId, (step, { classic }, reply) => classic.syncGroup(step, request, reply));
  }

  async heartbeat(request: HeartbeatRequest): Promise<void> {
    try {
      await this.schedule<void>(request.groupId, (step, { classic }, reply) => {
        classic.heartbeat(step, request);
        step.reply(reply, undefined);
      });
    } catch (error) {
      // A member that is not yet known here shall not give up its partitions for that.
      if (errorCodeOf(error) !== ErrorCode.COORDINATOR_LOAD_IN_PROGRESS) throw error;
    }
  }

  async leaveGroup(
    groupId: string,
    members: readonly LeaveGroupRequestMemberIdentity[],
  ): Promise<readonly LeaveGroupResponseMemberResponse[]> {
    return await this.schedule(groupId, (step, { classic }, reply) =>
      classic.leaveGroup(step, groupId, members, reply),
    );
  }

  /** @returns a code for each offset, in order */
  async commitOffsets(commit: OffsetCommit): Promise<readonly ErrorCode[]> {
    return await this.schedule(commit.groupId, (step, shard, reply) => shard.commitOffsets(step, commit, reply));
  }

  /** For when the transaction commits; @returns a code for each offset, in order */
  async commitTransactionalOffsets(commit: TransactionalOffsetCommit): Promise<readonly ErrorCode[]> {
    return await this.schedule(commit.groupId, (step, shard, reply) =>
      shard.commitTransactionalOffsets(step, commit, reply),
    );
  }

  /**
   * Writes the marker into a partition of `__consumer_offsets`: what the transaction has committed there counts, or is forgotten.
   * Rejects with what the log says of the marker, too.
   */
  async completeTransaction(partition: number, marker: TransactionMarker): Promise<void> {
    return await this.scheduleOn<void>(partition, (step, _shard, reply) =>
      step.endTransaction(marker, {
        onCommitted: (later) => later.reply(reply, undefined),
        onFailed: (later, error) => later.fail(reply, error),
      }),
    );
  }

  /**
   * What the group has committed, of which nothing can be lost any more, and whether an open transaction may change it.
   */
  async fetchOffsets(groupId: string, memberId: string | null = null, memberEpoch = -1): Promise<FetchedOffsets> {
    return await this.schedule(groupId, (step, shard, reply) => {
      const offsets = shard.fetchOffsets(groupId, memberId, memberEpoch);
      // As of now, like the offsets: a marker may come before the answer leaves.
      const pending = new Map<string, Set<number>>();
      for (const { topic, partition } of shard.offsets.pendingPartitions(groupId)) {
        pending.set(topic, (pending.get(topic) ?? new Set()).add(partition));
      }
      const isPending = (topic: string, partition: number): boolean => pending.get(topic)?.has(partition) ?? false;
      step.reply(reply, { offsets, isPending });
    });
  }

  /** @returns a code for each partition, in order */
  async deleteOffsets(groupId: string, partitions: readonly TopicPartitionName[]): Promise<readonly ErrorCode[]> {
    // Unlike all that is done with the group without a name, as in Kafka.
    if (groupId === "") throw new KafkaError(ErrorCode.INVALID_GROUP_ID);
    return await this.schedule(groupId, (step, shard, reply) => shard.deleteOffsets(step, groupId, partitions, reply));
  }

  async deleteGroup(groupId: string): Promise<void> {
    return await this.schedule(groupId, (step, shard, reply) => shard.deleteGroup(step, groupId, reply));
  }

  /** Rejects with GROUP_ID_NOT_FOUND, too. */
  async describeGroup(groupId: string): Promise<DescribedGroup> {
    return await this.schedule(groupId, (step, shard, reply) => step.reply(reply, describe(shard, groupId)));
  }

  /** The groups of all partitions led here. */
  listGroups(): Promise<readonly ListedGroup[]> {
    return this.collect(({ groups }) => [...groups.values()].map(listed));
  }
}

export interface FetchedOffsets {
  readonly offsets: ReadonlyMap<string, TopicOffsets>;
  readonly isPending: (topic: string, partition: number) => boolean;
}

function describe({ groups }: GroupCoordinatorShard, groupId: string): DescribedGroup {
  const group = groups.get(groupId);
  if (group?.type !== "classic") {
    const message = group === undefined ? `Group ${groupId} not found.` : `Group ${groupId} is not a classic group.`;
    throw new KafkaError(ErrorCode.GROUP_ID_NOT_FOUND, message);
  }
  const { protocolType = "", state } = group;
  const protocolName = state === "Stable" ? (group.protocolName ?? "") : "";
  const members = group.members.map((member) => ({
    memberId: member.memberId,
    groupInstanceId: member.groupInstanceId,
    clientId: member.clientId,
    clientHost: member.clientHost,
    metadata: state === "Stable" ? member.metadata(protocolName) : NO_BYTES,
    assignment: member.assignment, // of the generation before, while the next one is on its way
  }));
  return { groupId, protocolType, state, type: "classic", protocolName, members };
}

function listed(group: Group): ListedGroup {
  const { groupId, type } = group;
  switch (group.type) {
    case "classic":
      return { groupId, type, protocolType: group.protocolType ?? "", state: group.state };
    case "consumer":
      return { groupId, type, protocolType: "consumer", state: group.state };
    case "streams":
      return { groupId, type, protocolType: "streams", state: group.state };
    case "share":
      return { groupId, type, protocolType: "share", state: "Unknown" };
  }
}
