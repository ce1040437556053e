// What the client benchmarks have in common: each client is a process of its own, told its work as JSON, and prints its figures
// as JSON. Works are timed after a tenth of them has been done to warm up.
import process from "node:process";

/** @typedef {{ work: string, bootstrap: string, topic: string, records: number, bytes: number, lanes: number }} Job */

/**
 * @param {Record<string, (job: Job) => Promise<Record<string, number> | undefined>>} works each does `job.records` once
 * @param {() => Promise<unknown>} close
 */
export async function runJob(works, close) {
  const job = JSON.parse(process.argv[2]);
  const work = works[job.work];
  if (work === undefined) throw new Error(`no work ${job.work}`);
  await work({ ...job, records: Math.ceil(job.records / 10) });
  const cpu = process.cpuUsage();
  const begun = performance.now();
  const figures = await work(job);
  const seconds = (performance.now() - begun) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  const rate = figures ?? { recordsPerSecond: job.records / seconds };
  const cpuMicrosPerRecord = (user + system) / job.records;
  const [memoryMiB, peakMiB] = [process.memoryUsage.rss() / 2 ** 20, process.resourceUsage().maxRSS / 1024];
  const usage = { cpuMicrosPerRecord, memoryMiB, peakMiB };
  process.stdout.write(`${JSON.stringify({ ...rate, ...usage })}\n`);
  await close();
  process.exit(); // one that goes on reading has nothing to add
}

export function valueOf(bytes) {
  return Buffer.alloc(bytes, "0123456789abcdefghijklmnopqrstuvwxyz");
}

/** Many callers, each of whom waits for its record before the next. */
export async function inLanes({ records, lanes }, send) {
  let left = records;
  const lane = async () => {
    while (left-- > 0) await send();
  };
  await Promise.all(Array.from({ length: lanes }, lane));
}

export function thousand(make) {
  return Array.from({ length: 1000 }, make);
}

/** Calls with `count` records each, some at a time. */
export async function inBatches({ records }, count, atATime, send) {
  const pending = new Set();
  for (let sent = 0; sent < records; sent += count) {
    const call = send().then(() => pending.delete(call));
    pending.add(call);
    if (pending.size >= atATime) await Promise.race(pending);
  }
  await Promise.all(pending);
}

/** Counts what a client reads on its own, for works that wait for so many. `read` is what begins it, with the first work. */
export function reading(read) {
  let seen = 0;
  let goal;
  let failure;
  const check = () => {
    if (failure !== undefined) goal?.reject(failure);
    else if (goal !== undefined && seen >= goal.records) goal.resolve();
  };
  const count = (records) => {
    seen += records;
    check();
  };
  let begun;
  return async ({ records }) => {
    begun ??= Promise.resolve(read(count)).catch((error) => {
      failure = error;
      check();
    });
    await new Promise((resolve, reject) => {
      goal = { records, resolve, reject };
      check();
    });
    seen -= records;
    goal = undefined;
  };
}

/** One call at a time. */
export async function alone({ records }, send) {
  const took = [];
  for (let i = 0; i < records; i++) {
    const begun = performance.now();
    await send();
    took.push(performance.now() - begun);
  }
  took.sort((a, b) => a - b);
  return { p50Ms: took[Math.floor(took.length * 0.5)], p99Ms: took[Math.floor(took.length * 0.99)] };
}
