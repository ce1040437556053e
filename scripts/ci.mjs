/**
 * What the build server runs, and anybody before a push: the README's own commands, one after the other. Each ends with a line
 * `N passed, N failed`; this ends with their sum, and nothing else looks like it. What they print is kept in .cache/ci, and
 * what went wrong in them is shown when they fail.
 */
import { spawn } from "node:child_process";
import { createWriteStream, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { finished } from "node:stream/promises";
import { ROOT } from "./lib/paths.mjs";
import { npmCommand } from "./lib/run.mjs";
import { failuresFirst } from "./lib/step-log.mjs";

const STEPS = [
  { title: "npm test", log: "test.log", args: ["test"] },
  { title: "npm run check", log: "check.log", args: ["run", "check"] },
  { title: "npm run compat", log: "compat.log", args: ["run", "compat"] },
];
const SUMMARY = /^(\d+) passed, (\d+) failed$/gm;
const LOGS = join(ROOT, ".cache/ci");
const STILL_RUNNING_MS = 120_000;

process.exitCode = await main();

/** @returns {Promise<number>} the exit code */
async function main() {
  mkdirSync(LOGS, { recursive: true });
  const total = { passed: 0, failed: 0 };
  for (const step of STEPS) {
    const { passed, failed } = await perform(step);
    total.passed += passed;
    total.failed += failed;
  }
  process.stdout.write(`${total.passed} passed, ${total.failed} failed\n`);
  return total.failed > 0 || total.passed === 0 ? 1 : 0;
}

/**
 * @param {{ title: string, log: string, args: readonly string[] }} step
 * @returns {Promise<{ passed: number, failed: number }>}
 */
async function perform({ title, log, args }) {
  const path = join(LOGS, log);
  const started = Date.now();
  const secondsSince = () => Math.round((Date.now() - started) / 1000);
  // A build server takes silence for a hang.
  const timer = setInterval(
    () => process.stdout.write(`... ${title} is running (${secondsSince()} s)\n`),
    STILL_RUNNING_MS,
  );
  const code = await runInto(path, args);
  clearInterval(timer);

  const text = readFileSync(path, "utf8");
  const summary = [...text.matchAll(SUMMARY)].at(-1);
  const passed = Number(summary?.[1] ?? 0);
  const reported = Number(summary?.[2] ?? 0);
  // A command that fails without counting a failure, or says nothing of what it did, is a failure itself.
  const failed = reported === 0 && (code !== 0 || summary === undefined) ? 1 : reported;
  const verdict = failed === 0 ? "ok    " : "not ok";
  process.stdout.write(`${verdict} ${title} (${secondsSince()} s): ${passed} of ${passed + failed}\n`);
  if (failed > 0) {
    const shown = failuresFirst(text);
    process.stdout.write(`${shown.replaceAll(/^/gm, "    ")}\n    exit code ${code}; the whole is in ${path}\n\n`);
  }
  return { passed, failed };
}

/**
 * Runs npm with both its streams in a file.
 *
 * @param {string} path
 * @param {readonly string[]} args
 * @returns {Promise<number>} the exit code
 */
async function runInto(path, args) {
  const [command, commandArgs] = npmCommand(args);
  const file = createWriteStream(path);
  const child = spawn(command, commandArgs, { cwd: ROOT, stdio: ["ignore", "pipe", "pipe"] });
  child.stdout.pipe(file, { end: false });
  child.stderr.pipe(file, { end: false });
  /** @type {number} */
  const code = await new Promise((resolve) => {
    child.on("error", (error) => {
      file.write(`cannot run ${command}: ${error.message}\n`);
      resolve(1);
    });
    child.on("close", (exitCode, signal) => {
      if (signal !== null) file.write(`ended by ${signal}\n`);
      resolve(exitCode ?? 1);
    });
  });
  file.end();
  await finished(file);
  return code;
}
