import type { TopicPartition } from "../cluster/topic-metadata.ts";
import { ConfigurationError } from "../errors.ts";
import type { AssignedPartition } from "./assigned-partition.ts";
import type { FetchCollector } from "./fetch-collector.ts";
import type { Fetcher } from "./fetcher.ts";
import type { InHand } from "./in-hand.ts";

/** What a consumer reads now. Whoever changes it changes what is fetched and handed out. */
export class AssignedPartitions {
  readonly #fetcher: Fetcher;
  readonly #collector: FetchCollector;
  readonly #inHand: InHand;
  #list: readonly AssignedPartition[] = [];

  constructor(fetcher: Fetcher, collector: FetchCollector, inHand: InHand) {
    this.#fetcher = fetcher;
    this.#collector = collector;
    this.#inHand = inHand;
  }

  get list(): readonly AssignedPartition[] {
    return this.#list;
  }

  find({ topic, partition }: TopicPartition): AssignedPartition | undefined {
    return this.#list.find((one) => one.topic === topic && one.partition === partition);
  }

  /** @throws ConfigurationError where it is not assigned */
  get(wanted: TopicPartition): AssignedPartition {
    const found = this.find(wanted);
    if (found !== undefined) return found;
    throw new ConfigurationError(`${wanted.topic}-${wanted.partition} is not assigned to this consumer`);
  }

  replace(partitions: readonly AssignedPartition[]): void {
    for (const one of this.#list) if (!partitions.includes(one)) this.#inHand.forget(one);
    this.#list = partitions;
    this.#fetcher.assign(partitions);
    this.#collector.assign(partitions);
    this.#collector.progress();
  }

  add(partitions: readonly AssignedPartition[]): void {
    if (partitions.length > 0) this.replace([...this.#list, ...partitions]);
  }

  remove(partitions: readonly AssignedPartition[]): void {
    if (partitions.length > 0) this.replace(this.#list.filter((one) => !partitions.includes(one)));
  }

  /** Hands out nothing of these until `release`, whether or not they are paused. */
  hold(partitions: readonly AssignedPartition[]): void {
    for (const one of partitions) one.isHeld = true;
  }

  release(partitions: readonly AssignedPartition[]): void {
    for (const one of partitions) one.isHeld = false;
    this.wake();
  }

  /** Something about them changed: positions, pauses. */
  wake(): void {
    this.#fetcher.wake();
    this.#collector.progress();
  }

  fail(error: Error): void {
    this.#collector.fail(error);
  }
}
