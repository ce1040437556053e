import { ErrorCode, errorCodeOf } from "@samsa/base";
import { DescribeLogDirsRequest } from "@samsa/protocol/messages/describe-log-dirs-request";
import type {
  DescribeLogDirsResponseDescribeLogDirsResult,
  DescribeLogDirsResponseDescribeLogDirsTopic,
} from "@samsa/protocol/messages/describe-log-dirs-response";
import {
  createDescribeLogDirsResponseDescribeLogDirsResult,
  DescribeLogDirsResponse,
} from "@samsa/protocol/messages/describe-log-dirs-response";
import type { LogDirDescription } from "@samsa/replication";
import type { ApiHandler } from "../api-handler.ts";
import type { BrokerServices } from "../broker-services.ts";

/**
 * DescribeLogDirs 1-5: what lies in each data directory (KIP-113). v2 is flexible; v3 has an error of its own; v4 tells the room
 * on the disk (KIP-827); v5 which directories are cordoned (KIP-1066). Partitions that are not here are left out.
 */
export const describeLogDirs: ApiHandler<DescribeLogDirsRequest, DescribeLogDirsResponse> = {
  request: DescribeLogDirsRequest,
  response: DescribeLogDirsResponse,

  async handle(request, _context, services) {
    const wanted = wantedPartitions(request);
    const directories = services.replicas.logDirs();
    const results = await Promise.all(directories.map((directory) => describe(directory, wanted, services)));
    return DescribeLogDirsResponse.create({ results });
  },

  refuse: (_request, errorCode) => DescribeLogDirsResponse.create({ errorCode }),
};

type Wanted = ReadonlyMap<string, ReadonlySet<number>> | undefined; // undefined: all

function wantedPartitions({ topics }: DescribeLogDirsRequest): Wanted {
  if (topics === null) return undefined;
  const wanted = new Map<string, Set<number>>();
  for (const { topic, partitions } of topics) {
    const indexes = wanted.get(topic) ?? new Set<number>();
    for (const index of partitions) indexes.add(index);
    wanted.set(topic, indexes);
  }
  return wanted;
}

async function describe(
  directory: LogDirDescription,
  wanted: Wanted,
  services: BrokerServices,
): Promise<DescribeLogDirsResponseDescribeLogDirsResult> {
  const { path: logDir, isCordoned } = directory;
  if (directory.isOffline) {
    return createDescribeLogDirsResponseDescribeLogDirsResult({ logDir, errorCode: ErrorCode.KAFKA_STORAGE_ERROR });
  }
  try {
    const { totalBytes, usableBytes } = await directory.space();
    return createDescribeLogDirsResponseDescribeLogDirsResult({
      logDir,
      topics: topicsOf(directory, wanted),
      totalBytes: representable(totalBytes),
      usableBytes: representable(usableBytes),
      isCordoned,
    });
  } catch (error) {
    services.logger.error({ logDir, err: error }, "a data directory could not be described");
    return createDescribeLogDirsResponseDescribeLogDirsResult({ logDir, errorCode: errorCodeOf(error) });
  }
}

function topicsOf(directory: LogDirDescription, wanted: Wanted): DescribeLogDirsResponseDescribeLogDirsTopic[] {
  const topics = new Map<string, DescribeLogDirsResponseDescribeLogDirsTopic["partitions"][number][]>();
  for (const { topic, partition, size, offsetLag, isFuture } of directory.replicas()) {
    if (wanted !== undefined && wanted.get(topic)?.has(partition) !== true) continue;
    const partitions = topics.get(topic) ?? [];
    topics.set(topic, partitions);
    partitions.push({ partitionIndex: partition, partitionSize: size, offsetLag, isFutureKey: isFuture });
  }
  return Array.from(topics, ([name, partitions]) => ({ name, partitions }));
}

/** File systems larger than the field are told as the largest, as Kafka does. */
function representable(bytes: number): number {
  return Math.min(bytes, Number.MAX_SAFE_INTEGER);
}
