import type { KafkaError } from "@samsa/base";
import { AlterReplicaLogDirsRequest } from "@samsa/protocol/messages/alter-replica-log-dirs-request";
import { AlterReplicaLogDirsResponse } from "@samsa/protocol/messages/alter-replica-log-dirs-response";
import { DescribeLogDirsRequest } from "@samsa/protocol/messages/describe-log-dirs-request";
import { DescribeLogDirsResponse } from "@samsa/protocol/messages/describe-log-dirs-response";
import type { TopicPartition } from "../cluster/topic-metadata.ts";
import { api } from "../connection/api.ts";
import type { AdminDriver } from "./admin-driver.ts";
import { errorOf, throwCode } from "./admin-driver.ts";
import type { ItemResults } from "./item-results.ts";
import { group, toBroker } from "./routes.ts";
import { byName } from "./topics.ts";

const DESCRIBE_LOG_DIRS = api(DescribeLogDirsRequest, DescribeLogDirsResponse);
const ALTER_REPLICA_LOG_DIRS = api(AlterReplicaLogDirsRequest, AlterReplicaLogDirsResponse);

export interface LogDirReplica extends TopicPartition {
  readonly sizeInBytes: number;
  readonly offsetLag: number;
  /** On its way to this directory, in place of another. */
  readonly isFuture: boolean;
}

export interface LogDir {
  readonly path: string;
  readonly error: KafkaError | undefined; // KAFKA_STORAGE_ERROR for one that is offline
  readonly replicas: readonly LogDirReplica[];
  readonly totalBytes: number | undefined; // undefined where the broker does not tell
  readonly usableBytes: number | undefined;
  readonly isCordoned: boolean;
}

/** Named by the ids of the brokers. */
export async function describeLogDirs(
  driver: AdminDriver,
  brokerIds: readonly number[],
  partitions?: readonly TopicPartition[],
): Promise<ItemResults<readonly LogDir[]>> {
  const topics =
    partitions === undefined
      ? null
      : Array.from(
          group(partitions, ({ topic }) => topic),
          ([topic, same]) => ({
            topic,
            partitions: same.map(({ partition }) => partition),
          }),
        );
  return await driver.items<number, readonly LogDir[]>({
    what: "DescribeLogDirs",
    items: brokerIds,
    nameOf: String,
    route: toBroker((id) => id),
    ask: async (connection, [brokerId = -1]) => {
      const response = await connection.send(DESCRIBE_LOG_DIRS, DescribeLogDirsRequest.create({ topics }));
      throwCode(response.errorCode, `DescribeLogDirs of broker ${brokerId}`);
      const dirs = response.results.map(
        ({ logDir, errorCode, topics: held, totalBytes, usableBytes, isCordoned }): LogDir => ({
          path: logDir,
          error: errorOf(errorCode, `directory ${logDir}`),
          replicas: held.flatMap(({ name: topic, partitions: replicas }) =>
            replicas.map(({ partitionIndex, partitionSize, offsetLag, isFutureKey }) => ({
              topic,
              partition: partitionIndex,
              sizeInBytes: partitionSize,
              offsetLag,
              isFuture: isFutureKey,
            })),
          ),
          totalBytes: totalBytes < 0 ? undefined : totalBytes,
          usableBytes: usableBytes < 0 ? undefined : usableBytes,
          isCordoned,
        }),
      );
      return new Map([[brokerId, dirs]]);
    },
  });
}

export interface ReplicaMove extends TopicPartition {
  readonly brokerId: number;
  /** Where it shall lie, a path of that broker. */
  readonly path: string;
}

/** KIP-113. */
export async function alterReplicaLogDirs(driver: AdminDriver, moves: readonly ReplicaMove[]): Promise<void> {
  const nameOf = ({ topic, partition, brokerId }: ReplicaMove): string => `${topic}-${partition} on ${brokerId}`;
  const results = await driver.items<ReplicaMove, true>({
    what: "AlterReplicaLogDirs",
    items: moves,
    nameOf,
    route: toBroker(({ brokerId }) => brokerId),
    ask: async (connection, some) => {
      const request = AlterReplicaLogDirsRequest.create({
        dirs: Array.from(
          group(some, ({ path }) => path),
          ([path, there]) => ({
            path,
            topics: Array.from(
              group(there, ({ topic }) => topic),
              ([name, same]) => ({
                name,
                partitions: same.map(({ partition }) => partition),
              }),
            ),
          }),
        ),
      });
      const response = await connection.send(ALTER_REPLICA_LOG_DIRS, request);
      const brokerId = some[0]?.brokerId ?? -1;
      const answers = response.results.flatMap(({ topicName: topic, partitions }) =>
        partitions.map(({ partitionIndex: partition, errorCode }): [string, true | KafkaError] => {
          const name = nameOf({ topic, partition, brokerId, path: "" });
          return [name, errorOf(errorCode, `AlterReplicaLogDirs of ${name}`) ?? true];
        }),
      );
      return byName(some, nameOf, answers);
    },
  });
  results.all();
}
