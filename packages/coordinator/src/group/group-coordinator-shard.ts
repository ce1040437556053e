import type { Random, Uuid } from "@samsa/base";
import { ErrorCode, KafkaError, utf8Length } from "@samsa/base";
import type { CoordinatorShard, Reply, Step, TransactionalWrite } from "../runtime/coordinator-shard.ts";
import { ClassicGroup } from "./classic-group.ts";
import { ClassicGroupManager } from "./classic-group-manager.ts";
import type { GroupConfig } from "./group-config.ts";
import type { GroupRecord } from "./group-records.ts";
import type { CommittedOffset, TopicOffsets, TopicPartitionName } from "./offset-manager.ts";
import { OffsetManager, offsetTombstone } from "./offset-manager.ts";

/** Offsets to be committed; the topics are known to exist. */
export interface OffsetCommit {
  readonly groupId: string;
  readonly memberId: string;
  readonly groupInstanceId: string | null;
  readonly generationId: number; // -1 for who is no member
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
export interface TransactionalOffsetCommit extends Omit<OffsetCommit, "retentionTimeMs"> {
  readonly transaction: TransactionalWrite;
}

const NO_RETENTION_TIME = -1; // the broker's own
const EXPIRATION_TIMER = "expire-offsets";

/** The groups and offsets of one partition of `__consumer_offsets`. */
export class GroupCoordinatorShard implements CoordinatorShard<GroupRecord> {
  readonly #config: GroupConfig;
  readonly classic: ClassicGroupManager;
  readonly offsets = new OffsetManager();

  constructor(config: GroupConfig, random: Random) {
    this.#config = config;
    this.classic = new ClassicGroupManager(config, random);
  }

  get groups(): ReadonlyMap<string, ClassicGroup> {
    return this.classic.groups;
  }

  replay(record: GroupRecord, producerId: number): void {
    if (record.kind === "offset-commit") {
      this.offsets.replay(record.key, record.value, producerId);
      if (record.value !== null) this.#ensureGroup(record.key.group);
      return;
    }
    const { group: groupId } = record.key;
    if (record.value === null) this.classic.groups.delete(groupId);
    else this.classic.groups.set(groupId, ClassicGroup.fromRecord(groupId, record.value));
  }

  endTransaction(producerId: number, isCommitted: boolean): void {
    for (const groupId of this.offsets.endTransaction(producerId, isCommitted)) this.#ensureGroup(groupId);
  }

  onLoaded(step: Step<GroupRecord>): void {
    for (const groupId of this.offsets.groupIds) this.#ensureGroup(groupId);
    for (const group of this.groups.values()) {
      // Compaction may leave an offset whose tombstone follows, and nothing of the group itself.
      if (group.protocolType === undefined && group.generationId === 0 && !this.#hasOffsets(group.groupId)) {
        this.classic.groups.delete(group.groupId);
      }
    }
    this.classic.onLoaded(step);
    this.#scheduleExpiration(step);
  }

  /** @throws KafkaError for a commit that is refused as a whole; the answer tells which offsets were */
  commitOffsets(step: Step<GroupRecord>, commit: OffsetCommit, reply: Reply<readonly ErrorCode[]>): void {
    const group = this.#validateCommit(commit);
    const { records, answer } = this.#commitRecords(step, commit, commit.retentionTimeMs);
    if (group !== undefined) this.classic.onOffsetsCommitted(step, group, commit.memberId);
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
    const group = this.#validateCommit(commit, true);
    const { records, answer } = this.#commitRecords(step, commit, NO_RETENTION_TIME);
    if (group !== undefined) this.classic.onOffsetsCommitted(step, group, commit.memberId);
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

  /** A copy of what has been committed, by topic; nothing for a group that there is not. */
  fetchOffsets(groupId: string): ReadonlyMap<string, TopicOffsets> {
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
    // What members of another kind read is not known.
    if (group.state !== "Empty" && group.protocolType !== "consumer") throw new KafkaError(ErrorCode.NON_EMPTY_GROUP);
    const records: GroupRecord[] = [];
    const answer = partitions.map(({ topic, partition }) => {
      if (group.state !== "Empty" && group.isSubscribedTo(topic)) return ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC;
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

  /** @throws KafkaError INVALID_GROUP_ID, GROUP_ID_NOT_FOUND, NON_EMPTY_GROUP */
  deleteGroup(step: Step<GroupRecord>, groupId: string, reply: Reply<void>): void {
    const group = this.#groupOrRefuse(groupId);
    if (group.state !== "Empty") throw new KafkaError(ErrorCode.NON_EMPTY_GROUP);
    const records = [...this.offsets.tombstonesOf(groupId), groupTombstone(groupId)];
    step.append(records, {
      onCommitted: (later) => later.reply(reply, undefined),
      onFailed: (later, error) => later.fail(reply, error),
    });
  }

  /** Topics are gone, and with them the offsets in them. */
  onTopicsDeleted(step: Step<GroupRecord>, topics: ReadonlySet<string>): void {
    for (const groupId of this.offsets.groupIds) step.append(this.offsets.tombstonesOfTopics(groupId, topics));
  }

  /** A transactional commit may come from a producer that knows nothing of its consumer, and in the midst of a rebalance. */
  #validateCommit(
    { groupId, memberId, groupInstanceId, generationId }: Omit<OffsetCommit, "retentionTimeMs">,
    isTransactional = false,
  ): ClassicGroup | undefined {
    const group = this.groups.get(groupId);
    const isMember = generationId >= 0 || memberId !== "" || groupInstanceId !== null;
    if (group === undefined) {
      // A consumer that assigns its partitions itself makes the group by its first commit.
      if (generationId < 0) return undefined;
      throw new KafkaError(ErrorCode.ILLEGAL_GENERATION, `there is no group ${groupId}`);
    }
    if (generationId < 0 && group.state === "Empty") return group;
    if (!isMember && isTransactional) return group;
    if (!isMember) throw new KafkaError(ErrorCode.UNKNOWN_MEMBER_ID, "the group has members, and this is none of them");
    group.validateMember(memberId, groupInstanceId);
    if (generationId !== group.generationId) throw new KafkaError(ErrorCode.ILLEGAL_GENERATION);
    // It has its generation and not yet its partitions: what it commits may be another's by now.
    if (group.state === "CompletingRebalance" && !isTransactional)
      throw new KafkaError(ErrorCode.REBALANCE_IN_PROGRESS);
    return group;
  }

  #groupOrRefuse(groupId: string): ClassicGroup {
    const group = this.groups.get(groupId);
    if (group !== undefined) return group;
    throw new KafkaError(ErrorCode.GROUP_ID_NOT_FOUND, `Group ${groupId} not found.`);
  }

  #ensureGroup(groupId: string): void {
    if (!this.groups.has(groupId)) this.classic.groups.set(groupId, new ClassicGroup(groupId, -1));
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
      const { groupId } = group;
      const expired = this.offsets.expired(group, step.nowMs, this.#config.offsetsRetentionMs);
      const left = [...this.offsets.offsets(groupId).values()].reduce((sum, { size }) => sum + size, 0);
      const hasPending = this.offsets.pendingPartitions(groupId).length > 0;
      const isIdle = group.state === "Empty" && group.pendingJoinMembers.size === 0 && !hasPending;
      const isOver = isIdle && expired.length === left;
      step.append(isOver ? [...expired, groupTombstone(groupId)] : expired);
    }
  }
}

function groupTombstone(group: string): GroupRecord {
  return { kind: "group-metadata", key: { group }, value: null };
}
