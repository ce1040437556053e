import { relative, resolve } from "node:path";
import { run } from "node:test";
import { spec } from "node:test/reporters";
import { inspect } from "node:util";
import { availableParallelism } from "node:os";
import { ROOT } from "./paths.mjs";

// No test takes this long; a file that hangs is ended instead of holding the build for ever.
const FILE_TIMEOUT_MS = 5 * 60_000;

/**
 * @typedef {object} Counts
 * @property {number} passed
 * @property {number} failed
 * @property {number} skipped
 */

/**
 * What one event of node:test says about a test, as far as it is used here.
 *
 * @typedef {object} Report
 * @property {string} name
 * @property {string} [file]
 * @property {number} nesting
 * @property {boolean | string} [skip]
 * @property {boolean | string} [todo]
 * @property {{ duration_ms: number, type?: string, error?: Failure }} details
 *
 * @typedef {Error & { failureType?: string, cause?: unknown, exitCode?: number | null, signal?: string | null }} Failure a file that
 *   broke outside its tests has an exit code or a signal
 */

/**
 * Runs test files, each in a process of its own, and reports on stdout: node's spec on a terminal, elsewhere a line a file and
 * every failure in full.
 *
 * @param {readonly string[]} files absolute
 * @param {{ namePatterns?: readonly string[] }} [options]
 * @returns {Promise<Counts>} tests, without the suites around them
 */
export async function runTests(files, { namePatterns = [] } = {}) {
  // Stack traces then point at the TypeScript. By the environment, because Node 20 hands run() no arguments for the children.
  process.env["NODE_OPTIONS"] = `${process.env["NODE_OPTIONS"] ?? ""} --enable-source-maps`.trim();
  const stream = run({
    files: [...files],
    concurrency: availableParallelism(),
    timeout: FILE_TIMEOUT_MS,
    ...(namePatterns.length > 0 && { testNamePatterns: [...namePatterns] }),
  });
  const counts = { passed: 0, failed: 0, skipped: 0 };
  /** @type {string[]} */
  const emptyFiles = [];
  const count = countInto(counts, emptyFiles);
  stream.on("test:pass", (report) => count(report, true));
  stream.on("test:fail", (report) => count(report, false));
  if (process.stdout.isTTY) await reportAsSpec(stream);
  else await reportByFile(stream);
  if (namePatterns.length === 0) {
    counts.failed += emptyFiles.length;
    for (const file of emptyFiles) process.stdout.write(`not ok ${shown(file)}: the file holds no test\n`);
  }
  return counts;
}

/**
 * @param {Counts} counts
 * @param {string[]} emptyFiles gets the files that hold no test
 * @returns {(report: Report, passed: boolean) => void}
 */
function countInto(counts, emptyFiles) {
  return (report, passed) => {
    if (report.details.type === "suite") return;
    if (passed && isFile(report)) emptyFiles.push(report.name);
    else if (isMissing(report)) counts.skipped += 1;
    else if (passed) counts.passed += 1;
    // A test that fails because of its subtests is not another failure.
    else if (report.details.error?.failureType !== "subtestsFailed") counts.failed += 1;
  };
}

/** @param {import("node:test").TestsStream} stream */
async function reportAsSpec(stream) {
  // One write after the other rather than a pipe: a pipe to stdout has no end to wait for.
  for await (const text of stream.compose(new spec())) process.stdout.write(String(text));
}

/** @param {AsyncIterable<unknown>} stream */
async function reportByFile(stream) {
  /** @type {Map<string, { passed: number, failures: Report[], output: string[], ms: number }>} */
  const pages = new Map();
  /** @param {string} file */
  const pageOf = (file) => {
    const page = pages.get(file) ?? { passed: 0, failures: [], output: [], ms: 0 };
    pages.set(file, page);
    return page;
  };
  let current = "";
  const finish = () => {
    const page = pages.get(current);
    if (page === undefined) return;
    if (page.passed + page.failures.length === 0) return;
    const verdict = page.failures.length === 0 ? "ok    " : "not ok";
    process.stdout.write(`${verdict} ${shown(current)} ${page.passed} (${Math.round(page.ms)} ms)\n`);
    if (page.failures.length > 0) printFailures(page);
    pages.delete(current);
  };
  for await (const item of stream) {
    const { type, data } = /** @type {{ type: string, data: Report & { message?: string } }} */ (item);
    const file = data.file;
    if (file === undefined) continue;
    if (type === "test:stdout" || type === "test:stderr") {
      pageOf(file).output.push(data.message ?? "");
    } else if (type === "test:pass" || type === "test:fail") {
      if (file !== current) finish();
      current = file;
      const page = pageOf(file);
      if (data.nesting === 0) page.ms += data.details.duration_ms;
      if (type === "test:fail" && !isMissing(data)) page.failures.push(data);
      else if (data.details.type !== "suite" && !isFile(data) && !isMissing(data)) page.passed += 1;
    }
  }
  finish();
}

/** @param {{ failures: readonly Report[], output: readonly string[] }} page */
function printFailures({ failures, output }) {
  for (const { name, details } of failures) {
    if (details.error?.failureType === "subtestsFailed") continue;
    const cause =
      details.error?.exitCode === undefined ? (details.error?.cause ?? details.error) : ending(details.error);
    const text = typeof cause === "string" ? cause : inspect(cause, { depth: 6 });
    process.stdout.write(`\n  not ok: ${name}\n${text.replaceAll(/^/gm, "    ")}\n`);
  }
  const text = output.join("").trimEnd();
  if (text !== "") process.stdout.write(`\n  What it printed:\n${text.replaceAll(/^/gm, "    ")}\n`);
  process.stdout.write("\n");
}

/** @param {Failure} failure */
function ending({ exitCode, signal }) {
  return typeof signal === "string" ? `the file was ended by ${signal}` : `the file ended with exit code ${exitCode}`;
}

/**
 * Node reports a file as a test when it broke outside its tests, or when it holds none.
 *
 * @param {Report} report
 */
function isFile({ name, file, nesting }) {
  return nesting === 0 && file !== undefined && resolve(name) === file;
}

/** @param {Report} report */
function isMissing({ skip, todo }) {
  return (skip !== undefined && skip !== false) || (todo !== undefined && todo !== false);
}

/** @param {string} file */
function shown(file) {
  return relative(ROOT, file).replaceAll("\\", "/");
}
