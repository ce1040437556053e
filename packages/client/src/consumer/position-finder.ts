import { ErrorCode } from "@samsa/base";
import type { Cluster } from "../cluster/cluster.ts";
import { listOffsets, NO_OFFSET } from "../cluster/list-offsets.ts";
import { NO_LEADER_EPOCH } from "../cluster/topic-metadata.ts";
import { BrokerError, toKafkaError } from "../errors.ts";
import type { AssignedPartition } from "./assigned-partition.ts";
import { resetSpec } from "./consumer-options.ts";
import { epochEnds } from "./epoch-validation.ts";
import type { Asked, FetchFailures } from "./fetch-failures.ts";
import type { FetcherOptions } from "./fetcher.ts";
import { LogTruncationError } from "./log-truncation-error.ts";

/** Finds out where to begin, and whether the log that a new leader has is the one that was read so far. */
export class PositionFinder {
  readonly #cluster: Cluster;
  readonly #options: FetcherOptions;
  readonly #failures: FetchFailures;
  readonly #wake: () => void;

  constructor(cluster: Cluster, options: FetcherOptions, failures: FetchFailures, wake: () => void) {
    this.#cluster = cluster;
    this.#options = options;
    this.#failures = failures;
    this.#wake = wake;
  }

  /** Finds the positions that were asked for by name or time. */
  async reset(partitions: readonly AssignedPartition[]): Promise<void> {
    const asked = partitions.map((partition) => {
      partition.isLocating = true;
      const at = partition.sought;
      return { partition, epoch: partition.epoch, at: at === undefined || at === "committed" ? "latest" : at };
    });
    const { isolationLevel, defaultApiTimeoutMs } = this.#options;
    const queries = asked.map(({ partition: { topic, partition }, at }) => ({ topic, partition, at }));
    try {
      const found = await listOffsets(this.#cluster, queries, isolationLevel, defaultApiTimeoutMs);
      for (const [index, { partition, epoch }] of asked.entries()) {
        if (partition.epoch !== epoch) continue;
        const offset = found[index]?.offset ?? NO_OFFSET;
        partition.isLocating = false;
        if (offset === NO_OFFSET) {
          partition.sought = "latest"; // no record is that young: what comes next is
          continue;
        }
        partition.position = offset;
        partition.fetchOffset = offset;
        partition.sought = undefined;
      }
    } catch (thrown) {
      const error = toKafkaError(thrown);
      if (this.#failures.isClosed) return;
      for (const { partition, epoch } of asked) if (partition.epoch === epoch) this.#failures.stop(partition);
      this.#failures.fail(error);
    }
    this.#options.onProgress();
    this.#wake();
  }

  /** Another leader has come: does its log hold what was read from the one before? (KIP-320) */
  async validate(nodeId: number, partitions: readonly AssignedPartition[]): Promise<void> {
    const asked: Asked[] = partitions.map((partition) => {
      partition.isLocating = true;
      return { partition, epoch: partition.epoch };
    });
    const epochs = partitions.map(
      ({ topic, partition }) => this.#cluster.metadata.topic(topic)?.partitions[partition]?.leaderEpoch ?? -1,
    );
    try {
      const ends = await epochEnds(this.#cluster, nodeId, this.#options.purpose, partitions);
      if (this.#failures.isClosed) return;
      const stale = new Set<string>();
      for (const [index, { partition, epoch }] of asked.entries()) {
        if (partition.epoch !== epoch) continue;
        partition.isLocating = false;
        const end = ends?.get(partition.name);
        if (end === undefined || end.errorCode === ErrorCode.NONE) {
          partition.failures = 0;
          partition.validatedEpoch = epochs[index] ?? NO_LEADER_EPOCH;
          if (end !== undefined && !isHeld(partition, end)) this.onDivergence(partition, end);
          continue;
        }
        const error = new BrokerError(end.errorCode as ErrorCode, `OffsetForLeaderEpoch of ${partition.name}`);
        if (error.isRetriable || end.errorCode === ErrorCode.UNKNOWN_SERVER_ERROR) {
          this.#failures.backOff(partition, this.#cluster.options.clock.monotonicMs());
          this.#options.onRetry(error);
          stale.add(partition.topic);
        } else {
          this.#failures.stop(partition);
          this.#failures.fail(error);
        }
      }
      if (stale.size > 0) this.#failures.refreshMetadata(stale);
    } catch (thrown) {
      if (this.#failures.isClosed) return;
      for (const { partition, epoch } of asked) if (partition.epoch === epoch) partition.isLocating = false;
      this.#failures.failAll(asked, toKafkaError(thrown));
    }
    this.#options.onProgress();
    this.#wake();
  }

  /** The leader's log is another from somewhere before `fetchOffset` on. */
  onDivergence(partition: AssignedPartition, end: { readonly leaderEpoch: number; readonly endOffset: number }): void {
    const { autoOffsetReset, counters } = this.#options;
    const position = partition.position ?? partition.fetchOffset ?? 0;
    const isKnown = end.endOffset >= 0 && end.leaderEpoch >= 0;
    counters.resets++;
    if (isKnown && end.endOffset >= position) {
      // What was handed out is there; what is buffered may not be.
      partition.seek(position, Math.min(partition.positionEpoch, end.leaderEpoch));
    } else if (autoOffsetReset === "none") {
      const divergent = isKnown ? end.endOffset : undefined;
      this.#failures.stop(partition);
      this.#failures.fail(new LogTruncationError(partition.topic, partition.partition, position, divergent));
    } else if (isKnown) {
      partition.seek(end.endOffset, end.leaderEpoch);
    } else {
      this.seekByPolicy(partition);
    }
  }

  /** What was read was of a topic that is gone; another has its name. */
  beginAnew(partition: AssignedPartition): void {
    if (this.#options.autoOffsetReset !== "none") return this.seekByPolicy(partition);
    this.#failures.stop(partition);
    const what = "the topic was deleted, and another has its name";
    this.#failures.fail(new BrokerError(ErrorCode.UNKNOWN_TOPIC_ID, partition.name, what));
    this.#options.onProgress();
  }

  seekByPolicy(partition: AssignedPartition): void {
    const at = resetSpec(this.#options.autoOffsetReset, this.#cluster.options.clock.wallMs());
    this.#options.counters.resets++;
    if (at !== undefined) partition.seek(at);
  }
}

function isHeld(
  { fetchOffset = 0, fetchEpoch }: AssignedPartition,
  end: { leaderEpoch: number; endOffset: number },
): boolean {
  return end.leaderEpoch >= fetchEpoch && end.endOffset >= fetchOffset;
}
