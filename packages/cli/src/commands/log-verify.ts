import { existsSync } from "node:fs";
import process from "node:process";
import type { Finding, VerifyProgress, VerifySummary } from "@samsa/server";
import { dataDirectoryHolder, jsonText, verifyDataDirectory } from "@samsa/server";
import { CommandError, ExitCode } from "../exit-code.ts";
import { formatBytes, formatCount } from "../progress.ts";
import { bold, isTerminal, red, say } from "../talk.ts";
import { existingDataDirectory, noPartitions } from "./data-directory.ts";

export interface VerifyCommandOptions {
  readonly dataDir?: string;
  readonly force?: boolean;
  readonly json?: boolean;
}

const FIRST_AFTER_MS = 500;
const EVERY_MS = 200;

/** Reads everything in a data directory and tells, a line each, what is wrong. */
export async function verifyLog(named: string | undefined, options: VerifyCommandOptions): Promise<ExitCode> {
  const directory = existingDataDirectory(named ?? options.dataDir);
  const holder = dataDirectoryHolder(directory);
  if (holder !== undefined && options.force !== true) {
    throw new CommandError(ExitCode.KAFKA_ERROR, `a broker runs on ${directory} (${holder})`, [
      "stop it first: what it is writing would be taken for damage",
      "or look all the same, and believe nothing of active segments:  --force",
    ]);
  }
  const line = new ProgressLine();
  const summary = await verifyDataDirectory(directory, {
    report(finding) {
      line.clear();
      process.stdout.write(`${options.json === true ? jsonText(finding) : findingText(finding)}\n`);
    },
    onProgress: (progress) => line.show(progress),
  });
  line.clear();
  if (summary.partitions === 0 && !existsSync(`${directory}/meta.properties`)) throw noPartitions(directory);
  const isSound = summary.damage + summary.repairable === 0;
  if (options.json === true) process.stdout.write(`${jsonText({ summary: { ...summary, isSound } })}\n`);
  else say(summaryText(directory, summary));
  return isSound ? ExitCode.DONE : ExitCode.KAFKA_ERROR;
}

function findingText({ severity, file, position, offset, message }: Finding): string {
  const where = [
    file,
    ...(position === undefined ? [] : [`position ${position}`]),
    ...(offset === undefined ? [] : [`offset ${offset}`]),
  ];
  return `${severity}: ${where.join(", ")}: ${message}`;
}

function summaryText(directory: string, summary: VerifySummary): string {
  const { partitions, segments, batches, records, bytes, damage, repairable, notes } = summary;
  const read = `${formatCount(partitions)} partitions, ${formatCount(segments)} segments, ${formatCount(batches)} batches, ${formatCount(records)} records, ${formatBytes(bytes)}`;
  const noted = notes === 0 ? "" : ` (${notes} notes)`;
  if (damage + repairable === 0) return `${bold(`${directory} is sound`)}${noted}: ${read}`;
  const found = [
    ...(damage === 0 ? [] : [`${damage} damaged`]),
    ...(repairable === 0 ? [] : [`${repairable} that a start repairs`]),
  ];
  return `${red(`${directory}: ${found.join(", ")}`)}${noted}: ${read}`;
}

/** One line that is written over and over, on a terminal. */
class ProgressLine {
  readonly #startedMs = performance.now();
  #nextMs = FIRST_AFTER_MS;
  #width = 0;

  show({ partitions, ofPartitions, folder, bytes }: VerifyProgress): void {
    const elapsedMs = performance.now() - this.#startedMs;
    if (!isTerminal() || elapsedMs < this.#nextMs) return;
    this.#nextMs = elapsedMs + EVERY_MS;
    const rate = formatBytes(bytes / (elapsedMs / 1000));
    const line = `${partitions} of ${ofPartitions} partitions, ${formatBytes(bytes)} (${rate}/s), at ${folder}`;
    process.stderr.write(`\r${line.padEnd(this.#width)}`);
    this.#width = line.length;
  }

  clear(): void {
    if (this.#width > 0) process.stderr.write(`\r${" ".repeat(this.#width)}\r`);
    this.#width = 0;
  }
}
