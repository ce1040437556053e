import type { Uuid } from "@samsa/base";
import type { Cluster } from "../cluster/cluster.ts";
import type { IsolationLevel, ListedOffset } from "../cluster/list-offsets.ts";
import type { TopicMetadata, TopicPartition } from "../cluster/topic-metadata.ts";
import type { AdminTimeouts } from "./admin-driver.ts";
import { AdminDriver } from "./admin-driver.ts";
import type { AclBinding, AclFilter } from "./acls.ts";
import type {
  ClusterDescription,
  DescribeClusterOptions,
  FeatureMetadata,
  FeatureUpdate,
  NewRaftVoter,
  QuorumInfo,
  RaftVoter,
  ServedApi,
} from "./cluster-info.ts";
import type {
  ConfigAlteration,
  ConfigEntry,
  ConfigResource,
  ConfigResourceType,
  DescribeConfigsOptions,
} from "./configs.ts";
import type { DelegationToken, NewDelegationToken } from "./delegation-tokens.ts";
import type { CommittedOffset, GroupOffsetsQuery, NewOffset, ShareGroupOffset } from "./group-offsets.ts";
import type {
  ClassicGroupDescription,
  ConsumerGroupDescription,
  DescribeGroupsOptions,
  GroupFilter,
  GroupListing,
  MemberToRemove,
  ShareGroupDescription,
  StreamsGroupDescription,
} from "./groups.ts";
import type { ItemResults } from "./item-results.ts";
import type { LogDir, ReplicaMove } from "./log-dirs.ts";
import type { AdminOffsetQuery, RecordsToDelete } from "./offsets.ts";
import type { ClientQuotas, QuotaAlteration, QuotaFilter } from "./quotas.ts";
import type { NewReassignment, OngoingReassignment } from "./reassignments.ts";
import type { ScramAlteration, ScramCredential } from "./scram.ts";
import type { CreatedTopic, NewPartitions, NewTopic } from "./topics.ts";
import type {
  HangingTransaction,
  ProducerState,
  TransactionDescription,
  TransactionFilter,
  TransactionListing,
} from "./transactions.ts";

/** A family is loaded when the first of its calls is made: who only produces or consumes need not hold the codecs of all. */
export const ADMIN_CALLS = {
  acls: () => import("./acls.ts"),
  clusterInfo: () => import("./cluster-info.ts"),
  configs: () => import("./configs.ts"),
  delegationTokens: () => import("./delegation-tokens.ts"),
  groupOffsets: () => import("./group-offsets.ts"),
  groups: () => import("./groups.ts"),
  logDirs: () => import("./log-dirs.ts"),
  offsets: () => import("./offsets.ts"),
  quotas: () => import("./quotas.ts"),
  reassignments: () => import("./reassignments.ts"),
  scram: () => import("./scram.ts"),
  topics: () => import("./topics.ts"),
  transactions: () => import("./transactions.ts"),
};

export interface ValidateOptions {
  /** Only finds out whether it could be done. */
  readonly validateOnly?: boolean;
}

export interface IsolationOptions {
  readonly isolationLevel?: IsolationLevel;
}

/**
 * Administrative calls, one for each that Java's Admin has. Each is tried again within `defaultApiTimeoutMs` while that may help, at the
 * controller, the coordinator, the leaders or the broker that is to be asked.
 *
 * A call that changes something rejects with the error of the item that failed, or with SomeItemsFailedError, which names each; the others
 * are done. A call that asks about several items has a result for each, an answer or an error; `all()` takes the answers or throws.
 * What a broker does not serve rejects with UnsupportedVersionError.
 */
export class Admin {
  readonly #driver: AdminDriver;

  /** Made by `kafka.admin()`. */
  constructor(cluster: Cluster, timeouts: AdminTimeouts) {
    this.#driver = new AdminDriver(cluster, timeouts);
  }

