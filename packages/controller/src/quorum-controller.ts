import type { Random, Uuid } from "@samsa/base";
import { ErrorCode, InvariantError, KafkaError, randomUuid } from "@samsa/base";
import type { BrokerConfig, Endpoint, MetadataImage, MetadataPublisher, MetadataRecord } from "@samsa/metadata";
import { MetadataDelta } from "@samsa/metadata";
import type { AddRaftVoterRequest } from "@samsa/protocol/messages/add-raft-voter-request";
import type { AddRaftVoterResponse } from "@samsa/protocol/messages/add-raft-voter-response";
import type { RemoveRaftVoterRequest } from "@samsa/protocol/messages/remove-raft-voter-request";
import type { RemoveRaftVoterResponse } from "@samsa/protocol/messages/remove-raft-voter-response";
import type { AlterClientQuotasRequest } from "@samsa/protocol/messages/alter-client-quotas-request";
import type { AlterClientQuotasResponse } from "@samsa/protocol/messages/alter-client-quotas-response";
import type { AlterConfigsRequest } from "@samsa/protocol/messages/alter-configs-request";
import type { AlterConfigsResponse } from "@samsa/protocol/messages/alter-configs-response";
import type { AlterUserScramCredentialsRequest } from "@samsa/protocol/messages/alter-user-scram-credentials-request";
import type { AlterUserScramCredentialsResponse } from "@samsa/protocol/messages/alter-user-scram-credentials-response";
import type { CreatePartitionsRequest } from "@samsa/protocol/messages/create-partitions-request";
import type { CreatePartitionsResponse } from "@samsa/protocol/messages/create-partitions-response";
import type { CreateTopicsRequest } from "@samsa/protocol/messages/create-topics-request";
import type { CreateTopicsResponse } from "@samsa/protocol/messages/create-topics-response";
import type { DeleteTopicsRequest } from "@samsa/protocol/messages/delete-topics-request";
import type { DeleteTopicsResponse } from "@samsa/protocol/messages/delete-topics-response";
import type { IncrementalAlterConfigsRequest } from "@samsa/protocol/messages/incremental-alter-configs-request";
import type { IncrementalAlterConfigsResponse } from "@samsa/protocol/messages/incremental-alter-configs-response";
import type { AlterPartitionReassignmentsRequest } from "@samsa/protocol/messages/alter-partition-reassignments-request";
import type { AlterPartitionReassignmentsResponse } from "@samsa/protocol/messages/alter-partition-reassignments-response";
import type { ElectLeadersRequest } from "@samsa/protocol/messages/elect-leaders-request";
import type { ElectLeadersResponse } from "@samsa/protocol/messages/elect-leaders-response";
import type { ListPartitionReassignmentsRequest } from "@samsa/protocol/messages/list-partition-reassignments-request";
import type { ListPartitionReassignmentsResponse } from "@samsa/protocol/messages/list-partition-reassignments-response";
import type { UpdateFeaturesRequest } from "@samsa/protocol/messages/update-features-request";
import type { UpdateFeaturesResponse } from "@samsa/protocol/messages/update-features-response";
import type { DescribeQuorumRequest } from "@samsa/protocol/messages/describe-quorum-request";
import type { DescribeQuorumResponse } from "@samsa/protocol/messages/describe-quorum-response";
import { activate, registerController } from "./activation.ts";
import type { BrokerRegistrationRequest, DirectoryAssignment } from "./broker-lifecycle.ts";
import {
  assignReplicasToDirs,
  beginControlledShutdown,
  cordonDirectories,
  fenceBroker,
  handleDirectoriesOffline,
  registerBroker,
  unfenceBroker,
  unregisterBroker,
} from "./broker-lifecycle.ts";
import { alterClientQuotas } from "./client-quota-alteration.ts";
import { alterConfigs, incrementalAlterConfigs } from "./config-alteration.ts";
import type { ControllerContext, ControllerResult, PartitionChangeQuota } from "./controller-result.ts";
import { updateFeatures } from "./feature-update.ts";
import { electLeaders } from "./leader-election.ts";
import { MetadataFeed } from "./metadata-feed.ts";
import type { LeaderAndEpoch, MetadataLog } from "./metadata-log.ts";
import { createPartitions } from "./partition-creation.ts";
import { alterPartitionReassignments, listPartitionReassignments } from "./partition-reassignment.ts";
import type { ProducerIdsBlock } from "./producer-ids.ts";
import { allocateProducerIds } from "./producer-ids.ts";
import type { SnapshotGeneratorOptions } from "./snapshot-generator.ts";
import { SnapshotGenerator } from "./snapshot-generator.ts";
import { alterUserScramCredentials } from "./scram-credential-alteration.ts";
import { createTopics } from "./topic-creation.ts";
import { deleteTopics } from "./topic-deletion.ts";

