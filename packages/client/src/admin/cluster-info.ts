import type { Uuid } from "@samsa/base";
import { ErrorCode, ZERO_UUID } from "@samsa/base";
import { API_INFO } from "@samsa/protocol";
import { AddRaftVoterRequest } from "@samsa/protocol/messages/add-raft-voter-request";
import { AddRaftVoterResponse } from "@samsa/protocol/messages/add-raft-voter-response";
import { ApiVersionsRequest } from "@samsa/protocol/messages/api-versions-request";
import { ApiVersionsResponse } from "@samsa/protocol/messages/api-versions-response";
import { DescribeClusterRequest } from "@samsa/protocol/messages/describe-cluster-request";
import { DescribeClusterResponse } from "@samsa/protocol/messages/describe-cluster-response";
import { DescribeQuorumRequest } from "@samsa/protocol/messages/describe-quorum-request";
import type { DescribeQuorumResponseReplicaState } from "@samsa/protocol/messages/describe-quorum-response";
import { DescribeQuorumResponse } from "@samsa/protocol/messages/describe-quorum-response";
import { RemoveRaftVoterRequest } from "@samsa/protocol/messages/remove-raft-voter-request";
import { RemoveRaftVoterResponse } from "@samsa/protocol/messages/remove-raft-voter-response";
import { UnregisterBrokerRequest } from "@samsa/protocol/messages/unregister-broker-request";
import { UnregisterBrokerResponse } from "@samsa/protocol/messages/unregister-broker-response";
import { UpdateFeaturesRequest } from "@samsa/protocol/messages/update-features-request";
import { UpdateFeaturesResponse } from "@samsa/protocol/messages/update-features-response";
import type { BrokerNode } from "../cluster/topic-metadata.ts";
import { api } from "../connection/api.ts";
import { BrokerError } from "../errors.ts";
import type { AdminDriver } from "./admin-driver.ts";
import { errorOf, throwCode } from "./admin-driver.ts";
import type { ItemResults } from "./item-results.ts";
import { throwAny } from "./item-results.ts";
import type { AclOperation, NameOf } from "./names.ts";
import { operationsOf, UPGRADE_TYPES } from "./names.ts";
import { toBroker, toController } from "./routes.ts";

const DESCRIBE_CLUSTER = api(DescribeClusterRequest, DescribeClusterResponse);
const API_VERSIONS = api(ApiVersionsRequest, ApiVersionsResponse);
const UPDATE_FEATURES = api(UpdateFeaturesRequest, UpdateFeaturesResponse);
const DESCRIBE_QUORUM = api(DescribeQuorumRequest, DescribeQuorumResponse);
const UNREGISTER_BROKER = api(UnregisterBrokerRequest, UnregisterBrokerResponse);
const ADD_RAFT_VOTER = api(AddRaftVoterRequest, AddRaftVoterResponse);
const REMOVE_RAFT_VOTER = api(RemoveRaftVoterRequest, RemoveRaftVoterResponse);
const METADATA_TOPIC = "__cluster_metadata";

export interface DescribedBroker extends BrokerNode {
  readonly isFenced: boolean;
}

export interface ClusterDescription {
  readonly clusterId: string | null;
  readonly controllerId: number; // -1 when unknown
  readonly brokers: readonly DescribedBroker[];
  /** What this client may do with the cluster, if that was asked for. */
  readonly authorizedOperations?: readonly AclOperation[] | undefined;
}

export interface DescribeClusterOptions {
  readonly includeAuthorizedOperations?: boolean;
  /** Also those that are registered and out of service (KIP-1073). */
  readonly includeFencedBrokers?: boolean;
}

export async function describeCluster(
  driver: AdminDriver,
  { includeAuthorizedOperations = false, includeFencedBrokers = false }: DescribeClusterOptions,
): Promise<ClusterDescription> {
  const { cluster } = driver;
  await driver.call("Metadata", () => cluster.refreshMetadata([]));
  const { clusterId, controllerId, brokers } = cluster.metadata;
  if (!includeAuthorizedOperations && !includeFencedBrokers) {
    const known = Array.from(brokers.values(), (node) => ({ ...node, isFenced: false }));
    return { clusterId, controllerId, brokers: known.toSorted((a, b) => a.nodeId - b.nodeId) };
  }
  const request = DescribeClusterRequest.create({
    includeClusterAuthorizedOperations: includeAuthorizedOperations,
    includeFencedBrokers,
  });
  const which = includeFencedBrokers ? { ...DESCRIBE_CLUSTER, lowestVersion: 2 } : DESCRIBE_CLUSTER;
  const response = await driver.one(which, request, ({ errorCode, errorMessage }) =>
    throwCode(errorCode, "DescribeCluster", errorMessage),
  );
  return {
    clusterId: response.clusterId,
    controllerId: response.controllerId,
    brokers: response.brokers
      .map(({ brokerId: nodeId, host, port, rack, isFenced }) => ({ nodeId, host, port, rack, isFenced }))
      .toSorted((a, b) => a.nodeId - b.nodeId),
    authorizedOperations: operationsOf(response.clusterAuthorizedOperations),
  };
}

