import type { RecordHeader } from "@samsa/protocol";
import { ConfigurationError } from "../../errors.ts";
import type { OptionRule } from "../../options.ts";
import { aName, boolean, milliseconds, resolveOptions } from "../../options.ts";
import type { Producer } from "../../producer/producer.ts";
import type { ProducerHeader } from "../../producer/record.ts";
import { DecodeError } from "../decode-error.ts";
import type { FailedRecord } from "./failed-record.ts";

/**
 * Headers of what has failed, all of them text. Those that Kafka Connect gives its dead letters have its names; those that only a
 * retry needs are ours.
 */
export const FailureHeader = {
  topic: "__connect.errors.topic", // where the record was first
  partition: "__connect.errors.partition",
  offset: "__connect.errors.offset",
  stage: "__connect.errors.stage", // KEY_CONVERTER, VALUE_CONVERTER: could not be decoded; TASK_PUT: the handler threw
  exceptionClass: "__connect.errors.exception.class.name",
  exceptionMessage: "__connect.errors.exception.message",
  exceptionStacktrace: "__connect.errors.exception.stacktrace",
  timestamp: "samsa.errors.timestamp", // when it failed last
  attempts: "samsa.errors.attempts", // calls of handlers, in all topics together
  notBefore: "samsa.retry.not-before", // when it is to be tried again
} as const;

const ORIGIN: ReadonlySet<string> = new Set([FailureHeader.topic, FailureHeader.partition, FailureHeader.offset]);
const OURS: ReadonlySet<string> = new Set(Object.values(FailureHeader));
const decoder = new TextDecoder();

export interface DeadLetterOptions {
  readonly topic: string;
  /** Whether the stack of the error is told too. Default true. */
  readonly stackTraces?: boolean;
}

/**
 * Sends what cannot be handled to a topic, with the key, value, time and headers it came with, and headers that say where it was
 * and what was wrong. For `onFailure` of a run and `onDecodeError` of a consumer; both wait until the letter is acknowledged.
 * @param producer of bytes: one without serialisers
 */
export function deadLetters(
  producer: Producer,
  options: DeadLetterOptions,
): (failed: FailedRecord | DecodeError) => Promise<void> {
  const none = { topic: "", stackTraces: true };
  const { topic, stackTraces } = resolveOptions("deadLetters", options, none, { topic: aName, stackTraces: boolean });
  checkTopic("deadLetters", "topic", topic);
  return async (failed) => {
    await producer.send(letterOf(topic, failed, { stackTraces }));
  };
}

export interface RetryTopic {
  readonly topic: string;
  /** How long after a failure a record is due again. */
  readonly delayMs: number;
}

export interface RetryTopicsOptions {
  /** The first failure goes to the first of them, and so on. Each should be read by a run of its own, with `delayUntil: dueAt`. */
  readonly retryTopics: readonly RetryTopic[];
  /** Where a record goes that has failed in all of them, or that cannot be decoded. */
  readonly deadLetterTopic: string;
  readonly stackTraces?: boolean;
}

/**
 * Sends what cannot be handled to a topic to be tried again later, while its partition goes on: records of a key may overtake
 * one another. The same function serves the runs of the retry topics.
 */
export function retryTopics(producer: Producer, options: RetryTopicsOptions): (failed: FailedRecord) => Promise<void> {
  const none = { retryTopics: [] as readonly RetryTopic[], deadLetterTopic: "", stackTraces: true };
  const rules = { retryTopics: steplist, deadLetterTopic: aName, stackTraces: boolean };
  const { retryTopics: steps, deadLetterTopic, stackTraces } = resolveOptions("retryTopics", options, none, rules);
  checkTopic("retryTopics", "deadLetterTopic", deadLetterTopic);
  for (const step of steps) {
    const { topic } = resolveOptions(
      "retryTopics",
      step,
      { topic: "", delayMs: 0 },
      { topic: aName, delayMs: milliseconds },
    );
    checkTopic("retryTopics", "topic", topic);
  }
  return async (failed) => {
    const at = steps.findIndex(({ topic }) => topic === failed.topic); // -1 in the topic where it all began
    const next = failed.error instanceof DecodeError ? undefined : steps[at + 1];
    const letter =
      next === undefined
        ? letterOf(deadLetterTopic, failed, { stackTraces })
        : letterOf(next.topic, failed, { stackTraces, notBeforeMs: failed.failedAtMs + next.delayMs });
    await producer.send(letter);
  };
}

const steplist: OptionRule = (value) => (Array.isArray(value) ? undefined : "a list of { topic, delayMs }");

function checkTopic(who: string, option: string, topic: string): void {
  if (topic === "") throw new ConfigurationError(`${who}: ${option} is missing; wanted is a name`);
}

/** When a record of a retry topic is due, in milliseconds since 1970; undefined for records that nobody sent there. */
export function dueAt({ headers }: { readonly headers: readonly RecordHeader[] }): number | undefined {
  const dueMs = numberIn(headers, FailureHeader.notBefore);
  return Number.isFinite(dueMs) ? dueMs : undefined;
}

interface LetterOptions {
  readonly stackTraces: boolean;
  readonly notBeforeMs?: number;
}

interface Letter {
  readonly topic: string;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly timestamp: number;
  readonly headers: readonly ProducerHeader[];
}

function letterOf(topic: string, failed: FailedRecord | DecodeError, options: LetterOptions): Letter {
  const { keyBytes, valueBytes, timestamp } = failed;
  return { topic, key: keyBytes, value: valueBytes, timestamp, headers: headersOf(failed, options) };
}

function headersOf(
  failed: FailedRecord | DecodeError,
  { stackTraces, notBeforeMs }: LetterOptions,
): readonly ProducerHeader[] {
  const { headers, topic, partition, offset } = failed;
  const error = failed instanceof DecodeError ? failed : failed.error;
  const origin = headers.filter(({ key }) => ORIGIN.has(key));
  const told: [string, string | number | undefined][] = [
    [FailureHeader.stage, stageOf(error)],
    [FailureHeader.exceptionClass, error instanceof Error ? error.name : typeof error],
    [FailureHeader.exceptionMessage, error instanceof Error ? error.message : String(error)],
    [FailureHeader.exceptionStacktrace, stackTraces && error instanceof Error ? error.stack : undefined],
    [FailureHeader.notBefore, notBeforeMs],
  ];
  if (origin.length === 0) {
    told.unshift([FailureHeader.topic, topic], [FailureHeader.partition, partition], [FailureHeader.offset, offset]);
  }
  if (!(failed instanceof DecodeError)) {
    const before = numberIn(headers, FailureHeader.attempts);
    told.push([FailureHeader.timestamp, failed.failedAtMs]);
    told.push([FailureHeader.attempts, failed.attempts + (Number.isFinite(before) ? before : 0)]);
  }
  return [
    ...headers.filter(({ key }) => !OURS.has(key)),
    ...origin,
    ...told.flatMap(([key, value]) => (value === undefined ? [] : [{ key, value: String(value) }])),
  ];
}

function stageOf(error: unknown): string {
  if (!(error instanceof DecodeError)) return "TASK_PUT";
  return error.part === "key" ? "KEY_CONVERTER" : "VALUE_CONVERTER";
}

/** NaN where there is none. */
function numberIn(headers: readonly RecordHeader[], name: string): number {
  const value = headers.findLast(({ key }) => key === name)?.value;
  return value === undefined || value === null ? Number.NaN : Number.parseInt(decoder.decode(value), 10);
}
