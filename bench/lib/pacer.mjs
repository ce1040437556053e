// The thread of pacing.mjs that sleeps: counts up what is due, in time, and wakes whoever waits for it.
import { workerData } from "node:worker_threads";
import { monotonicMs } from "./pacing.mjs";

const { due, startMs, pauseMs } = workerData;
const nobodyWakes = new Int32Array(new SharedArrayBuffer(4));

for (let next = 0; ; next++) {
  const dueMs = startMs + next * pauseMs;
  for (let leftMs = dueMs - monotonicMs(); leftMs > 0; leftMs = dueMs - monotonicMs()) {
    Atomics.wait(nobodyWakes, 0, 0, leftMs);
  }
  Atomics.store(due, 0, next + 1);
  Atomics.notify(due, 0);
}
