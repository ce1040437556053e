import type { Address, Uuid } from "@samsa/base";
import { ErrorCode, KafkaError } from "@samsa/base";
import { createMetadataRequestTopic, MetadataRequest } from "@samsa/protocol/messages/metadata-request";
import { MetadataResponse } from "@samsa/protocol/messages/metadata-response";
import { api } from "../connection/api.ts";
import type { BrokerConnection } from "../connection/connection.ts";
import { formatAddress } from "../connection/connection.ts";
import { BrokerError, ClosedError, NoBrokerReachableError, toKafkaError } from "../errors.ts";
import { metadataUpdated } from "../observability/channels.ts";
import type { RetryContext } from "../retry.ts";
import { retrying } from "../retry.ts";
import { CoalescedCall } from "./coalesced-call.ts";
import { Connections } from "./connections.ts";
import type { ConnectionsOptions } from "./connections.ts";
import { MetadataCache } from "./metadata-cache.ts";
import type { BrokerNode, PartitionMetadata, TopicMetadata } from "./topic-metadata.ts";
import { NO_LEADER } from "./topic-metadata.ts";

/** From version 4 on a request says whether it may create topics (KIP-204); every broker since 0.11 knows it. */
const METADATA = api(MetadataRequest, MetadataResponse, { lowestVersion: 4 });
/** From version 12 on topics may be asked for by their ids (KIP-516). */
const METADATA_BY_ID = api(MetadataRequest, MetadataResponse, { lowestVersion: 12 });
const GENERAL = "general";

export interface ClusterOptions extends Omit<ConnectionsOptions, "signal"> {
  readonly bootstrapServers: readonly Address[];
  readonly retryBackoffMs: number;
  readonly retryBackoffMaxMs: number;
  readonly metadataMaxAgeMs: number;
  /** How long to look for the first broker that answers. */
  readonly bootstrapTimeoutMs: number;
  /** Whether to go back to the bootstrap servers when all brokers that are known are gone (KIP-899). */
  readonly metadataRecoveryStrategy: "rebootstrap" | "none";
  /** … or have given no metadata for so long (KIP-1102). */
  readonly metadataRecoveryRebootstrapTriggerMs: number;
  /** Told of each failure to find a first broker. */
  readonly onRetry: (error: KafkaError) => void;
  /** Other names of a bootstrap server, where its own is only an alias; undefined where it is used as it is. */
  readonly resolveBootstrap?: ((address: Address) => Promise<readonly Address[]>) | undefined;
}

type TopicErrors = ReadonlyMap<string, BrokerError>;

/** The brokers as one client sees them: connections, and metadata that all its parts share. Nothing opens until asked. */
export class Cluster {
  readonly options: ClusterOptions;
  readonly metadata = new MetadataCache();
  readonly retries: RetryContext;
  readonly #abort = new AbortController();
  readonly #connections: Connections;
  readonly #refresh: CoalescedCall<string, TopicErrors>;
  readonly #refreshAndCreate: CoalescedCall<string, TopicErrors>;
  #hasBootstrapped = false;
  #metadataFailingSinceMs: number | undefined;
  #bootstrapServers: readonly Address[] | undefined;

  constructor(options: ClusterOptions) {
    const { signal } = this.#abort;
    this.options = options;
    this.retries = { clock: options.clock, random: options.random, signal };
    this.#connections = new Connections({ ...options, signal });
    this.#refresh = new CoalescedCall((topics) => this.#fetchMetadata(topics, false));
    this.#refreshAndCreate = new CoalescedCall((topics) => this.#fetchMetadata(topics, true));
  }

  get isClosed(): boolean {
    return this.#abort.signal.aborted;
  }

  /**
   * A connection to a broker of the metadata.
   * @param purpose connections of different purposes are apart, so that a long fetch delays no produce
   */
  async connectionTo(nodeId: number, purpose = GENERAL): Promise<BrokerConnection> {
    this.#checkOpen();
    const node = this.metadata.brokers.get(nodeId);
    if (node === undefined) {
      throw new KafkaError(ErrorCode.REPLICA_NOT_AVAILABLE, `broker ${nodeId} is not in the metadata`);
    }
    return await this.#connections.get(`${purpose}/${nodeId}`, node);
  }

  /** The same without waiting; undefined when it is not open to where the broker is now. */
  openConnectionTo(nodeId: number, purpose: string): BrokerConnection | undefined {
    const node = this.metadata.brokers.get(nodeId);
    return node === undefined ? undefined : this.#connections.live(`${purpose}/${nodeId}`, node);
  }

  /** That connection if it is open, without waiting. */
  liveConnection(nodeId: number, purpose: string): BrokerConnection | undefined {
    return this.#connections.live(`${purpose}/${nodeId}`);
  }

  /** One that is open, without waiting. */
  anyLiveConnection(): BrokerConnection | undefined {
    return this.#connections.findLive((key) => key.startsWith(GENERAL));
  }

