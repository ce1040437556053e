/**
 * Lets any number of readers through together, and one that changes what they read alone: it waits for those inside, and
 * those that come meanwhile wait for it.
 */
export class ReadWriteGate {
  #readers = 0;
  #onEmpty: (() => void) | undefined;
  #exclusive: Promise<void> | undefined;

  async shared<T>(action: () => Promise<T>): Promise<T> {
    while (this.#exclusive !== undefined) await this.#exclusive;
    this.#readers++;
    try {
      return await action();
    } finally {
      this.#readers--;
      if (this.#readers === 0) this.#onEmpty?.();
    }
  }

  async exclusive<T>(action: () => Promise<T>): Promise<T> {
    while (this.#exclusive !== undefined) await this.#exclusive;
    let leave = (): void => undefined;
    this.#exclusive = new Promise<void>((resolve) => (leave = resolve));
    try {
      if (this.#readers > 0) await new Promise<void>((resolve) => (this.#onEmpty = resolve));
      return await action();
    } finally {
      this.#onEmpty = undefined;
      this.#exclusive = undefined;
      leave();
    }
  }
}
