import type { Admin, ConfigAlteration, ConfigEntry, ConfigResource } from "@samsa/client";
import { ErrorCode, KafkaError, nearestName } from "@samsa/client";
import type { ConnectOptions } from "../client.ts";
import { withKafka, withTopicNames } from "../client.ts";
import { CONFIG_TYPES } from "../config-program.ts";
import { ExitCode, UsageError } from "../exit-code.ts";
import { hint } from "../hints.ts";
import type { Deed } from "../outcomes.ts";
import { actOnOne } from "../outcomes.ts";
import { addPairs } from "../properties.ts";
import { printRows } from "../rows.ts";
import { say } from "../talk.ts";

type Type = (typeof CONFIG_TYPES)[number];

interface JsonOptions extends ConnectOptions {
  readonly json?: boolean;
}

/** Kafka's own command takes the plural, and calls some things otherwise. */
function typeOf(text: string): Type {
  const plain = text.toLowerCase().replaceAll("_", "-").replace(/s$/u, "");
  const type = CONFIG_TYPES.find((one) => one === plain || one.replace(/s$/u, "") === plain);
  if (type !== undefined) return type;
  if (["user", "client", "client-id", "ip"].includes(plain)) {
    throw new UsageError(`limits of ${text} are quotas: samsa quota --help; passwords of users: samsa user --help`);
  }
  const nearest = nearestName(plain, CONFIG_TYPES);
  const suggestion = nearest === undefined ? `there are ${CONFIG_TYPES.join(", ")}` : `did you mean ${nearest}?`;
  throw new UsageError(`${JSON.stringify(text)} has no configuration; ${suggestion}`);
}

function resourceOf(type: string, name: string): ConfigResource {
  const kind = typeOf(type);
  if (kind === "broker" && name === "default") return { type: "broker", name: "" };
  if ((kind === "broker" || kind === "broker-logger") && !/^\d{1,10}$/u.test(name)) {
    const choice = kind === "broker" ? 'an id or "default"' : "an id";
    throw new UsageError(`a broker is named by ${choice}, not ${JSON.stringify(name)}: samsa broker list`);
  }
  return { type: wireType(kind), name };
}

function wireType(type: Type): ConfigResource["type"] {
  switch (type) {
    case "broker-logger":
      return "broker_logger";
    case "client-metrics":
      return "client_metrics";
    default:
      return type;
  }
}

function shown(resource: ConfigResource): string {
  const { type, name } = plainNames(resource);
  return `${type} ${name}`;
}

/** As the command line has them. */
function plainNames({ type, name }: ConfigResource): { readonly type: string; readonly name: string } {
  return { type: type.replace("_", "-"), name: type === "broker" && name === "" ? "default" : name };
}

export async function listConfigs(type: string | undefined, options: JsonOptions): Promise<ExitCode> {
  const types = type === undefined ? [] : [wireType(typeOf(type))];
  return await withKafka(options, async (kafka) => {
    const resources = await kafka.admin().listConfigResources(types);
    const rows = resources
      .map((resource) => plainNames(resource))
      .toSorted((a, b) => (`${a.type} ${a.name}` < `${b.type} ${b.name}` ? -1 : 1));
    printRows(rows, { TYPE: (row) => row.type, NAME: (row) => row.name }, options);
    return ExitCode.DONE;
  });
}

export interface DescribeConfigOptions extends JsonOptions {
  readonly all?: boolean;
  readonly docs?: boolean;
}

export async function describeConfig(
  type: string,
  name: string,
  keys: readonly string[],
  options: DescribeConfigOptions,
): Promise<ExitCode> {
  const resource = resourceOf(type, name);
  const includeDocumentation = options.docs === true || options.json === true;
  return await withKafka(options, async (kafka) => {
    const admin = kafka.admin();
    const entries = await entriesOf(admin, resource, includeDocumentation);
    for (const key of keys) {
      if (!entries.some((entry) => entry.name === key))
        throw new UsageError(`${shown(resource)}: ${unknownKey(key, entries)}`);
    }
    const isSet = (entry: ConfigEntry): boolean => entry.source !== "default_config";
    const wanted =
      keys.length > 0
        ? entries.filter((entry) => keys.includes(entry.name))
        : entries.filter((entry) => options.all === true || isSetHere(resource, entry));
    if (wanted.length === 0) {
      const others = entries.filter(isSet).length;
      say(
        `nothing is set for ${shown(resource)}; --all shows what holds${others > 0 ? ", of it some by the broker" : ""}`,
      );
    }
    const docs = options.docs === true ? { DOCUMENTATION: (entry: ConfigEntry) => entry.documentation } : {};
    printRows(
      wanted.toSorted((a, b) => (a.name < b.name ? -1 : 1)),
      {
        KEY: (entry) => entry.name,
        VALUE: (entry) => (entry.isSensitive ? "(hidden)" : entry.value),
        SOURCE: (entry) => entry.source,
        DEFAULT: (entry) => entry.synonyms.find(({ source }) => source === "default_config")?.value,
        SYNONYMS: synonymsOf,
        ...docs,
      },
      options,
    );
    return ExitCode.DONE;
  });
}