  /** A connection to whichever broker answers: an open one, a known one, then the bootstrap servers (KIP-899). */
  async anyConnection(): Promise<BrokerConnection> {
    this.#checkOpen();
    if (this.#hasBootstrapped) return await this.#tryAll();
    const { retryBackoffMs, retryBackoffMaxMs, bootstrapTimeoutMs } = this.options;
    const limits = { timeoutMs: bootstrapTimeoutMs, timeoutOption: "bootstrapTimeoutMs" };
    const backoff = { backoffMs: retryBackoffMs, backoffMaxMs: retryBackoffMaxMs };
    try {
      const found = await retrying(this.retries, { what: "bootstrap", ...limits, ...backoff }, () => this.#tryFirst());
      this.#hasBootstrapped = true;
      return found;
    } catch (error) {
      const { cause } = error as { readonly cause?: unknown };
      // That the time was over says less than what each address said.
      throw cause instanceof NoBrokerReachableError
        ? new NoBrokerReachableError(cause.addresses, cause.failures, false)
        : error;
    }
  }

  /** A connection to the controller, or where every broker passes such requests on (KRaft), to the one that says it is. */
  async controllerConnection(): Promise<BrokerConnection> {
    if (this.metadata.controllerId < 0) await this.refreshMetadata([]);
    const { controllerId } = this.metadata;
    return controllerId < 0 ? await this.anyConnection() : await this.connectionTo(controllerId);
  }

  /**
   * Asks for the metadata of these topics, together with what others ask at the same time.
   * @returns what is wrong with them, by topic
   */
  refreshMetadata(topics: Iterable<string>, allowAutoTopicCreation = false): Promise<TopicErrors> {
    return (allowAutoTopicCreation ? this.#refreshAndCreate : this.#refresh).request(topics);
  }

  /** Asks for topics of which only the ids are known; `metadata.topicName` has their names then, where they exist. */
  async refreshTopicIds(topicIds: readonly Uuid[]): Promise<void> {
    const connection = await this.anyConnection();
    this.options.counters.metadataRequests++;
    const request = MetadataRequest.create({
      topics: topicIds.map((topicId) => createMetadataRequestTopic({ topicId, name: null })),
      allowAutoTopicCreation: false,
    });
    const response = await connection.send(METADATA_BY_ID, request);
    if (response.errorCode !== 0) {
      throw new BrokerError(response.errorCode as ErrorCode, "Metadata", null, connection.address);
    }
    this.metadata.update(response, this.options.clock.monotonicMs());
  }

  /** Metadata of all topics of the cluster. */
  async allTopics(): Promise<readonly TopicMetadata[]> {
    const { response } = await this.#askMetadata(null, false);
    return response.topics.flatMap(({ name, errorCode }) => {
      const topic = name === null || errorCode !== 0 ? undefined : this.metadata.topic(name);
      return topic === undefined ? [] : [topic];
    });
  }

  /** The topic from memory, or asked for until it is there, or the time is over. @throws BrokerError, TimeLimitError */
  async topic(
    name: string,
    limits: { readonly timeoutMs: number; readonly timeoutOption: string; readonly allowAutoTopicCreation: boolean },
  ): Promise<TopicMetadata> {
    const { retryBackoffMs, retryBackoffMaxMs } = this.options;
    const known = this.metadata.topic(name);
    if (known !== undefined) return known;
    const backoff = { backoffMs: retryBackoffMs, backoffMaxMs: retryBackoffMaxMs };
    return await retrying(this.retries, { what: `metadata of topic ${name}`, ...limits, ...backoff }, async () => {
      const errors = await this.refreshMetadata([name], limits.allowAutoTopicCreation);
      const error = errors.get(name);
      if (error !== undefined) throw error;
      const topic = this.metadata.topic(name);
      if (topic === undefined) throw new BrokerError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, `topic ${name}`);
      return topic;
    });
  }

  /** The partition if it has a leader that is known now. Metadata that has grown old is asked for again beside it. */
  leaderOf(
    topic: string,
    partition: number,
    nowMs: number = this.options.clock.monotonicMs(),
  ): PartitionMetadata | undefined {
    const updatedMs = this.metadata.updatedMs(topic);
    if (updatedMs === undefined) return undefined;
    if (nowMs - updatedMs > this.options.metadataMaxAgeMs) {
      this.refreshMetadata([topic]).catch(() => {}); // the next use asks again
    }
    const found = this.metadata.topic(topic)?.partitions[partition];
    return found === undefined || found.leaderId === NO_LEADER || !this.metadata.brokers.has(found.leaderId)
      ? undefined
      : found;
  }

  /** Takes a leader hint of an answer in (KIP-951). @returns whether the partition's leader is now known to be another */
  updateLeader(
    topic: string,
    partition: number,
    leaderId: number,
    leaderEpoch: number,
    nodes: readonly BrokerNode[],
  ): boolean {
    const node = nodes.find(({ nodeId }) => nodeId === leaderId);
    if (node !== undefined) this.metadata.addBroker(node);
    return this.metadata.updateLeader(topic, partition, leaderId, leaderEpoch);
  }

  close(): void {
    this.#abort.abort();
    this.#connections.closeAll();
  }

  async #fetchMetadata(topics: readonly string[], allowAutoTopicCreation: boolean): Promise<TopicErrors> {
    return (await this.#askMetadata(topics, allowAutoTopicCreation)).errors;
  }

  async #askMetadata(
    topics: readonly string[] | null,
    allowAutoTopicCreation: boolean,
    mayAskAgain = true,
  ): Promise<{ readonly response: MetadataResponse; readonly errors: TopicErrors }> {
    const { clock, counters } = this.options;
    let response: MetadataResponse;
    try {
      const connection = await this.anyConnection();
      const request = MetadataRequest.create({
        topics: topics === null ? null : topics.map((name) => createMetadataRequestTopic({ name })),
        allowAutoTopicCreation,
      });
      counters.metadataRequests++;
      response = await connection.send(METADATA, request);
      if (response.errorCode !== 0) {
        throw new BrokerError(response.errorCode as ErrorCode, "Metadata", null, connection.address);
      }
    } catch (thrown) {
      const error = toKafkaError(thrown);
      const hasRecovered = this.#onMetadataFailure(error) && error.code === ErrorCode.REBOOTSTRAP_REQUIRED;
      if (hasRecovered && mayAskAgain) return await this.#askMetadata(topics, allowAutoTopicCreation, false);
      throw thrown;
    }
    this.#metadataFailingSinceMs = undefined;
    const errors = this.metadata.update(response, clock.monotonicMs());
    if (metadataUpdated.hasSubscribers) {
      metadataUpdated.publish({ topics: topics ?? "all", brokers: [...this.metadata.brokers.values()] });
    }
    return { response, errors };
  }

  /** Brokers that say so, or have told nothing for long, are not those of the cluster any more (KIP-1102). @returns whether we begin anew */
  #onMetadataFailure(error: KafkaError): boolean {
    const { clock, metadataRecoveryStrategy, metadataRecoveryRebootstrapTriggerMs } = this.options;
    if (metadataRecoveryStrategy === "none" || this.isClosed) return false;
    const nowMs = clock.monotonicMs();
    this.#metadataFailingSinceMs ??= nowMs;
    const isAsked = error.code === ErrorCode.REBOOTSTRAP_REQUIRED;
    if (!isAsked && nowMs - this.#metadataFailingSinceMs < metadataRecoveryRebootstrapTriggerMs) return false;
    this.#metadataFailingSinceMs = undefined;
    this.options.counters.rebootstraps++;
    this.metadata.forgetBrokers();
    this.#bootstrapServers = undefined; // names may lead elsewhere by now
    this.#connections.close((key) => key.startsWith(GENERAL));
    return true;
  }

  /** A minute is long for who has only misspelt the port: each failure is told, though the last reaches the caller. */
  async #tryFirst(): Promise<BrokerConnection> {
    try {
      return await this.#tryAll();
    } catch (error) {
      if (error instanceof NoBrokerReachableError) this.options.onRetry(error);
      throw error;
    }
  }

