import process from "node:process";
import { isTerminal } from "./talk.ts";

const FIRST_AFTER_MS = 1000;
const EVERY_MS = 200;

/** One line on the terminal that counts, for work that takes over a second. Elsewhere it says nothing. */
export class Progress {
  readonly #verb: string;
  readonly #startedMs = performance.now();
  readonly #isShown = isTerminal();
  #nextMs = FIRST_AFTER_MS;
  #width = 0;
  #calls = 0;
  records = 0;
  bytes = 0;

  constructor(verb: string) {
    this.#verb = verb;
  }

  add(records: number, bytes: number): void {
    this.records += records;
    this.bytes += bytes;
    // The clock is not asked for every record.
    if (!this.#isShown || ++this.#calls % 64 !== 0) return;
    const elapsedMs = performance.now() - this.#startedMs;
    if (elapsedMs < this.#nextMs) return;
    this.#nextMs = elapsedMs + EVERY_MS;
    const line = this.summary();
    process.stderr.write(`\r${line.padEnd(this.#width)}`);
    this.#width = line.length;
  }

  /** Takes the line away, so that what is said next begins on a clean one. */
  clear(): void {
    if (this.#width > 0) process.stderr.write(`\r${" ".repeat(this.#width)}\r`);
    this.#width = 0;
  }

  summary(): string {
    const seconds = Math.max(performance.now() - this.#startedMs, 1) / 1000;
    const rate = `${formatCount(Math.round(this.records / seconds))}/s, ${formatBytes(this.bytes / seconds)}/s`;
    const isOne = this.records === 1;
    return `${this.#verb} ${formatCount(this.records)} record${isOne ? "" : "s"}, ${formatBytes(this.bytes)} in ${seconds.toFixed(1)} s (${rate})`;
  }
}

export function formatCount(count: number): string {
  return count.toLocaleString("en-US");
}

export function formatBytes(bytes: number): string {
  if (bytes < 1000) return `${Math.round(bytes)} B`;
  if (bytes < 1e6) return `${(bytes / 1e3).toFixed(1)} kB`;
  return bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(1)} GB`;
}
