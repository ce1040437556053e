import type { KafkaError } from "@samsa/base";
import { DeleteRecordsRequest } from "@samsa/protocol/messages/delete-records-request";
import { DeleteRecordsResponse } from "@samsa/protocol/messages/delete-records-response";
import {
  createListOffsetsRequestListOffsetsPartition,
  ListOffsetsRequest,
} from "@samsa/protocol/messages/list-offsets-request";
import { ListOffsetsResponse } from "@samsa/protocol/messages/list-offsets-response";
import type { IsolationLevel, ListedOffset } from "../cluster/list-offsets.ts";
import type { TopicPartition } from "../cluster/topic-metadata.ts";
import { api } from "../connection/api.ts";
import type { AdminDriver } from "./admin-driver.ts";
import { errorOf } from "./admin-driver.ts";
import type { ItemResults } from "./item-results.ts";
import { group, toLeader } from "./routes.ts";
import { byName } from "./topics.ts";

/**
 * A place in a partition. Those that are not told by every Kafka: the largest timestamp (KIP-734), the first offset on the leader's own
 * disk, the last in remote storage, and the first that waits to be copied there (KIP-405, KIP-1005, KIP-1023).
 */
export type AdminOffsetSpec =
  | "earliest"
  | "latest"
  | "maxTimestamp"
  | "earliestLocal"
  | "latestTiered"
  | "earliestPendingUpload"
  | { readonly timestampMs: number };

export interface AdminOffsetQuery extends TopicPartition {
  readonly at: AdminOffsetSpec;
}

const SPECS = {
  latest: { timestamp: -1, lowestVersion: 1 },
  earliest: { timestamp: -2, lowestVersion: 1 },
  maxTimestamp: { timestamp: -3, lowestVersion: 7 },
  earliestLocal: { timestamp: -4, lowestVersion: 8 },
  latestTiered: { timestamp: -5, lowestVersion: 9 },
  earliestPendingUpload: { timestamp: -6, lowestVersion: 11 },
} as const;
const CONSUMER = -1; // as a replica id
/** Below version 2 a broker cannot tell what is committed. */
const LOWEST_FOR_COMMITTED = 2;
const DELETE_RECORDS = api(DeleteRecordsRequest, DeleteRecordsResponse);

/** Each partition once. Named `topic-partition`. */
export async function listOffsets(
  driver: AdminDriver,
  queries: readonly AdminOffsetQuery[],
  isolationLevel: IsolationLevel,
): Promise<ItemResults<ListedOffset>> {
  return await driver.items<AdminOffsetQuery, ListedOffset>({
    what: "ListOffsets",
    items: queries,
    nameOf,
    route: toLeader(),
    ask: async (connection, some) => {
      const isCommitted = isolationLevel === "read_committed";
      const specs = some.map(({ at }) => (typeof at === "object" ? 1 : SPECS[at].lowestVersion));
      const lowestVersion = Math.max(isCommitted ? LOWEST_FOR_COMMITTED : 1, ...specs);
      const request = ListOffsetsRequest.create({
        replicaId: CONSUMER,
        isolationLevel: isCommitted ? 1 : 0,
        timeoutMs: driver.timeouts.requestTimeoutMs,
        topics: Array.from(
          group(some, ({ topic }) => topic),
          ([name, partitions]) => ({
            name,
            partitions: partitions.map(({ partition, at }) =>
              createListOffsetsRequestListOffsetsPartition({
                partitionIndex: partition,
                timestamp: typeof at === "object" ? at.timestampMs : SPECS[at].timestamp,
              }),
            ),
          }),
        ),
      });
      const { topics } = await connection.send(
        api(ListOffsetsRequest, ListOffsetsResponse, { lowestVersion }),
        request,
      );
      const answers = topics.flatMap(({ name: topic, partitions }) =>
        partitions.map((answer): [string, ListedOffset | KafkaError] => {
          const { partitionIndex: partition, offset, timestamp: timestampMs, leaderEpoch, errorCode } = answer;
          const name = `${topic}-${partition}`;
          return [
            name,
            errorOf(errorCode, `ListOffsets of ${name}`) ?? { topic, partition, offset, timestampMs, leaderEpoch },
          ];
        }),
      );
      return byName(some, nameOf, answers);
    },
  });
}

export interface RecordsToDelete extends TopicPartition {
  /** First offset to keep; -1 is the high watermark. */
  readonly beforeOffset: number;
}

/** Named `topic-partition`; the answers are the first offsets that are left. */
export async function deleteRecords(
  driver: AdminDriver,
  partitions: readonly RecordsToDelete[],
): Promise<ItemResults<{ readonly lowWatermark: number }>> {
  return await driver.items<RecordsToDelete, { readonly lowWatermark: number }>({
    what: "DeleteRecords",
    items: partitions,
    nameOf,
    route: toLeader(),
    ask: async (connection, some) => {
      const request = DeleteRecordsRequest.create({
        timeoutMs: driver.timeouts.requestTimeoutMs,
        topics: Array.from(
          group(some, ({ topic }) => topic),
          ([name, same]) => ({
            name,
            partitions: same.map(({ partition, beforeOffset }) => ({
              partitionIndex: partition,
              offset: beforeOffset,
            })),
          }),
        ),
      });
      const { topics } = await connection.send(DELETE_RECORDS, request);
      const answers = topics.flatMap(({ name: topic, partitions: told }) =>
        told.map((answer): [string, { readonly lowWatermark: number } | KafkaError] => {
          const name = `${topic}-${answer.partitionIndex}`;
          return [name, errorOf(answer.errorCode, `DeleteRecords of ${name}`) ?? { lowWatermark: answer.lowWatermark }];
        }),
      );
      return byName(some, nameOf, answers);
    },
  });
}

export function nameOf({ topic, partition }: TopicPartition): string {
  return `${topic}-${partition}`;
}
