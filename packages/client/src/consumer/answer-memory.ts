import type { FrameMemory } from "@samsa/protocol";

/**
 * The memory of one answer. Everything that looks at it holds it; when the last has let go it is used again, unless a part was handed
 * to somebody who may keep it. Who never lets go, because the records were dropped or a loop was left, leaves it to the collector.
 */
export class AnswerMemory {
  readonly #bytes: Uint8Array;
  readonly #frames: FrameMemory;
  #holders = 0;
  #isKept = false;

  /** @param bytes any part of it */
  constructor(bytes: Uint8Array, frames: FrameMemory) {
    this.#bytes = bytes;
    this.#frames = frames;
  }

  /** It may be another answer's by now. */
  isGone = false;

  hold(): void {
    this.#holders++;
  }

  /** To be called once by whoever holds it. */
  letGo(): void {
    if (--this.#holders > 0 || this.#isKept || this.isGone) return;
    this.isGone = true;
    this.#frames.giveBack(this.#bytes);
  }

  /** Somebody has bytes of it, for as long as he likes. */
  keep(): void {
    this.#isKept = true;
  }
}

/**
 * How a batch that was handed to a loop uses the memory: once its records have been walked to the end through views, and the loop has
 * asked for the next, nobody needs it any more. In all other cases the batch may be read whenever its owner likes.
 */
export class BatchLoan {
  readonly #memory: AnswerMemory;
  #begun = 0;
  #finished = 0;

  constructor(memory: AnswerMemory) {
    this.#memory = memory;
    memory.hold();
  }

  get isOver(): boolean {
    return this.#memory.isGone;
  }

  /** A walk begins. */
  begin(): void {
    this.#begun++;
  }

  /** It came to the end. */
  finish(): void {
    this.#finished++;
  }

  /** The batch is read in a way that leaves what it hands out to its owner. */
  keep(): void {
    this.#memory.keep();
  }

  /** The loop asks for the next batch. */
  end(): void {
    if (this.#begun > 0 && this.#begun === this.#finished) this.#memory.letGo();
  }
}
