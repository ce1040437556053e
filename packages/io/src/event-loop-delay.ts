import process from "node:process";

const RESOLUTION_MS = 10;

/** How late the event loop was, in seconds. */
export interface EventLoopDelays {
  readonly mean: number;
  readonly max: number;
  readonly p50: number;
  readonly p99: number;
}

/** Watches the event loop from when it is made until it is closed. */
export class EventLoopDelay {
  readonly #histogram = process
    .getBuiltinModule("node:perf_hooks")
    .monitorEventLoopDelay({ resolution: RESOLUTION_MS });

  constructor() {
    this.#histogram.enable();
  }

  /** Since the last reading. */
  read(): EventLoopDelays {
    const { mean, max } = this.#histogram;
    const delays = {
      mean: seconds(mean),
      max: seconds(max),
      p50: seconds(this.#histogram.percentile(50)),
      p99: seconds(this.#histogram.percentile(99)),
    };
    this.#histogram.reset();
    return delays;
  }

  close(): void {
    this.#histogram.disable();
  }
}

/** From nanoseconds; nothing measured is no delay. */
function seconds(nanoseconds: number): number {
  return Number.isFinite(nanoseconds) ? nanoseconds / 1e9 : 0;
}
