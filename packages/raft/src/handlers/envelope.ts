import { METADATA_TOPIC_ID } from "@samsa/base";
import type { RaftCore } from "../raft-core.ts";
import type { Endpoint } from "../voter-set.ts";

/** The one partition that the quorum keeps. */
export const CLUSTER_METADATA_TOPIC = "__cluster_metadata";
export const METADATA_TOPIC = { topic: CLUSTER_METADATA_TOPIC, topicId: METADATA_TOPIC_ID } as const;
export const METADATA_PARTITION = 0;
export const NOBODY = -1;

/** The partition of a message that is about nothing but the metadata, else undefined. */
export function onlyPartition<P>(
  topics: readonly { readonly partitions: readonly P[] }[],
  isMetadata: (topic: number) => boolean,
  partitionIndex: (partition: P) => number,
): P | undefined {
  const partitions = topics[0]?.partitions ?? [];
  const [partition] = partitions;
  if (topics.length !== 1 || partitions.length !== 1 || partition === undefined || !isMetadata(0)) return undefined;
  return partitionIndex(partition) === METADATA_PARTITION ? partition : undefined;
}

/** A request without a cluster id is of an older version. */
export function isOurCluster(core: RaftCore, clusterId: string | null): boolean {
  return clusterId === null || clusterId === core.options.clusterId;
}

/** What every answer about the quorum says of the leader. */
export function leaderIdAndEpoch(core: RaftCore): { readonly leaderId: number; readonly leaderEpoch: number } {
  const { leaderId } = core.quorum;
  return { leaderId: leaderId ?? NOBODY, leaderEpoch: core.epoch };
}

/** Where the leader named in an answer is reached. */
export function leaderNodes(core: RaftCore): { nodeId: number; host: string; port: number }[] {
  const { leaderId } = core.quorum;
  const endpoint = core.leaderEndpoint;
  if (leaderId === undefined || endpoint === undefined) return [];
  return [{ nodeId: leaderId, host: endpoint.host, port: endpoint.port }];
}

/** The leader's address in an answer. */
export function endpointOf(
  core: RaftCore,
  leaderId: number,
  nodes: readonly { readonly nodeId: number; readonly host: string; readonly port: number }[],
): Endpoint | undefined {
  const node = nodes.find(({ nodeId }) => nodeId === leaderId);
  return node === undefined ? undefined : { name: core.options.listenerName, host: node.host, port: node.port };
}

export interface CommonResponse {
  readonly errorCode: number;
  readonly leaderId: number;
  readonly leaderEpoch: number;
  readonly endpoint: Endpoint | undefined;
}