export interface QuorumControllerOptions {
  /** The static configuration of this node, with its `node.id`. */
  readonly config: BrokerConfig;
  readonly random: Random;
  readonly metadataLog: MetadataLog;
  /** Where this controller is reached. */
  readonly listeners: readonly Endpoint[];
  /** Told one after the other: who leads partitions before who tells clients of leaders. */
  readonly publishers: readonly MetadataPublisher[];
  /** When to sum up the metadata in snapshots; never when left out. */
  readonly snapshots?: Omit<SnapshotGeneratorOptions, "metadataLog">;
  /** The log failed, or a publisher did: the node stops. */
  readonly onFatal: (error: unknown) => void;
}

/**
 * The controller of a node: takes requests one after the other, decides, and answers when the decision is committed and all
 * publishers have taken it in. So whoever reads the metadata after the answer finds what was decided, and its leaders lead.
 *
 *   request ─ decide ─ replay ─ append ┄ commit ─ publish ─ answer
 *                 ▲        │
 *                 └────────┘ the next decision sees it at once, committed or not
 */
export class QuorumController {
  readonly #options: QuorumControllerOptions;
  readonly #feed: MetadataFeed;
  readonly #snapshots: SnapshotGenerator | undefined;
  /** undefined while another node leads, or this one has failed. */
  #active: { readonly epoch: number; image: MetadataImage } | undefined;
  #isClosed = false;

