import process from "node:process";
import type { Admin, Assignment, ConsumerOptions, Kafka, OffsetSpec } from "@samsa/client";
import { CONSUMER_OPTION_NAMES } from "@samsa/client";
import type { ConnectOptions } from "../client.ts";
import { withKafka, withTopicNames } from "../client.ts";
import { ExitCode, UsageError } from "../exit-code.ts";
import type { StartAt } from "../offset-option.ts";
import { startAt } from "../offset-option.ts";
import { Output } from "../output.ts";
import { Progress } from "../progress.ts";
import type { RecordFormat, ShownRecord } from "../record-format.ts";
import { jsonLines, recordFormat, valueLines } from "../record-format.ts";
import { onInterrupt } from "../signals.ts";
import { isTerminal, say } from "../talk.ts";
import type { Reading } from "./group-reading.ts";
import { AssignedReading, GroupReading } from "./group-reading.ts";

export interface ConsumeOptions extends ConnectOptions {
  readonly offset: string;
  readonly count?: number;
  readonly format?: string;
  readonly json?: boolean;
  readonly partition?: readonly number[];
  readonly exit?: boolean;
  readonly group?: string;
  readonly isolation: string;
}

/** Writes the records of a topic to stdout. */
export async function consume(topic: string, options: ConsumeOptions): Promise<ExitCode> {
  const format = formatOf(options);
  const from = startAt(options.offset, Date.now());
  if (options.group !== undefined) checkGroupOptions(from, options);
  return await withKafka(
    options,
    async (kafka, properties) => {
      const reading = await readingOf(kafka, topic, from, options, properties);
      const output = new Output();
      const progress = new Progress("consumed");
      const interruption = onInterrupt(() => reading.stop());
      const wanted = options.count ?? Number.POSITIVE_INFINITY;
      try {
        if (options.exit !== true && isTerminal() && process.stdout.isTTY) say("Ctrl-C stops");
        const shown = new ShownView(topic);
        let taken = 0;
        for await (const batch of taken < wanted ? reading.batches() : []) {
          shown.partition = batch.partition;
          let bytes = 0;
          let next = batch.lastOffset + 1;
          const before = taken;
          for (const view of batch.views()) {
            shown.view = view;
            format(shown, output.put);
            bytes += Math.max(view.valueLength, 0);
            if (output.isFull) await output.drain();
            if (++taken === wanted) {
              next = view.offset + 1;
              break;
            }
          }
          if (!process.stdout.isTTY) progress.add(taken - before, bytes);
          if (taken < wanted) await output.drain();
          reading.wrote(batch.partition, next);
          if (taken === wanted) break;
        }
        await output.drain();
        await reading.finish();
      } finally {
        await output.drain();
        interruption.dispose();
        progress.clear();
      }
      if (isTerminal() && !process.stdout.isTTY) say(progress.summary());
      return interruption.exitCode ?? ExitCode.DONE;
    },
    CONSUMER_OPTION_NAMES,
  );
}

function checkGroupOptions(from: StartAt, { partition }: ConsumeOptions): void {
  if (partition !== undefined)
    throw new UsageError("--group and --partition: the group says who reads which partition");
  if (from.kind !== "start" && from.kind !== "end") {
    throw new UsageError(
      "--group goes on where the group is; --offset start or end is for what it has not read yet. To move it: samsa group reset-offsets",
    );
  }
}

async function readingOf(
  kafka: Kafka,
  topic: string,
  from: StartAt,
  options: ConsumeOptions,
  properties: Readonly<Record<string, unknown>>,
): Promise<Reading> {
  const admin = kafka.admin();
  const isolationLevel = options.isolation as NonNullable<ConsumerOptions["isolationLevel"]>;
  const { group: groupId } = options;
  if (groupId !== undefined) {
    await withTopicNames(admin, [topic], () => admin.describeTopics([topic]));
    const autoOffsetReset = from.kind === "start" ? "earliest" : "latest";
    const consumer = kafka.consumer({ isolationLevel, autoOffsetReset, ...properties, groupId });
    const reading = new GroupReading(consumer, topic);
    if (options.exit === true) await reading.stopAtEnd(admin);
    consumer.subscribe([topic]);
    return reading;
  }
  const assignments = await withTopicNames(admin, [topic], () => assignmentsOf(admin, topic, from, options));
  // What was asked for and is gone is told, not skipped.
  const autoOffsetReset = from.kind === "start" ? "earliest" : "none";
  const consumer = kafka.consumer({ isolationLevel, autoOffsetReset, ...properties });
  await consumer.assign(assignments);
  return new AssignedReading(consumer);
}

/** The record under the cursor of a batch, with the names around it. */
class ShownView implements ShownRecord {
  readonly topic: string;
  partition = -1;
  view: Omit<ShownRecord, "topic" | "partition"> | undefined;

  constructor(topic: string) {
    this.topic = topic;
  }

  get offset(): number {
    return this.view?.offset ?? -1;
  }

  get timestamp(): number {
    return this.view?.timestamp ?? -1;
  }

  get key(): Uint8Array | null {
    return this.view?.key ?? null;
  }

  get value(): Uint8Array | null {
    return this.view?.value ?? null;
  }

  headers(): ReturnType<ShownRecord["headers"]> {
    return this.view?.headers() ?? [];
  }
}

function formatOf({ json, format }: ConsumeOptions): RecordFormat {
  if (json === true && format !== undefined) throw new UsageError("--json and --format: one of them");
  if (json === true) return jsonLines;
  return format === undefined ? valueLines : recordFormat(format);
}

async function assignmentsOf(
  admin: Admin,
  topic: string,
  from: StartAt,
  options: ConsumeOptions,
): Promise<readonly Assignment[]> {
  const [described] = await admin.describeTopics([topic]);
  const all = described?.partitions.map(({ partition }) => partition) ?? [];
  const partitions = options.partition ?? all;
  const missing = partitions.find((partition) => !all.includes(partition));
  if (missing !== undefined) {
    throw new UsageError(`${topic} has no partition ${missing}; it has 0 to ${all.length - 1}`);
  }
  const offsets = await offsetsOf(admin, topic, partitions, from);
  return partitions.map((partition, index) => ({
    topic,
    partition,
    offset: offsets[index] ?? "earliest",
    ...(options.exit === true ? { endOffset: "latest" as const } : {}),
  }));
}

async function offsetsOf(
  admin: Admin,
  topic: string,
  partitions: readonly number[],
  from: StartAt,
): Promise<readonly OffsetSpec[]> {
  switch (from.kind) {
    case "start":
      return partitions.map(() => "earliest");
    case "end":
      return partitions.map(() => "latest");
    case "offset":
      return partitions.map(() => from.offset);
    case "time":
      return partitions.map(() => ({ timestampMs: from.timestampMs }));
    case "last": {
      const starts = await admin.listOffsets(partitions.map((partition) => ({ topic, partition, at: "earliest" })));
      const ends = await admin.listOffsets(partitions.map((partition) => ({ topic, partition, at: "latest" })));
      return partitions.map((_, index) =>
        Math.max(starts[index]?.offset ?? 0, (ends[index]?.offset ?? 0) - from.count),
      );
    }
  }
}
