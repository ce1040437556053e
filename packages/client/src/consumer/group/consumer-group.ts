import type { KafkaError } from "@samsa/base";
import type { Cluster } from "../../cluster/cluster.ts";
import type { TopicPartition } from "../../cluster/topic-metadata.ts";
import { ConfigurationError, toKafkaError } from "../../errors.ts";
import { backoffDelayMs, sleep } from "../../retry.ts";
import type { AssignedPartition } from "../assigned-partition.ts";
import type { AssignedPartitions } from "../assigned-partitions.ts";
import type { ResolvedConsumerOptions } from "../consumer-options.ts";
import type { InHand } from "../in-hand.ts";
import { ClassicMember } from "./classic-member.ts";
import { ConsumerMember } from "./consumer-member.ts";
import { GroupCoordinator } from "./group-coordinator.ts";
import { GroupMembership } from "./group-membership.ts";
import { GroupOffsets } from "./group-offsets.ts";
import type { GroupProtocol } from "./group-options.ts";
import { assignorsOf, sessionOf, wantedProtocol } from "./group-options.ts";
import type { ConsumerGroupMetadata, GroupMembershipOperation, Member } from "./member.ts";
import { NO_GENERATION, NO_MEMBER_ID } from "./member.ts";
import { CONSUMER_GROUP_HEARTBEAT } from "./member-requests.ts";
import type { CommittedPosition, OffsetToCommit } from "./offset-requests.ts";
import type { RebalanceListener } from "./rebalance-listener.ts";
import { SubscribedTopics } from "./subscribed-topics.ts";
import type { TopicSelection } from "./topic-selection.ts";

export interface ConsumerGroupOptions extends ResolvedConsumerOptions {
  readonly requestTimeoutMs: number;
  readonly defaultApiTimeoutMs: number;
  readonly rackId: string;
  readonly purpose: string;
  readonly onRetry: (error: KafkaError) => void;
}

interface Wanted {
  readonly selection: readonly string[] | RegExp | { readonly pattern: string };
  readonly listener: RebalanceListener;
}

/** The side of a consumer that belongs to a group: its membership, where it subscribes, and its offsets in any case. */
export class ConsumerGroup {
  readonly groupId: string;
  readonly #cluster: Cluster;
  readonly #options: ConsumerGroupOptions;
  readonly #partitions: AssignedPartitions;
  readonly #inHand: InHand;
  readonly #coordinator: GroupCoordinator;
  readonly #offsets: GroupOffsets;
  #wanted: Wanted | undefined;
  #membership: GroupMembership | undefined;
  #protocol: GroupProtocol | undefined;

