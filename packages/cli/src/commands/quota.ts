import type { QuotaEntity } from "@samsa/client";
import { nearestName } from "@samsa/client";
import type { ConnectOptions } from "../client.ts";
import { withKafka } from "../client.ts";
import { ExitCode, UsageError } from "../exit-code.ts";
import type { Deed } from "../outcomes.ts";
import { actOnOne } from "../outcomes.ts";
import { addPairs } from "../properties.ts";
import { printRows } from "../rows.ts";
import { say } from "../talk.ts";

export interface QuotaOptions extends ConnectOptions {
  readonly user?: string;
  readonly client?: string;
  readonly ip?: string;
  readonly defaultUser?: boolean;
  readonly defaultClient?: boolean;
  readonly defaultIp?: boolean;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

const QUOTAS = [
  "producer_byte_rate",
  "consumer_byte_rate",
  "request_percentage",
  "controller_mutation_rate",
  "connection_creation_rate",
];

export async function listQuotas(options: QuotaOptions): Promise<ExitCode> {
  const entity = entityOf(options);
  return await withKafka(options, async (kafka) => {
    const found = await kafka.admin().describeClientQuotas({ entity });
    const rows = found.toSorted((a, b) => (shown(a.entity) < shown(b.entity) ? -1 : 1));
    const quotas = (row: (typeof rows)[number]): string[] =>
      Object.entries(row.quotas).map(([name, value]) => `${name}=${value}`);
    printRows(rows, { WHO: (row) => shown(row.entity), QUOTAS: quotas }, options);
    if (rows.length === 0) say("no quotas");
    return ExitCode.DONE;
  });
}

export async function setQuotas(pairs: readonly string[], options: QuotaOptions): Promise<ExitCode> {
  const entity = namedEntity(options);
  const properties = new Map<string, string>();
  addPairs(properties, pairs, "quota set");
  const quotas = new Map<string, number>();
  for (const [name, text] of properties) {
    checkName(name);
    if (!/^\d+(?:\.\d+)?$/u.test(text)) throw new UsageError(`${name} is a number, not ${JSON.stringify(text)}`);
    quotas.set(name, Number(text));
  }
  return await alter(entity, quotas, "set", options);
}

export async function unsetQuotas(names: readonly string[], options: QuotaOptions): Promise<ExitCode> {
  const entity = namedEntity(options);
  for (const name of names) checkName(name);
  if (names.length > 0) return await alter(entity, new Map(names.map((name) => [name, null])), "unset", options);
  const there = await withKafka(options, (kafka) => kafka.admin().describeClientQuotas({ entity, strict: true }));
  const all = there.flatMap(({ quotas }) => Object.keys(quotas));
  if (all.length > 0) return await alter(entity, new Map(all.map((name) => [name, null])), "unset", options);
  const nothing = async (): Promise<Deed> => ({ said: `${shown(entity)} has no quotas` });
  return await actOnOne({ entity, quotas: {}, dryRun: options.dryRun === true }, nothing, options);
}

async function alter(
  entity: QuotaEntity,
  quotas: ReadonlyMap<string, number | null>,
  verb: string,
  options: QuotaOptions,
): Promise<ExitCode> {
  return await withKafka(options, async (kafka) => {
    const dryRun = options.dryRun === true;
    const facts = { entity, quotas: Object.fromEntries(quotas), dryRun };
    const work = async (): Promise<Deed> => {
      await kafka.admin().alterClientQuotas([facts], { validateOnly: dryRun });
      return { said: `${dryRun ? "could be " : ""}${verb} for ${shown(entity)}: ${[...quotas.keys()].join(", ")}` };
    };
    return await actOnOne(facts, work, options);
  });
}

function namedEntity(options: QuotaOptions): QuotaEntity {
  const entity = entityOf(options);
  if (Object.keys(entity).length > 0) return entity;
  throw new UsageError("whose quotas? --user, --client, --ip, or --default-user, --default-client, --default-ip");
}

function entityOf(options: QuotaOptions): QuotaEntity {
  const kinds = [
    { kind: "user", name: options.user, isDefault: options.defaultUser, option: "user" },
    { kind: "client-id", name: options.client, isDefault: options.defaultClient, option: "client" },
    { kind: "ip", name: options.ip, isDefault: options.defaultIp, option: "ip" },
  ];
  const entity: Record<string, string | null> = {};
  for (const { kind, name, isDefault, option } of kinds) {
    if (name !== undefined && isDefault === true)
      throw new UsageError(`--${option} or --default-${option}: one of them`);
    if (name !== undefined) entity[kind] = name;
    else if (isDefault === true) entity[kind] = null;
  }
  if ("ip" in entity && Object.keys(entity).length > 1) throw new UsageError("--ip stands alone");
  return entity;
}

function checkName(name: string): void {
  if (QUOTAS.includes(name)) return;
  const nearest = nearestName(name, QUOTAS);
  throw new UsageError(
    `there is no quota ${name}; ${nearest === undefined ? `there are ${QUOTAS.join(", ")}` : `did you mean ${nearest}?`}`,
  );
}

function shown(entity: QuotaEntity): string {
  return Object.entries(entity)
    .toSorted(([a], [b]) => (a < b ? 1 : -1)) // user before client-id
    .map(([kind, name]) => `${kind} ${name ?? "(default)"}`)
    .join(", ");
}
