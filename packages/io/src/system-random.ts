import { randomFillSync } from "node:crypto";

import { type Random } from "@samsa/base";

/** Numbers drawn from the system at a time: a call for each would cost a microsecond. */
const POOL_SIZE = 1024;

/** Fit for secrets: everything comes from the system's cryptographic generator. */
export class SystemRandom implements Random {
  readonly #pool = new Uint32Array(POOL_SIZE);
  #next = POOL_SIZE;

  uint32(): number {
    if (this.#next === POOL_SIZE) {
      randomFillSync(this.#pool);
      this.#next = 0;
    }
    const value = this.#pool[this.#next] as number;
    this.#pool[this.#next] = 0;
    this.#next++;
    return value;
  }

  fill(bytes: Uint8Array): void {
    randomFillSync(bytes);
  }
}
