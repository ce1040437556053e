import type { Admin, Consumer, ConsumerBatch } from "@samsa/client";
import { ClosedError } from "@samsa/client";

const LOOK_MS = 100;

/** What `consume` reads: batches until it is enough, and where it has come to at the end. */
export interface Reading {
  batches(): AsyncIterable<ConsumerBatch>;
  /** Everything of the partition before this offset has been written. */
  wrote(partition: number, nextOffset: number): void;
  /** Ends the batches. */
  stop(): void;
  /** All that was written has left. */
  finish(): Promise<void>;
}

/** Of partitions that were assigned by hand; nothing is kept. */
export class AssignedReading implements Reading {
  readonly #consumer: Consumer;
  #isStopped = false;

  constructor(consumer: Consumer) {
    this.#consumer = consumer;
  }

  async *batches(): AsyncIterable<ConsumerBatch> {
    try {
      yield* this.#consumer.batches();
    } catch (error) {
      if (!this.#isStopped || !(error instanceof ClosedError)) throw error;
    }
  }

  wrote(): void {}

  stop(): void {
    this.#isStopped = true;
    void this.#consumer.close();
  }

  async finish(): Promise<void> {
    await this.#consumer.close();
  }
}

/** Of what a group assigns. At the end exactly what was written is committed: the next to read goes on behind it. */
export class GroupReading implements Reading {
  readonly #consumer: Consumer;
  readonly #topic: string;
  readonly #stop = new AbortController();
  readonly #written = new Map<number, number>(); // by partition, the next offset

  constructor(consumer: Consumer, topic: string) {
    this.#consumer = consumer;
    this.#topic = topic;
  }

  /** Ends the batches where the partitions of this member end now. */
  async stopAtEnd(admin: Admin): Promise<void> {
    const topic = this.#topic;
    const [described] = await admin.describeTopics([topic]);
    const queries = described?.partitions.map(({ partition }) => ({ topic, partition, at: "latest" as const })) ?? [];
    const ends = new Map((await admin.listOffsets(queries)).map(({ partition, offset }) => [partition, offset]));
    const timer = setInterval(() => {
      const assigned = this.#consumer.assignment;
      const isAtEnd = assigned.every((one) => (this.#consumer.position(one) ?? -1) >= (ends.get(one.partition) ?? 0));
      if (assigned.length > 0 && isAtEnd) this.stop();
    }, LOOK_MS);
    this.#stop.signal.addEventListener("abort", () => clearInterval(timer));
  }

  async *batches(): AsyncIterable<ConsumerBatch> {
    const { signal } = this.#stop;
    try {
      yield* this.#consumer.batches({ signal });
    } catch (error) {
      if (error !== signal.reason) throw error;
    }
  }

  wrote(partition: number, nextOffset: number): void {
    this.#written.set(partition, nextOffset);
  }

  stop(): void {
    this.#stop.abort();
  }

  async finish(): Promise<void> {
    this.stop();
    const topic = this.#topic;
    const isOurs = new Set(this.#consumer.assignment.map(({ partition }) => partition));
    const offsets = Array.from(this.#written, ([partition, offset]) => ({ topic, partition, offset }));
    const own = offsets.filter(({ partition }) => isOurs.has(partition));
    if (own.length > 0) await this.#consumer.commit(own);
    await this.#consumer.close();
  }
}
