import type { KafkaError } from "@samsa/base";
import { ErrorCode } from "@samsa/base";
import { AlterPartitionReassignmentsRequest } from "@samsa/protocol/messages/alter-partition-reassignments-request";
import { AlterPartitionReassignmentsResponse } from "@samsa/protocol/messages/alter-partition-reassignments-response";
import { ElectLeadersRequest } from "@samsa/protocol/messages/elect-leaders-request";
import { ElectLeadersResponse } from "@samsa/protocol/messages/elect-leaders-response";
import { ListPartitionReassignmentsRequest } from "@samsa/protocol/messages/list-partition-reassignments-request";
import { ListPartitionReassignmentsResponse } from "@samsa/protocol/messages/list-partition-reassignments-response";
import type { TopicPartition } from "../cluster/topic-metadata.ts";
import { api } from "../connection/api.ts";
import type { AdminDriver } from "./admin-driver.ts";
import { errorOf, throwCode } from "./admin-driver.ts";
import { ItemResults } from "./item-results.ts";
import type { NameOf } from "./names.ts";
import { ELECTION_TYPES } from "./names.ts";
import { nameOf } from "./offsets.ts";
import { group, toController } from "./routes.ts";
import { byName } from "./topics.ts";

const ALTER_REASSIGNMENTS = api(AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse);
const LIST_REASSIGNMENTS = api(ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse);
const ELECT_LEADERS = api(ElectLeadersRequest, ElectLeadersResponse);

export interface NewReassignment extends TopicPartition {
  /** Brokers, the preferred leader first; null takes back what is under way. */
  readonly replicas: readonly number[] | null;
}

export interface OngoingReassignment extends TopicPartition {
  readonly replicas: readonly number[];
  readonly addingReplicas: readonly number[];
  readonly removingReplicas: readonly number[];
}

/** KIP-455. */
export async function alterPartitionReassignments(
  driver: AdminDriver,
  reassignments: readonly NewReassignment[],
  allowReplicationFactorChange: boolean,
): Promise<void> {
  const results = await driver.items<NewReassignment, true>({
    what: "AlterPartitionReassignments",
    items: reassignments,
    nameOf,
    route: toController,
    ask: async (connection, some) => {
      const request = AlterPartitionReassignmentsRequest.create({
        timeoutMs: driver.timeouts.requestTimeoutMs,
        allowReplicationFactorChange,
        topics: Array.from(
          group(some, ({ topic }) => topic),
          ([name, same]) => ({
            name,
            partitions: same.map(({ partition, replicas }) => ({ partitionIndex: partition, replicas })),
          }),
        ),
      });
      const response = await connection.send(
        allowReplicationFactorChange ? ALTER_REASSIGNMENTS : { ...ALTER_REASSIGNMENTS, lowestVersion: 1 },
        request,
      );
      throwCode(response.errorCode, "AlterPartitionReassignments", response.errorMessage);
      const answers = response.responses.flatMap(({ name: topic, partitions }) =>
        partitions.map(({ partitionIndex, errorCode, errorMessage }): [string, true | KafkaError] => {
          const name = `${topic}-${partitionIndex}`;
          return [name, errorOf(errorCode, name, errorMessage) ?? true];
        }),
      );
      return byName(some, nameOf, answers);
    },
  });
  results.all();
}

/** @param partitions all when left out */
export async function listPartitionReassignments(
  driver: AdminDriver,
  partitions: readonly TopicPartition[] | undefined,
): Promise<readonly OngoingReassignment[]> {
  const topics =
    partitions === undefined
      ? null
      : Array.from(
          group(partitions, ({ topic }) => topic),
          ([name, same]) => ({
            name,
            partitionIndexes: same.map(({ partition }) => partition),
          }),
        );
  const request = ListPartitionReassignmentsRequest.create({ timeoutMs: driver.timeouts.requestTimeoutMs, topics });
  const response = await driver.one(
    LIST_REASSIGNMENTS,
    request,
    ({ errorCode, errorMessage }) => throwCode(errorCode, "ListPartitionReassignments", errorMessage),
    toController,
  );
  return response.topics.flatMap(({ name: topic, partitions: ongoing }) =>
    ongoing.map(({ partitionIndex: partition, replicas, addingReplicas, removingReplicas }) => ({
      topic,
      partition,
      replicas,
      addingReplicas,
      removingReplicas,
    })),
  );
}

/**
 * Named `topic-partition`; without partitions all that need it are elected, and no others are named. ELECTION_NOT_NEEDED is the error of
 * those whose leader is the right one already.
 */
export async function electLeaders(
  driver: AdminDriver,
  electionType: NameOf<typeof ELECTION_TYPES>,
  partitions: readonly TopicPartition[] | undefined,
): Promise<ItemResults<true>> {
  const topicPartitions =
    partitions === undefined
      ? null
      : Array.from(
          group(partitions, ({ topic }) => topic),
          ([topic, same]) => ({
            topic,
            partitions: same.map(({ partition }) => partition),
          }),
        );
  const request = ElectLeadersRequest.create({
    electionType: ELECTION_TYPES[electionType],
    topicPartitions,
    timeoutMs: driver.timeouts.requestTimeoutMs,
  });
  // Version 0 knows preferred leaders only.
  const which = electionType === "preferred" ? ELECT_LEADERS : { ...ELECT_LEADERS, lowestVersion: 1 };
  const response = await driver.one(
    which,
    request,
    ({ errorCode }) => throwCode(errorCode, "ElectLeaders"),
    toController,
  );
  return new ItemResults(
    new Map(
      response.replicaElectionResults.flatMap(({ topic, partitionResult }) =>
        partitionResult.map(({ partitionId, errorCode, errorMessage }): [string, true | KafkaError] => {
          const name = `${topic}-${partitionId}`;
          return [name, errorCode === ErrorCode.NONE ? true : (errorOf(errorCode, name, errorMessage) as KafkaError)];
        }),
      ),
    ),
  );
}
