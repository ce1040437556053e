import { ErrorCode } from "@samsa/base";
import {
  createOffsetForLeaderEpochRequestOffsetForLeaderPartition,
  OffsetForLeaderEpochRequest,
} from "@samsa/protocol/messages/offset-for-leader-epoch-request";
import type { OffsetForLeaderEpochResponseEpochEndOffset } from "@samsa/protocol/messages/offset-for-leader-epoch-response";
import { OffsetForLeaderEpochResponse } from "@samsa/protocol/messages/offset-for-leader-epoch-response";
import type { Cluster } from "../cluster/cluster.ts";
import { api } from "../connection/api.ts";
import type { AssignedPartition } from "./assigned-partition.ts";

/** Before version 3 only brokers may ask (KIP-320). */
const OFFSET_FOR_LEADER_EPOCH = api(OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse, { lowestVersion: 3 });
const CONSUMER = -1; // as a replica id

export type EpochEnd = Pick<OffsetForLeaderEpochResponseEpochEndOffset, "errorCode" | "leaderEpoch" | "endOffset">;

/**
 * Where the last fetched epoch of each partition ends in its leader's log.
 * @returns undefined from a broker that is too old to be asked
 */
export async function epochEnds(
  cluster: Cluster,
  nodeId: number,
  purpose: string,
  partitions: readonly AssignedPartition[],
): Promise<ReadonlyMap<string, EpochEnd> | undefined> {
  const connection = await cluster.connectionTo(nodeId, purpose);
  if (!connection.supports(OFFSET_FOR_LEADER_EPOCH)) return undefined;
  const topics = new Map<string, AssignedPartition[]>();
  for (const one of partitions) topics.set(one.topic, [...(topics.get(one.topic) ?? []), one]);
  const request = OffsetForLeaderEpochRequest.create({
    replicaId: CONSUMER,
    topics: Array.from(topics, ([topic, some]) => ({
      topic,
      partitions: some.map(({ partition, fetchEpoch }) =>
        createOffsetForLeaderEpochRequestOffsetForLeaderPartition({
          partition,
          currentLeaderEpoch: cluster.metadata.topic(topic)?.partitions[partition]?.leaderEpoch ?? -1,
          leaderEpoch: fetchEpoch,
        }),
      ),
    })),
  });
  const response = await connection.send(OFFSET_FOR_LEADER_EPOCH, request);
  const found = new Map<string, EpochEnd>();
  for (const { topic, partitions: ends } of response.topics) {
    for (const end of ends) found.set(`${topic}-${end.partition}`, end);
  }
  for (const { name } of partitions) {
    if (!found.has(name))
      found.set(name, { errorCode: ErrorCode.UNKNOWN_SERVER_ERROR, leaderEpoch: -1, endOffset: -1 });
  }
  return found;
}
