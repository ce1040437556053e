import { MetadataDelta } from "./metadata-delta.ts";
import type { MetadataImage, MetadataProvenance } from "./metadata-image.ts";
import { EMPTY_IMAGE } from "./metadata-image.ts";
import type { MetadataRecord } from "./metadata-record.ts";
import { MetadataReplayError } from "./metadata-replay-error.ts";

/** Told of committed metadata, one change after the other; the next waits until this one has been taken in. */
export interface MetadataPublisher {
  readonly name: string;
  onMetadataUpdate(delta: MetadataDelta, image: MetadataImage): void | Promise<void>;
}

/** Records that lie together in the log: all of them count, or none. */
export interface MetadataBatch {
  readonly records: readonly MetadataRecord[];
  /** Of the first record. */
  readonly baseOffset: number;
  readonly epoch: number;
  readonly timestampMs: number;
}

/** An image and how it came from the one before. */
export interface MetadataUpdate {
  readonly delta: MetadataDelta;
  readonly image: MetadataImage;
}

/**
 * Turns batches of records into images. Records between BeginTransactionRecord and EndTransactionRecord (KIP-868) count
 * only from the end on, and not at all after AbortTransactionRecord.
 */
export class MetadataLoader {
  #image: MetadataImage;
  #delta: MetadataDelta;
  #provenance: MetadataProvenance;
  #transaction: { readonly name: string; readonly records: MetadataRecord[] } | undefined;

  constructor(image: MetadataImage = EMPTY_IMAGE) {
    this.#image = image;
    this.#delta = new MetadataDelta(image);
    this.#provenance = image.provenance;
  }

  /** The last image taken. */
  get image(): MetadataImage {
    return this.#image;
  }

  /** Offset after the last record loaded. */
  get nextOffset(): number {
    return this.#provenance.lastContainedOffset + 1;
  }

  /** The name of the transaction that has begun and not ended. */
  get openTransaction(): string | undefined {
    return this.#transaction?.name;
  }

  /** @throws MetadataReplayError when the records contradict what came before */
  load(batch: MetadataBatch): void {
    for (const record of batch.records) this.#replay(record);
    this.skipTo(batch.baseOffset + batch.records.length - 1, batch.epoch, batch.timestampMs);
  }

  /** Records that say nothing of the metadata, such as those of the quorum. */
  skipTo(lastOffset: number, epoch: number, timestampMs: number): void {
    this.#provenance = {
      lastContainedOffset: lastOffset,
      lastContainedEpoch: epoch,
      lastContainedLogTimeMs: timestampMs,
    };
  }

  /** The image of all that was loaded, not taken yet. */
  peek(): MetadataImage {
    return this.#delta.apply(this.#provenance);
  }

  /** The image of all that was loaded, and the change since the last one was taken. */
  take(): MetadataUpdate {
    const delta = this.#delta;
    this.#image = delta.apply(this.#provenance);
    this.#delta = new MetadataDelta(this.#image);
    return { delta, image: this.#image };
  }

  #replay(record: MetadataRecord): void {
    switch (record.type) {
      case "BeginTransactionRecord":
        if (this.#transaction !== undefined) {
          throw new MetadataReplayError(record.type, `the transaction "${this.#transaction.name}" has not ended`);
        }
        this.#transaction = { name: record.message.name ?? "", records: [] };
        return;
      case "EndTransactionRecord":
        for (const pending of this.#closeTransaction(record.type)) this.#delta.replay(pending);
        return;
      case "AbortTransactionRecord":
        this.#closeTransaction(record.type);
        return;
      default:
        if (this.#transaction === undefined) this.#delta.replay(record);
        else this.#transaction.records.push(record);
    }
  }

  #closeTransaction(recordType: string): readonly MetadataRecord[] {
    if (this.#transaction === undefined) throw new MetadataReplayError(recordType, "no transaction has begun");
    const { records } = this.#transaction;
    this.#transaction = undefined;
    return records;
  }
}
