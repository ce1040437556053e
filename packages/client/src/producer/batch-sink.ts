import type { KafkaError } from "@samsa/base";
import type { DeliverySink } from "./delivery.ts";
import type { RecordMetadata } from "./record.ts";

/** Gathers what becomes of the records of one `sendBatch`. */
export class BatchSink implements DeliverySink {
  readonly #results: RecordMetadata[];
  readonly #resolve: (results: RecordMetadata[]) => void;
  readonly #reject: (error: KafkaError) => void;
  #left: number;
  #failure: KafkaError | undefined;

  constructor(count: number, resolve: (results: RecordMetadata[]) => void, reject: (error: KafkaError) => void) {
    this.#results = Array.from<RecordMetadata>({ length: count });
    this.#left = count;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  onDelivery(tag: number, error: KafkaError | undefined, metadata: RecordMetadata | undefined): void {
    if (metadata !== undefined) this.#results[tag] = metadata;
    this.#failure ??= error;
    if (--this.#left > 0) return;
    if (this.#failure === undefined) this.#resolve(this.#results);
    else this.#reject(this.#failure);
  }
}