  private constructor(options: QuorumControllerOptions) {
    this.#options = options;
    const { metadataLog, publishers, snapshots } = options;
    this.#snapshots = snapshots === undefined ? undefined : new SnapshotGenerator({ ...snapshots, metadataLog });
    this.#feed = new MetadataFeed(
      publishers,
      (error) => this.#fail(error),
      (image) => this.#snapshots?.onPublished(image),
    );
  }

  /** Resolves when everything committed before has been published, and this controller is registered if it leads. */
  static async start(options: QuorumControllerOptions): Promise<QuorumController> {
    const controller = new QuorumController(options);
    let activation: Promise<void> | undefined;
    await options.metadataLog.register({
      handleLoadSnapshot: (id, snapshot) => controller.#feed.loadSnapshot(id, snapshot),
      handleCommit: (batch) => controller.#feed.load(batch),
      handleControlRecords: (...position) => controller.#feed.skipTo(...position),
      handleLeaderChange: (leader) => (activation = controller.#handleLeaderChange(leader)),
      handleFailure: (error) => controller.#fail(error),
    });
    await Promise.all([activation, controller.#feed.drained()]);
    return controller;
  }

  /** Who votes, who follows, and how far they have come. */
  describeQuorum(request: DescribeQuorumRequest): Promise<DescribeQuorumResponse> {
    return this.#options.metadataLog.describeQuorum(request);
  }

  addRaftVoter(request: AddRaftVoterRequest): Promise<AddRaftVoterResponse> {
    return this.#options.metadataLog.addRaftVoter(request);
  }

  removeRaftVoter(request: RemoveRaftVoterRequest): Promise<RemoveRaftVoterResponse> {
    return this.#options.metadataLog.removeRaftVoter(request);
  }

  /** The image that was last published. */
  get image(): MetadataImage {
    return this.#feed.publishedImage;
  }

  /** The epoch in which this controller leads; undefined when it does not. */
  get activeEpoch(): number | undefined {
    return this.#active?.epoch;
  }

  createTopics(
    request: CreateTopicsRequest,
    applyPartitionChangeQuota?: PartitionChangeQuota,
  ): Promise<CreateTopicsResponse> {
    return this.#submit((context) => createTopics({ ...context, applyPartitionChangeQuota }, request));
  }

  deleteTopics(
    request: DeleteTopicsRequest,
    applyPartitionChangeQuota?: PartitionChangeQuota,
  ): Promise<DeleteTopicsResponse> {
    return this.#submit((context) => deleteTopics({ ...context, applyPartitionChangeQuota }, request));
  }

  createPartitions(
    request: CreatePartitionsRequest,
    applyPartitionChangeQuota?: PartitionChangeQuota,
  ): Promise<CreatePartitionsResponse> {
    return this.#submit((context) => createPartitions({ ...context, applyPartitionChangeQuota }, request));
  }

  incrementalAlterConfigs(request: IncrementalAlterConfigsRequest): Promise<IncrementalAlterConfigsResponse> {
    return this.#submit((context) => incrementalAlterConfigs(context, request));
  }

  alterConfigs(request: AlterConfigsRequest): Promise<AlterConfigsResponse> {
    return this.#submit((context) => alterConfigs(context, request));
  }

  electLeaders(request: ElectLeadersRequest): Promise<ElectLeadersResponse> {
    return this.#submit((context) => electLeaders(context, request));
  }

  alterPartitionReassignments(
    request: AlterPartitionReassignmentsRequest,
  ): Promise<AlterPartitionReassignmentsResponse> {
    return this.#submit((context) => alterPartitionReassignments(context, request));
  }

  listPartitionReassignments(request: ListPartitionReassignmentsRequest): Promise<ListPartitionReassignmentsResponse> {
    return this.#submit(({ image }) => ({ records: [], response: listPartitionReassignments(image, request) }));
  }

  updateFeatures(request: UpdateFeaturesRequest): Promise<UpdateFeaturesResponse> {
    const { kraftVersion } = this.#options.metadataLog;
    return this.#submit((context) => updateFeatures(context, request, kraftVersion));
  }

  alterUserScramCredentials(request: AlterUserScramCredentialsRequest): Promise<AlterUserScramCredentialsResponse> {
    return this.#submit((context) => alterUserScramCredentials(context, request));
  }

  alterClientQuotas(request: AlterClientQuotasRequest): Promise<AlterClientQuotasResponse> {
    return this.#submit((context) => alterClientQuotas(context, request));
  }

  /** Forgets a broker that does not come back. */
  unregisterBroker(brokerId: number): Promise<void> {
    return this.#submit((context) => unregisterBroker(context, brokerId));
  }

  /** Registers a broker, fenced until `unfenceBroker`. */
  registerBroker(request: BrokerRegistrationRequest): Promise<{ readonly brokerEpoch: number }> {
    return this.#submit((context) => registerBroker(context, request));
  }

  /** The broker has caught up with the metadata and may lead. */
  unfenceBroker(brokerId: number, brokerEpoch: number, cordoned: readonly Uuid[] = []): Promise<void> {
    return this.#submit((context) => unfenceBroker(context, brokerId, brokerEpoch, cordoned));
  }

  /** Which directories of the broker get no new replicas (KIP-1066). */
  cordonDirectories(brokerId: number, brokerEpoch: number, cordoned: readonly Uuid[]): Promise<void> {
    return this.#submit((context) => cordonDirectories(context, brokerId, brokerEpoch, cordoned));
  }

  /** Directories of the broker have failed: what is in them gets no leader here. */
  handleDirectoriesOffline(brokerId: number, brokerEpoch: number, offline: readonly Uuid[]): Promise<void> {
    return this.#submit((context) => handleDirectoriesOffline(context, brokerId, brokerEpoch, offline));
  }

  /** In which of its directories the broker has replicas. */
  assignReplicasToDirs(
    brokerId: number,
    brokerEpoch: number,
    assignments: readonly DirectoryAssignment[],
  ): Promise<void> {
    return this.#submit((context) => assignReplicasToDirs(context, brokerId, brokerEpoch, assignments));
  }

  /** The broker wants to stop: resolves when it leads nothing any more. */
  beginControlledShutdown(brokerId: number, brokerEpoch: number): Promise<void> {
    return this.#submit((context) => beginControlledShutdown(context, brokerId, brokerEpoch));
  }

  fenceBroker(brokerId: number, brokerEpoch: number): Promise<void> {
    return this.#submit((context) => fenceBroker(context, brokerId, brokerEpoch));
  }

  allocateProducerIds(brokerId: number, brokerEpoch: number): Promise<ProducerIdsBlock> {
    return this.#submit((context) => allocateProducerIds(context, brokerId, brokerEpoch));
  }

  /** Takes no more requests, and waits for those that were taken. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#snapshots?.close();
    await this.#options.metadataLog.close();
    await this.#feed.close();
    this.#active = undefined;
  }

  #handleLeaderChange({ leaderId, epoch }: LeaderAndEpoch): Promise<void> {
    const nodeId = this.#options.config.number("node.id");
    if (leaderId !== nodeId) {
      this.#active = undefined;
      this.#feed.rejectWaiting(notController());
      return Promise.resolve();
    }
    // Everything before this epoch is committed and loaded: that is what this controller decides upon.
    this.#active = { epoch, image: this.#feed.loadedImage() };
    const { metadataLog, listeners, random } = this.#options;
    const { openTransaction } = this.#feed;
    const incarnationId = randomUuid(random);
    const activated = [
      this.#submit((context) => activate(context, metadataLog.bootstrapRecords, openTransaction)),
      this.#submit((context) => registerController(context, { controllerId: nodeId, incarnationId, listeners })),
    ];
    return Promise.all(activated).then(() => undefined);
  }

  /** Decides at once; the promise settles when what was decided, and all before it, is published. */
  #submit<T>(decide: (context: ControllerContext) => ControllerResult<T>): Promise<T> {
    const active = this.#active;
    if (active === undefined || this.#isClosed) return Promise.reject(notController());
    const { config, random, metadataLog } = this.#options;
    try {
      const nextOffset = metadataLog.endOffset;
      const { records, response, maySplit = false } = decide({ image: active.image, config, random, nextOffset });
      if (records.length > 0) {
        const image = replay(active.image, records);
        const size = maySplit ? MAX_RECORDS_PER_BATCH : records.length;
        for (let at = 0; at < records.length; at += size)
          metadataLog.append(active.epoch, records.slice(at, at + size));
        active.image = image;
      }
      // A refusal may rest on a decision that is not committed yet ("exists already"): it waits as well.
      return this.#feed.published(metadataLog.endOffset).then(() => response);
    } catch (error) {
      if (!(error instanceof KafkaError)) this.#fail(error);
      return Promise.reject(error);
    }
  }

  #fail(error: unknown): void {
    if (this.#active === undefined && this.#isClosed) return;
    this.#active = undefined;
    this.#isClosed = true;
    this.#feed.rejectWaiting(error);
    this.#options.onFatal(error);
  }
}

/** Of a decision that may be split; the largest records that are written so take some hundred bytes. */
const MAX_RECORDS_PER_BATCH = 10_000;

/** The image with records that are decided and not committed. They are in one batch, so a transaction need not be awaited. */
function replay(image: MetadataImage, records: readonly MetadataRecord[]): MetadataImage {
  const delta = new MetadataDelta(image);
  try {
    for (const record of records) if (!TRANSACTION_RECORDS.has(record.type)) delta.replay(record);
  } catch (error) {
    throw new InvariantError(`a decision contradicts the metadata: ${String(error)}`);
  }
  return delta.apply(image.provenance);
}

const TRANSACTION_RECORDS: ReadonlySet<MetadataRecord["type"]> = new Set([
  "BeginTransactionRecord",
  "EndTransactionRecord",
  "AbortTransactionRecord",
]);

function notController(): KafkaError {
  return new KafkaError(ErrorCode.NOT_CONTROLLER, "This is not the active controller of the cluster.");
}
