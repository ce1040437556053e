#!/usr/bin/env node
// System calls that fail: the k-th write, sync, rename, open or truncation of a running broker is answered with EIO or ENOSPC by strace.
// NEEDS Linux and strace, and the right to trace a child (root, or kernel.yama.ptrace_scope 0 or 1).
//
//   node compat/fault-injection.mjs [--k 1,2,3,5,8,13,21,34] [--only pwritev:EIO,...] [--dirs 1] [--keep]
//
// For each call, error and k: a broker on a copy of a data directory, strace attached to it, then ten idempotent producers with
// acks=all. The broker has to stop with a line that says why; with `--dirs 2`, when the directory that fails is not that of the
// metadata log, it has to go on and answer KAFKA_STORAGE_ERROR for what lies there, and only for that. Then it is killed and started
// without strace, and everything that was acknowledged is read back. A fault of which the broker says nothing at all is a failure, too.
import { spawn } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { programOptions } from "../scripts/lib/options.mjs";
import { createBroker } from "./lib/brokers.mjs";
import { KillLoop, TIGHT_SETTINGS } from "./lib/kill-loop.mjs";
import { hasProgram } from "./lib/process.mjs";

const FAULTS = [
  "pwritev:EIO",
  "pwritev:ENOSPC",
  "pwrite64:EIO",
  "pwrite64:ENOSPC",
  "fdatasync:EIO",
  "fsync:EIO",
  "rename:EIO",
  "rename:ENOSPC",
  "openat:EIO",
  "openat:ENOSPC",
  "ftruncate:EIO",
  "unlink:EIO",
];
const RUN_MS = 1200;
const AFTER_MS = 200;
/** A broker whose metadata log has failed stops; it may take its time. */
const STOP_MS = 5000;
/** KAFKA_STORAGE_ERROR */
const FENCED = "Produce answered 56";
/** One thread for all file operations, or each would have a k of its own; and no ring, which strace does not see. */
const ENV = { UV_THREADPOOL_SIZE: "1", UV_USE_IO_URING: "0" };

const values = programOptions({
  k: { type: "string", default: "1,2,3,5,8,13,21,34" },
  only: { type: "string", default: FAULTS.join(",") },
  dirs: { type: "string", default: "1" },
  keep: { type: "boolean", default: false },
});
if (process.platform !== "linux" || !hasProgram("strace", ["-V"])) {
  process.stderr.write("fault-injection: this needs Linux and strace (Debian and Ubuntu: apt install strace)\n");
  process.exit(2);
}
const work = mkdtempSync(join(tmpdir(), "samsa-faults-"));
const running = new Set();

/** Attaches strace; resolves when it is there, with a way to wait for its end. The calls it lets fail are in `file` then. */
async function attach(pid, call, errno, k, file) {
  const rule = `inject=${call}:error=${errno}:when=${k}`;
  const child = spawn("strace", ["-f", "-y", "-p", String(pid), "-e", `trace=${call}`, "-e", rule, "-o", file]);
  const ended = new Promise((resolve) => child.once("exit", resolve));
  let said = "";
  await new Promise((resolve, reject) => {
    child.stderr.setEncoding("utf8").on("data", (text) => {
      said += text;
      if (/attached/.test(said)) resolve();
    });
    void ended.then(() => reject(new Error(`strace ended: ${said}`)));
  });
  await sleep(100); // the other threads
  return { ended };
}

