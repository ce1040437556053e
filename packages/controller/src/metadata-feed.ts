import { assert } from "@samsa/base";
import type { MetadataBatch, MetadataImage, MetadataPublisher, Snapshot, SnapshotId } from "@samsa/metadata";
import { EMPTY_IMAGE, MetadataLoader } from "@samsa/metadata";

interface Waiter {
  readonly endOffset: number; // exclusive
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Hands committed metadata to the publishers: one image after the other, each publisher after the one before it. What is
 * committed while they are busy comes to them in one image.
 */
export class MetadataFeed {
  readonly #publishers: readonly MetadataPublisher[];
  readonly #onFailure: (error: unknown) => void;
  readonly #onPublished: (image: MetadataImage) => void;
  readonly #loader = new MetadataLoader();
  #publishedImage: MetadataImage = EMPTY_IMAGE;
  #publishing: Promise<void> | undefined;
  #hasUnpublished = false;
  #waiters: Waiter[] = [];
  #failure: { readonly error: unknown } | undefined;

  /** @param onPublished told of images of everything up to their provenance: of none within a transaction */
  constructor(
    publishers: readonly MetadataPublisher[],
    onFailure: (error: unknown) => void,
    onPublished: (image: MetadataImage) => void,
  ) {
    this.#publishers = publishers;
    this.#onFailure = onFailure;
    this.#onPublished = onPublished;
  }

  /** The image that every publisher has taken in. */
  get publishedImage(): MetadataImage {
    return this.#publishedImage;
  }

  /** The image of all that was loaded, published or not. */
  loadedImage(): MetadataImage {
    return this.#loader.peek();
  }

  /** The name of a transaction that has begun and not ended. */
  get openTransaction(): string | undefined {
    return this.#loader.openTransaction;
  }

  loadSnapshot(id: SnapshotId, snapshot: Snapshot): void {
    assert(this.#loader.nextOffset === 0, "a snapshot comes before everything else");
    this.#load(() => {
      const { records, lastContainedLogTimeMs: timestampMs } = snapshot;
      this.#loader.load({ records, baseOffset: 0, epoch: id.epoch, timestampMs });
      this.#loader.skipTo(id.endOffset - 1, id.epoch, timestampMs);
    });
  }

  load(batch: MetadataBatch): void {
    this.#load(() => this.#loader.load(batch));
  }

  skipTo(lastOffset: number, epoch: number, timestampMs: number): void {
    this.#load(() => this.#loader.skipTo(lastOffset, epoch, timestampMs));
  }

  /** Resolves when everything below the offset is published. */
  published(endOffset: number): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure.error);
    if (this.#publishedImage.provenance.lastContainedOffset + 1 >= endOffset) return Promise.resolve();
    return new Promise((resolve, reject) => this.#waiters.push({ endOffset, resolve, reject }));
  }

  /** Resolves when everything that was loaded is published. */
  drained(): Promise<void> {
    return this.published(this.#loader.nextOffset);
  }

  /** Nobody will commit what is waited for. */
  rejectWaiting(error: unknown): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const { reject } of waiters) reject(error);
  }

  /** Waits for the publishers. */
  async close(): Promise<void> {
    await this.#publishing;
  }

  #load(load: () => void): void {
    if (this.#failure !== undefined) return;
    try {
      load();
    } catch (error) {
      this.#fail(error);
      return;
    }
    this.#hasUnpublished = true;
    this.#publishing ??= this.#publishAll();
  }

  async #publishAll(): Promise<void> {
    try {
      // What is committed in the same turn comes in the same image.
      await Promise.resolve();
      while (this.#hasUnpublished) {
        this.#hasUnpublished = false;
        const isInTransaction = this.openTransaction !== undefined;
        const { delta, image } = this.#loader.take();
        for (const publisher of this.#publishers) await publisher.onMetadataUpdate(delta, image);
        this.#publishedImage = image;
        this.#resolveWaiting(image.provenance.lastContainedOffset + 1);
        if (!isInTransaction) this.#onPublished(image);
      }
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#publishing = undefined;
    }
  }

  #resolveWaiting(endOffset: number): void {
    // Offsets are asked for in the order of the log.
    let count = 0;
    while (count < this.#waiters.length && (this.#waiters[count]?.endOffset ?? Infinity) <= endOffset) count++;
    for (const { resolve } of this.#waiters.splice(0, count)) resolve();
  }

  #fail(error: unknown): void {
    this.#failure = { error };
    this.rejectWaiting(error);
    this.#onFailure(error);
  }
}
