// Runs suites of checks and tells how they went. A check is a sentence and a function that throws when the sentence is untrue.
import { readFileSync } from "node:fs";
import process from "node:process";

/**
 * A limit tells what hangs from what takes its time, and is set by what it takes on a machine that does nothing else: every limit is
 * stretched by this, for those that do.
 */
export const PATIENCE = 3;
const DEFAULT_LIMIT_MS = 120_000;

/** Differences we know of and accept for now, each with a reason: compat/allow-list.json. */
export function readAllowList(file) {
  const entries = JSON.parse(readFileSync(file, "utf8"));
  for (const entry of entries) {
    if (!entry.suite || !entry.check || !entry.reason)
      throw new Error(`${file}: an entry needs suite, check and reason`);
  }
  return entries;
}

export class Tally {
  passed = 0;
  failed = 0;
  known = 0;
  notRun = [];
  failures = [];
  #allowList;

  constructor(allowList = []) {
    this.#allowList = allowList;
  }

  /** Runs one check of one suite and prints its line. Never throws. */
  async check(suite, sentence, run, limitMs = DEFAULT_LIMIT_MS) {
    const started = performance.now();
    const error = await outcome(run, limitMs * PATIENCE);
    const seconds = `(${((performance.now() - started) / 1000).toFixed(1)} s)`;
    const allowed = this.#allowList.find((entry) => entry.suite === suite && entry.check === sentence);
    if (error === undefined && allowed === undefined) {
      this.passed++;
      say(`ok      ${suite}: ${sentence} ${seconds}`);
    } else if (error === undefined) {
      this.#fail(suite, sentence, `passes now; take it off the allow-list (${allowed.reason})`, seconds);
    } else if (allowed !== undefined) {
      this.known++;
      say(`known   ${suite}: ${sentence} ${seconds}\n        ${allowed.reason}`);
    } else {
      this.#fail(suite, sentence, error, seconds);
    }
    return error === undefined;
  }

  /** Counts what another tally has counted. */
  add({ passed, failed, known, failures }) {
    this.passed += passed;
    this.failed += failed;
    this.known += known;
    this.failures.push(...failures);
  }

  skip(suite, reason, isFailure) {
    this.notRun.push(`${suite}: ${reason}`);
    say(`not run ${suite}: ${reason}`);
    if (isFailure) this.#fail(suite, "runs here", reason, "");
  }

  #fail(suite, sentence, error, seconds) {
    this.failed++;
    this.failures.push(`${suite}: ${sentence}`);
    const reason = String(error instanceof Error ? error.message : error);
    say(`FAILED  ${suite}: ${sentence} ${seconds}\n${indent(reason)}`);
  }

  summary() {
    const lines = [];
    if (this.failures.length > 0) lines.push("", "failed:", ...this.failures.map((name) => `  ${name}`));
    if (this.notRun.length > 0) lines.push("", "not run:", ...this.notRun.map((name) => `  ${name}`));
    if (this.known > 0) lines.push("", `${this.known} known differences, see compat/allow-list.json`);
    return [...lines, "", `${this.passed} passed, ${this.failed} failed`].join("\n");
  }
}

async function outcome(run, limitMs) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done after ${limitMs / 1000} s`)), limitMs);
  });
  try {
    await Promise.race([run(), late]);
    return undefined;
  } catch (error) {
    return error ?? new Error("failed without a reason");
  } finally {
    clearTimeout(timer);
  }
}

function indent(text) {
  const lines = text.trimEnd().split("\n");
  const shown =
    lines.length > 30 ? [...lines.slice(0, 5), `... ${lines.length - 25} lines ...`, ...lines.slice(-20)] : lines;
  return shown.map((line) => `        ${line.slice(0, 400)}`).join("\n");
}

export function say(text) {
  process.stdout.write(`${text}\n`);
}

/** Throws with the sentence when the condition does not hold. */
export function expect(condition, sentence) {
  if (!condition) throw new Error(sentence);
}
