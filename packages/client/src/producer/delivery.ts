import type { KafkaError } from "@samsa/base";
import type { DeliveryCallback, RecordMetadata } from "./record.ts";
import { UNKNOWN_OFFSET } from "./record.ts";

/** Told of each of many records, by the number it was handed over with. */
export interface DeliverySink {
  onDelivery(tag: number, error: KafkaError | undefined, metadata: RecordMetadata | undefined): void;
}

export type Waiter = DeliveryCallback | DeliverySink;

/** Records of a batch, one after the other, for which the same waiter is told: of a whole `sendBatch` there is one. */
export interface Run {
  readonly waiter: Waiter;
  readonly firstIndex: number; // in the batch
  readonly firstTag: number;
  readonly timestamp: number; // the same for all
  count: number;
}

/** Who wants to know what became of the records of a batch. */
export class Deliveries {
  #runs: Run[] = [];
  #last: Run | undefined;

  add(index: number, tag: number, timestamp: number, waiter: Waiter): void {
    const last = this.#last;
    if (
      last !== undefined &&
      last.waiter === waiter &&
      last.timestamp === timestamp &&
      last.firstIndex + last.count === index &&
      (typeof waiter === "function" || last.firstTag + last.count === tag)
    ) {
      last.count++;
      return;
    }
    this.#last = { waiter, firstIndex: index, firstTag: tag, timestamp, count: 1 };
    this.#runs.push(this.#last);
  }

  fail(error: KafkaError): void {
    for (const { waiter, firstTag, count } of this.take()) {
      for (let i = 0; i < count; i++) tell(waiter, firstTag + i, error, undefined);
    }
  }

  /** Moves those of the records from `index` on to another batch, where the first of them is record 0. */
  splitAt(index: number): Deliveries {
    const rest = new Deliveries();
    for (const { waiter, firstIndex, firstTag, timestamp, count } of this.take()) {
      for (let i = 0; i < count; i++) {
        const target = firstIndex + i < index ? this : rest;
        target.add(target === this ? firstIndex + i : firstIndex + i - index, firstTag + i, timestamp, waiter);
      }
    }
    return rest;
  }

  /** Whom to tell; from now on nobody is known. */
  take(): readonly Run[] {
    const runs = this.#runs;
    this.#runs = [];
    this.#last = undefined;
    return runs;
  }
}

/** @param logAppendTimeMs -1 where each record keeps its own time */
export function tellPlace(
  { waiter, firstIndex, firstTag, timestamp: ownTime, count }: Run,
  { topic, partition }: { readonly topic: string; readonly partition: number },
  baseOffset: number,
  logAppendTimeMs: number,
): void {
  const timestamp = logAppendTimeMs >= 0 ? logAppendTimeMs : ownTime;
  for (let i = 0; i < count; i++) {
    const offset = baseOffset < 0 ? UNKNOWN_OFFSET : baseOffset + firstIndex + i;
    tell(waiter, firstTag + i, undefined, { topic, partition, offset, timestamp });
  }
}

/** What an application's callback throws is its own affair; the batch has other records. It surfaces as an unhandled rejection. */
function tell(waiter: Waiter, tag: number, error: KafkaError | undefined, metadata: RecordMetadata | undefined): void {
  try {
    if (typeof waiter === "function") waiter(error, metadata);
    else waiter.onDelivery(tag, error, metadata);
  } catch (thrown) {
    void Promise.reject(thrown);
  }
}
