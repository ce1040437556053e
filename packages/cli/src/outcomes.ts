import process from "node:process";
import { BrokerError, ConfigurationError, KafkaError, SomeItemsFailedError } from "@samsa/client";
import { CommandError, ExitCode } from "./exit-code.ts";
import { say } from "./talk.ts";
import { tellError } from "./tell-error.ts";
import { isUnreachable } from "./tell-kafka-error.ts";

/** What was done to an item: a line for people, and for `--json` what is known beside the facts it had before. */
export interface Deed {
  readonly said: string;
  readonly facts?: object;
}

type Refusal = KafkaError | CommandError;

interface Outcome {
  readonly facts: object;
  readonly error: Refusal | null;
}

interface JsonOption {
  readonly json?: boolean;
}

/**
 * Does something to one thing. With `--json` its facts and its `error` are one object on stdout, otherwise a line tells of it on stderr.
 * @param facts the object of what was refused: what names it, and null for what only an answer tells
 * @throws what is no refusal, as that no broker answers; stdout stays empty then
 */
export async function actOnOne(facts: object, work: () => Promise<Deed>, options: JsonOption): Promise<ExitCode> {
  const outcomes = await outcomesInTurn([facts], (one) => one, work, options);
  return await tell(outcomes, options, ([object]) => object);
}

/** The same to several things, one after the other: one that is refused hides nothing of those behind it. With `--json`, an array. */
export async function actOnEach<Item>(
  items: readonly Item[],
  factsOf: (item: Item) => object,
  work: (item: Item) => Promise<Deed>,
  options: JsonOption,
): Promise<ExitCode> {
  return await tellEach(await outcomesInTurn(items, factsOf, work, options), options);
}

/** Several things to which one request is done. */
export interface Whole<Item, Done> {
  readonly items: readonly Item[];
  /** As the client names them in its results and errors. */
  readonly nameOf: (item: Item) => string;
  readonly factsOf: (item: Item) => object;
  /** Answers by name; nothing where the answer tells nothing but errors. */
  readonly work: () => Promise<Iterable<readonly [name: string, result: Done | KafkaError]> | void>;
  readonly deed: (item: Item, done: Done | undefined) => Deed;
}

/** The same to several things at once. */
export async function actOnAll<Item, Done>(whole: Whole<Item, Done>, options: JsonOption): Promise<ExitCode> {
  const { items, nameOf, factsOf, work, deed } = whole;
  const results = await refusable(async () => new Map((await work()) ?? []));
  const resultOf = (item: Item): Done | Refusal | undefined =>
    results instanceof Error ? refusalOfItem(results, nameOf(item), items.map(nameOf)) : results.get(nameOf(item));
  const outcomes = items.map((item): Outcome => {
    const result = resultOf(item);
    if (isRefusal(result)) return { facts: factsOf(item), error: result };
    return done(factsOf(item), deed(item, result), options);
  });
  return await tellEach(outcomes, options);
}

/** Of things of which none could be tried: why. */
export async function tellRefused(facts: readonly object[], error: Refusal, options: JsonOption): Promise<ExitCode> {
  return await tellEach(
    facts.map((one) => ({ facts: one, error })),
    options,
  );
}

/** What work comes to, or how it was refused. @throws what is no refusal of a broker's or our own */
export async function refusable<T>(work: () => Promise<T>): Promise<T | Refusal> {
  try {
    return await work();
  } catch (error) {
    if (isRefusal(error) && !(error instanceof ConfigurationError)) return error;
    throw error;
  }
}

function isRefusal(value: unknown): value is Refusal {
  return value instanceof KafkaError || value instanceof CommandError;
}

async function outcomesInTurn<Item>(
  items: readonly Item[],
  factsOf: (item: Item) => object,
  work: (item: Item) => Promise<Deed>,
  options: JsonOption,
): Promise<readonly Outcome[]> {
  const outcomes: Outcome[] = [];
  let lost: Refusal | undefined; // from here on nobody is there to ask
  for (const item of items) {
    const facts = factsOf(item);
    const result = lost ?? (await refusable(() => work(item)));
    if (isRefusal(result)) {
      outcomes.push({ facts, error: result });
      if (isLost(result)) lost = result;
    } else outcomes.push(done(facts, result, options));
  }
  return outcomes;
}

/** A person is told at once, also of the first of many. */
function done(facts: object, deed: Deed, { json = false }: JsonOption): Outcome {
  if (!json) say(deed.said);
  return { facts: { ...facts, ...deed.facts }, error: null };
}

/** The client throws the error of one item as it is, of several together; an error that names no item is that of the whole request. */
function refusalOfItem(error: Refusal, name: string, names: readonly string[]): Refusal | undefined {
  if (error instanceof SomeItemsFailedError) return error.errors.get(name);
  const what = error instanceof BrokerError ? error.what : ""; // as in `feature share.version`, `orders-0 of group billing`
  const owner =
    names.find((one) => what === one || what.startsWith(`${one} `)) ?? names.find((one) => what.endsWith(` ${one}`));
  return owner === undefined || owner === name ? error : undefined;
}

async function tellEach(outcomes: readonly Outcome[], options: JsonOption): Promise<ExitCode> {
  return await tell(outcomes, options, (objects) => objects);
}

/** @returns the exit code of the first refusal */
async function tell(
  outcomes: readonly Outcome[],
  { json = false }: JsonOption,
  valueOf: (objects: readonly object[]) => unknown,
): Promise<ExitCode> {
  const errors = [...new Set(outcomes.map(({ error }) => error))].filter((error) => error !== null);
  const [first] = errors;
  if (first !== undefined && outcomes.every(({ error }) => error !== null && isLost(error))) throw first;
  if (json) {
    const objects = outcomes.map(({ facts, error }) => ({ ...facts, error: error === null ? null : shown(error) }));
    process.stdout.write(`${JSON.stringify(valueOf(objects))}\n`);
  }
  const exitCodes: ExitCode[] = [];
  for (const error of errors) exitCodes.push(await tellError(error));
  return exitCodes[0] ?? ExitCode.DONE;
}

/** Kafka's name of the error; null for what samsa itself has found. */
function shown(error: Refusal): { readonly codeName: string | null; readonly message: string } {
  return { codeName: error instanceof KafkaError ? error.codeName : null, message: error.message };
}

function isLost(error: Refusal): boolean {
  return error instanceof KafkaError && isUnreachable(error);
}
