import type { Random } from "@samsa/base";
import { utf8Length } from "@samsa/base";
import { consistentPartitionForKey, murmur2, toPositive } from "@samsa/protocol";
import type { Data, ProducerHeader } from "./record.ts";

/** What a partitioner sees of a topic; a live view, so that it costs nothing to hand over. */
export interface PartitionedTopic {
  readonly name: string;
  readonly partitionCount: number;
  /** Those that have a leader that can be reached; all of them when none has. In the rack of the client where that is asked for. */
  availablePartitions(): readonly number[];
  /** Batches that wait to be sent to the partition. */
  queueLength(partition: number): number;
  /** Whether the batch that the partition gathers takes so many bytes more; true where it has none. */
  hasRoom(partition: number, sizeInBytes: number): boolean;
}

/** What a function of the application's own decides by. Key and value are as they were handed over. */
export interface PartitionerInput<K = unknown, V = unknown> {
  readonly topic: string;
  readonly key: K | null;
  readonly value: V | null;
  readonly keyBytes: Uint8Array | null;
  readonly headers: readonly ProducerHeader[];
  readonly partitionCount: number;
  readonly availablePartitions: readonly number[];
}

/** @returns a partition from 0 to `partitionCount` - 1; anything else fails the record */
export type PartitionerFunction<K = unknown, V = unknown> = (input: PartitionerInput<K, V>) => number;

/**
 * `default`: Java's: murmur2 of the key; without a key, sticky. `sticky`: keys are ignored. `roundRobin`: partition by partition,
 * keys ignored, as Java's RoundRobinPartitioner. `crc32`: librdkafka's CRC-32 of the key; without a key or with an empty one, sticky.
 */
export const PARTITIONERS = ["default", "sticky", "roundRobin", "crc32"] as const;
export type PartitionerName = (typeof PARTITIONERS)[number];

/** Which partition a record goes to, by which rule, and how that came about. */
export interface PartitionExplanation {
  readonly topic: string;
  readonly partition: number;
  readonly partitionCount: number;
  readonly rule:
    | "partition given"
    | "custom function"
    | "murmur2 of the key"
    | "crc32 of the key"
    | "sticky"
    | "round-robin";
  /** In a line, with the numbers. */
  readonly arithmetic: string;
}

/** Chooses partitions for the records of one topic. */
export interface RecordPartitioner {
  /** @param sizeInBytes the record as it will lie in a batch, at most */
  partition(key: Data | null, sizeInBytes: number): number;
  /** What `partition` would say, without doing it. */
  explain(key: Data | null): Omit<PartitionExplanation, "topic" | "partitionCount">;
}

export interface PartitionerOptions {
  readonly partitioner: PartitionerName;
  readonly partitionerIgnoreKeys: boolean;
  /** Records without a key stay with a partition for so many bytes (KIP-480). */
  readonly stickyBytes: number;
  /** Partitions that keep up get more of them (KIP-794). */
  readonly isAdaptive: boolean;
  readonly random: Random;
}

export function recordPartitioner(topic: PartitionedTopic, options: PartitionerOptions): RecordPartitioner {
  if (options.partitioner === "roundRobin") return new RoundRobinPartitioner(topic);
  const sticky = new StickyPartitioner(topic, options);
  if (options.partitioner === "sticky" || options.partitionerIgnoreKeys) return sticky;
  return new KeyPartitioner(topic, options.partitioner === "crc32" ? crc32Hash : murmur2Hash, sticky);
}

/** Keys of one hash share a partition. */
interface KeyHash {
  /** A key that counts as none. */
  isNone(key: Data): boolean;
  partition(key: Data, partitionCount: number): number;
  explain(key: Data, partitionCount: number): Omit<PartitionExplanation, "topic" | "partitionCount">;
}

const murmur2Hash: KeyHash = {
  isNone: () => false,
  partition: (key, partitionCount) => toPositive(hashOf(key)) % partitionCount,
  explain(key, partitionCount) {
    const hash = hashOf(key);
    const positive = toPositive(hash);
    const partition = positive % partitionCount;
    const sum = `murmur2 = ${hash}, & 0x7fffffff = ${positive}, % ${partitionCount} partitions = ${partition}`;
    return { partition, rule: "murmur2 of the key", arithmetic: sum };
  },
};

const crc32Hash: KeyHash = {
  isNone: (key) => key.length === 0,
  partition: (key, partitionCount) => consistentPartitionForKey(toBytes(key), partitionCount),
  explain(key, partitionCount) {
    const partition = consistentPartitionForKey(toBytes(key), partitionCount);
    const hash = consistentPartitionForKey(toBytes(key), 2 ** 32);
    const sum = `crc32 = ${hash}, % ${partitionCount} partitions = ${partition}`;
    return { partition, rule: "crc32 of the key", arithmetic: sum };
  },
};

class KeyPartitioner implements RecordPartitioner {
  readonly #topic: PartitionedTopic;
  readonly #hash: KeyHash;
  readonly #otherwise: RecordPartitioner;

