import type { RecordBatch } from "@samsa/protocol";
import { ControlRecordType, controlRecordType } from "@samsa/protocol";

export interface AbortedTransaction {
  readonly producerId: number;
  readonly firstOffset: number;
}

/**
 * Which batches of one fetch answer belong to transactions that were aborted (KIP-98). The answer names every aborted
 * transaction that its range touches, by producer and first offset; each ends at the next abort marker of its producer, or
 * beyond the answer. So a producer may be named twice, and the second time counts from its own first offset.
 */
export class AbortedTransactions {
  readonly #pending: AbortedTransaction[]; // by first offset, the earliest last
  readonly #open = new Set<number>(); // producer ids

  constructor(aborted: readonly AbortedTransaction[] | null) {
    this.#pending = (aborted ?? []).toSorted((a, b) => b.firstOffset - a.firstOffset);
  }

  /** Takes the batches of the answer in order; says whether the records of this one count as never written. */
  isAborted(batch: RecordBatch): boolean {
    const { producerId, lastOffset } = batch;
    for (
      let next = this.#pending.at(-1);
      next !== undefined && next.firstOffset <= lastOffset;
      next = this.#pending.at(-1)
    ) {
      this.#open.add(next.producerId);
      this.#pending.pop();
    }
    if (batch.isControlBatch) {
      if (this.#open.has(producerId) && isAbortMarker(batch)) this.#open.delete(producerId);
      return false;
    }
    return batch.isTransactional && this.#open.has(producerId);
  }
}

function isAbortMarker(batch: RecordBatch): boolean {
  for (const { key } of batch.records()) return controlRecordType(key) === ControlRecordType.ABORT;
  return false;
}
