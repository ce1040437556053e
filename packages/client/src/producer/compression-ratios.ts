const IMPROVING_STEP = 0.005;
const DETERIORATING_STEP = 0.05;
/** Batches are filled to a little less than what is expected to fit. */
const SAFETY = 1.05;

/** How far the records of each topic compress, learned slowly for the better and quickly for the worse, as Kafka's estimator. */
export class CompressionRatios {
  readonly #byTopic = new Map<string, number>();

  of(topic: string): number {
    return Math.min(1, (this.#byTopic.get(topic) ?? 1) * SAFETY);
  }

  observe(topic: string, ratio: number): void {
    const known = this.#byTopic.get(topic) ?? 1;
    const next = ratio > known ? Math.max(known + DETERIORATING_STEP, ratio) : Math.max(known - IMPROVING_STEP, ratio);
    this.#byTopic.set(topic, next);
  }

  /** A batch came out too large. */
  distrust(topic: string): void {
    this.#byTopic.set(topic, 1);
  }
}
