import type { Run } from "./delivery.ts";
import { tellPlace } from "./delivery.ts";
import type { ProducerBatch } from "./producer-batch.ts";

/** A batch that is in the log, and who is to be told. */
interface Arrived {
  readonly batch: ProducerBatch;
  readonly runs: readonly Run[];
  readonly baseOffset: number; // UNKNOWN_OFFSET with acks=0
  readonly logAppendTimeMs: number; // -1 where each record keeps its own time
  told: number; // of the runs
}

/** Told in two halves from so many on. Of fewer the halves would cost the broker more than the waiting. */
const MANY = 512;
const SETTLED = Promise.resolve();

/**
 * Tells callers where their records have come to rest, in the order in which batches arrived. Of many of whom one answer speaks half are
 * told at once and the others in the next microtask: what the first send next leaves before the others go on, and the broker is at work
 * on it meanwhile (docs/decisions/0036).
 */
export class Arrivals {
  readonly #arrived: Arrived[] = [];
  #untold = 0; // runs
  #owed = 0; // of those, who wait for the next microtask
  #turn = 0;

  add(batch: ProducerBatch, baseOffset: number, logAppendTimeMs: number): void {
    const runs = batch.succeed();
    this.#arrived.push({ batch, runs, baseOffset, logAppendTimeMs, told: 0 });
    this.#untold += runs.length;
  }

  /** To be called when all of an answer has been added. */
  tell(): void {
    const added = this.#untold - this.#owed;
    this.#tellNext(this.#owed + (added < MANY ? added : added >> 1));
    this.#owed = this.#untold;
    const turn = ++this.#turn;
    if (this.#owed === 0) return;
    void SETTLED.then(() => {
      if (turn === this.#turn) this.tellAll();
    });
  }

  /** At once: somebody is about to be told of what came later. */
  tellAll(): void {
    this.#owed = 0;
    this.#tellNext(this.#untold);
  }

  #tellNext(count: number): void {
    let left = count;
    for (;;) {
      const next = this.#arrived[0];
      if (next === undefined) return;
      const { batch, runs, baseOffset, logAppendTimeMs, told } = next;
      const until = Math.min(runs.length, told + left);
      left -= until - told;
      this.#untold -= until - told;
      next.told = until;
      if (until === runs.length) this.#arrived.shift();
      for (let at = told; at < until; at++) tellPlace(runs[at] as Run, batch.queue, baseOffset, logAppendTimeMs);
      if (until < runs.length) return;
      batch.told();
    }
  }
}