/** Takes a broker that is gone for good out of the cluster (KIP-500). */
export async function unregisterBroker(driver: AdminDriver, brokerId: number): Promise<void> {
  await driver.one(UNREGISTER_BROKER, UnregisterBrokerRequest.create({ brokerId }), ({ errorCode, errorMessage }) =>
    throwCode(errorCode, `broker ${brokerId}`, errorMessage),
  );
}

export interface ServedApi {
  readonly apiKey: number;
  readonly name: string | undefined; // undefined for one that we do not know
  readonly minVersion: number;
  readonly maxVersion: number;
  /** The version that this client uses with the broker: the highest that both know. */
  readonly usedVersion: number | undefined; // undefined for none
}

/** What brokers serve (KIP-35). Named by the ids of the brokers. */
export async function describeApiVersions(
  driver: AdminDriver,
  brokerIds: readonly number[],
): Promise<ItemResults<readonly ServedApi[]>> {
  return await driver.items<number, readonly ServedApi[]>({
    what: "ApiVersions",
    items: brokerIds,
    nameOf: String,
    route: toBroker((id) => id),
    ask: async (connection, [brokerId = -1]) => {
      const request = ApiVersionsRequest.create({ clientSoftwareName: "samsa", clientSoftwareVersion: "admin" });
      const { errorCode, apiKeys } = await connection.send(API_VERSIONS, request);
      throwCode(errorCode, `ApiVersions of broker ${brokerId}`);
      const served = apiKeys.map(({ apiKey, minVersion, maxVersion }): ServedApi => {
        const known = API_INFO.get(apiKey);
        const highest = Math.min(maxVersion, known?.highestVersion ?? -1);
        const isCommon = known !== undefined && highest >= Math.max(minVersion, known.lowestVersion);
        return { apiKey, name: known?.name, minVersion, maxVersion, usedVersion: isCommon ? highest : undefined };
      });
      return new Map([[brokerId, served.toSorted((a, b) => a.apiKey - b.apiKey)]]);
    },
  });
}

export interface FeatureRange {
  readonly minVersion: number;
  readonly maxVersion: number;
}

export interface FeatureMetadata {
  readonly finalized: ReadonlyMap<string, number>; // level
  readonly finalizedEpoch: number | undefined;
  readonly supported: ReadonlyMap<string, FeatureRange>; // by the broker that was asked
}

export interface FeatureUpdate {
  readonly feature: string;
  readonly maxVersionLevel: number; // 0 turns it off
  readonly upgradeType?: NameOf<typeof UPGRADE_TYPES>;
}

export async function describeFeatures(driver: AdminDriver): Promise<FeatureMetadata> {
  const request = ApiVersionsRequest.create({ clientSoftwareName: "samsa", clientSoftwareVersion: "admin" });
  const response = await driver.one(API_VERSIONS, request, ({ errorCode }) => throwCode(errorCode, "ApiVersions"));
  const { finalizedFeatures, finalizedFeaturesEpoch, supportedFeatures } = response;
  return {
    finalized: new Map(finalizedFeatures.map(({ name, maxVersionLevel }) => [name, maxVersionLevel])),
    finalizedEpoch: finalizedFeaturesEpoch < 0 ? undefined : finalizedFeaturesEpoch,
    supported: new Map(supportedFeatures.map(({ name, minVersion, maxVersion }) => [name, { minVersion, maxVersion }])),
  };
}

export async function updateFeatures(
  driver: AdminDriver,
  updates: readonly FeatureUpdate[],
  validateOnly: boolean,
): Promise<void> {
  const request = (version: number): UpdateFeaturesRequest =>
    UpdateFeaturesRequest.create({
      timeoutMs: driver.timeouts.requestTimeoutMs,
      featureUpdates: updates.map(({ feature, maxVersionLevel, upgradeType = "upgrade" }) => ({
        feature,
        maxVersionLevel,
        // Version 0 knows whether a level may go down, later ones how.
        allowDowngrade: version === 0 && upgradeType !== "upgrade",
        upgradeType: version === 0 ? UPGRADE_TYPES.upgrade : UPGRADE_TYPES[upgradeType],
      })),
      validateOnly,
    });
  const which = validateOnly ? { ...UPDATE_FEATURES, lowestVersion: 1 } : UPDATE_FEATURES;
  const response = await driver.one(
    which,
    request,
    ({ errorCode, errorMessage }) => throwCode(errorCode, "UpdateFeatures", errorMessage),
    toController,
  );
  throwAny(
    new Map(
      response.results.flatMap(({ feature, errorCode, errorMessage }) => {
        const error = errorOf(errorCode, `feature ${feature}`, errorMessage);
        return error === undefined ? [] : [[feature, error]];
      }),
    ),
  );
}

