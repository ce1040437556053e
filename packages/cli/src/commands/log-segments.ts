import { statSync } from "node:fs";
import process from "node:process";
import type { PartitionDescription, SegmentDescription } from "@samsa/server";
import { dataDirectoryHolder, jsonText, listPartitions } from "@samsa/server";
import { CommandError, ExitCode } from "../exit-code.ts";
import { invocation } from "../invocation.ts";
import { formatBytes, formatCount } from "../progress.ts";
import { table } from "../table.ts";
import { say } from "../talk.ts";
import { existingDataDirectory, noPartitions } from "./data-directory.ts";

export interface SegmentsCommandOptions {
  readonly dataDir?: string;
  readonly json?: boolean;
}

/** Shows the partitions of a data directory and the segments of each. */
export async function logSegments(names: readonly string[], options: SegmentsCommandOptions): Promise<ExitCode> {
  const { directory, filter } = whatIsMeant(names, options.dataDir);
  const all: string[] = [];
  const partitions = await listPartitions(directory, (folder, topic) => {
    all.push(topic);
    return filter === undefined || folder === filter || topic === filter;
  });
  if (all.length === 0) throw noPartitions(directory);
  if (partitions.length === 0) {
    const topics = [...new Set(all)];
    throw new CommandError(ExitCode.KAFKA_ERROR, `${directory} has neither a topic nor a partition ${filter ?? ""}`, [
      `the topics there are:  ${topics.slice(0, 10).join(" ")}${topics.length > 10 ? " …" : ""}`,
    ]);
  }
  const holder = dataDirectoryHolder(directory);
  if (holder !== undefined) say(`a broker runs on ${directory} (${holder}): the ends of logs move meanwhile`);
  process.stdout.write(
    options.json === true
      ? partitions.map((partition) => `${jsonText(partition)}\n`).join("")
      : partitions.map((partition) => partitionText(partition)).join("\n"),
  );
  const isReadable = partitions.every(({ segments }) => segments.every(({ problem }) => problem === undefined));
  if (!isReadable) say(`what is wrong, and where exactly:  ${invocation()} log verify ${directory}`);
  return ExitCode.DONE;
}

/** `segments`, `segments DIR`, `segments TOPIC`, `segments DIR TOPIC-0`: what is no folder is a name. */
function whatIsMeant(
  names: readonly string[],
  dataDir: string | undefined,
): { readonly directory: string; readonly filter: string | undefined } {
  const [first, second] = names;
  const firstIsFolder =
    dataDir === undefined &&
    first !== undefined &&
    (second !== undefined || first.includes("/") || statSync(first, { throwIfNoEntry: false }) !== undefined);
  return firstIsFolder
    ? { directory: existingDataDirectory(first), filter: second }
    : { directory: existingDataDirectory(dataDir), filter: first };
}

function partitionText(partition: PartitionDescription): string {
  const { folder, topicId, logStartOffset, logEndOffset, highWatermark, recoveryPoint, segments, bytes } = partition;
  const facts = [
    `log start ${logStartOffset}`,
    `log end ${logEndOffset}`,
    `high watermark ${highWatermark ?? "-"}`,
    `recovery point ${recoveryPoint ?? "-"}`,
    formatBytes(bytes),
    ...(topicId === null ? [] : [`id ${topicId}`]),
    ...(partition.state === "current" ? [] : [partition.state.toUpperCase()]),
  ];
  return `${folder}: ${facts.join(", ")}\n${table(HEADER, segments.map(segmentRow))}${segments.flatMap(problemLine).join("")}`;
}

const HEADER = [
  "  BASE OFFSET",
  "LAST OFFSET",
  "STATE",
  "BYTES",
  "BATCHES",
  "RECORDS",
  "FIRST TIME",
  "LAST TIME",
  "INDEX",
  "TIME INDEX",
  "ABORTED",
];

function segmentRow(segment: SegmentDescription): readonly string[] {
  return [
    `  ${segment.baseOffset}`,
    String(segment.lastOffset ?? "-"),
    segment.problem === undefined ? segment.state : `${segment.state} (!)`,
    formatCount(segment.bytes),
    formatCount(segment.batches),
    formatCount(segment.records),
    timeText(segment.firstTimestamp),
    timeText(segment.maxTimestamp),
    String(segment.offsetIndexEntries ?? "none"),
    String(segment.timeIndexEntries ?? "none"),
    String(segment.abortedTransactions),
  ];
}

function problemLine({ file, problem }: SegmentDescription): readonly string[] {
  return problem === undefined ? [] : [`  (!) ${file}: ${problem}\n`];
}

/** Dates beyond what Date can hold are shown as the number they are. */
function timeText(timestamp: number | null): string {
  if (timestamp === null || timestamp < 0) return "-";
  return timestamp > 8.64e15 ? String(timestamp) : new Date(timestamp).toISOString();
}
