import type { KafkaError, Uuid } from "@samsa/base";
import { ErrorCode, ZERO_UUID } from "@samsa/base";
import { AlterShareGroupOffsetsRequest } from "@samsa/protocol/messages/alter-share-group-offsets-request";
import { AlterShareGroupOffsetsResponse } from "@samsa/protocol/messages/alter-share-group-offsets-response";
import { DeleteShareGroupOffsetsRequest } from "@samsa/protocol/messages/delete-share-group-offsets-request";
import { DeleteShareGroupOffsetsResponse } from "@samsa/protocol/messages/delete-share-group-offsets-response";
import { DescribeShareGroupOffsetsRequest } from "@samsa/protocol/messages/describe-share-group-offsets-request";
import { DescribeShareGroupOffsetsResponse } from "@samsa/protocol/messages/describe-share-group-offsets-response";
import { OffsetCommitRequest } from "@samsa/protocol/messages/offset-commit-request";
import { OffsetCommitResponse } from "@samsa/protocol/messages/offset-commit-response";
import { OffsetDeleteRequest } from "@samsa/protocol/messages/offset-delete-request";
import { OffsetDeleteResponse } from "@samsa/protocol/messages/offset-delete-response";
import { createOffsetFetchRequestGroup, OffsetFetchRequest } from "@samsa/protocol/messages/offset-fetch-request";
import { OffsetFetchResponse } from "@samsa/protocol/messages/offset-fetch-response";
import { CoordinatorType } from "../cluster/find-coordinators.ts";
import type { TopicPartition } from "../cluster/topic-metadata.ts";
import { api } from "../connection/api.ts";
import type { AdminDriver } from "./admin-driver.ts";
import { errorOf, throwCode } from "./admin-driver.ts";
import { ItemResults } from "./item-results.ts";
import { nameOf } from "./offsets.ts";
import { group, toCoordinator } from "./routes.ts";
import { byName } from "./topics.ts";

/** Later versions of both have topic ids, which say nothing that names do not. */
const OFFSET_FETCH = api(OffsetFetchRequest, OffsetFetchResponse, { highestVersion: 9 });
const OFFSET_COMMIT = api(OffsetCommitRequest, OffsetCommitResponse, { highestVersion: 9 });
const OFFSET_DELETE = api(OffsetDeleteRequest, OffsetDeleteResponse);
const DESCRIBE_SHARE_OFFSETS = api(DescribeShareGroupOffsetsRequest, DescribeShareGroupOffsetsResponse);
const ALTER_SHARE_OFFSETS = api(AlterShareGroupOffsetsRequest, AlterShareGroupOffsetsResponse);
const DELETE_SHARE_OFFSETS = api(DeleteShareGroupOffsetsRequest, DeleteShareGroupOffsetsResponse);
const FIRST_FETCH_VERSION_WITH_GROUPS = 8;
/** Before it null does not mean all. */
const FIRST_FETCH_VERSION_WITH_ALL = 2;
const FIRST_FETCH_VERSION_WITH_STABLE = 7;

export interface CommittedOffset extends TopicPartition {
  readonly offset: number;
  readonly leaderEpoch: number | undefined;
  readonly metadata: string;
}

export interface GroupOffsetsQuery {
  readonly groupId: string;
  /** All that the group has when left out. */
  readonly partitions?: readonly TopicPartition[];
}

/** Named by group; the answers hold what is committed, and an error for a partition in place of its offset. */
export async function listGroupOffsets(
  driver: AdminDriver,
  queries: readonly GroupOffsetsQuery[],
  requireStable: boolean,
): Promise<ItemResults<ItemResults<CommittedOffset>>> {
  return await driver.items<GroupOffsetsQuery, ItemResults<CommittedOffset>>({
    what: "OffsetFetch",
    items: queries,
    nameOf: ({ groupId }) => groupId,
    route: toCoordinator(CoordinatorType.group, ({ groupId }) => groupId),
    ask: async (connection, some) => {
      const lowestVersion = requireStable ? FIRST_FETCH_VERSION_WITH_STABLE : FIRST_FETCH_VERSION_WITH_ALL;
      const which = { ...OFFSET_FETCH, lowestVersion };
      const answers: [string, ItemResults<CommittedOffset> | KafkaError][] = [];
      if (connection.versionOf(which) >= FIRST_FETCH_VERSION_WITH_GROUPS) {
        const request = OffsetFetchRequest.create({
          groups: some.map(({ groupId, partitions }) =>
            createOffsetFetchRequestGroup({ groupId, topics: topicsOf(partitions) }),
          ),
          requireStable,
        });
        const { groups } = await connection.send(which, request);
        for (const { groupId, topics, errorCode } of groups) {
          answers.push([groupId, errorOf(errorCode, `group ${groupId}`) ?? committedOf(topics)]);
        }
      } else {
        for (const { groupId, partitions } of some) {
          const request = OffsetFetchRequest.create({ groupId, topics: topicsOf(partitions), requireStable });
          const { topics, errorCode } = await connection.send(which, request);
          answers.push([groupId, errorOf(errorCode, `group ${groupId}`) ?? committedOf(topics)]);
        }
      }
      return byName(some, ({ groupId }) => groupId, answers);
    },
  });
}

