// Requests at a rate, as an open model: what is due is sent whether or not answers have come.
import process from "node:process";
import { Worker } from "node:worker_threads";

/** `sleeping` is how every client waits. With `spinning` the generator never gives its core away. */
export const PACINGS = ["sleeping", "spinning"];

/** The same in all threads of a process, which `performance.now()` is not. */
export const monotonicMs = () => Number(process.hrtime.bigint()) / 1e6;

/**
 * Calls `send(lateMs)` so often, from the turns of the loop that also reads the answers; `lateMs` is how much too late.
 *
 * @param options `{ perSecond, pacing }`, one of PACINGS
 * @returns how to stop
 */
export function atRate({ perSecond, pacing }, send) {
  const pauseMs = 1000 / perSecond;
  const startMs = monotonicMs() + 100;
  return pacing === "sleeping" ? sleeping(startMs, pauseMs, send) : spinning(startMs, pauseMs, send);
}

/**
 * A thread of its own sleeps until the next one is due and wakes the loop (pacer.mjs), because Node's timers have milliseconds, and
 * the half of one that a request would wait for them is several times what a broker takes.
 */
function sleeping(startMs, pauseMs, send) {
  const due = new Int32Array(new SharedArrayBuffer(4)); // how many there have been
  const pacer = new Worker(new URL("pacer.mjs", import.meta.url), { workerData: { due, startMs, pauseMs } });
  pacer.on("error", (error) => {
    throw error;
  });
  let sent = 0;
  const sendDue = () => {
    for (; sent < Atomics.load(due, 0); sent++) send(monotonicMs() - (startMs + sent * pauseMs));
    const { async: mustWait, value } = Atomics.waitAsync(due, 0, sent);
    if (mustWait) void value.then(sendDue);
    else setImmediate(sendDue);
  };
  sendDue();
  return () => void pacer.terminate();
}

/** Turns of the loop follow each other without a pause. */
function spinning(startMs, pauseMs, send) {
  let isStopped = false;
  let dueMs = startMs;
  const turn = () => {
    if (isStopped) return;
    for (const nowMs = monotonicMs(); dueMs <= nowMs; dueMs += pauseMs) send(nowMs - dueMs);
    setImmediate(turn);
  };
  turn();
  return () => {
    isStopped = true;
  };
}