/** What would hold were this not set, nearest first; the last default has a column of its own. */
function synonymsOf(entry: ConfigEntry): string | undefined {
  const others = entry.synonyms.filter(({ source }) => source !== "default_config" && source !== entry.source);
  if (others.length === 0) return undefined;
  return others
    .map(({ name, value, source }) => `${source}:${name}=${entry.isSensitive ? "(hidden)" : value}`)
    .join(", ");
}

function isSetHere({ type, name }: ConfigResource, { source }: ConfigEntry): boolean {
  switch (type) {
    case "topic":
      return source === "dynamic_topic_config";
    case "broker":
      return name === "" || source.startsWith("dynamic_") || source === "static_broker_config";
    case "broker_logger":
      return true;
    default:
      return source !== "default_config";
  }
}

async function entriesOf(
  admin: Admin,
  resource: ConfigResource,
  includeDocumentation = false,
): Promise<readonly ConfigEntry[]> {
  const names = resource.type === "topic" ? [resource.name] : [];
  const described = await withTopicNames(admin, names, async () => {
    const results = await admin.describeConfigs([resource], { includeSynonyms: true, includeDocumentation });
    return results.all();
  });
  return described[0] ?? [];
}

function unknownKey(key: string, entries: readonly ConfigEntry[]): string {
  const nearest = nearestName(
    key,
    entries.map((entry) => entry.name),
  );
  return `there is no key ${key}${nearest === undefined ? "" : `; did you mean ${nearest}?`}`;
}

export interface SetConfigOptions extends JsonOptions {
  readonly append?: readonly string[];
  readonly subtract?: readonly string[];
  readonly dryRun?: boolean;
}

export async function setConfig(
  type: string,
  name: string,
  pairs: readonly string[],
  options: SetConfigOptions,
): Promise<ExitCode> {
  const set = pairsOf(pairs, "config set");
  const append = pairsOf(options.append ?? [], "--append");
  const subtract = pairsOf(options.subtract ?? [], "--subtract");
  const keys = [set, append, subtract].flatMap((some) => Object.keys(some));
  if (keys.length === 0) throw new UsageError("what is to be set? samsa config set TYPE NAME KEY=VALUE");
  return await alter({ ...resourceOf(type, name), set, append, subtract }, keys, "set", options);
}

export async function unsetConfig(
  type: string,
  name: string,
  keys: readonly string[],
  options: SetConfigOptions,
): Promise<ExitCode> {
  return await alter({ ...resourceOf(type, name), delete: keys }, keys, "unset", options);
}

function pairsOf(pairs: readonly string[], option: string): Readonly<Record<string, string>> {
  const properties = new Map<string, string>();
  addPairs(properties, pairs, option);
  return Object.fromEntries(properties);
}

async function alter(
  alteration: ConfigAlteration,
  keys: readonly string[],
  verb: string,
  options: SetConfigOptions,
): Promise<ExitCode> {
  const dryRun = options.dryRun === true;
  const facts = { ...plainNames(alteration), configs: changesOf(alteration), dryRun };
  const work = (admin: Admin) => async (): Promise<Deed> => {
    const names = alteration.type === "topic" ? [alteration.name] : [];
    try {
      await withTopicNames(admin, names, () => admin.incrementalAlterConfigs([alteration], { validateOnly: dryRun }));
    } catch (error) {
      if (error instanceof KafkaError && error.code === ErrorCode.INVALID_CONFIG) {
        const entries = await entriesOf(admin, alteration).catch(() => []);
        const strange = keys.filter((key) => entries.length > 0 && !entries.some((entry) => entry.name === key));
        for (const key of strange) hint(error, unknownKey(key, entries));
      }
      throw error;
    }
    return { said: `${dryRun ? "could be " : ""}${verb} for ${shown(alteration)}: ${keys.join(", ")}` };
  };
  return await withKafka(options, (kafka) => actOnOne(facts, work(kafka.admin()), options));
}

/** Under the names that `config describe` gives to keys and values; a value that is unset is null. */
function changesOf({ set = {}, append = {}, subtract = {}, delete: unset = [] }: ConfigAlteration): readonly object[] {
  const changes = Object.entries({ set, append, subtract }).flatMap(([operation, pairs]) =>
    Object.entries(pairs).map(([name, value]) => ({ name, operation, value })),
  );
  return [...changes, ...unset.map((name) => ({ name, operation: "unset", value: null }))];
}
