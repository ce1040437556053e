import type { Random, Uuid } from "@samsa/base";
import { ErrorCode, refusal, utf8Length } from "@samsa/base";
import type { CoordinatorShard, Reply, Step, TransactionalWrite } from "../runtime/coordinator-shard.ts";
import { ClassicGroup } from "./classic-group.ts";
import { ClassicGroupManager } from "./classic-group-manager.ts";
import { ClassicGroupRebalance } from "./classic-group-rebalance.ts";
import { validateCommit, validateFetch } from "./commit-validation.ts";
import { ClassicMembers } from "./consumer/classic-members.ts";
import { ConsumerGroupManager } from "./consumer/consumer-group-manager.ts";
import { groupTombstones } from "./consumer/consumer-group-records.ts";
import { replayConsumerGroupRecord } from "./consumer/consumer-group-replay.ts";
import { ConsumerGroupTimers } from "./consumer/consumer-group-timers.ts";
import { ConsumerGroupUpdater } from "./consumer/consumer-group-updater.ts";
import { GroupMigration } from "./consumer/group-migration.ts";
import type { GroupConfig } from "./group-config.ts";
import type { CoordinatedGroup, Group, Groups } from "./group.ts";
import type { GroupRecord } from "./group-records.ts";
import type { GroupTopics, GroupTopicsChange } from "./group-topics.ts";
import { offsetExpiryOf } from "./offset-expiry.ts";
import type { CommittedOffset, TopicOffsets, TopicPartitionName } from "./offset-manager.ts";
import { OffsetManager, offsetTombstone } from "./offset-manager.ts";
import type { StreamsGroup } from "./streams-group.ts";
import { replayStreamsGroupRecord, streamsGroupTombstones } from "./streams-group.ts";

/** Offsets to be committed; the topics are known to exist. */
export interface OffsetCommit {
  readonly groupId: string;
  readonly memberId: string;
  readonly groupInstanceId: string | null;
  readonly generationId: number; // or the epoch of a member; -1 for who is no member
  readonly apiVersion: number;
  readonly retentionTimeMs: number; // -1 for the broker's own
  readonly offsets: readonly OffsetToCommit[];
}

export interface OffsetToCommit {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly leaderEpoch: number; // -1 when unknown
  readonly metadata: string | null;
  readonly topicId: Uuid; // zero for a topic that was named by its name
}

/** Offsets that count when a transaction commits (KIP-447). */
export interface TransactionalOffsetCommit extends Omit<OffsetCommit, "retentionTimeMs" | "apiVersion"> {
  readonly transaction: TransactionalWrite;
}

const NO_RETENTION_TIME = -1; // the broker's own
const NO_MEMBER_EPOCH = -1;
const ANY_VERSION = 0; // no transactional commit is too old
const EXPIRATION_TIMER = "expire-offsets";

/** What the groups of all partitions share. */
export interface GroupCoordinatorShardOptions {
  readonly config: GroupConfig;
  readonly random: Random;
  readonly topics: () => GroupTopics;
}

/** The groups and offsets of one partition of `__consumer_offsets`. */
export class GroupCoordinatorShard implements CoordinatorShard<GroupRecord> {
  readonly #config: GroupConfig;
  readonly #topics: () => GroupTopics;
  readonly #groups: Groups = new Map();
  readonly classic: ClassicGroupManager;
  readonly consumer: ConsumerGroupManager;
  readonly offsets = new OffsetManager();

  constructor({ config, random, topics }: GroupCoordinatorShardOptions) {
    this.#config = config;
    this.#topics = topics;
    const groups = this.#groups;
    const timers: ConsumerGroupTimers = new ConsumerGroupTimers(
      config,
      (groupId, memberId) => {
        const group = groups.get(groupId);
        return group?.type === "consumer" ? group.member(memberId)?.memberEpoch : undefined;
      },
      (step, groupId, memberId) => updater.fenceById(step, groupId, memberId),
    );
    const rebalance = new ClassicGroupRebalance(config);
    const migration = new GroupMigration({ config, groups, topics, rebalance, timers });
    const updater = new ConsumerGroupUpdater({ config, groups, topics, timers, migration });
    const classicMembers = new ClassicMembers({ config, random, topics, timers, updater, migration });
    this.classic = new ClassicGroupManager({ config, random, groups, rebalance, classicMembers });
    this.consumer = new ConsumerGroupManager({ config, random, groups, migration, timers, updater });
  }

  get groups(): ReadonlyMap<string, Group> {
    return this.#groups;
  }

