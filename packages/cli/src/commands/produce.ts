import { createReadStream, statSync } from "node:fs";
import process from "node:process";
import type { KafkaError } from "@samsa/base";
import type { ProducerHeader, ProducerOptions, ProducerRecord } from "@samsa/client";
import { PRODUCER_OPTION_NAMES } from "@samsa/client";
import type { ConnectOptions } from "../client.ts";
import { withKafka } from "../client.ts";
import { ExitCode, UsageError } from "../exit-code.ts";
import { LineSplitter } from "../line-splitter.ts";
import { formatCount, Progress } from "../progress.ts";
import { unescapeBytes } from "../record-format.ts";
import { onInterrupt } from "../signals.ts";
import { isTerminal, say } from "../talk.ts";

export interface ProduceOptions extends ConnectOptions {
  readonly keySeparator?: string | true;
  readonly header?: readonly string[];
  readonly file?: string;
  readonly delimiter: string;
  readonly partition?: number;
  readonly acks: string;
  readonly compression: string;
  readonly emptyAsNull?: boolean;
  readonly maxRequestSize: number;
}

/** Larger than Kafka's default: what comes from a file or a pipe comes in numbers. */
const BATCH_SIZE = 128 * 1024;
/** A topic that is created by itself is there in a moment; one that is not will not come. */
const MAX_BLOCK_MS = 5000;

/** Sends each line of a file or of stdin as a record. */
export async function produce(topic: string | undefined, options: ProduceOptions): Promise<ExitCode> {
  const name = topicOf(topic, options);
  const toRecord = recordMaker(name, options);
  const splitter = new LineSplitter(unescapeBytes(options.delimiter), options.maxRequestSize);
  const input = openInput(options.file);
  const producerOptions = producerOptionsOf(options);
  return await withKafka(
    options,
    async (kafka, properties) => {
      const producer = kafka.producer({ ...producerOptions, ...properties });
      const progress = new Progress("produced");
      let failed = 0;
      let failure: KafkaError | undefined;
      const interruption = onInterrupt(() => input.destroy());
      const onDelivery = (error: KafkaError | undefined): void => {
        if (error === undefined) return progress.add(1, 0);
        failed++;
        failure ??= error;
        input.destroy(); // what comes after would only fail too
      };
      const deliver = (line: Uint8Array): boolean => {
        progress.add(0, line.length);
        return producer.write(toRecord(line), onDelivery);
      };
      try {
        for await (const chunk of input as AsyncIterable<Uint8Array>) {
          for (const line of splitter.push(chunk)) {
            if (!deliver(line)) await producer.ready();
            if (failure !== undefined) break;
          }
        }
        const last = splitter.end();
        if (last !== undefined) deliver(last);
      } catch (error) {
        const isOurs = interruption.exitCode !== undefined || failure !== undefined;
        if (!isOurs) throw error;
      } finally {
        await producer.flush();
        interruption.dispose();
        progress.clear();
      }
      if (failure !== undefined) {
        say(`${formatCount(progress.records)} records were produced, ${formatCount(failed)} were not`);
        throw failure;
      }
      if (isTerminal()) say(progress.summary());
      return interruption.exitCode ?? ExitCode.DONE;
    },
    PRODUCER_OPTION_NAMES,
  );
}

function topicOf(topic: string | undefined, options: ProduceOptions): string {
  if (topic !== undefined) return topic;
  const { keySeparator } = options;
  const hint =
    typeof keySeparator === "string"
      ? `; -k took ${JSON.stringify(keySeparator)} for its separator: name the topic first`
      : "";
  throw new UsageError(`the topic is missing: samsa produce TOPIC${hint}`);
}

function producerOptionsOf(options: ProduceOptions): ProducerOptions {
  const acks = options.acks === "all" || options.acks === "-1" ? "all" : Number(options.acks);
  return {
    acks: acks as NonNullable<ProducerOptions["acks"]>,
    compressionType: options.compression as NonNullable<ProducerOptions["compressionType"]>,
    batchSize: Math.min(BATCH_SIZE, options.maxRequestSize),
    maxRequestSize: options.maxRequestSize,
    maxBlockMs: MAX_BLOCK_MS,
  };
}

/** How a line becomes a record: key before the separator, value after it. */
export function recordMaker(
  topic: string,
  options: Pick<ProduceOptions, "keySeparator" | "header" | "partition" | "emptyAsNull">,
): (line: Uint8Array) => ProducerRecord {
  const { keySeparator, partition, emptyAsNull = false } = options;
  const separator =
    keySeparator === undefined ? undefined : Buffer.from(unescapeBytes(keySeparator === true ? "\\t" : keySeparator));
  if (separator?.length === 0) throw new UsageError("-k wants a separator that is not empty");
  const headers = (options.header ?? []).map(headerOf);
  const valueOf = (bytes: Uint8Array): Uint8Array | null => (emptyAsNull && bytes.length === 0 ? null : bytes);
  const record = (key: Uint8Array | null, value: Uint8Array): ProducerRecord =>
    partition === undefined
      ? { topic, headers, key, value: valueOf(value) }
      : { topic, headers, key, value: valueOf(value), partition };
  if (separator === undefined) return (line) => record(null, line);
  return (line) => {
    const at = Buffer.from(line.buffer, line.byteOffset, line.length).indexOf(separator);
    return at < 0 ? record(null, line) : record(line.subarray(0, at), line.subarray(at + separator.length));
  };
}

function headerOf(pair: string): ProducerHeader {
  const at = pair.indexOf("=");
  if (at < 1) throw new UsageError(`-H wants name=value, not ${JSON.stringify(pair)}`);
  return { key: pair.slice(0, at), value: pair.slice(at + 1) };
}

function openInput(file: string | undefined): NodeJS.ReadStream | ReturnType<typeof createReadStream> {
  if (file === undefined || file === "-") {
    if (process.stdin.isTTY) say("each line is a record; Ctrl-D ends");
    return process.stdin;
  }
  try {
    if (statSync(file).isDirectory()) throw new Error("it is a folder");
  } catch (error) {
    throw new UsageError(`${file} cannot be read: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
  return createReadStream(file, { highWaterMark: 256 * 1024 });
}