function topicsOf(
  partitions: readonly TopicPartition[] | undefined,
): { name: string; topicId: Uuid; partitionIndexes: number[] }[] | null {
  if (partitions === undefined) return null;
  return Array.from(
    group(partitions, ({ topic }) => topic),
    ([name, same]) => ({
      name,
      topicId: ZERO_UUID,
      partitionIndexes: same.map(({ partition }) => partition),
    }),
  );
}

function committedOf(
  topics: readonly {
    readonly name: string;
    readonly partitions: readonly {
      readonly partitionIndex: number;
      readonly committedOffset: number;
      readonly committedLeaderEpoch: number;
      readonly metadata: string | null;
      readonly errorCode: number;
    }[];
  }[],
): ItemResults<CommittedOffset> {
  const committed = new Map<string, CommittedOffset | KafkaError>();
  for (const { name: topic, partitions } of topics) {
    for (const {
      partitionIndex: partition,
      committedOffset,
      committedLeaderEpoch,
      metadata,
      errorCode,
    } of partitions) {
      const name = `${topic}-${partition}`;
      const error = errorOf(errorCode, `offset of ${name}`);
      if (error === undefined && committedOffset < 0) continue; // nothing is committed
      const leaderEpoch = committedLeaderEpoch < 0 ? undefined : committedLeaderEpoch;
      committed.set(
        name,
        error ?? { topic, partition, offset: committedOffset, leaderEpoch, metadata: metadata ?? "" },
      );
    }
  }
  return new ItemResults(committed);
}

export interface NewOffset extends TopicPartition {
  readonly offset: number;
  readonly leaderEpoch?: number;
  readonly metadata?: string;
}

/** Of a group without members. */
export async function alterGroupOffsets(
  driver: AdminDriver,
  groupId: string,
  offsets: readonly NewOffset[],
): Promise<void> {
  const results = await driver.items<NewOffset, true>({
    what: "OffsetCommit",
    items: offsets,
    nameOf,
    route: toCoordinator(CoordinatorType.group, () => groupId),
    ask: async (connection, some) => {
      const request = OffsetCommitRequest.create({
        groupId,
        generationIdOrMemberEpoch: -1,
        memberId: "",
        topics: Array.from(
          group(some, ({ topic }) => topic),
          ([name, same]) => ({
            name,
            topicId: ZERO_UUID,
            partitions: same.map(({ partition, offset, leaderEpoch = -1, metadata = "" }) => ({
              partitionIndex: partition,
              committedOffset: offset,
              committedLeaderEpoch: leaderEpoch,
              committedMetadata: metadata,
            })),
          }),
        ),
      });
      const { topics } = await connection.send(OFFSET_COMMIT, request);
      return byName(some, nameOf, codesOf(groupId, topics));
    },
  });
  results.all();
}

function codesOf(
  groupId: string,
  topics: readonly {
    readonly name: string;
    readonly partitions: readonly { readonly partitionIndex: number; readonly errorCode: number }[];
  }[],
): [string, true | KafkaError][] {
  return topics.flatMap(({ name: topic, partitions }) =>
    partitions.map(({ partitionIndex, errorCode }): [string, true | KafkaError] => {
      const name = `${topic}-${partitionIndex}`;
      return [name, errorOf(errorCode, `${name} of group ${groupId}`) ?? true];
    }),
  );
}

/** Of topics that no member subscribes to (KIP-496). */
export async function deleteGroupOffsets(
  driver: AdminDriver,
  groupId: string,
  partitions: readonly TopicPartition[],
): Promise<void> {
  const results = await driver.items<TopicPartition, true>({
    what: "OffsetDelete",
    items: partitions,
    nameOf,
    route: toCoordinator(CoordinatorType.group, () => groupId),
    ask: async (connection, some) => {
      const request = OffsetDeleteRequest.create({
        groupId,
        topics: Array.from(
          group(some, ({ topic }) => topic),
          ([name, same]) => ({
            name,
            partitions: same.map(({ partition }) => ({ partitionIndex: partition })),
          }),
        ),
      });
      const { errorCode, topics } = await connection.send(OFFSET_DELETE, request);
      throwCode(errorCode, `group ${groupId}`);
      return byName(some, nameOf, codesOf(groupId, topics));
    },
  });
  results.all();
}