  /** Every address once. */
  async #tryAll(): Promise<BrokerConnection> {
    const live = this.anyLiveConnection();
    if (live !== undefined) return live;
    const failures: KafkaError[] = [];
    const known = [...this.metadata.brokers.values()].map((node) => ({
      key: `${GENERAL}/${node.nodeId}`,
      address: node,
    }));
    const mayBootstrap = known.length === 0 || this.options.metadataRecoveryStrategy === "rebootstrap";
    const bootstrap = (mayBootstrap ? await this.#bootstrapAddresses() : []).map((address) => ({
      key: `${GENERAL}/bootstrap/${formatAddress(address)}`,
      address,
    }));
    const candidates: readonly { readonly key: string; readonly address: Address }[] = [...known, ...bootstrap];
    for (const { key, address } of candidates) {
      try {
        return await this.#connections.get(key, address);
      } catch (thrown) {
        this.#checkOpen();
        const error = toKafkaError(thrown);
        if (isRefusedForGood(error)) throw error;
        failures.push(error);
      }
    }
    throw new NoBrokerReachableError(
      candidates.map(({ address }) => formatAddress(address)),
      failures,
      true,
    );
  }

  /** The first contact is another for each client, so that they do not all ask the same broker. */
  async #bootstrapAddresses(): Promise<readonly Address[]> {
    if (this.#bootstrapServers !== undefined) return this.#bootstrapServers;
    const { bootstrapServers, resolveBootstrap, random } = this.options;
    const resolved =
      resolveBootstrap === undefined
        ? bootstrapServers
        : (await Promise.all(bootstrapServers.map((address) => resolveBootstrap(address)))).flat();
    const first = random.uint32() % Math.max(1, resolved.length);
    this.#bootstrapServers = [...resolved.slice(first), ...resolved.slice(0, first)];
    return this.#bootstrapServers;
  }

  #checkOpen(): void {
    if (this.isClosed) throw new ClosedError("the client");
  }
}

/** Who may not in, may not in at the next broker either, and trying is what accounts are locked for. */
function isRefusedForGood({ code }: KafkaError): boolean {
  return (
    code === ErrorCode.SASL_AUTHENTICATION_FAILED ||
    code === ErrorCode.UNSUPPORTED_SASL_MECHANISM ||
    code === ErrorCode.ILLEGAL_SASL_STATE
  );
}
