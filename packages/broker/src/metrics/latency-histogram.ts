/** Upper bounds of the buckets in milliseconds, inclusive; what is slower counts in the whole alone. */
export const LATENCY_BOUNDS_MS: readonly number[] = [
  0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 5000, 30_000,
];

/** Durations by size. Noting one allocates nothing. */
export class LatencyHistogram {
  /** As many as there are bounds, and one for what is above them; not cumulative. */
  readonly counts = new Float64Array(LATENCY_BOUNDS_MS.length + 1);
  /** The only element is the sum in milliseconds: a number in a field would be boxed anew at every change. */
  readonly #sumMs = new Float64Array(1);

  get sumMs(): number {
    return this.#sumMs[0] ?? 0;
  }

  observe(durationMs: number): void {
    let bucket = 0;
    while (bucket < LATENCY_BOUNDS_MS.length && durationMs > (LATENCY_BOUNDS_MS[bucket] ?? Infinity)) bucket++;
    this.counts[bucket] = (this.counts[bucket] ?? 0) + 1;
    this.#sumMs[0] = this.sumMs + durationMs;
  }
}
