/** More than this goes to a thread: to copy it takes the system about as long as to wake one. */
const MOST_BYTES = 128 * 1024;
/** A write that takes longer may have met with a busy disk. Or the system had something else to run when it was over. */
const SLOW_MS = 2;
/** One that takes longer has: no process is kept from its turn for so long, unless there are many. */
const STUCK_MS = 10;
/** After slow ones, so many times as long as they took nothing more is written at once. */
const REST_FACTOR = 100;

/**
 * Whether a small write is done at once or by a thread. The system copies it into its page cache in microseconds, while to
 * hand it to a thread and hear from it takes ten times as long (docs/decisions/0023). But while it has more unwritten pages than it
 * likes, the system lets a write wait, and at once means that everybody waits: so after a slow write the threads have them
 * all for a while, long enough for such waits to stay below a fiftieth of the time.
 *
 * A slow write that is alone in such a while was none of the disk's: where another process wants the same core, the system gives it
 * the core for a few milliseconds, and likes to do so when a call ends.
 */
export class PromptWrites {
  readonly #nowMs: () => number;
  #restUntilMs = -Infinity;
  /** Until then another slow write would make one too many. */
  #suspectUntilMs = -Infinity;
  #suspectMs = 0; // how long the slow one took

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
    if (ms <= SLOW_MS) return;
    const nowMs = this.#nowMs();
    const isAlone = nowMs >= this.#suspectUntilMs;
    const slowMs = isAlone ? ms : this.#suspectMs + ms;
    if (isAlone && ms <= STUCK_MS) {
      this.#suspectUntilMs = nowMs + slowMs * REST_FACTOR;
      this.#suspectMs = slowMs;
    } else {
      this.#restUntilMs = nowMs + slowMs * REST_FACTOR;
      this.#suspectUntilMs = -Infinity;
    }
  }

  #isRested(): boolean {
    if (this.#nowMs() < this.#restUntilMs) return false;
    this.#restUntilMs = -Infinity;
    return true;
  }
}