export interface QuorumReplica {
  readonly replicaId: number;
  readonly replicaDirectoryId: Uuid | undefined;
  readonly logEndOffset: number;
  readonly lastFetchTimestamp: number | undefined;
  readonly lastCaughtUpTimestamp: number | undefined;
}

export interface QuorumInfo {
  readonly leaderId: number;
  readonly leaderEpoch: number;
  readonly highWatermark: number;
  readonly voters: readonly QuorumReplica[];
  readonly observers: readonly QuorumReplica[];
  readonly nodes: readonly {
    readonly nodeId: number;
    readonly listeners: readonly { readonly name: string; readonly host: string; readonly port: number }[];
  }[];
}

/** The quorum of the controllers (KIP-595). */
export async function describeMetadataQuorum(driver: AdminDriver): Promise<QuorumInfo> {
  const request = DescribeQuorumRequest.create({
    topics: [{ topicName: METADATA_TOPIC, partitions: [{ partitionIndex: 0 }] }],
  });
  const response = await driver.one(DESCRIBE_QUORUM, request, ({ errorCode, errorMessage, topics }) => {
    throwCode(errorCode, "DescribeQuorum", errorMessage);
    const partition = topics[0]?.partitions[0];
    if (partition === undefined)
      throw new BrokerError(ErrorCode.UNKNOWN_SERVER_ERROR, "DescribeQuorum", "no partition");
    throwCode(partition.errorCode, "DescribeQuorum", partition.errorMessage);
  });
  const partition = response.topics[0]?.partitions[0];
  return {
    leaderId: partition?.leaderId ?? -1,
    leaderEpoch: partition?.leaderEpoch ?? -1,
    highWatermark: partition?.highWatermark ?? -1,
    voters: partition?.currentVoters.map(quorumReplica) ?? [],
    observers: partition?.observers.map(quorumReplica) ?? [],
    nodes: response.nodes.map(({ nodeId, listeners }) => ({
      nodeId,
      listeners: listeners.map(({ name, host, port }) => ({ name, host, port })),
    })),
  };
}

function quorumReplica(replica: DescribeQuorumResponseReplicaState): QuorumReplica {
  const { replicaId, replicaDirectoryId, logEndOffset, lastFetchTimestamp, lastCaughtUpTimestamp } = replica;
  return {
    replicaId,
    replicaDirectoryId: replicaDirectoryId === ZERO_UUID ? undefined : replicaDirectoryId,
    logEndOffset,
    lastFetchTimestamp: lastFetchTimestamp < 0 ? undefined : lastFetchTimestamp,
    lastCaughtUpTimestamp: lastCaughtUpTimestamp < 0 ? undefined : lastCaughtUpTimestamp,
  };
}

export interface RaftVoter {
  readonly voterId: number;
  readonly voterDirectoryId: Uuid;
}

export interface NewRaftVoter extends RaftVoter {
  readonly listeners: readonly { readonly name: string; readonly host: string; readonly port: number }[];
  readonly clusterId?: string;
}

/** KIP-853. */
export async function addRaftVoter(driver: AdminDriver, voter: NewRaftVoter): Promise<void> {
  const { voterId, voterDirectoryId, listeners, clusterId = null } = voter;
  const timeoutMs = driver.timeouts.requestTimeoutMs;
  const request = AddRaftVoterRequest.create({ clusterId, voterId, voterDirectoryId, listeners, timeoutMs });
  await driver.one(ADD_RAFT_VOTER, request, ({ errorCode, errorMessage }) =>
    throwCode(errorCode, `voter ${voterId}`, errorMessage),
  );
}

export async function removeRaftVoter(
  driver: AdminDriver,
  voter: RaftVoter & { readonly clusterId?: string },
): Promise<void> {
  const { voterId, voterDirectoryId, clusterId = null } = voter;
  const request = RemoveRaftVoterRequest.create({ clusterId, voterId, voterDirectoryId });
  await driver.one(REMOVE_RAFT_VOTER, request, ({ errorCode, errorMessage }) =>
    throwCode(errorCode, `voter ${voterId}`, errorMessage),
  );
}
