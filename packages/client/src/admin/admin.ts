import type { Uuid } from "@samsa/base";
import { ErrorCode, KafkaError, ZERO_UUID } from "@samsa/base";
import {
  createCreateTopicsRequestCreatableTopic,
  CreateTopicsRequest,
} from "@samsa/protocol/messages/create-topics-request";
import { CreateTopicsResponse } from "@samsa/protocol/messages/create-topics-response";
import { DeleteTopicsRequest } from "@samsa/protocol/messages/delete-topics-request";
import { DeleteTopicsResponse } from "@samsa/protocol/messages/delete-topics-response";
import type { Cluster } from "../cluster/cluster.ts";
import type { IsolationLevel, ListedOffset, OffsetQuery } from "../cluster/list-offsets.ts";
import { listOffsets } from "../cluster/list-offsets.ts";
import type { BrokerNode, TopicMetadata } from "../cluster/topic-metadata.ts";
import { api } from "../connection/api.ts";
import { BrokerError, SomeItemsFailedError } from "../errors.ts";
import { retrying } from "../retry.ts";

const CREATE_TOPICS = api(CreateTopicsRequest, CreateTopicsResponse);
const DELETE_TOPICS = api(DeleteTopicsRequest, DeleteTopicsResponse);
const FIRST_DELETE_VERSION_WITH_IDS = 6;
/** The broker's own default, for partitions (KIP-464) and replication. */
const BROKER_DEFAULT = -1;
/** "Not told": from brokers whose answer has no counts. */
const UNKNOWN = -1;

export interface NewTopic {
  readonly name: string;
  /** The broker's `num.partitions` when left out. */
  readonly numPartitions?: number;
  /** The broker's `default.replication.factor` when left out. */
  readonly replicationFactor?: number;
  /** Brokers by partition, the preferred leader first; instead of the two above. */
  readonly assignments?: readonly (readonly number[])[];
  /** Kafka's dotted names. */
  readonly configs?: Readonly<Record<string, string>>;
}

export interface CreatedTopic {
  readonly name: string;
  readonly topicId: Uuid;
  readonly numPartitions: number; // UNKNOWN (-1) from brokers before 2.4
  readonly replicationFactor: number; // the same
}

export interface ClusterDescription {
  readonly clusterId: string | null;
  readonly controllerId: number; // -1 when unknown
  readonly brokers: readonly BrokerNode[];
}

export interface AdminTimeouts {
  readonly requestTimeoutMs: number;
  readonly defaultApiTimeoutMs: number;
}

/**
 * Administrative calls. Each is tried again within `defaultApiTimeoutMs` while that may help. A call with several items
 * rejects with the error of the item that failed, or with SomeItemsFailedError, which names each.
 */
export class Admin {
  readonly #cluster: Cluster;
  readonly #timeouts: AdminTimeouts;

  /** Made by `kafka.admin()`. */
  constructor(cluster: Cluster, timeouts: AdminTimeouts) {
    this.#cluster = cluster;
    this.#timeouts = timeouts;
  }

