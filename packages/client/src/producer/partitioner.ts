import type { Random } from "@samsa/base";
import { partitionForKey } from "@samsa/protocol";

/** Chooses partitions for the records of one topic. */
export interface Partitioner {
  /** @param sizeInBytes the record as it will lie in a batch */
  partition(key: Uint8Array | null, partitionCount: number, sizeInBytes: number): number;
}

/**
 * Kafka's default: murmur2 of the key; without a key one partition for about `batchSize` bytes and then another, drawn
 * evenly, so that batches fill and partitions still get the same share (KIP-480, KIP-794).
 */
export class DefaultPartitioner implements Partitioner {
  readonly #random: Random;
  readonly #stickyBytes: number;
  #current = -1;
  #currentBytes = 0;

  constructor(random: Random, stickyBytes: number) {
    this.#random = random;
    this.#stickyBytes = stickyBytes;
  }

  partition(key: Uint8Array | null, partitionCount: number, sizeInBytes: number): number {
    if (key !== null) return partitionForKey(key, partitionCount);
    const isSpent = this.#current < 0 || this.#current >= partitionCount || this.#currentBytes >= this.#stickyBytes;
    if (isSpent) {
      this.#current = this.#random.uint32() % partitionCount;
      this.#currentBytes = 0;
    }
    this.#currentBytes += sizeInBytes;
    return this.#current;
  }
}
