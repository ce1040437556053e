import type { AbortedTxn } from "@samsa/protocol/messages/aborted-txn";

/** Which records belong to a transaction that was aborted, from what the transaction indexes say. */
export class AbortedRanges {
  readonly #byProducer = new Map<number, AbortedTxn[]>(); // in the order of their markers; those of one producer do not overlap

  /** @param transactions in the order of their markers */
  constructor(transactions: Iterable<AbortedTxn>) {
    for (const transaction of transactions) {
      const ranges = this.#byProducer.get(transaction.producerId);
      if (ranges === undefined) this.#byProducer.set(transaction.producerId, [transaction]);
      else ranges.push(transaction);
    }
  }

  has(producerId: number, offset: number): boolean {
    const ranges = this.#byProducer.get(producerId) ?? [];
    let low = 0;
    let high = ranges.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((ranges[middle]?.lastOffset ?? 0) < offset) low = middle + 1;
      else high = middle;
    }
    return offset >= (ranges[low]?.firstOffset ?? Infinity);
  }
}
