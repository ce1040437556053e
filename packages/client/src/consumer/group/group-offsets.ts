import type { KafkaError, Timer } from "@samsa/base";
import { ErrorCode } from "@samsa/base";
import type { Cluster } from "../../cluster/cluster.ts";
import type { TopicPartition } from "../../cluster/topic-metadata.ts";
import { BrokerError, toKafkaError } from "../../errors.ts";
import { backoffDelayMs, retrying, sleep } from "../../retry.ts";
import type { AssignedPartition } from "../assigned-partition.ts";
import { isOfAnotherTopic } from "../assigned-partition.ts";
import type { AssignedPartitions } from "../assigned-partitions.ts";
import type { AutoOffsetReset } from "../consumer-options.ts";
import { resetSpec } from "../consumer-options.ts";
import type { InHand } from "../in-hand.ts";
import type { GroupCoordinator } from "./group-coordinator.ts";
import { NoOffsetForPartitionError } from "./group-errors.ts";
import type { ConsumerGroupMetadata } from "./member.ts";
import { OffsetCommitter } from "./offset-committer.ts";
import type { CommittedPosition, OffsetToCommit } from "./offset-requests.ts";
import { fetchOffsets } from "./offset-requests.ts";

export interface GroupOffsetsOptions {
  readonly cluster: Cluster;
  readonly coordinator: GroupCoordinator;
  readonly partitions: AssignedPartitions;
  readonly inHand: InHand;
  readonly enableAutoCommit: boolean;
  readonly autoCommitIntervalMs: number;
  readonly autoOffsetReset: AutoOffsetReset;
  readonly isReadCommitted: boolean;
  readonly defaultApiTimeoutMs: number;
  /** Who commits; undefined between two generations. */
  readonly member: () => ConsumerGroupMetadata | undefined;
  /** In a group, or about to be; else partitions are assigned by hand. */
  readonly isMember: () => boolean;
  readonly onDisowned: (error: KafkaError, generationId: number) => void;
  readonly onRetry: (error: KafkaError) => void;
}

/** The last commit, when partitions are given up, may hold up a whole group: it is not tried for ever. */
const LAST_COMMIT_MS = 10_000;

/** What one consumer has committed in its group, and commits: by itself, and when told. */
export class GroupOffsets {
  readonly #options: GroupOffsetsOptions;
  readonly #committer: OffsetCommitter;
  #timer: Timer | undefined;
  #isClosed = false;

