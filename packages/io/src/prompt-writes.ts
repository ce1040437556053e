/** More than this goes to a thread: to copy it takes the system about as long as to wake one. */
const MOST_BYTES = 128 * 1024;
/** A write that takes longer has met with a busy disk. */
const SLOW_MS = 2;
/** After a slow one, so many times as long as it took nothing more is written at once. */
const REST_FACTOR = 100;

/**
 * Whether a small write is done at once or by a thread. The system copies it into its page cache in microseconds, while to
 * hand it to a thread and hear from it takes ten times as long (docs/decisions/0023). But while it has more unwritten pages than it
 * likes, the system lets a write wait, and at once means that everybody waits: so after a slow write the threads have them
 * all for a while, long enough for such waits to stay below a hundredth of the time.
 */
export class PromptWrites {
  readonly #nowMs: () => number;
  #restUntilMs = -Infinity;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  areGood(chunks: readonly Uint8Array[]): boolean {
    let bytes = 0;
    for (const chunk of chunks) bytes += chunk.length;
    return bytes <= MOST_BYTES && (this.#restUntilMs === -Infinity || this.#isRested());
  }

  /** To be told of each. */
  took(ms: number): void {
    if (ms > SLOW_MS) this.#restUntilMs = this.#nowMs() + ms * REST_FACTOR;
  }

  #isRested(): boolean {
    if (this.#nowMs() < this.#restUntilMs) return false;
    this.#restUntilMs = -Infinity;
    return true;
  }
}
