/** One record as the script appended it; its offset is that of its batch plus its place. */
export interface ModelRecord {
  readonly key: string;
  readonly value: string | null; // null: a tombstone
  readonly timestamp: number;
}

export interface ModelBatch {
  readonly baseOffset: number;
  readonly lastOffset: number;
  readonly records: readonly ModelRecord[];
  readonly leaderEpoch: number;
  readonly producerId: number; // -1 for none
  readonly producerEpoch: number;
  readonly baseSequence: number;
  readonly isTransactional: boolean;
  readonly marker?: "commit" | "abort";
  /** As the producer sends it, for another try. */
  readonly bytes: Uint8Array;
}

export interface ModelTransaction {
  readonly producerId: number;
  readonly firstOffset: number;
  lastOffset: number | undefined; // of the marker; undefined while open
  isAborted: boolean;
}

/**
 * What a log is, said as plainly as possible: all batches that were ever appended and not truncated, in one array. Everything
 * else is found by going through it from the start. Compaction and retention take nothing out of it; they only say what a
 * reader may find missing.
 */
export class ModelLog {
  batches: ModelBatch[] = [];
  #startOffset = 0;
  #largestStartOffset = 0;
  #cleanedEnd = 0;
  #stableEnd = 0;
  readonly #decisions = new Map<string, "commit" | "abort">();
  /** Synced: below, everything survives a loss of power. */
  flushedEnd = 0;
  /** Acknowledged, or found at the last start: below, everything survives the end of the process. */
  acknowledgedEnd = 0;
  #emptyEnd = 0;

  get startOffset(): number {
    return this.#startOffset;
  }

  /** What lies below comes back when the start is lost in a crash, but not all that was known of it. */
  get largestStartOffset(): number {
    return this.#largestStartOffset;
  }

  set startOffset(offset: number) {
    this.#startOffset = offset;
    this.#largestStartOffset = Math.max(this.#largestStartOffset, offset);
  }

  /** Compaction has been at work below. */
  get cleanedEnd(): number {
    return this.#cleanedEnd;
  }

  /** Compaction has gone by the transactions that had ended below: nobody truncates there. */
  get stableEnd(): number {
    return this.#stableEnd;
  }

  get endOffset(): number {
    const last = this.batches.at(-1);
    return last === undefined ? this.#emptyEnd : last.lastOffset + 1;
  }

  /** The ends that the log may have: those of batches. */
  get batchEnds(): number[] {
    return [...new Set([this.startOffset, ...this.batches.map(({ lastOffset }) => lastOffset + 1)])];
  }

  append(batch: ModelBatch): void {
    this.batches.push(batch);
  }

  /** Forgets what lies at or above the offset; a batch that reaches across goes whole. */
  cutTo(offset: number): void {
    this.batches = this.batches.filter(({ lastOffset }) => lastOffset < offset);
    if (this.batches.length === 0) this.#emptyEnd = Math.min(this.#emptyEnd, offset);
    this.flushedEnd = Math.min(this.flushedEnd, offset);
    this.acknowledgedEnd = Math.min(this.acknowledgedEnd, offset);
    this.#cleanedEnd = Math.min(this.#cleanedEnd, offset);
    this.#stableEnd = Math.min(this.#stableEnd, offset);
  }

  /** Forgets everything. */
  beginAt(offset: number): void {
    this.batches = [];
    this.#emptyEnd = offset;
    this.#largestStartOffset = 0;
    this.startOffset = offset;
    this.flushedEnd = offset;
    this.acknowledgedEnd = offset;
    this.#cleanedEnd = offset;
    this.#stableEnd = offset;
    this.#decisions.clear();
  }

  noteCleaning(endOffset: number, lastStableOffset: number): void {
    this.#cleanedEnd = Math.max(this.#cleanedEnd, endOffset);
    this.#stableEnd = Math.max(this.#stableEnd, lastStableOffset);
  }

