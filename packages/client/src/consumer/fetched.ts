import type { RecordBatch } from "@samsa/protocol";
import type { AbortedTransactions } from "./aborted-transactions.ts";
import type { AnswerMemory } from "./answer-memory.ts";
import type { AssignedPartition } from "./assigned-partition.ts";
import { BatchReader } from "./consumer-record.ts";

/** What one answer brought of one partition, and how far it has been handed out. */
export class Fetched {
  readonly partition: AssignedPartition;
  readonly epoch: number; // of the partition when it was asked for
  readonly batches: readonly RecordBatch[];
  readonly sizeInBytes: number;
  readonly memory: AnswerMemory;
  readonly #aborted: AbortedTransactions;
  #index = 0;
  #isHidden: boolean | undefined;
  #reader: BatchReader | undefined;
  /** Whether the bytes of the batch are known to be those that were written. */
  isChecked = false;

  constructor(
    partition: AssignedPartition,
    batches: readonly RecordBatch[],
    aborted: AbortedTransactions,
    sizeInBytes: number,
    memory: AnswerMemory,
  ) {
    this.partition = partition;
    this.epoch = partition.epoch;
    this.batches = batches;
    this.sizeInBytes = sizeInBytes;
    this.#aborted = aborted;
    this.memory = memory;
    memory.hold();
  }

  get batch(): RecordBatch | undefined {
    return this.batches[this.#index];
  }

  reader(batch: RecordBatch): BatchReader {
    this.#reader ??= new BatchReader(batch);
    return this.#reader;
  }

  /** Whether readers see nothing of the batch: it was aborted or holds a marker. */
  isHidden(batch: RecordBatch): boolean {
    this.#isHidden ??= this.#aborted.isAborted(batch) || batch.isControlBatch;
    return this.#isHidden;
  }

  advance(): void {
    const batch = this.batch;
    if (batch !== undefined) this.isHidden(batch); // a marker counts for those after it, whoever looks
    this.#index++;
    this.#isHidden = undefined;
    this.#reader = undefined;
    this.isChecked = false;
  }
}
