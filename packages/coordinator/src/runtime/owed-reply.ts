import type { Reply } from "./coordinator-shard.ts";

/**
 * An answer that is owed to one who asked. Where it is there by the time the asker looks, it takes no promise: a promise is for who has
 * to wait.
 */
export class OwedReply<T> implements Reply<T> {
  #outcome: { readonly response: T } | { readonly error: unknown } | undefined;
  #resolve: ((response: T) => void) | undefined;
  #reject: ((error: unknown) => void) | undefined;

  get isSettled(): boolean {
    return this.#outcome !== undefined;
  }

  /** To be asked for once. A refusal rejects, whenever it comes. */
  get answer(): T | Promise<T> {
    const outcome = this.#outcome;
    if (outcome === undefined) {
      return new Promise((resolve, reject) => {
        this.#resolve = resolve;
        this.#reject = reject;
      });
    }
    return "response" in outcome ? outcome.response : Promise.reject(outcome.error);
  }

  resolve(response: T): void {
    if (this.isSettled) return;
    this.#outcome = { response };
    this.#resolve?.(response);
  }

  reject(error: unknown): void {
    if (this.isSettled) return;
    this.#outcome = { error };
    this.#reject?.(error);
  }
}
