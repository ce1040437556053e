/**
 * Whether the disk has taken something. Most of it is taken before anybody waits, so that the promise is made only for who asks for
 * it: a promise with its ends outside is a kilobyte for the garbage collector.
 */
export class Written {
  /** Of what the disk has had all along. */
  static readonly ALREADY = Written.#already();
  #isSettled = false;
  #failure: Error | undefined;
  #promise: Promise<void> | undefined;
  #resolve: (() => void) | undefined;
  #reject: ((failure: Error) => void) | undefined;

  /** The disk has it; false as long as it does not, and for good when it failed. */
  get isDone(): boolean {
    return this.#isSettled && this.#failure === undefined;
  }

  /** Settles with it. Safe to ignore. */
  get promise(): Promise<void> {
    if (this.#promise === undefined) {
      this.#promise = this.#newPromise();
      this.#promise.catch(() => undefined); // a failure is also told otherwise, so nobody has to listen
    }
    return this.#promise;
  }

  resolve(): void {
    this.#isSettled = true;
    this.#resolve?.();
  }

  reject(failure: Error): void {
    if (this.#isSettled) return;
    this.#isSettled = true;
    this.#failure = failure;
    this.#reject?.(failure);
  }

  #newPromise(): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (this.#isSettled) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  static #already(): Written {
    const written = new Written();
    written.resolve();
    return written;
  }
}