  constructor(topic: PartitionedTopic, hash: KeyHash, otherwise: RecordPartitioner) {
    this.#topic = topic;
    this.#hash = hash;
    this.#otherwise = otherwise;
  }

  partition(key: Data | null, sizeInBytes: number): number {
    if (key === null || this.#hash.isNone(key)) return this.#otherwise.partition(null, sizeInBytes);
    return this.#hash.partition(key, this.#topic.partitionCount);
  }

  explain(key: Data | null): Omit<PartitionExplanation, "topic" | "partitionCount"> {
    if (key === null || this.#hash.isNone(key)) return this.#otherwise.explain(null);
    return this.#hash.explain(key, this.#topic.partitionCount);
  }
}

class RoundRobinPartitioner implements RecordPartitioner {
  readonly #topic: PartitionedTopic;
  #counter = 0;

  constructor(topic: PartitionedTopic) {
    this.#topic = topic;
  }

  partition(): number {
    const { partition } = this.explain();
    this.#counter++;
    return partition;
  }

  explain(): Omit<PartitionExplanation, "topic" | "partitionCount"> {
    const available = this.#topic.availablePartitions();
    const index = this.#counter % available.length;
    const partition = available[index] ?? 0;
    const sum = `record ${this.#counter} % ${available.length} available partitions: the one at ${index}, ${partition}`;
    return { partition, rule: "round-robin", arithmetic: sum };
  }
}

/**
 * One partition until a batch is full, then another, so that batches fill and every partition gets its share (KIP-480). The draw is
 * by weight: a partition with a long queue is slow, and gets less (KIP-794).
 *
 *   queues     0  3  1      weights = longest + 1 - own:  4  1  3      cumulated:  4  5  8      a draw of 6 → the third
 */
class StickyPartitioner implements RecordPartitioner {
  readonly #topic: PartitionedTopic;
  readonly #options: PartitionerOptions;
  #current = -1;
  #currentBytes = 0;

  constructor(topic: PartitionedTopic, options: PartitionerOptions) {
    this.#topic = topic;
    this.#options = options;
  }

  partition(_key: Data | null, sizeInBytes: number): number {
    if (this.#isSpent(sizeInBytes)) {
      this.#current = this.#draw();
      this.#currentBytes = 0;
    }
    this.#currentBytes += sizeInBytes;
    return this.#current;
  }

  explain(): Omit<PartitionExplanation, "topic" | "partitionCount"> {
    const { stickyBytes } = this.#options;
    if (!this.#isSpent(0)) {
      const sum = `no key: stays with the current partition, ${this.#currentBytes} of ${stickyBytes} bytes are used`;
      return { partition: this.#current, rule: "sticky", arithmetic: sum };
    }
    const available = this.#topic.availablePartitions();
    const weights = this.#weights(available);
    const sum = `no key: drawn anew from ${available.map((id, i) => `${id} (weight ${weights[i] ?? 1})`).join(", ")}`;
    return { partition: available[0] ?? 0, rule: "sticky", arithmetic: sum };
  }

  #isSpent(sizeInBytes: number): boolean {
    const { partitionCount } = this.#topic;
    if (this.#current < 0 || this.#current >= partitionCount) return true;
    if (this.#currentBytes === 0) return false;
    return this.#currentBytes >= this.#options.stickyBytes || !this.#topic.hasRoom(this.#current, sizeInBytes);
  }

  #draw(): number {
    const available = this.#topic.availablePartitions();
    const weights = this.#weights(available);
    let total = 0;
    for (const weight of weights) total += weight;
    let drawn = this.#options.random.uint32() % total;
    for (const [index, partition] of available.entries()) {
      drawn -= weights[index] ?? 1;
      if (drawn < 0) return partition;
    }
    return available[0] ?? 0;
  }

  #weights(partitions: readonly number[]): readonly number[] {
    if (!this.#options.isAdaptive) return partitions.map(() => 1);
    const lengths = partitions.map((partition) => this.#topic.queueLength(partition));
    const longest = Math.max(...lengths);
    return lengths.map((length) => longest + 1 - length);
  }
}

const encoder = new TextEncoder();
const scratch = new Uint8Array(256);

/** Keys are mostly short text, for which the bytes need no array of their own. */
function hashOf(key: Data): number {
  if (typeof key !== "string") return murmur2(key);
  const { length } = key;
  if (length > scratch.length) return murmur2(encoder.encode(key));
  for (let i = 0; i < length; i++) {
    const unit = key.charCodeAt(i);
    if (unit >= 0x80) return murmur2(encoder.encode(key));
    scratch[i] = unit;
  }
  return murmur2(scratch, length);
}

export function toBytes(data: Data): Uint8Array {
  return typeof data === "string" ? encoder.encode(data) : data;
}

/** Up to so many characters a bound of three bytes for each is near enough. */
const SHORT_TEXT = 256;

/** Bytes the data takes, at most; exact for bytes and for long text. */
export function sizeUpperBound(data: Data | null): number {
  if (data === null) return 0;
  if (typeof data !== "string") return data.length;
  return data.length <= SHORT_TEXT ? 3 * data.length : utf8Length(data);
}
