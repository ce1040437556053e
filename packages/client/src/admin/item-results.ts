import { KafkaError } from "@samsa/base";
import { SomeItemsFailedError } from "../errors.ts";

/**
 * What became of each item of a query: its answer or its error, by name, in the order they were asked for. Names are those of topics,
 * groups and so on; of partitions they are `topic-partition`.
 */
export class ItemResults<T> implements Iterable<readonly [name: string, result: T | KafkaError]> {
  readonly #results: ReadonlyMap<string, T | KafkaError>;

  constructor(results: ReadonlyMap<string, T | KafkaError>) {
    this.#results = results;
  }

  get size(): number {
    return this.#results.size;
  }

  /** @throws the error of the item; undefined only for what was not asked for */
  get(name: string): T | undefined {
    const result = this.#results.get(name);
    if (result instanceof KafkaError) throw result;
    return result;
  }

  get errors(): ReadonlyMap<string, KafkaError> {
    return new Map(
      Array.from(this.#results).filter((entry): entry is [string, KafkaError] => entry[1] instanceof KafkaError),
    );
  }

  /** Those that have an answer. */
  get found(): ReadonlyMap<string, T> {
    return new Map(
      Array.from(this.#results).filter((entry): entry is [string, T] => !(entry[1] instanceof KafkaError)),
    );
  }

  /** All answers. @throws the error of the one item that failed, or SomeItemsFailedError */
  all(): readonly T[] {
    throwAny(this.errors);
    return [...this.found.values()];
  }

  [Symbol.iterator](): IterableIterator<readonly [name: string, result: T | KafkaError]> {
    return this.#results.entries();
  }
}

/** @throws the error if there is one, SomeItemsFailedError if there are several */
export function throwAny(errors: ReadonlyMap<string, KafkaError>): void {
  const [first] = errors.values();
  if (first === undefined) return;
  throw errors.size === 1 ? first : new SomeItemsFailedError(errors);
}