  /** @throws BrokerError (TOPIC_ALREADY_EXISTS, INVALID_PARTITIONS, …), SomeItemsFailedError, TimeLimitError */
  async createTopics(
    topics: readonly NewTopic[],
    { validateOnly = false }: ValidateOptions = {},
  ): Promise<readonly CreatedTopic[]> {
    return await (await ADMIN_CALLS.topics()).createTopics(this.#driver, topics, validateOnly);
  }

  /** By name or id. @throws BrokerError (UNKNOWN_TOPIC_OR_PARTITION, TOPIC_DELETION_DISABLED, …), SomeItemsFailedError, TimeLimitError */
  async deleteTopics(topics: readonly (string | { readonly topicId: Uuid })[]): Promise<void> {
    await (await ADMIN_CALLS.topics()).deleteTopics(this.#driver, topics);
  }

  /** All topics by name, without Kafka's own unless asked for. */
  async listTopics({ includeInternal = false }: { readonly includeInternal?: boolean } = {}): Promise<
    readonly TopicMetadata[]
  > {
    return await (await ADMIN_CALLS.topics()).listTopics(this.#driver, includeInternal);
  }

  /** @throws BrokerError (UNKNOWN_TOPIC_OR_PARTITION), SomeItemsFailedError */
  async describeTopics(names: readonly string[]): Promise<readonly TopicMetadata[]> {
    return await (await ADMIN_CALLS.topics()).describeTopics(this.#driver, names);
  }

  /** @throws BrokerError (INVALID_PARTITIONS, …), SomeItemsFailedError */
  async createPartitions(
    topics: readonly NewPartitions[],
    { validateOnly = false }: ValidateOptions = {},
  ): Promise<void> {
    await (await ADMIN_CALLS.topics()).createPartitions(this.#driver, topics, validateOnly);
  }

  /** Offsets of partitions: first, end, at a time, and those of tiered storage. @returns in the order of the queries */
  async listOffsets(
    queries: readonly AdminOffsetQuery[],
    options: IsolationOptions = {},
  ): Promise<readonly ListedOffset[]> {
    return (await this.listOffsetsOf(queries, options)).all();
  }

  /** The same with a result for each, named `topic-partition`. */
  async listOffsetsOf(
    queries: readonly AdminOffsetQuery[],
    { isolationLevel = "read_uncommitted" }: IsolationOptions = {},
  ): Promise<ItemResults<ListedOffset>> {
    return await (await ADMIN_CALLS.offsets()).listOffsets(this.#driver, queries, isolationLevel);
  }

  /** Forgets records before an offset. Named `topic-partition`. */
  async deleteRecords(partitions: readonly RecordsToDelete[]): Promise<ItemResults<{ readonly lowWatermark: number }>> {
    return await (await ADMIN_CALLS.offsets()).deleteRecords(this.#driver, partitions);
  }

  /** Named as in `topic greetings`, `broker 1`. */
  async describeConfigs(
    resources: readonly ConfigResource[],
    options: DescribeConfigsOptions = {},
  ): Promise<ItemResults<readonly ConfigEntry[]>> {
    return await (await ADMIN_CALLS.configs()).describeConfigs(this.#driver, resources, options);
  }

  /** Changes what is named and leaves the rest (KIP-339). @throws BrokerError (INVALID_CONFIG, …), SomeItemsFailedError */
  async incrementalAlterConfigs(
    alterations: readonly ConfigAlteration[],
    { validateOnly = false }: ValidateOptions = {},
  ): Promise<void> {
    await (await ADMIN_CALLS.configs()).incrementalAlterConfigs(this.#driver, alterations, validateOnly);
  }

  /** What has configurations; all types when none are named (KIP-1142). */
  async listConfigResources(types: readonly ConfigResourceType[] = []): Promise<readonly ConfigResource[]> {
    return await (await ADMIN_CALLS.configs()).listConfigResources(this.#driver, types);
  }

  /** Subscriptions to metrics of clients (KIP-714). */
  async listClientMetricsResources(): Promise<readonly ConfigResource[]> {
    return await (await ADMIN_CALLS.configs()).listConfigResources(this.#driver, ["client_metrics"]);
  }

  async describeCluster(options: DescribeClusterOptions = {}): Promise<ClusterDescription> {
    return await (await ADMIN_CALLS.clusterInfo()).describeCluster(this.#driver, options);
  }

  /** Which requests brokers serve, in which versions (KIP-35). Named by the ids of the brokers. */
  async describeApiVersions(brokerIds: readonly number[]): Promise<ItemResults<readonly ServedApi[]>> {
    return await (await ADMIN_CALLS.clusterInfo()).describeApiVersions(this.#driver, brokerIds);
  }

  /** Takes a broker that is gone for good out of the cluster. */
  async unregisterBroker(brokerId: number): Promise<void> {
    await (await ADMIN_CALLS.clusterInfo()).unregisterBroker(this.#driver, brokerId);
  }

  /** Levels of features that the cluster has agreed on, and those that the broker knows (KIP-584). */
  async describeFeatures(): Promise<FeatureMetadata> {
    return await (await ADMIN_CALLS.clusterInfo()).describeFeatures(this.#driver);
  }

  /** @throws BrokerError (FEATURE_UPDATE_FAILED, …), SomeItemsFailedError */
  async updateFeatures(
    updates: readonly FeatureUpdate[],
    { validateOnly = false }: ValidateOptions = {},
  ): Promise<void> {
    await (await ADMIN_CALLS.clusterInfo()).updateFeatures(this.#driver, updates, validateOnly);
  }

  /** The quorum of the controllers (KIP-595). */
  async describeMetadataQuorum(): Promise<QuorumInfo> {
    return await (await ADMIN_CALLS.clusterInfo()).describeMetadataQuorum(this.#driver);
  }

  /** A voter more in the quorum (KIP-853). */
  async addRaftVoter(voter: NewRaftVoter): Promise<void> {
    await (await ADMIN_CALLS.clusterInfo()).addRaftVoter(this.#driver, voter);
  }

  async removeRaftVoter(voter: RaftVoter & { readonly clusterId?: string }): Promise<void> {
    await (await ADMIN_CALLS.clusterInfo()).removeRaftVoter(this.#driver, voter);
  }

  /** Named by the ids of the brokers. @param partitions all when left out */
  async describeLogDirs(
    brokers: readonly number[],
    partitions?: readonly TopicPartition[],
  ): Promise<ItemResults<readonly LogDir[]>> {
    return await (await ADMIN_CALLS.logDirs()).describeLogDirs(this.#driver, brokers, partitions);
  }

  /** Moves replicas between directories of their brokers (KIP-113). @throws BrokerError, SomeItemsFailedError */
  async alterReplicaLogDirs(moves: readonly ReplicaMove[]): Promise<void> {
    await (await ADMIN_CALLS.logDirs()).alterReplicaLogDirs(this.#driver, moves);
  }

  /** Limits of users, clients and addresses (KIP-546). */
  async describeClientQuotas(filter: QuotaFilter = {}): Promise<readonly ClientQuotas[]> {
    return await (await ADMIN_CALLS.quotas()).describeClientQuotas(this.#driver, filter);
  }

  /** @throws BrokerError, SomeItemsFailedError */
  async alterClientQuotas(
    alterations: readonly QuotaAlteration[],
    { validateOnly = false }: ValidateOptions = {},
  ): Promise<void> {
    await (await ADMIN_CALLS.quotas()).alterClientQuotas(this.#driver, alterations, validateOnly);
  }

  /** Named by user; all users when none are named (KIP-554). */
  async describeUserScramCredentials(users?: readonly string[]): Promise<ItemResults<readonly ScramCredential[]>> {
    return await (await ADMIN_CALLS.scram()).describeUserScramCredentials(this.#driver, users);
  }

  /** @throws BrokerError, SomeItemsFailedError */
  async alterUserScramCredentials(alterations: readonly ScramAlteration[]): Promise<void> {
    await (await ADMIN_CALLS.scram()).alterUserScramCredentials(this.#driver, alterations);
  }

  /** What is left out of the filter matches all. */
  async describeAcls(filter: AclFilter = {}): Promise<readonly AclBinding[]> {
    return await (await ADMIN_CALLS.acls()).describeAcls(this.#driver, filter);
  }

  /** @throws BrokerError, SomeItemsFailedError */
  async createAcls(bindings: readonly AclBinding[]): Promise<void> {
    await (await ADMIN_CALLS.acls()).createAcls(this.#driver, bindings);
  }

  /** Named by the place of the filter, from 0; the answers are what was deleted. */
  async deleteAcls(filters: readonly AclFilter[]): Promise<ItemResults<readonly AclBinding[]>> {
    return await (await ADMIN_CALLS.acls()).deleteAcls(this.#driver, filters);
  }

  /** Who writes to partitions (KIP-664). Named `topic-partition`. @param brokerId the leaders when left out */
  async describeProducers(
    partitions: readonly TopicPartition[],
    brokerId?: number,
  ): Promise<ItemResults<readonly ProducerState[]>> {
    return await (await ADMIN_CALLS.transactions()).describeProducers(this.#driver, partitions, brokerId);
  }

  /** Of all brokers, named by their ids. */
  async listTransactions(filter: TransactionFilter = {}): Promise<ItemResults<readonly TransactionListing[]>> {
    return await (await ADMIN_CALLS.transactions()).listTransactions(this.#driver, filter);
  }

  /** Named by transactional id. */
  async describeTransactions(transactionalIds: readonly string[]): Promise<ItemResults<TransactionDescription>> {
    return await (await ADMIN_CALLS.transactions()).describeTransactions(this.#driver, transactionalIds);
  }

  /** Ends a transaction that no coordinator knows any more (KIP-664). */
  async abortTransaction(hanging: HangingTransaction): Promise<void> {
    await (await ADMIN_CALLS.transactions()).abortTransaction(this.#driver, hanging);
  }

  /** Locks out whoever uses these ids now, and ends what they have open. Named by transactional id. */
  async fenceProducers(
    transactionalIds: readonly string[],
  ): Promise<ItemResults<{ readonly producerId: number; readonly producerEpoch: number }>> {
    return await (await ADMIN_CALLS.transactions()).fenceProducers(this.#driver, transactionalIds);
  }

  /** KIP-455. @throws BrokerError (INVALID_REPLICA_ASSIGNMENT, NO_REASSIGNMENT_IN_PROGRESS, …), SomeItemsFailedError */
  async alterPartitionReassignments(
    reassignments: readonly NewReassignment[],
    { allowReplicationFactorChange = true }: { readonly allowReplicationFactorChange?: boolean } = {},
  ): Promise<void> {
    await (
      await ADMIN_CALLS.reassignments()
    ).alterPartitionReassignments(this.#driver, reassignments, allowReplicationFactorChange);
  }

  /** @param partitions all when left out */
  async listPartitionReassignments(partitions?: readonly TopicPartition[]): Promise<readonly OngoingReassignment[]> {
    return await (await ADMIN_CALLS.reassignments()).listPartitionReassignments(this.#driver, partitions);
  }

  /** Named `topic-partition`. @param partitions all that need it when left out */
  async electLeaders(
    electionType: "preferred" | "unclean",
    partitions?: readonly TopicPartition[],
  ): Promise<ItemResults<true>> {
    return await (await ADMIN_CALLS.reassignments()).electLeaders(this.#driver, electionType, partitions);
  }

  /** Groups of all types, of all brokers, named by the ids of these. */
  async listGroups(filter: GroupFilter = {}): Promise<ItemResults<readonly GroupListing[]>> {
    return await (await ADMIN_CALLS.groups()).listGroups(this.#driver, filter);
  }

  /** Groups of the classic protocol, of consumers and others. Named by group. */
  async describeClassicGroups(
    groupIds: readonly string[],
    { includeAuthorizedOperations = false }: DescribeGroupsOptions = {},
  ): Promise<ItemResults<ClassicGroupDescription>> {
    return await (
      await ADMIN_CALLS.groups()
    ).describeClassicGroups(this.#driver, groupIds, includeAuthorizedOperations);
  }

  /** Groups of consumers of either protocol (KIP-848). Named by group. */
  async describeConsumerGroups(
    groupIds: readonly string[],
    { includeAuthorizedOperations = false }: DescribeGroupsOptions = {},
  ): Promise<ItemResults<ConsumerGroupDescription | ClassicGroupDescription>> {
    return await (
      await ADMIN_CALLS.groups()
    ).describeConsumerGroups(this.#driver, groupIds, includeAuthorizedOperations);
  }

  /** KIP-932. Named by group. */
  async describeShareGroups(
    groupIds: readonly string[],
    { includeAuthorizedOperations = false }: DescribeGroupsOptions = {},
  ): Promise<ItemResults<ShareGroupDescription>> {
    return await (await ADMIN_CALLS.groups()).describeShareGroups(this.#driver, groupIds, includeAuthorizedOperations);
  }

  /** KIP-1071. Named by group. */
  async describeStreamsGroups(
    groupIds: readonly string[],
    { includeAuthorizedOperations = false }: DescribeGroupsOptions = {},
  ): Promise<ItemResults<StreamsGroupDescription>> {
    return await (
      await ADMIN_CALLS.groups()
    ).describeStreamsGroups(this.#driver, groupIds, includeAuthorizedOperations);
  }

  /** Of any type, once they are empty. @throws BrokerError (NON_EMPTY_GROUP, GROUP_ID_NOT_FOUND, …), SomeItemsFailedError */
  async deleteGroups(groupIds: readonly string[]): Promise<void> {
    await (await ADMIN_CALLS.groups()).deleteGroups(this.#driver, groupIds);
  }

  /** @param members all when left out. @throws BrokerError, SomeItemsFailedError */
  async removeGroupMembers(
    groupId: string,
    members?: readonly MemberToRemove[],
    { reason = "removed by an administrator" }: { readonly reason?: string } = {},
  ): Promise<void> {
    await (await ADMIN_CALLS.groups()).removeGroupMembers(this.#driver, groupId, members, reason);
  }

  /** What groups of consumers and of streams have committed. Named by group, and in it `topic-partition`. */
  async listGroupOffsets(
    queries: readonly GroupOffsetsQuery[],
    { requireStable = false }: { readonly requireStable?: boolean } = {},
  ): Promise<ItemResults<ItemResults<CommittedOffset>>> {
    return await (await ADMIN_CALLS.groupOffsets()).listGroupOffsets(this.#driver, queries, requireStable);
  }

  /** Of a group without members. @throws BrokerError (UNKNOWN_MEMBER_ID for one that has some, …), SomeItemsFailedError */
  async alterGroupOffsets(groupId: string, offsets: readonly NewOffset[]): Promise<void> {
    await (await ADMIN_CALLS.groupOffsets()).alterGroupOffsets(this.#driver, groupId, offsets);
  }

  /** Of topics that no member reads. @throws BrokerError (GROUP_SUBSCRIBED_TO_TOPIC, …), SomeItemsFailedError */
  async deleteGroupOffsets(groupId: string, partitions: readonly TopicPartition[]): Promise<void> {
    await (await ADMIN_CALLS.groupOffsets()).deleteGroupOffsets(this.#driver, groupId, partitions);
  }

  /** Named by group, and in it `topic-partition`. */
  async listShareGroupOffsets(
    queries: readonly GroupOffsetsQuery[],
  ): Promise<ItemResults<ItemResults<ShareGroupOffset>>> {
    return await (await ADMIN_CALLS.groupOffsets()).listShareGroupOffsets(this.#driver, queries);
  }

  /** Of a group without members. @throws BrokerError (NON_EMPTY_GROUP, …), SomeItemsFailedError */
  async alterShareGroupOffsets(
    groupId: string,
    offsets: readonly (TopicPartition & { readonly offset: number })[],
  ): Promise<void> {
    await (await ADMIN_CALLS.groupOffsets()).alterShareGroupOffsets(this.#driver, groupId, offsets);
  }

  /** @throws BrokerError, SomeItemsFailedError */
  async deleteShareGroupOffsets(groupId: string, topics: readonly string[]): Promise<void> {
    await (await ADMIN_CALLS.groupOffsets()).deleteShareGroupOffsets(this.#driver, groupId, topics);
  }

  /** KIP-48. */
  async createDelegationToken(token: NewDelegationToken = {}): Promise<DelegationToken> {
    return await (await ADMIN_CALLS.delegationTokens()).createDelegationToken(this.#driver, token);
  }

  /** @returns when it expires now */
  async renewDelegationToken(hmac: Uint8Array, renewPeriodMs?: number): Promise<number> {
    return await (await ADMIN_CALLS.delegationTokens()).renewDelegationToken(this.#driver, hmac, renewPeriodMs);
  }

  /** At once unless told otherwise. @returns when it expires now */
  async expireDelegationToken(hmac: Uint8Array, expiryTimePeriodMs?: number): Promise<number> {
    return await (await ADMIN_CALLS.delegationTokens()).expireDelegationToken(this.#driver, hmac, expiryTimePeriodMs);
  }

  /** @param owners all when left out */
  async describeDelegationTokens(owners?: readonly string[]): Promise<readonly DelegationToken[]> {
    return await (await ADMIN_CALLS.delegationTokens()).describeDelegationTokens(this.#driver, owners);
  }
}