  /** @throws BrokerError (TOPIC_ALREADY_EXISTS, INVALID_PARTITIONS, …), SomeItemsFailedError, TimeLimitError */
  async createTopics(
    topics: readonly NewTopic[],
    options: { readonly validateOnly?: boolean } = {},
  ): Promise<readonly CreatedTopic[]> {
    const request = CreateTopicsRequest.create({
      topics: topics.map(({ name, numPartitions, replicationFactor, assignments = [], configs = {} }) =>
        createCreateTopicsRequestCreatableTopic({
          name,
          numPartitions: numPartitions ?? BROKER_DEFAULT,
          replicationFactor: replicationFactor ?? BROKER_DEFAULT,
          assignments: assignments.map((brokerIds, partitionIndex) => ({ partitionIndex, brokerIds })),
          configs: Object.entries(configs).map(([name, value]) => ({ name, value })),
        }),
      ),
      timeoutMs: this.#timeouts.requestTimeoutMs,
      validateOnly: options.validateOnly ?? false,
    });
    const response = await this.#callController("CreateTopics", async () => {
      const connection = await this.#cluster.controllerConnection();
      const response = await connection.send(CREATE_TOPICS, request);
      this.#checkController(response.topics);
      return response;
    });
    throwFailures(
      response.topics.map(({ name, errorCode, errorMessage }) => [name, errorCode, errorMessage]),
      "topic",
    );
    return response.topics.map(({ name, topicId, numPartitions, replicationFactor }) => ({
      name,
      topicId,
      numPartitions: numPartitions < 0 ? UNKNOWN : numPartitions,
      replicationFactor: replicationFactor < 0 ? UNKNOWN : replicationFactor,
    }));
  }

  /** @throws BrokerError (UNKNOWN_TOPIC_OR_PARTITION, TOPIC_DELETION_DISABLED, …), SomeItemsFailedError, TimeLimitError */
  async deleteTopics(names: readonly string[]): Promise<void> {
    const timeoutMs = this.#timeouts.requestTimeoutMs;
    const response = await this.#callController("DeleteTopics", async () => {
      const connection = await this.#cluster.controllerConnection();
      const response = await connection.send(DELETE_TOPICS, (version) =>
        version >= FIRST_DELETE_VERSION_WITH_IDS
          ? DeleteTopicsRequest.create({ topics: names.map((name) => ({ name, topicId: ZERO_UUID })), timeoutMs })
          : DeleteTopicsRequest.create({ topicNames: names, timeoutMs }),
      );
      this.#checkController(response.responses);
      return response;
    });
    for (const name of names) this.#cluster.metadata.forget(name);
    throwFailures(
      response.responses.map(({ name, errorCode, errorMessage }) => [name ?? "", errorCode, errorMessage]),
      "topic",
    );
  }

  /** All topics by name, without Kafka's own unless asked for. */
  async listTopics(options: { readonly includeInternal?: boolean } = {}): Promise<readonly TopicMetadata[]> {
    const topics = await this.#call("Metadata", () => this.#cluster.allTopics());
    return topics
      .filter(({ isInternal }) => options.includeInternal === true || !isInternal)
      .toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** @throws BrokerError (UNKNOWN_TOPIC_OR_PARTITION), SomeItemsFailedError */
  async describeTopics(names: readonly string[]): Promise<readonly TopicMetadata[]> {
    const errors = await this.#call("Metadata", () => this.#cluster.refreshMetadata(names));
    throwAny(new Map(names.flatMap((name) => (errors.has(name) ? [[name, errors.get(name) as KafkaError]] : []))));
    return names.map((name) => {
      const topic = this.#cluster.metadata.topic(name);
      if (topic === undefined) throw new BrokerError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, `topic ${name}`);
      return topic;
    });
  }

  /** Offsets of partitions: first, end, or at a time. @returns in the order of the queries */
  async listOffsets(
    queries: readonly OffsetQuery[],
    options: { readonly isolationLevel?: IsolationLevel } = {},
  ): Promise<readonly ListedOffset[]> {
    const isolationLevel = options.isolationLevel ?? "read_uncommitted";
    return await listOffsets(this.#cluster, queries, isolationLevel, this.#timeouts.defaultApiTimeoutMs);
  }

  async describeCluster(): Promise<ClusterDescription> {
    await this.#call("Metadata", () => this.#cluster.refreshMetadata([]));
    const { clusterId, controllerId, brokers } = this.#cluster.metadata;
    return { clusterId, controllerId, brokers: [...brokers.values()].toSorted((a, b) => a.nodeId - b.nodeId) };
  }

  /** The controller moved: forget it and try again, with the whole request, of which nothing was done. */
  #checkController(items: readonly { readonly errorCode: number }[]): void {
    if (!items.some(({ errorCode }) => errorCode === ErrorCode.NOT_CONTROLLER)) return;
    this.#cluster.metadata.controllerId = -1;
    throw new KafkaError(ErrorCode.NOT_CONTROLLER, "the controller has moved");
  }

  async #callController<T>(what: string, attempt: () => Promise<T>): Promise<T> {
    return await this.#call(what, async () => {
      try {
        return await attempt();
      } catch (error) {
        // Whoever it was, it may not be the controller any more.
        if (error instanceof KafkaError && error.isRetriable) this.#cluster.metadata.controllerId = -1;
        throw error;
      }
    });
  }

  #call<T>(what: string, attempt: () => Promise<T>): Promise<T> {
    const { retryBackoffMs, retryBackoffMaxMs } = this.#cluster.options;
    const limits = { timeoutMs: this.#timeouts.defaultApiTimeoutMs, timeoutOption: "defaultApiTimeoutMs" };
    const backoff = { backoffMs: retryBackoffMs, backoffMaxMs: retryBackoffMaxMs };
    return retrying(this.#cluster.retries, { what, ...limits, ...backoff }, attempt);
  }
}

type Item = readonly [name: string, errorCode: number, message: string | null];

function throwFailures(items: readonly Item[], kind: string): void {
  const failed = items.filter(([, errorCode]) => errorCode !== ErrorCode.NONE);
  throwAny(
    new Map(
      failed.map(([name, errorCode, message]) => [
        name,
        new BrokerError(errorCode as ErrorCode, `${kind} ${name}`, message),
      ]),
    ),
  );
}

function throwAny(errors: ReadonlyMap<string, KafkaError>): void {
  const [first] = errors.values();
  if (first === undefined) return;
  throw errors.size === 1 ? first : new SomeItemsFailedError(errors);
}
