import type { Clock, Timer } from "@samsa/base";
import type { MetadataImage } from "@samsa/metadata";
import { imageRecords } from "@samsa/metadata";
import type { MetadataLog } from "./metadata-log.ts";

export interface SnapshotGeneratorOptions {
  readonly metadataLog: MetadataLog;
  readonly clock: Clock;
  /** `metadata.log.max.record.bytes.between.snapshots` */
  readonly maxBytesSinceLastSnapshot: number;
  /** `metadata.log.max.snapshot.interval.ms`: after so long whatever is new is summed up; 0 for never. */
  readonly maxTimeSinceLastSnapshotMs: number;
  /** A snapshot could not be written. The log has everything still. */
  readonly onFailure: (error: unknown) => void;
}

/** Sums up the metadata in a snapshot, by the size of the log since the last one and by time (Kafka's SnapshotGenerator). */
export class SnapshotGenerator {
  readonly #options: SnapshotGeneratorOptions;
  #image: MetadataImage | undefined;
  #timer: Timer | undefined;

  constructor(options: SnapshotGeneratorOptions) {
    this.#options = options;
    this.#restartTimer();
  }

  /** @param image of everything committed up to its provenance, outside of transactions */
  onPublished(image: MetadataImage): void {
    this.#image = image;
    const { metadataLog, maxBytesSinceLastSnapshot } = this.#options;
    if (metadataLog.bytesSinceSnapshot >= maxBytesSinceLastSnapshot) this.#generate(image);
  }

  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #generate(image: MetadataImage): void {
    const { lastContainedOffset, lastContainedEpoch: epoch, lastContainedLogTimeMs } = image.provenance;
    const id = { endOffset: lastContainedOffset + 1, epoch };
    const { metadataLog, onFailure } = this.#options;
    this.#image = undefined;
    metadataLog.createSnapshot(id, lastContainedLogTimeMs, imageRecords(image)).catch(onFailure);
    this.#restartTimer();
  }

  #restartTimer(): void {
    const { clock, maxTimeSinceLastSnapshotMs } = this.#options;
    this.#timer?.cancel();
    if (maxTimeSinceLastSnapshotMs === 0) return;
    this.#timer = clock.setTimer(maxTimeSinceLastSnapshotMs, () => {
      // Nothing new since the last one: nothing to sum up, and the next hour begins.
      if (this.#image === undefined) this.#restartTimer();
      else this.#generate(this.#image);
    });
  }
}
