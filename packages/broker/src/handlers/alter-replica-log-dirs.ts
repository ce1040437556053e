import { ErrorCode, errorCodeOf } from "@samsa/base";
import { AlterReplicaLogDirsRequest } from "@samsa/protocol/messages/alter-replica-log-dirs-request";
import { AlterReplicaLogDirsResponse } from "@samsa/protocol/messages/alter-replica-log-dirs-response";
import type { ApiHandler } from "../api-handler.ts";
import type { BrokerServices } from "../broker-services.ts";

interface PartitionResult {
  readonly partitionIndex: number;
  readonly errorCode: ErrorCode;
}

/**
 * AlterReplicaLogDirs 1-2 (KIP-113): moves replicas to another data directory of this broker. v2 is flexible. Answered when the
 * move has begun; DescribeLogDirs tells how far it is. A partition that is named twice goes where it was named last.
 */
export const alterReplicaLogDirs: ApiHandler<AlterReplicaLogDirsRequest, AlterReplicaLogDirsResponse> = {
  request: AlterReplicaLogDirsRequest,
  response: AlterReplicaLogDirsResponse,

  async handle({ dirs }, _context, services) {
    const wishes = new Map<string, Map<number, string>>();
    for (const { path, topics } of dirs) {
      for (const { name, partitions } of topics) {
        const byIndex = wishes.get(name) ?? new Map<number, string>();
        wishes.set(name, byIndex);
        for (const index of partitions) byIndex.set(index, path);
      }
    }
    const results: { topicName: string; partitions: PartitionResult[] }[] = [];
    for (const [topicName, byIndex] of wishes) {
      const partitions: PartitionResult[] = [];
      for (const [partitionIndex, path] of byIndex) {
        partitions.push({ partitionIndex, errorCode: await move(topicName, partitionIndex, path, services) });
      }
      results.push({ topicName, partitions });
    }
    return AlterReplicaLogDirsResponse.create({ results });
  },

  refuse: ({ dirs }, errorCode) =>
    AlterReplicaLogDirsResponse.create({
      results: dirs.flatMap(({ topics }) =>
        topics.map(({ name, partitions }) => ({
          topicName: name,
          partitions: partitions.map((partitionIndex) => ({ partitionIndex, errorCode })),
        })),
      ),
    }),
};

async function move(topic: string, partition: number, path: string, services: BrokerServices): Promise<ErrorCode> {
  try {
    await services.replicas.alterLogDir({ topic, partition }, path);
    return ErrorCode.NONE;
  } catch (error) {
    const errorCode = errorCodeOf(error);
    if (errorCode === ErrorCode.UNKNOWN_SERVER_ERROR) {
      services.logger.error({ topic, partition, path, err: error }, "a move to another directory failed unexpectedly");
    }
    return errorCode;
  }
}