  constructor(
    groupId: string,
    cluster: Cluster,
    partitions: AssignedPartitions,
    inHand: InHand,
    options: ConsumerGroupOptions,
  ) {
    this.groupId = groupId;
    this.#cluster = cluster;
    this.#options = options;
    this.#partitions = partitions;
    this.#inHand = inHand;
    this.#protocol = wantedProtocol(options);
    this.#coordinator = new GroupCoordinator(cluster, groupId);
    this.#offsets = new GroupOffsets({
      ...options,
      cluster,
      coordinator: this.#coordinator,
      partitions,
      inHand,
      isReadCommitted: options.isolationLevel === "read_committed",
      member: () => this.#committingMember(),
      isMember: () => this.#isMember,
      onDisowned: (error, generationId) => this.#membership?.onDisowned(error, generationId),
    });
  }

  get isSubscribed(): boolean {
    return this.#wanted !== undefined;
  }

  get metadata(): ConsumerGroupMetadata {
    const { generationId = NO_GENERATION, memberId = NO_MEMBER_ID } = this.#membership?.member ?? {};
    return {
      groupId: this.groupId,
      generationId,
      memberId: generationId === NO_GENERATION ? NO_MEMBER_ID : memberId,
      groupInstanceId: this.#options.groupInstanceId ?? null,
    };
  }

  /** Joins the group, or goes on in it with another subscription. Returns at once. */
  subscribe(selection: TopicSelection, listener: RebalanceListener): void {
    const topics = typeof selection === "string" ? [selection] : selection;
    const isNew = this.#wanted === undefined;
    this.#wanted = { selection: topics, listener };
    this.#offsets.start();
    const membership = this.#membership;
    if (membership !== undefined) membership.resubscribe(...this.#watched(topics), listener);
    else if (isNew) void this.#join();
  }

  async unsubscribe(operation: GroupMembershipOperation, limitMs: number): Promise<void> {
    const membership = this.#membership;
    this.#wanted = undefined;
    await membership?.leave(operation, limitMs);
    this.#membership = undefined;
    this.#partitions.replace([]);
  }

  async close(operation: GroupMembershipOperation, limitMs: number): Promise<void> {
    if (this.#membership === undefined) await this.#offsets.commitCompleted(this.#partitions.list);
    await this.unsubscribe(operation, limitMs);
    this.#offsets.close();
  }

  /** Partitions were assigned by hand: they are committed all the same. */
  startCommits(): void {
    this.#offsets.start();
  }

  rejoin(reason: string): void {
    this.#membership?.rejoin(reason);
  }

  get consumedOffsets(): readonly OffsetToCommit[] {
    return this.#offsets.completed;
  }

  async commit(offsets: readonly OffsetToCommit[] | undefined): Promise<void> {
    await this.#offsets.commit(offsets, this.#options.defaultApiTimeoutMs);
  }

  async commitOnce(offsets: readonly OffsetToCommit[] | undefined): Promise<void> {
    await this.#offsets.commit(offsets, undefined);
  }

  async committed(partitions: readonly TopicPartition[]): Promise<ReadonlyMap<string, CommittedPosition>> {
    return await this.#offsets.committed(partitions);
  }

  async place(partitions: readonly AssignedPartition[]): Promise<void> {
    await this.#offsets.place(partitions);
  }

  /** Also while we leave: who then committed as nobody would take back what others have committed since. */
  get #isMember(): boolean {
    return this.isSubscribed || this.#membership !== undefined;
  }

  #committingMember(): ConsumerGroupMetadata | undefined {
    const { metadata } = this;
    return this.#isMember && metadata.generationId < 0 ? undefined : metadata;
  }

  async #join(): Promise<void> {
    const { retryBackoffMs: backoffMs, retryBackoffMaxMs: backoffMaxMs, random } = this.#cluster.options;
    for (let failures = 0; this.#wanted !== undefined && this.#membership === undefined; failures++) {
      try {
        const connection = await this.#coordinator.connection();
        this.#protocol ??= connection.supports(CONSUMER_GROUP_HEARTBEAT) ? "consumer" : "classic";
        return this.#begin();
      } catch (thrown) {
        const error = toKafkaError(thrown);
        if (this.#cluster.isClosed || this.#wanted === undefined) return;
        if (!error.isRetriable) return this.#partitions.fail(error);
        this.#options.onRetry(error);
        this.#coordinator.forget();
        await sleep(backoffDelayMs({ backoffMs, backoffMaxMs }, failures, random), this.#cluster.retries).catch(
          () => {},
        );
      }
    }
  }

  #begin(): void {
    if (this.#wanted === undefined) return;
    const { selection, listener } = this.#wanted;
    const [topics, pattern] = this.#watched(selection);
    const { maxPollIntervalMs, onRetry, purpose } = this.#options;
    const membership = new GroupMembership({
      cluster: this.#cluster,
      coordinator: this.#coordinator,
      purpose: `${purpose}-group`,
      partitions: this.#partitions,
      inHand: this.#inHand,
      maxPollIntervalMs,
      blockedMs: sessionOf(this.#options).heartbeatIntervalMs,
      topics,
      pattern,
      member: this.#newMember(),
      listener,
      commitCompleted: (partitions) => this.#offsets.commitCompleted(partitions),
      place: (partitions) => void this.#offsets.place(partitions),
      onUnsupported: (error) => this.#onUnsupported(error),
      onRetry,
    });
    this.#membership = membership;
    membership.start();
  }

  #newMember(): Member {
    const { groupId } = this;
    const { groupInstanceId = null, rackId, maxPollIntervalMs, requestTimeoutMs, groupRemoteAssignor } = this.#options;
    const { retryBackoffMs: backoffMs, retryBackoffMaxMs: backoffMaxMs, random } = this.#cluster.options;
    const common = {
      groupId,
      groupInstanceId,
      rackId: rackId === "" ? null : rackId,
      rebalanceTimeoutMs: maxPollIntervalMs,
      requestTimeoutMs,
      backoff: { backoffMs, backoffMaxMs },
      random,
    };
    return this.#protocol === "consumer"
      ? new ConsumerMember({ ...common, serverAssignor: groupRemoteAssignor ?? null })
      : new ClassicMember({ ...common, ...sessionOf(this.#options), assignors: assignorsOf(this.#options) });
  }

  /** The API is there and the protocol is not: `group.version` is 0, or the group is of the classic kind and may not change. */
  #onUnsupported(error: KafkaError): void {
    this.#membership = undefined;
    if (wantedProtocol(this.#options) === "consumer") return this.#partitions.fail(error);
    this.#options.onRetry(error);
    this.#protocol = "classic";
    this.#begin();
  }

  /** The classic protocol has no patterns on the broker: they are matched here. */
  #watched(selection: Wanted["selection"]): [SubscribedTopics, string | undefined] {
    const watch = (wanted: readonly string[] | RegExp): SubscribedTopics =>
      new SubscribedTopics(this.#cluster, wanted, this.#options);
    if (!("pattern" in selection)) return [watch(selection), undefined];
    if (this.#protocol === "consumer") return [watch([]), selection.pattern];
    return [watch(wholeName(selection.pattern)), undefined];
  }
}

/** @throws ConfigurationError */
export function wholeName(pattern: string): RegExp {
  try {
    return new RegExp(`^(?:${pattern})$`, "u");
  } catch (cause) {
    throw new ConfigurationError(`consumer.subscribe: ${pattern} is no pattern: ${(cause as Error).message}`);
  }
}
