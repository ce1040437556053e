import { ConfigurationError } from "./errors.ts";

/** What a value of an option may be. */
export type OptionRule = (value: unknown) => string | undefined; // what is wanted instead

/** A whole number from `lowest` to `highest`, both included. */
export function whole(lowest: number, highest = Number.MAX_SAFE_INTEGER): OptionRule {
  const range = highest === Number.MAX_SAFE_INTEGER ? `from ${lowest}` : `from ${lowest} to ${highest}`;
  return (value) =>
    typeof value === "number" && Number.isInteger(value) && value >= lowest && value <= highest
      ? undefined
      : `a whole number ${range}`;
}

/** A span that may also last for ever. */
export const milliseconds: OptionRule = (value) =>
  typeof value === "number" && value >= 0 ? undefined : "milliseconds, 0 or more";

export function oneOf(...allowed: readonly unknown[]): OptionRule {
  return (value) => (allowed.includes(value) ? undefined : `one of ${allowed.map(String).join(", ")}`);
}

/** What `resolveOptions` leaves undefined when nobody says it. */
export function optional(rule: OptionRule): OptionRule {
  return (value) => (value === undefined ? undefined : rule(value));
}

/** Ours has these methods, whatever else it is. */
export function having(...methods: readonly string[]): OptionRule {
  return (value) =>
    typeof value === "object" &&
    value !== null &&
    methods.every((name) => typeof (value as Readonly<Record<string, unknown>>)[name] === "function")
      ? undefined
      : `an object with ${methods.join(" and ")}`;
}

export const boolean = oneOf(true, false);
/** What a name may not be is empty. */
export const aName: OptionRule = (value) => (typeof value === "string" && value !== "" ? undefined : "a name");
export const aFunction: OptionRule = (value) => (typeof value === "function" ? undefined : "a function");
export const text: OptionRule = (value) => (typeof value === "string" ? undefined : "a string");
/** Checked where it is used. */
export const anything: OptionRule = () => undefined;

/**
 * Fills options up with their defaults. An option left out or undefined has its default.
 * @param who for the error, e.g. `kafka.producer()`
 * @throws ConfigurationError for a name that does not exist (with the nearest that does) or a value that cannot be
 */
export function resolveOptions<Defaults extends object>(
  who: string,
  given: object,
  defaults: Defaults,
  rules: { readonly [Name in keyof Defaults]: OptionRule },
): Defaults {
  checkObject(who, given);
  const resolved = { ...defaults } as Record<string, unknown>;
  const names = Object.keys(rules);
  for (const [name, value] of Object.entries(given)) {
    if (!Object.hasOwn(rules, name)) throw unknownOption(who, name, names);
    if (value === undefined) continue;
    const wanted = rules[name as keyof Defaults](value);
    if (wanted !== undefined) throw new ConfigurationError(`${who}: ${name} is ${show(value)}; wanted is ${wanted}`);
    resolved[name] = value;
  }
  return resolved as Defaults;
}

/**
 * That an object has no other fields than these; what they hold is another matter.
 * @throws ConfigurationError with the nearest name
 */
export function checkNames(who: string, given: unknown, names: readonly string[]): void {
  checkObject(who, given);
  for (const name of Object.keys(given)) if (!names.includes(name)) throw unknownOption(who, name, names);
}

/**
 * That nothing in an object looks like a slip for a field that it lacks. More than the names is allowed, for what is handed over
 * may come from elsewhere and say more.
 * @throws ConfigurationError with the name that was meant
 */
export function checkSlips(who: string, given: unknown, names: readonly string[]): void {
  checkObject(who, given);
  const missing = names.filter((name) => given[name] === undefined);
  for (const name of Object.keys(given)) {
    if (!names.includes(name) && nearestName(name, missing) !== undefined) throw unknownOption(who, name, missing);
  }
}

/** @throws ConfigurationError */
export function checkList(who: string, given: unknown): asserts given is readonly unknown[] {
  if (!Array.isArray(given)) throw new ConfigurationError(`${who}: ${show(given)} is no list`);
}

function checkObject(who: string, given: unknown): asserts given is Readonly<Record<string, unknown>> {
  if (typeof given === "object" && given !== null && !Array.isArray(given)) return;
  throw new ConfigurationError(`${who}: ${show(given)} is no object with options`);
}

/** What other clients say, where no spelling leads to Kafka's name. */
const SAID_ELSEWHERE: Readonly<Record<string, string>> = {
  autoCommit: "enableAutoCommit",
  brokers: "bootstrapServers",
  compression: "compressionType",
  connectionTimeout: "socketConnectionSetupTimeoutMs",
  createPartitioner: "partitioner",
  eachMessage: "eachRecord",
  fromBeginning: "autoOffsetReset",
  idempotent: "enableIdempotence",
  logCreator: "onRetry",
  logger: "onRetry",
  logLevel: "onRetry",
  maxBytes: "fetchMaxBytes",
  maxBytesPerPartition: "maxPartitionFetchBytes",
  maxInFlightRequests: "maxInFlightRequestsPerConnection",
  maxWaitTimeInMs: "fetchMaxWaitMs",
  minBytes: "fetchMinBytes",
  partitionAssigners: "partitionAssignmentStrategy",
  partitionsConsumedConcurrently: "concurrency",
  rackId: "clientRack",
  readUncommitted: "isolationLevel",
  topic: "name",
};

function unknownOption(who: string, name: string, names: readonly string[]): ConfigurationError {
  const nearest = nearestName(name, names);
  const hint = nearest === undefined ? `there are ${names.join(", ")}` : `did you mean ${nearest}?`;
  return new ConfigurationError(`${who}: there is no option ${name}; ${hint}`);
}

/** The name that other clients' leads to, or the one with the fewest letters changed, if these are few; `linger.ms` is `lingerMs`. */
export function nearestName(name: string, names: readonly string[]): string | undefined {
  const meant = Object.hasOwn(SAID_ELSEWHERE, name) ? SAID_ELSEWHERE[name] : undefined;
  if (meant !== undefined && names.includes(meant)) return meant;
  const plain = (text: string): string => text.replaceAll(/[^a-z0-9]/giu, "").toLowerCase();
  let nearest: string | undefined;
  let fewest = Math.max(2, Math.floor(name.length / 3)) + 1;
  for (const candidate of names) {
    const changes = editDistance(plain(name), plain(candidate));
    if (changes < fewest) {
      fewest = changes;
      nearest = candidate;
    }
  }
  return nearest;
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const isSame = a[i - 1] === b[j - 1];
      const replaced = (row[j - 1] ?? 0) + (isSame ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

function show(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "function") return "a function";
  if (Array.isArray(value)) return "a list";
  return typeof value === "object" && value !== null ? "an object" : String(value);
}
