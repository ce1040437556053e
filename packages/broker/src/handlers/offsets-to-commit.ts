import type { Uuid } from "@samsa/base";
import { ErrorCode } from "@samsa/base";
import type { OffsetToCommit } from "@samsa/coordinator";
import type { MetadataCache } from "../metadata-cache.ts";
import { findTopic } from "../topic-names.ts";

interface TopicToCommit {
  readonly name: string;
  readonly topicId: Uuid;
  readonly partitions: readonly {
    readonly partitionIndex: number;
    readonly committedOffset: number;
    readonly committedLeaderEpoch: number;
    readonly committedMetadata: string | null;
  }[];
}

interface CommittedTopic {
  name: string;
  topicId: Uuid;
  partitions: { partitionIndex: number; errorCode: ErrorCode }[];
}

export interface OffsetsToCommit {
  /** Those of partitions that are there. */
  readonly offsets: readonly OffsetToCommit[];
  /** What is said of each partition, given the code of each of the offsets, in their order. */
  readonly answer: (codes: readonly ErrorCode[]) => CommittedTopic[];
}

/**
 * What OffsetCommit and TxnOffsetCommit are asked to commit.
 *
 * @param isById whether topics are named by their ids
 */
export function offsetsToCommit(
  metadata: MetadataCache,
  requested: readonly TopicToCommit[],
  isById: boolean,
): OffsetsToCommit {
  const offsets: OffsetToCommit[] = [];
  const topics = requested.map(({ name, topicId, partitions }) => {
    const topic = findTopic(metadata, { name, topicId }, isById);
    const unknown = isById ? ErrorCode.UNKNOWN_TOPIC_ID : ErrorCode.UNKNOWN_TOPIC_OR_PARTITION;
    const answers = partitions.map((partition) => {
      const { partitionIndex, committedOffset, committedLeaderEpoch, committedMetadata } = partition;
      if (topic === undefined) return { partitionIndex, at: -1, errorCode: unknown };
      if (!topic.partitions.has(partitionIndex)) {
        return { partitionIndex, at: -1, errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION };
      }
      const at = offsets.push({
        topic: topic.name,
        partition: partitionIndex,
        offset: committedOffset,
        leaderEpoch: committedLeaderEpoch,
        metadata: committedMetadata,
        topicId,
      });
      return { partitionIndex, at: at - 1, errorCode: ErrorCode.NONE };
    });
    return { name, topicId, answers };
  });
  return {
    offsets,
    answer: (codes) =>
      topics.map(({ name, topicId, answers }) => ({
        name,
        topicId,
        partitions: answers.map(({ partitionIndex, at, errorCode }) => ({
          partitionIndex,
          errorCode: codes[at] ?? errorCode,
        })),
      })),
  };
}

/** Every partition of a request that is refused as a whole. */
export function refusedOffsets(topics: readonly TopicToCommit[], errorCode: ErrorCode): CommittedTopic[] {
  return topics.map(({ name, topicId, partitions }) => ({
    name,
    topicId,
    partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode })),
  }));
}
