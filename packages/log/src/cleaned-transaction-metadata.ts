import type { AbortedTxn } from "@samsa/protocol/messages/aborted-txn";
import type { RecordBatch } from "@samsa/protocol";
import { endMarkerOf } from "./producer-state-manager.ts";

interface OngoingAbortedTxn {
  readonly transaction: AbortedTxn;
  hasBatches: boolean;
}

/**
 * Which transactions are open where the cleaner stands in a log, and how they end (Kafka's CleanedTransactionMetadata). It is told
 * of the aborted ones, from the transaction indexes, and of every batch in order.
 */
export class CleanedTransactionMetadata {
  readonly #ongoingCommitted = new Set<number>(); // by producer id, as the aborted ones
  readonly #ongoingAborted = new Map<number, OngoingAbortedTxn>();
  readonly #retain: (transaction: AbortedTxn) => void;
  #waiting: AbortedTxn[] = []; // by their first offset
  #next = 0; // of those that wait

  /** @param retain told of an aborted transaction of which batches were found, at its marker: readers need to know of it */
  constructor(retain: (transaction: AbortedTxn) => void = () => undefined) {
    this.#retain = retain;
  }

  /** Those whose records or marker may come next; one may be told of again as long as its marker has not come. */
  addAborted(transactions: readonly AbortedTxn[]): void {
    if (transactions.length === 0) return;
    const waiting = [...this.#waiting.slice(this.#next), ...transactions];
    this.#waiting = waiting.toSorted((one, other) => one.firstOffset - other.firstOffset);
    this.#next = 0;
  }

  /** A batch that is no control batch. Returns whether it is part of an aborted transaction. */
  onBatchRead(batch: RecordBatch): boolean {
    this.#beginUpTo(batch.lastOffset);
    if (!batch.isTransactional) return false;
    const aborted = this.#ongoingAborted.get(batch.producerId);
    if (aborted === undefined) {
      this.#ongoingCommitted.add(batch.producerId);
      return false;
    }
    aborted.hasBatches = true;
    return true;
  }

  /** Returns whether the control batch is not needed: no batch of the transaction it ends has been read. @throws InvalidRecordError */
  onControlBatchRead(batch: RecordBatch): boolean {
    this.#beginUpTo(batch.lastOffset);
    if (batch.recordCount === 0) return true; // it was cleaned before
    const marker = endMarkerOf(batch);
    if (marker === undefined) return false;
    if (!marker.isAbort) return !this.#ongoingCommitted.delete(batch.producerId);
    const aborted = this.#ongoingAborted.get(batch.producerId);
    this.#ongoingAborted.delete(batch.producerId);
    if (aborted?.hasBatches !== true) return true;
    this.#retain(aborted.transaction);
    return false;
  }

  #beginUpTo(offset: number): void {
    for (; this.#next < this.#waiting.length; this.#next++) {
      const transaction = this.#waiting[this.#next];
      if (transaction === undefined || transaction.firstOffset > offset) return;
      if (this.#ongoingAborted.has(transaction.producerId)) continue;
      this.#ongoingAborted.set(transaction.producerId, { transaction, hasBatches: false });
    }
  }
}
