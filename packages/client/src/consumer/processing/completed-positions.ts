import { assert } from "@samsa/base";

/**
 * Which of the records of one partition that were handed over are done, in whatever order they are. What may be committed ends
 * before the first that is not: a crash then repeats some that are done and skips none that is not.
 */
export class CompletedPositions {
  readonly #unfinished = new Set<number>(); // in the order of the offsets, for a set keeps that of its insertions
  #last = -1;

  /** It is handed over. @param offset greater than all before it */
  begin(offset: number): void {
    assert(offset > this.#last, "records are handed over in the order of their offsets");
    this.#last = offset;
    this.#unfinished.add(offset);
  }

  /** It needs not be handed over again. */
  complete(offset: number): void {
    this.#unfinished.delete(offset);
  }

  get firstUnfinished(): number | undefined {
    for (const offset of this.#unfinished) return offset;
    return undefined;
  }

  /** @param position behind all that was handed over */
  committable(position: number): number {
    return this.firstUnfinished ?? position;
  }
}