  replay(record: GroupRecord, producerId: number): void {
    switch (record.kind) {
      case "offset-commit":
        this.offsets.replay(record.key, record.value, producerId);
        if (record.value !== null) this.#ensureGroup(record.key.group);
        return;
      case "group-metadata": {
        const { group: groupId } = record.key;
        if (record.value !== null) this.#groups.set(groupId, ClassicGroup.fromRecord(groupId, record.value));
        else if (this.#groups.get(groupId)?.type === "classic") this.#groups.delete(groupId);
        return;
      }
      case "foreign-group": {
        const { groupId } = record.key;
        const known = this.#groups.get(groupId)?.type;
        if (record.value !== null) this.#groups.set(groupId, { type: record.value.type, groupId });
        else if (known === "share") this.#groups.delete(groupId);
        return;
      }
      case "streams-group-current-member-assignment":
      case "streams-group-member-metadata":
      case "streams-group-metadata":
      case "streams-group-target-assignment-member":
      case "streams-group-target-assignment-metadata":
      case "streams-group-topology":
        return replayStreamsGroupRecord(this.#groups, record);
      default:
        replayConsumerGroupRecord(this.#groups, record);
    }
  }

  endTransaction(producerId: number, isCommitted: boolean): void {
    for (const groupId of this.offsets.endTransaction(producerId, isCommitted)) this.#ensureGroup(groupId);
  }

  onLoaded(step: Step<GroupRecord>): void {
    for (const groupId of this.offsets.groupIds) this.#ensureGroup(groupId);
    for (const group of this.groups.values()) {
      if (group.type !== "classic") continue;
      // Compaction may leave an offset whose tombstone follows, and nothing of the group itself.
      if (group.protocolType === undefined && group.generationId === 0 && !this.#hasOffsets(group.groupId)) {
        this.#groups.delete(group.groupId);
      }
    }
    this.classic.onLoaded(step);
    this.consumer.onLoaded(step);
    this.#scheduleExpiration(step);
  }

  /** @throws KafkaError for a commit that is refused as a whole; the answer tells which offsets were */
  commitOffsets(step: Step<GroupRecord>, commit: OffsetCommit, reply: Reply<readonly ErrorCode[]>): void {
    const group = this.#validateCommit(commit, false);
    const { records, answer } = this.#commitRecords(step, commit, commit.retentionTimeMs);
    if (group?.type === "classic") this.classic.onOffsetsCommitted(step, group, commit.memberId);
    step.append(records, {
      onCommitted: (later) => later.reply(reply, answer),
      onFailed: (later, error) => later.fail(reply, error),
    });
  }

  /**
   * As `commitOffsets`, for when the transaction commits.
   * @throws KafkaError for a commit that is refused as a whole
   */
  commitTransactionalOffsets(
    step: Step<GroupRecord>,
    commit: TransactionalOffsetCommit,
    reply: Reply<readonly ErrorCode[]>,
  ): void {
    const group = this.#validateCommit({ ...commit, apiVersion: ANY_VERSION }, true);
    const { records, answer } = this.#commitRecords(step, commit, NO_RETENTION_TIME);
    if (group?.type === "classic") this.classic.onOffsetsCommitted(step, group, commit.memberId);
    step.append(records, {
      transaction: commit.transaction,
      onCommitted: (later) => later.reply(reply, answer),
      onFailed: (later, error) => later.fail(reply, error),
    });
  }

  #commitRecords(
    step: Step<GroupRecord>,
    { groupId, offsets }: Pick<OffsetCommit, "groupId" | "offsets">,
    retentionTimeMs: number,
  ): { readonly records: readonly GroupRecord[]; readonly answer: readonly ErrorCode[] } {
    const records: GroupRecord[] = [];
    const answer = offsets.map(({ topic, partition, offset, leaderEpoch, metadata, topicId }) => {
      if (metadata !== null && utf8Length(metadata) > this.#config.offsetMetadataMaxBytes) {
        return ErrorCode.OFFSET_METADATA_TOO_LARGE;
      }
      const value: CommittedOffset = {
        offset,
        leaderEpoch,
        metadata: metadata ?? "",
        commitTimestamp: step.nowMs,
        expireTimestamp: retentionTimeMs < 0 ? -1 : step.nowMs + retentionTimeMs,
        topicId,
      };
      records.push({ kind: "offset-commit", key: { group: groupId, topic, partition }, value });
      return ErrorCode.NONE;
    });
    return { records, answer };
  }

  /**
   * A copy of what has been committed, by topic; nothing for a group that there is not.
   * @throws KafkaError for one that says it is a member and is not
   */
  fetchOffsets(
    groupId: string,
    memberId: string | null = null,
    memberEpoch = NO_MEMBER_EPOCH,
  ): ReadonlyMap<string, TopicOffsets> {
    validateFetch(this.#groups.get(groupId), memberId, memberEpoch);
    return this.offsets.offsets(groupId);
  }

  /** @throws KafkaError GROUP_ID_NOT_FOUND, NON_EMPTY_GROUP; the answer has a code for each partition */
  deleteOffsets(
    step: Step<GroupRecord>,
    groupId: string,
    partitions: readonly TopicPartitionName[],
    reply: Reply<readonly ErrorCode[]>,
  ): void {
    const group = this.#groupOrRefuse(groupId);
    const isEmpty = group.type !== "consumer" && group.state === "Empty";
    // What members of another kind read is not known.
    if (group.type === "classic" && !isEmpty && !group.usesConsumerProtocol) {
      throw refusal(ErrorCode.NON_EMPTY_GROUP);
    }
    const records: GroupRecord[] = [];
    const answer = partitions.map(({ topic, partition }) => {
      if (!isEmpty && group.isSubscribedTo(topic)) return ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC;
      const isKnown =
        this.offsets.offset(groupId, topic, partition) !== undefined ||
        this.offsets.isPending(groupId, topic, partition);
      if (isKnown) {
        records.push(offsetTombstone(groupId, topic, partition));
      }
      return ErrorCode.NONE;
    });
    step.append(records, {
      onCommitted: (later) => later.reply(reply, answer),
      onFailed: (later, error) => later.fail(reply, error),
    });
  }

  /** @throws KafkaError GROUP_ID_NOT_FOUND, NON_EMPTY_GROUP */
  deleteGroup(step: Step<GroupRecord>, groupId: string, reply: Reply<void>): void {
    const group = this.#groupOrRefuse(groupId);
    if (group.state !== "Empty") throw refusal(ErrorCode.NON_EMPTY_GROUP);
    const records = [...this.offsets.tombstonesOf(groupId), ...tombstonesOf(group)];
    step.append(records, {
      onCommitted: (later) => later.reply(reply, undefined),
      onFailed: (later, error) => later.fail(reply, error),
    });
  }

  /** Topics are gone, and with them the offsets in them. */
  onTopicsDeleted(step: Step<GroupRecord>, topics: ReadonlySet<string>): void {
    for (const groupId of this.offsets.groupIds) step.append(this.offsets.tombstonesOfTopics(groupId, topics));
  }

  /** Topics were created or changed. */
  onTopicsChanged({ names, haveOtherNames }: GroupTopicsChange): void {
    for (const group of this.#groups.values()) {
      if (group.type !== "consumer") continue;
      if (haveOtherNames) group.areRegexesStale = true;
      if (!group.isMetadataStale) group.isMetadataStale = [...names].some((name) => group.isSubscribedTo(name));
    }
  }

  #validateCommit(commit: Omit<OffsetCommit, "retentionTimeMs">, isTransactional: boolean): Group | undefined {
    const group = this.#groups.get(commit.groupId);
    validateCommit(group, { ...commit, isTransactional }, commit.offsets, this.#topics());
    return group;
  }

  #groupOrRefuse(groupId: string): CoordinatedGroup | StreamsGroup {
    const group = this.#groups.get(groupId);
    if (group !== undefined && group.type !== "share") return group;
    if (group !== undefined) throw refusal(ErrorCode.NON_EMPTY_GROUP, `${group.type} groups are left alone here`);
    throw refusal(ErrorCode.GROUP_ID_NOT_FOUND, `Group ${groupId} not found.`);
  }

  #ensureGroup(groupId: string): void {
    if (!this.#groups.has(groupId)) this.#groups.set(groupId, new ClassicGroup(groupId, -1));
  }

  #hasOffsets(groupId: string): boolean {
    return this.offsets.offsets(groupId).size > 0 || this.offsets.pendingPartitions(groupId).length > 0;
  }

  #scheduleExpiration(step: Step<GroupRecord>): void {
    step.setTimer(EXPIRATION_TIMER, this.#config.offsetsRetentionCheckIntervalMs, (later) => {
      this.#expireOffsets(later);
      this.#scheduleExpiration(later);
    });
  }

  /** Forgets what is past its retention, and groups in which nothing is left. */
  #expireOffsets(step: Step<GroupRecord>): void {
    for (const group of this.groups.values()) {
      const expiry = offsetExpiryOf(group);
      if (expiry === undefined || group.type === "share") continue;
      const { groupId } = group;
      const expired = this.offsets.expired(expiry, step.nowMs, this.#config.offsetsRetentionMs);
      const left = [...this.offsets.offsets(groupId).values()].reduce((sum, { size }) => sum + size, 0);
      const hasPending = this.offsets.pendingPartitions(groupId).length > 0;
      const isExpected = group.type === "classic" && group.pendingJoinMembers.size > 0;
      const isOver = group.state === "Empty" && !isExpected && !hasPending && expired.length === left;
      step.append(isOver ? [...expired, ...tombstonesOf(group)] : expired);
    }
  }
}

function tombstonesOf(group: CoordinatedGroup | StreamsGroup): readonly GroupRecord[] {
  if (group.type === "streams") return streamsGroupTombstones(group);
  if (group.type === "consumer") return groupTombstones(group);
  return [{ kind: "group-metadata", key: { group: group.groupId }, value: null }];
}