export interface ShareGroupOffset extends TopicPartition {
  readonly startOffset: number;
  readonly leaderEpoch: number | undefined;
  readonly lag: number | undefined;
}

/** KIP-932. Named by group. */
export async function listShareGroupOffsets(
  driver: AdminDriver,
  queries: readonly GroupOffsetsQuery[],
): Promise<ItemResults<ItemResults<ShareGroupOffset>>> {
  return await driver.items<GroupOffsetsQuery, ItemResults<ShareGroupOffset>>({
    what: "DescribeShareGroupOffsets",
    items: queries,
    nameOf: ({ groupId }) => groupId,
    route: toCoordinator(CoordinatorType.group, ({ groupId }) => groupId),
    ask: async (connection, some) => {
      const request = DescribeShareGroupOffsetsRequest.create({
        groups: some.map(({ groupId, partitions }) => ({
          groupId,
          topics:
            topicsOf(partitions)?.map(({ name, partitionIndexes }) => ({
              topicName: name,
              partitions: partitionIndexes,
            })) ?? null,
        })),
      });
      const { groups } = await connection.send(DESCRIBE_SHARE_OFFSETS, request);
      const answers = groups.map((told): [string, ItemResults<ShareGroupOffset> | KafkaError] => {
        const offsets = new Map<string, ShareGroupOffset | KafkaError>();
        for (const { topicName: topic, partitions } of told.topics) {
          for (const one of partitions) {
            const { partitionIndex: partition, startOffset, leaderEpoch, lag, errorCode, errorMessage } = one;
            const name = `${topic}-${partition}`;
            if (errorCode === ErrorCode.NONE && startOffset < 0) continue; // nothing is kept
            offsets.set(
              name,
              errorOf(errorCode, `offset of ${name}`, errorMessage) ?? {
                topic,
                partition,
                startOffset,
                leaderEpoch: leaderEpoch < 0 ? undefined : leaderEpoch,
                lag: lag < 0 ? undefined : lag,
              },
            );
          }
        }
        return [
          told.groupId,
          errorOf(told.errorCode, `group ${told.groupId}`, told.errorMessage) ?? new ItemResults(offsets),
        ];
      });
      return byName(some, ({ groupId }) => groupId, answers);
    },
  });
}

export async function alterShareGroupOffsets(
  driver: AdminDriver,
  groupId: string,
  offsets: readonly (TopicPartition & { readonly offset: number })[],
): Promise<void> {
  const results = await driver.items<TopicPartition & { readonly offset: number }, true>({
    what: "AlterShareGroupOffsets",
    items: offsets,
    nameOf,
    route: toCoordinator(CoordinatorType.group, () => groupId),
    ask: async (connection, some) => {
      const request = AlterShareGroupOffsetsRequest.create({
        groupId,
        topics: Array.from(
          group(some, ({ topic }) => topic),
          ([topicName, same]) => ({
            topicName,
            partitions: same.map(({ partition, offset }) => ({ partitionIndex: partition, startOffset: offset })),
          }),
        ),
      });
      const { errorCode, errorMessage, responses } = await connection.send(ALTER_SHARE_OFFSETS, request);
      throwCode(errorCode, `group ${groupId}`, errorMessage);
      const topics = responses.map(({ topicName, partitions }) => ({ name: topicName, partitions }));
      return byName(some, nameOf, codesOf(groupId, topics));
    },
  });
  results.all();
}

export async function deleteShareGroupOffsets(
  driver: AdminDriver,
  groupId: string,
  topics: readonly string[],
): Promise<void> {
  const request = DeleteShareGroupOffsetsRequest.create({
    groupId,
    topics: topics.map((topicName) => ({ topicName })),
  });
  const results = await driver.items<string, true>({
    what: "DeleteShareGroupOffsets",
    items: topics,
    nameOf: (topic) => topic,
    route: toCoordinator(CoordinatorType.group, () => groupId),
    ask: async (connection, some) => {
      const response = await connection.send(DELETE_SHARE_OFFSETS, request);
      throwCode(response.errorCode, `group ${groupId}`, response.errorMessage);
      const answers = response.responses.map(({ topicName, errorCode, errorMessage }): [string, true | KafkaError] => [
        topicName,
        errorOf(errorCode, `topic ${topicName} of group ${groupId}`, errorMessage) ?? true,
      ]);
      return byName(some, (topic) => topic, answers);
    },
  });
  results.all();
}
