/**
 * The order in which Java's HashMap shows its keys. Java's assignors walk over such maps, and who comes first decides who
 * gives a partition up. A group whose leader is one of ours today and one of Java's tomorrow must not see partitions move for
 * that alone, so we walk in the same order.
 */

const DEFAULT_CAPACITY = 16;
const LOAD_FACTOR = 0.75;

/** As `String.hashCode` has it. */
export function javaHash(text: string): number {
  let hash = 0;
  for (let i = 0; i < text.length; i++) hash = (Math.imul(31, hash) + text.charCodeAt(i)) | 0;
  return hash;
}

/** As `TopicPartition.hashCode` has it. */
export function partitionHash(topic: string, partition: number): number {
  return (Math.imul(31, 31 + partition) + javaHash(topic)) | 0;
}

function bucketOf(hash: number, capacity: number): number {
  return (hash ^ (hash >>> 16)) & (capacity - 1);
}

function capacityFor(count: number, capacity = DEFAULT_CAPACITY): number {
  let wanted = capacity;
  while (count > wanted * LOAD_FACTOR) wanted *= 2;
  return wanted;
}

/** Keys that are all different, put into a HashMap in the order given, as it would show them. */
export function inJavaOrder<T>(items: readonly T[], hashOf: (item: T) => number): readonly T[] {
  const capacity = capacityFor(items.length);
  const inBuckets = items.map((item) => ({ item, bucket: bucketOf(hashOf(item), capacity) }));
  return inBuckets.toSorted((a, b) => a.bucket - b.bucket).map(({ item }) => item); // stable, as a bucket is
}

/** A HashSet of which only the first is ever asked for. */
export class JavaHashSet<T> {
  readonly #hashOf: (item: T) => number;
  readonly #items = new Set<T>();
  #capacity = DEFAULT_CAPACITY; // never shrinks, in Java either

  constructor(hashOf: (item: T) => number) {
    this.#hashOf = hashOf;
  }

  get isEmpty(): boolean {
    return this.#items.size === 0;
  }

  add(item: T): void {
    this.#items.add(item);
    this.#capacity = capacityFor(this.#items.size, this.#capacity);
  }

  delete(item: T): void {
    this.#items.delete(item);
  }

  get first(): T | undefined {
    let first: T | undefined;
    let lowest = this.#capacity;
    for (const item of this.#items) {
      const bucket = bucketOf(this.#hashOf(item), this.#capacity);
      if (bucket >= lowest) continue;
      lowest = bucket;
      first = item;
    }
    return first;
  }
}
