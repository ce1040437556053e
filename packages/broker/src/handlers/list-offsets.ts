import { ErrorCode, errorCodeOf } from "@samsa/base";
import { ListOffsetsRequest } from "@samsa/protocol/messages/list-offsets-request";
import type { ListOffsetsResponseListOffsetsPartitionResponse } from "@samsa/protocol/messages/list-offsets-response";
import {
  createListOffsetsResponseListOffsetsPartitionResponse,
  ListOffsetsResponse,
} from "@samsa/protocol/messages/list-offsets-response";
import type { IsolationLevel, Partition } from "@samsa/replication";
import type { ApiHandler } from "../api-handler.ts";
import type { BrokerServices } from "../broker-services.ts";
import { isolationLevelOf } from "../isolation-level.ts";
import type { RequestContext } from "../request-context.ts";

const FIRST_VERSION_WITH_LEADER_EPOCH = 4;

/** What a negative "timestamp" asks for, with the first version that knows it. */
const LATEST = -1;
const EARLIEST = -2;
const MAX_TIMESTAMP = -3; // KIP-734
const EARLIEST_LOCAL = -4; // KIP-405
const LATEST_TIERED = -5; // KIP-1005
const EARLIEST_PENDING_UPLOAD = -6; // KIP-1023
const FIRST_VERSIONS: ReadonlyMap<number, number> = new Map([
  [LATEST, 1],
  [EARLIEST, 1],
  [MAX_TIMESTAMP, 7],
  [EARLIEST_LOCAL, 8],
  [LATEST_TIERED, 9],
  [EARLIEST_PENDING_UPLOAD, 11],
]);

interface FoundOffset {
  readonly offset: number;
  readonly timestamp: number;
  readonly leaderEpoch: number;
}

const NOT_FOUND: FoundOffset = { offset: -1, timestamp: -1, leaderEpoch: -1 };

/**
 * ListOffsets 1-11. v2 has isolation levels; v4 leader epochs (KIP-320); v6 is flexible; v7 asks for the maximum timestamp
 * (KIP-734); v8, v9 and v11 for the ends of local and tiered data, which are the same here; v10 brings a time-out.
 */
export const listOffsets: ApiHandler<ListOffsetsRequest, ListOffsetsResponse> = {
  request: ListOffsetsRequest,
  response: ListOffsetsResponse,

  async handle(request, context, services) {
    const isolationLevel = isolationLevelOf(request.isolationLevel);
    const topics = [...wishesByTopic(request)].map(async ([name, wishes]) => ({
      name,
      partitions: await Promise.all(
        Array.from(wishes, async ([partitionIndex, wish]) =>
          wish === REPEATED
            ? refusedPartition(partitionIndex, ErrorCode.INVALID_REQUEST)
            : listPartition(name, wish, isolationLevel, context, services),
        ),
      ),
    }));
    return ListOffsetsResponse.create({ topics: await Promise.all(topics) });
  },

  refuse: (request, errorCode) =>
    ListOffsetsResponse.create({
      topics: request.topics.map(({ name, partitions }) => ({
        name,
        partitions: partitions.map(({ partitionIndex }) => refusedPartition(partitionIndex, errorCode)),
      })),
    }),
};

type Wish = ListOffsetsRequest["topics"][number]["partitions"][number];

const REPEATED: unique symbol = Symbol("repeated");

/** A partition that is named twice is refused, and answered once. */
function wishesByTopic({
  topics,
}: ListOffsetsRequest): ReadonlyMap<string, ReadonlyMap<number, Wish | typeof REPEATED>> {
  const byTopic = new Map<string, Map<number, Wish | typeof REPEATED>>();
  for (const { name, partitions } of topics) {
    const wishes = byTopic.get(name) ?? new Map<number, Wish | typeof REPEATED>();
    byTopic.set(name, wishes);
    for (const wish of partitions) wishes.set(wish.partitionIndex, wishes.has(wish.partitionIndex) ? REPEATED : wish);
  }
  return byTopic;
}

/** What is refused at once is refused without an error: a request may name very many partitions that are unknown. */
function listPartition(
  topic: string,
  wish: Wish,
  isolationLevel: IsolationLevel,
  { apiVersion }: RequestContext,
  services: BrokerServices,
): ListOffsetsResponseListOffsetsPartitionResponse | Promise<ListOffsetsResponseListOffsetsPartitionResponse> {
  const { partitionIndex, timestamp } = wish;
  if (timestamp < 0 && apiVersion < (FIRST_VERSIONS.get(timestamp) ?? Infinity)) {
    return refusedPartition(partitionIndex, ErrorCode.UNSUPPORTED_VERSION);
  }
  const partition = services.replicas.find(topic, partitionIndex);
  return typeof partition === "number"
    ? refusedPartition(partitionIndex, partition)
    : listKnownPartition(topic, partition, wish, isolationLevel, apiVersion, services);
}

async function listKnownPartition(
  topic: string,
  partition: Partition,
  { partitionIndex, timestamp, currentLeaderEpoch }: Wish,
  isolationLevel: IsolationLevel,
  apiVersion: number,
  services: BrokerServices,
): Promise<ListOffsetsResponseListOffsetsPartitionResponse> {
  try {
    partition.checkLeader(currentLeaderEpoch);
    const { offset, timestamp: foundTimestamp, leaderEpoch } = await findOffset(partition, timestamp, isolationLevel);
    return createListOffsetsResponseListOffsetsPartitionResponse({
      partitionIndex,
      offset,
      timestamp: foundTimestamp,
      ...(apiVersion >= FIRST_VERSION_WITH_LEADER_EPOCH && { leaderEpoch }), // not ignorable before
    });
  } catch (error) {
    const errorCode = errorCodeOf(error);
    if (errorCode === ErrorCode.UNKNOWN_SERVER_ERROR) {
      services.logger.error({ topic, partition: partitionIndex, err: error }, "listing offsets failed unexpectedly");
    }
    return refusedPartition(partitionIndex, errorCode);
  }
}

async function findOffset(
  partition: Partition,
  timestamp: number,
  isolationLevel: IsolationLevel,
): Promise<FoundOffset> {
  const { log } = partition;
  switch (timestamp) {
    case LATEST:
      return { offset: partition.readableEndOffset(isolationLevel), timestamp: -1, leaderEpoch: partition.leaderEpoch };
    case EARLIEST:
    case EARLIEST_LOCAL: {
      const { offset, leaderEpoch } = log.earliestOffset();
      return { offset, timestamp: -1, leaderEpoch: leaderEpoch ?? -1 };
    }
    case LATEST_TIERED:
    case EARLIEST_PENDING_UPLOAD:
      return NOT_FOUND; // nothing is tiered
    default: {
      const found =
        timestamp === MAX_TIMESTAMP
          ? await partition.offsetOfMaxTimestamp(isolationLevel)
          : await partition.offsetForTimestamp(timestamp, isolationLevel);
      return found === undefined ? NOT_FOUND : { ...found, leaderEpoch: found.leaderEpoch ?? -1 };
    }
  }
}

function refusedPartition(
  partitionIndex: number,
  errorCode: ErrorCode,
): ListOffsetsResponseListOffsetsPartitionResponse {
  return createListOffsetsResponseListOffsetsPartitionResponse({ partitionIndex, errorCode });
}
