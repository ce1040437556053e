import type { Uuid } from "@samsa/base";
import { ErrorCode, refusal, ZERO_UUID } from "@samsa/base";
import type { ClassicGroup } from "./classic-group.ts";
import type { ConsumerGroup } from "./consumer/consumer-group.ts";
import type { ConsumerGroupMember } from "./consumer/consumer-group-member.ts";
import type { Group } from "./group.ts";
import type { GroupTopics } from "./group-topics.ts";

/** Who commits. */
export interface Committer {
  readonly groupId: string;
  readonly memberId: string;
  readonly groupInstanceId: string | null;
  readonly generationId: number; // or the epoch of a member; -1 for who is no member
  readonly apiVersion: number; // of OffsetCommit; of no meaning for a transactional commit
  /** Such a commit may come from a producer that knows nothing of its consumer, and in the midst of a rebalance. */
  readonly isTransactional: boolean;
}

export interface CommittedPartition {
  readonly topic: string;
  readonly topicId: Uuid; // zero for a topic that was named by its name
  readonly partition: number;
}

const FIRST_VERSION_WITH_MEMBER_EPOCH = 9;

/**
 * Whether the group takes offsets from whoever commits them; a group that there is not takes them from a simple consumer.
 * @throws KafkaError, in Kafka's words
 */
export function validateCommit(
  group: Group | undefined,
  committer: Committer,
  partitions: readonly CommittedPartition[],
  topics: GroupTopics,
): void {
  const { groupId, generationId, apiVersion, isTransactional } = committer;
  if (group === undefined) {
    // A consumer that assigns its partitions itself makes the group by its first commit.
    if (generationId < 0) return;
    const isMemberEpoch = apiVersion >= FIRST_VERSION_WITH_MEMBER_EPOCH && !isTransactional;
    const code = isMemberEpoch ? ErrorCode.GROUP_ID_NOT_FOUND : ErrorCode.ILLEGAL_GENERATION;
    throw refusal(code, `Group ${groupId} not found.`);
  }
  switch (group.type) {
    case "classic":
      return validateForClassicGroup(group, committer);
    case "consumer":
      return validateForConsumerGroup(group, committer, partitions, topics);
    default:
      if (group.type === "streams" && generationId < 0 && group.state === "Empty") return;
      if (generationId >= 0 || !isTransactional) {
        throw refusal(ErrorCode.UNKNOWN_MEMBER_ID, `${group.type} groups are not coordinated here`);
      }
  }
}

function validateForClassicGroup(group: ClassicGroup, committer: Committer): void {
  const { memberId, groupInstanceId, generationId, isTransactional } = committer;
  const isMember = generationId >= 0 || memberId !== "" || groupInstanceId !== null;
  if (generationId < 0 && group.state === "Empty") return;
  if (!isMember && isTransactional) return;
  if (!isMember) throw refusal(ErrorCode.UNKNOWN_MEMBER_ID, "the group has members, and this is none of them");
  group.validateMember(memberId, groupInstanceId);
  if (generationId !== group.generationId) throw refusal(ErrorCode.ILLEGAL_GENERATION);
  // It has its generation and not yet its partitions: what it commits may be another's by now.
  if (group.state === "CompletingRebalance" && !isTransactional) throw refusal(ErrorCode.REBALANCE_IN_PROGRESS);
}

function validateForConsumerGroup(
  group: ConsumerGroup,
  { memberId, groupInstanceId, generationId: epoch, apiVersion, isTransactional }: Committer,
  partitions: readonly CommittedPartition[],
  topics: GroupTopics,
): void {
  if (epoch < 0 && group.size === 0) return;
  if (isTransactional && epoch === -1 && memberId === "" && groupInstanceId === null) return;
  const member = group.memberOrRefuse(memberId);
  const isClassic = member.classic !== null;
  if (!isTransactional && !isClassic && apiVersion < FIRST_VERSION_WITH_MEMBER_EPOCH) {
    const message = "OffsetCommit version 9 or above must be used by members using the consumer group protocol";
    throw refusal(ErrorCode.UNSUPPORTED_VERSION, message);
  }
  if (epoch === member.memberEpoch) return;
  const [code, what] = isClassic
    ? [ErrorCode.ILLEGAL_GENERATION, "generation id"]
    : [ErrorCode.STALE_MEMBER_EPOCH, "member epoch"];
  if (epoch > member.memberEpoch) {
    const message = `Received ${what} ${epoch} is newer than current member epoch ${member.memberEpoch}.`;
    throw refusal(code, message);
  }
  // The member has gone on meanwhile. What it has had since that epoch nobody else has committed for (KIP-1251).
  for (const { topic, topicId, partition } of partitions) {
    const id = topicId === ZERO_UUID ? topics.topic(topic)?.id : topicId;
    const since = id === undefined ? undefined : assignedSince(member, id, partition);
    if (since === undefined) {
      throw refusal(code, `Partition ${topic}-${partition} is not assigned or pending revocation for member.`);
    }
    if (epoch < since) {
      const message = `Received ${what} ${epoch} is older than assignment epoch ${since} for partition ${topic}-${partition}.`;
      throw refusal(code, message);
    }
  }
}

function assignedSince(member: ConsumerGroupMember, topicId: Uuid, partition: number): number | undefined {
  return member.assigned.get(topicId)?.get(partition) ?? member.pendingRevocation.get(topicId)?.get(partition);
}

/**
 * Whether a member of a consumer group may read the group's offsets: one that has been fenced shall not begin where another is.
 * Nobody's epoch is looked at when neither is given.
 * @throws KafkaError UNKNOWN_MEMBER_ID, STALE_MEMBER_EPOCH, ILLEGAL_GENERATION
 */
export function validateFetch(group: Group | undefined, memberId: string | null, memberEpoch: number): void {
  if (group?.type !== "consumer" || (memberId === null && memberEpoch < 0)) return;
  const member = group.memberOrRefuse(memberId ?? "");
  if (member.memberEpoch === memberEpoch) return;
  const [code, what] =
    member.classic === null
      ? [ErrorCode.STALE_MEMBER_EPOCH, "member epoch"]
      : [ErrorCode.ILLEGAL_GENERATION, "generation id"];
  const message = `The received ${what} ${memberEpoch} does not match the expected member epoch ${member.memberEpoch}.`;
  throw refusal(code, message);
}