  /** Whether a transaction is committed is decided once: a marker that was lost is sent again. */
  decide(producerId: number, firstOffset: number, wanted: "commit" | "abort"): "commit" | "abort" {
    const name = `${producerId} from ${firstOffset}`;
    const decided = this.#decisions.get(name) ?? wanted;
    this.#decisions.set(name, decided);
    return decided;
  }

  openTransaction(producerId: number): ModelTransaction | undefined {
    return this.transactions().find((one) => one.producerId === producerId && one.lastOffset === undefined);
  }

  /** The last batches of each producer in its last epoch, the latest last. */
  producers(): Map<number, ModelBatch[]> {
    const found = new Map<number, ModelBatch[]>();
    for (const batch of this.batches) {
      if (batch.producerId < 0 || batch.marker !== undefined) continue;
      const before = found.get(batch.producerId) ?? [];
      const sameEpoch = before.filter(({ producerEpoch }) => producerEpoch === batch.producerEpoch);
      found.set(batch.producerId, [...sameEpoch, batch].slice(-5));
    }
    return found;
  }

  transactions(): ModelTransaction[] {
    const all: ModelTransaction[] = [];
    for (const { producerId, baseOffset, isTransactional, marker } of this.batches) {
      const open = all.find((one) => one.producerId === producerId && one.lastOffset === undefined);
      if (marker !== undefined && open !== undefined) {
        open.lastOffset = baseOffset;
        open.isAborted = marker === "abort";
      } else if (marker === undefined && isTransactional && open === undefined) {
        all.push({ producerId, firstOffset: baseOffset, lastOffset: undefined, isAborted: false });
      }
    }
    return all;
  }

  /** Where read_committed readers stop: at the first transaction that is open, or ends at or above the high watermark. */
  lastStableOffset(highWatermark: number): number {
    const unstable = this.transactions().filter(
      ({ lastOffset }) => lastOffset === undefined || lastOffset >= highWatermark,
    );
    const first = Math.min(highWatermark, ...unstable.map(({ firstOffset }) => firstOffset));
    return Math.max(first, this.startOffset);
  }

  /** Also when the marker was lost. */
  #isDecidedAborted(batch: ModelBatch): boolean {
    if (!batch.isTransactional) return false;
    return this.transactions().some(
      (transaction) =>
        includes(transaction, batch) &&
        this.#decisions.get(`${transaction.producerId} from ${transaction.firstOffset}`) === "abort",
    );
  }

  isCommitted(batch: ModelBatch): boolean {
    if (!batch.isTransactional) return true;
    return this.transactions().some(
      (transaction) => transaction.lastOffset !== undefined && !transaction.isAborted && includes(transaction, batch),
    );
  }

  /** Whether compaction may have taken this record: a later one of its key hides it, or nobody is to see it. */
  mayBeGone(offset: number, record: ModelRecord, batch: ModelBatch, hidden: ReadonlyMap<string, number>): boolean {
    if (offset >= this.cleanedEnd) return false;
    if (batch.marker !== undefined || record.value === null || this.#isDecidedAborted(batch)) return true;
    return offset < (hidden.get(record.key) ?? -1);
  }

  /** The last offset of each key that compaction may go by. */
  latestOffsets(): Map<string, number> {
    const latest = new Map<string, number>();
    for (const batch of this.batches) {
      if (batch.marker !== undefined || this.#isDecidedAborted(batch)) continue;
      for (const [index, { key }] of batch.records.entries()) {
        const offset = batch.baseOffset + index;
        if (offset < this.cleanedEnd) latest.set(key, offset);
      }
    }
    return latest;
  }
}

function includes({ producerId, firstOffset, lastOffset = Infinity }: ModelTransaction, batch: ModelBatch): boolean {
  return batch.producerId === producerId && batch.baseOffset >= firstOffset && batch.baseOffset <= lastOffset;
}