/** What became of one fault: `{ injected, outcome, file, problem }`. */
async function runCase(template, call, errno, k, index) {
  const dir = join(work, `case-${index}`);
  const dataDirs = dataDirsOf(dir);
  mkdirSync(dir);
  for (const [number, from] of dataDirsOf(template).entries()) cpSync(from, dataDirs[number], { recursive: true });
  const broker = await createBroker("samsa", dir, settingsFor(dataDirs), { dataDir: dataDirs[0] });
  running.add(broker);
  broker.env = ENV;
  try {
    await broker.start();
    const loop = new KillLoop(broker);
    const trace = join(dir, "strace.txt");
    const wordsBefore = broker.lastWords(10_000);
    const strace = await attach(broker.pid, call, errno, k, trace);
    const errors = await loop.produceFor(RUN_MS);
    const isFencing = errors.every((error) => error === FENCED);
    for (let waited = 0; broker.isRunning && waited < (isFencing ? AFTER_MS : STOP_MS); waited += 50) await sleep(50);
    const hasEnded = !broker.isRunning;
    const lines = broker.lastWords(10_000).slice(wordsBefore.length).trim().split("\n");
    await broker.kill();
    await strace.ended;
    // One for each thread: strace counts them one by one, and small appends are written by the main thread.
    const injected = readFileSync(trace, "utf8")
      .split("\n")
      .filter((line) => line.includes("(INJECTED)"));
    await broker.start();
    await loop.verify({ isWhole: true });
    await broker.kill();
    const ours = injected.find((line) => line.includes(dir));
    if (ours === undefined) return { outcome: "never came to that call" };
    const file = fileOf(ours);
    const told = lines.some((line) => line.includes(errno));
    const fenced = errors.filter((error) => error === FENCED).length;
    const unexpected = errors.find((error) => !hasEnded && error !== FENCED);
    let problem;
    if (unexpected !== undefined) problem = `a producer was told: ${unexpected}`;
    else if (!told) problem = `no line names ${errno}; last: ${lines.at(-1)}`;
    else if (hasEnded && !injected.some((line) => line.includes(dataDirs[0])))
      problem = `the process ended though a directory is left: ${lines.at(-1)}`;
    const outcome = hasEnded ? "the broker stopped" : fenced > 0 ? "a log was fenced" : told ? "told" : "said nothing";
    return { outcome, file, problem, lines, fenced };
  } finally {
    await broker.kill();
    running.delete(broker);
    if (!values.keep) rmSync(dir, { recursive: true, force: true });
  }
}

/** The file of a call, below the data directory. */
function fileOf(line) {
  const path =
    line
      .match(/[<"]\/[^>"]*[>"]/g)
      ?.at(-1)
      ?.slice(1, -1) ?? line;
  return path.replace(/^.*\/data-\d+\//, "").replace(/\d{20}(?=\.)/, "*");
}

function dataDirsOf(dir) {
  return Array.from({ length: Number(values.dirs) }, (_, index) => join(dir, `data-${index}`));
}

function settingsFor(dataDirs) {
  return dataDirs.length === 1 ? TIGHT_SETTINGS : { ...TIGHT_SETTINGS, "log.dirs": dataDirs.join(",") };
}

async function makeTemplate() {
  const dir = join(work, "template");
  mkdirSync(dir);
  const dataDirs = dataDirsOf(dir);
  const broker = await createBroker("samsa", dir, settingsFor(dataDirs), { dataDir: dataDirs[0] });
  running.add(broker);
  await broker.start();
  await new KillLoop(broker).createTopics();
  await broker.stop();
  running.delete(broker);
  return dir;
}

const end = async () => {
  for (const broker of running) await broker.kill();
  if (!values.keep) rmSync(work, { recursive: true, force: true });
};
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => void end().then(() => process.exit(130)));

try {
  const template = await makeTemplate();
  const counts = new Map();
  let problems = 0;
  let index = 0;
  for (const fault of values.only.split(",")) {
    const [call, errno] = fault.split(":");
    for (const k of values.k.split(",").map(Number)) {
      const result = await runCase(template, call, errno, k, index++).catch((error) => ({
        outcome: "FAILED",
        problem: error.message,
      }));
      const what = `${call} ${errno} k=${k}`;
      process.stdout.write(
        `${what}: ${result.file ?? ""} ${result.outcome}${result.fenced > 0 ? ` (${result.fenced} producers told)` : ""}\n`,
      );
      if (result.problem !== undefined) {
        problems++;
        process.stdout.write(`  WRONG: ${result.problem}\n`);
      }
      counts.set(result.outcome, (counts.get(result.outcome) ?? 0) + 1);
      if (result.outcome === "never came to that call") break;
    }
  }
  const summary = [...counts].map(([outcome, count]) => `${count} ${outcome}`).join(", ");
  process.stdout.write(`\n${index} runs: ${summary}; ${problems} wrong\n`);
  if (problems > 0) process.exitCode = 1;
} finally {
  await end();
}
