import type { KafkaError } from "@samsa/base";
import type { Cluster } from "../cluster/cluster.ts";
import { toKafkaError } from "../errors.ts";
import { backoffDelayMs } from "../retry.ts";
import type { AssignedPartition } from "./assigned-partition.ts";
import type { ConsumerCounters } from "./consumer-counters.ts";
import { NO_REPLICA } from "./assigned-partition.ts";

export interface FetchFailuresOptions {
  readonly counters: ConsumerCounters;
  /** A failure that is tried again. */
  readonly onRetry: (error: KafkaError) => void;
}

/** A partition that a broker was asked about, and which of its lives that was. */
export interface Asked {
  readonly partition: AssignedPartition;
  readonly epoch: number;
}

/** What becomes of partitions of which something failed: they wait and are tried again, or stop, and then whoever reads is told. */
export class FetchFailures {
  readonly #cluster: Cluster;
  readonly #options: FetchFailuresOptions;
  readonly #wake: () => void;
  #failure: KafkaError | undefined;
  isClosed = false;

  constructor(cluster: Cluster, options: FetchFailuresOptions, wake: () => void) {
    this.#cluster = cluster;
    this.#options = options;
    this.#wake = wake;
  }

  /** What whoever reads next has to know; once. */
  take(): KafkaError | undefined {
    const failure = this.#failure;
    this.#failure = undefined;
    return failure;
  }

  stop(partition: AssignedPartition): void {
    partition.isLocating = false;
    partition.hasFailed = true;
  }

  fail(error: KafkaError): void {
    this.#failure ??= error;
  }

  /** @returns when the partition may be tried again */
  backOff(partition: AssignedPartition, nowMs: number): number {
    const { retryBackoffMs, retryBackoffMaxMs, random } = this.#cluster.options;
    const backoff = { backoffMs: retryBackoffMs, backoffMaxMs: retryBackoffMaxMs };
    partition.retryAtMs = nowMs + backoffDelayMs(backoff, partition.failures++, random);
    return partition.retryAtMs;
  }

  refreshMetadata(topics: Iterable<string>): void {
    this.#cluster.refreshMetadata(topics).then(
      () => this.#wake(),
      (error: unknown) => {
        if (!this.isClosed) this.#options.onRetry(toKafkaError(error));
      },
    );
  }

  /** A fetch broke, or was refused as a whole. */
  failAll(asked: readonly Asked[], error: KafkaError): void {
    this.#options.counters.fetchFailures++;
    if (!error.isRetriable) {
      for (const { partition, epoch } of asked) if (partition.epoch === epoch) this.stop(partition);
      return this.fail(error);
    }
    const nowMs = this.#cluster.options.clock.monotonicMs();
    for (const { partition, epoch } of asked) {
      if (partition.epoch !== epoch) continue;
      partition.preferredReplica = NO_REPLICA;
      this.backOff(partition, nowMs);
    }
    this.#options.onRetry(error);
    this.refreshMetadata(new Set(asked.map(({ partition }) => partition.topic)));
  }
}