  constructor(options: GroupOffsetsOptions) {
    this.#options = options;
    const { cluster, coordinator, partitions, inHand, member, isMember, onDisowned } = options;
    this.#committer = new OffsetCommitter({
      cluster,
      coordinator,
      member,
      mayCommit: (one) => {
        const partition = partitions.find(one);
        if (partition === undefined) return !isMember();
        return !isOfAnotherTopic(partition, cluster.metadata);
      },
      onDisowned,
      onCommitted: (one) => {
        const partition = partitions.find(one);
        if (partition === undefined) return;
        partition.committedOffset = one.offset;
        inHand.committed(partition, one.offset);
      },
    });
  }

  /** From now on commits by itself, where that is wanted. */
  start(): void {
    const { enableAutoCommit, autoCommitIntervalMs, cluster } = this.#options;
    if (!enableAutoCommit || this.#timer !== undefined || this.#isClosed) return;
    this.#timer = cluster.options.clock.setTimer(autoCommitIntervalMs, () => {
      this.#timer = undefined;
      void this.#commitNow(this.#options.partitions.list, undefined).finally(() => this.start());
    });
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
  }

  /** Behind everything that was handed over, in a run behind what handlers have completed. */
  get completed(): readonly OffsetToCommit[] {
    return this.#completed(this.#options.partitions.list, true);
  }

  /** @param offsets when left out: behind everything that was handed over, in a run behind what handlers have completed */
  async commit(offsets: readonly OffsetToCommit[] | undefined, timeoutMs: number | undefined): Promise<void> {
    await this.#committer.commit(offsets ?? this.completed, timeoutMs);
  }

  /** What is completed of these, before they are given up. What fails is told of, and read again by who gets them. */
  async commitCompleted(partitions: readonly AssignedPartition[]): Promise<void> {
    if (this.#options.enableAutoCommit) await this.#commitNow(partitions, LAST_COMMIT_MS);
  }

  async #commitNow(partitions: readonly AssignedPartition[], timeoutMs: number | undefined): Promise<void> {
    const changed = this.#completed(partitions, false).filter(
      (one) => this.#options.partitions.find(one)?.committedOffset !== one.offset,
    );
    if (changed.length === 0) return;
    try {
      await this.#committer.commit(changed, timeoutMs);
    } catch (error) {
      this.#options.onRetry(toKafkaError(error));
    }
  }

  #completed(partitions: readonly AssignedPartition[], countsTaken: boolean): OffsetToCommit[] {
    return partitions.flatMap((one) => {
      const open = this.#options.inHand.firstOpen(one, countsTaken);
      const { topic, partition, position, positionEpoch } = one;
      if (position === undefined || isOfAnotherTopic(one, this.#options.cluster.metadata)) return [];
      const isBehind = open !== undefined && open < position;
      return [
        {
          topic,
          partition,
          offset: isBehind ? open : position,
          leaderEpoch: isBehind || positionEpoch < 0 ? undefined : positionEpoch,
        },
      ];
    });
  }

  /** @throws BrokerError, TimeLimitError */
  async committed(partitions: readonly TopicPartition[]): Promise<ReadonlyMap<string, CommittedPosition>> {
    if (partitions.length === 0) return new Map<string, CommittedPosition>();
    const { cluster, defaultApiTimeoutMs } = this.#options;
    const { retryBackoffMs, retryBackoffMaxMs } = cluster.options;
    const limits = {
      what: "committed offsets",
      timeoutMs: defaultApiTimeoutMs,
      timeoutOption: "defaultApiTimeoutMs",
      backoffMs: retryBackoffMs,
      backoffMaxMs: retryBackoffMaxMs,
    };
    return await retrying(cluster.retries, limits, () => this.#fetch(partitions));
  }

  async #fetch(partitions: readonly TopicPartition[]): Promise<ReadonlyMap<string, CommittedPosition>> {
    const { cluster, coordinator, isReadCommitted } = this.#options;
    const unknown = new Set(partitions.filter((one) => !isKnown(cluster, one)).map(({ topic }) => topic));
    if (unknown.size > 0) await cluster.refreshMetadata(unknown);
    try {
      const connection = await coordinator.connection();
      return await fetchOffsets(cluster, connection, coordinator.groupId, partitions, isReadCommitted);
    } catch (error) {
      coordinator.forget();
      throw error;
    }
  }

  /** Begins these where the group has stopped, or by `autoOffsetReset`. A seek that comes between wins. */
  async place(placed: readonly AssignedPartition[]): Promise<void> {
    const { cluster, partitions, onRetry, coordinator, autoOffsetReset } = this.#options;
    const { retryBackoffMs: backoffMs, retryBackoffMaxMs: backoffMaxMs, random, clock } = cluster.options;
    for (let failures = 0; ; failures++) {
      const wanted = placed.filter((one) => one.sought === "committed" && partitions.list.includes(one));
      if (wanted.length === 0 || this.#isClosed) return;
      try {
        const found = await this.#fetch(wanted);
        const missing: AssignedPartition[] = [];
        let unknown: AssignedPartition | undefined;
        for (const one of wanted) {
          if (one.sought !== "committed") continue;
          if (!isKnown(cluster, one)) {
            unknown = one; // it was assigned by who has heard of it before those we ask
            continue;
          }
          const committed = found.get(one.name);
          const at = committed?.offset ?? resetSpec(autoOffsetReset, clock.wallMs());
          if (at === undefined) missing.push(one);
          else one.seek(at, committed?.leaderEpoch);
          one.committedOffset = committed?.offset;
        }
        partitions.wake();
        if (missing.length > 0) partitions.fail(new NoOffsetForPartitionError(coordinator.groupId, missing));
        if (unknown !== undefined) throw new BrokerError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, unknown.name);
        return;
      } catch (thrown) {
        const error = toKafkaError(thrown);
        if (this.#isClosed || cluster.isClosed) return;
        if (!error.isRetriable) return partitions.fail(error);
        onRetry(error);
        await sleep(backoffDelayMs({ backoffMs, backoffMaxMs }, failures, random), cluster.retries).catch(() => {});
      }
    }
  }
}

function isKnown({ metadata }: Cluster, { topic, partition }: TopicPartition): boolean {
  return metadata.topic(topic)?.partitions[partition] !== undefined;
}

/** A record is done: what is to be read next comes behind it. */
export function offsetBehind(
  record: TopicPartition & { readonly offset: number; readonly leaderEpoch?: number },
): OffsetToCommit {
  const { topic, partition, offset, leaderEpoch = -1 } = record;
  return { topic, partition, offset: offset + 1, leaderEpoch: leaderEpoch < 0 ? undefined : leaderEpoch };
}
