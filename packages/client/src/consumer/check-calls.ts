import { ConfigurationError } from "../errors.ts";
import { checkList, checkSlips } from "../options.ts";

const ASSIGNMENT_FIELDS = ["topic", "partition", "offset", "leaderEpoch", "endOffset"];
const OFFSET_FIELDS = ["topic", "partition", "offset", "leaderEpoch", "metadata"];
const PLACES: readonly unknown[] = ["earliest", "latest", "maxTimestamp"];

/*
 * What a compiler would have refused, for callers without one: a partition in the wrong field would be all of them, an offset as text
 * would be none.
 */

/** @throws ConfigurationError */
export function checkAssignments(given: unknown): void {
  const who = "consumer.assign";
  checkList(who, given);
  for (const one of given) {
    checkSlips(who, one, ASSIGNMENT_FIELDS);
    const { topic, partition, offset, endOffset } = one as Readonly<Record<string, unknown>>;
    checkTopic(who, topic);
    if (partition !== undefined && !isWhole(partition))
      throw wrong(who, "partition", partition, "a whole number from 0");
    if (offset !== undefined) checkPlace(who, offset);
    if (endOffset !== undefined && endOffset !== "latest" && !isWhole(endOffset)) {
      throw wrong(who, "endOffset", endOffset, "an offset or latest");
    }
  }
}

/** @throws ConfigurationError */
export function checkPlace(who: string, place: unknown): void {
  const { timestampMs } = Object(place) as { readonly timestampMs?: unknown };
  if (isWhole(place) || PLACES.includes(place) || (typeof timestampMs === "number" && Number.isFinite(timestampMs)))
    return;
  throw wrong(who, "offset", place, "an offset, earliest, latest, maxTimestamp or { timestampMs }");
}

/** @throws ConfigurationError */
export function checkOffsets(who: string, given: unknown): void {
  checkList(who, given);
  for (const one of given) {
    checkSlips(who, one, OFFSET_FIELDS);
    const { topic, partition, offset } = one as Readonly<Record<string, unknown>>;
    checkTopic(who, topic);
    if (!isWhole(partition)) throw wrong(who, "partition", partition, "a whole number from 0");
    if (!isWhole(offset)) throw wrong(who, "offset", offset, "a whole number from 0");
  }
}

function checkTopic(who: string, topic: unknown): void {
  if (typeof topic !== "string" || topic === "") throw wrong(who, "topic", topic, "a name");
}

function isWhole(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function wrong(who: string, field: string, value: unknown, wanted: string): ConfigurationError {
  const shown = typeof value === "string" ? JSON.stringify(value) : String(value);
  return new ConfigurationError(`${who}: ${field} is ${shown}; wanted is ${wanted}`);
}
