/**
 * Many callers, one call: while a call is under way, what is asked for meanwhile is gathered and asked with the next. So an
 * answer is never older than the question, and a thousand partitions that lost their leader cost one request.
 */
export class CoalescedCall<Key, Result> {
  readonly #run: (keys: readonly Key[]) => Promise<Result>;
  #current: Promise<Result> | undefined;
  #next: Promise<Result> | undefined;
  #wanted = new Set<Key>();

  constructor(run: (keys: readonly Key[]) => Promise<Result>) {
    this.#run = run;
  }

  request(keys: Iterable<Key>): Promise<Result> {
    for (const key of keys) this.#wanted.add(key);
    this.#next ??= this.#afterCurrent();
    return this.#next;
  }

  async #afterCurrent(): Promise<Result> {
    try {
      await this.#current;
    } catch {
      // Its callers have been told.
    }
    const keys = [...this.#wanted];
    this.#wanted = new Set();
    this.#current = this.#run(keys);
    this.#next = undefined;
    return await this.#current;
  }
}
