import type { Consumer } from "../consumer/consumer.ts";
import type { ConsumerRecord } from "../consumer/consumer-record.ts";
import type { RebalanceListener } from "../consumer/group/rebalance-listener.ts";

/** A loop over a consumer that notes what it sees, until it is stopped. */
export class GroupReader<V> {
  readonly values: (V | null)[] = [];
  failure: unknown;
  readonly #abort = new AbortController();
  readonly #done: Promise<void>;

  constructor(consumer: Consumer<unknown, V>, work?: (record: ConsumerRecord<unknown, V>) => Promise<void> | void) {
    this.#done = this.#read(consumer, work);
  }

  async #read(
    consumer: Consumer<unknown, V>,
    work?: (record: ConsumerRecord<unknown, V>) => Promise<void> | void,
  ): Promise<void> {
    try {
      for await (const record of consumer.records({ signal: this.#abort.signal })) {
        this.values.push(record.value);
        await work?.(record);
      }
    } catch (error) {
      if (!this.#abort.signal.aborted) this.failure = error;
    }
  }

  /** Asks for no more; what is in hand is finished first. */
  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#done;
  }

  /** Until the loop has ended by itself. */
  get done(): Promise<void> {
    return this.#done;
  }
}

/** Notes what it is told: `+t-0 t-1`, `-t-0`, `!t-1` for lost. */
export class NotingListener implements RebalanceListener {
  readonly log: string[] = [];

  onAssigned(partitions: readonly { topic: string; partition: number }[]): void {
    this.log.push(`+${named(partitions)}`);
  }

  onRevoked(partitions: readonly { topic: string; partition: number }[]): void {
    this.log.push(`-${named(partitions)}`);
  }

  onLost(partitions: readonly { topic: string; partition: number }[]): void {
    this.log.push(`!${named(partitions)}`);
  }
}

function named(partitions: readonly { topic: string; partition: number }[]): string {
  return partitions
    .map(({ topic, partition }) => `${topic}-${partition}`)
    .toSorted()
    .join(" ");
}
