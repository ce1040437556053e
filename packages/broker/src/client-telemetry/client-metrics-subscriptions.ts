import type { Uuid } from "@samsa/base";
import type { ConfigsImage } from "@samsa/metadata";
import { CLIENT_METRICS_CONFIGS, ConfigResourceType, parseConfigValue } from "@samsa/metadata";

/** What a subscription may look at in a client. */
export interface TelemetryClient {
  readonly clientInstanceId: Uuid;
  readonly clientId: string | null;
  readonly softwareName: string;
  readonly softwareVersion: string;
  readonly sourceAddress: string;
  readonly sourcePort: number;
}

/** What one client is asked to measure, all subscriptions that fit it together. */
export interface ClientSubscription {
  readonly metrics: readonly string[];
  readonly pushIntervalMs: number;
}

/** Longer names of clients fit no pattern: who writes one decides how long it takes to match. */
const MAX_MATCHED_LENGTH = 249;
const ALL_METRICS = "*";
export const DEFAULT_PUSH_INTERVAL_MS = 300_000;

interface Subscription extends ClientSubscription {
  /** By selector; undefined for a pattern that is none, which fits nobody. */
  readonly match: ReadonlyMap<string, RegExp | undefined>;
}

/** The CLIENT_METRICS resources, read once for each image. */
export class ClientMetricsSubscriptions {
  #configs: ConfigsImage | undefined;
  #subscriptions: readonly Subscription[] = [];
  /** Grows with each change of a subscription. */
  version = 0;

  /** How many there are now. */
  update(configs: ConfigsImage): number {
    if (configs === this.#configs) return this.#subscriptions.length;
    this.#configs = configs;
    const found: Subscription[] = [];
    for (const { type, entries } of configs.resources()) {
      if (type === ConfigResourceType.CLIENT_METRICS) found.push(subscriptionOf(entries));
    }
    if (JSON.stringify(found.map(textOf)) !== JSON.stringify(this.#subscriptions.map(textOf))) this.version++;
    this.#subscriptions = found;
    return found.length;
  }

  for(client: TelemetryClient): ClientSubscription {
    const fitting = this.#subscriptions.filter(({ match }) => fits(client, match));
    const metrics = new Set(fitting.flatMap((subscription) => subscription.metrics));
    return {
      metrics: metrics.has(ALL_METRICS) ? [ALL_METRICS] : [...metrics],
      pushIntervalMs: Math.min(DEFAULT_PUSH_INTERVAL_MS, ...fitting.map(({ pushIntervalMs }) => pushIntervalMs)),
    };
  }
}

function subscriptionOf(config: ReadonlyMap<string, string>): Subscription {
  const valueOf = (name: string) => {
    const definition = CLIENT_METRICS_CONFIGS.get(name);
    const text = config.get(name);
    if (definition === undefined) return undefined;
    return text === undefined ? definition.defaultValue : parseConfigValue(definition, text);
  };
  const match = new Map<string, RegExp | undefined>();
  for (const entry of (valueOf("match") ?? []) as readonly string[]) {
    const [selector = "", pattern = ""] = entry.split("=").map((part) => part.trim());
    match.set(selector, expression(pattern));
  }
  const interval = valueOf("interval.ms");
  return {
    metrics: (valueOf("metrics") ?? []) as readonly string[],
    pushIntervalMs: typeof interval === "number" ? interval : DEFAULT_PUSH_INTERVAL_MS,
    match,
  };
}

function expression(pattern: string): RegExp | undefined {
  try {
    return new RegExp(`^(?:${pattern})$`);
  } catch {
    return undefined;
  }
}

function textOf({ metrics, pushIntervalMs, match }: Subscription): unknown {
  return [metrics, pushIntervalMs, Array.from(match, ([selector, pattern]) => [selector, pattern?.source])];
}

function fits(client: TelemetryClient, match: Subscription["match"]): boolean {
  const attributes = new Map([
    ["client_instance_id", client.clientInstanceId as string],
    ["client_id", client.clientId ?? ""],
    ["client_software_name", client.softwareName],
    ["client_software_version", client.softwareVersion],
    ["client_source_address", client.sourceAddress],
    ["client_source_port", String(client.sourcePort)],
  ]);
  for (const [selector, pattern] of match) {
    const value = attributes.get(selector) ?? "";
    if (pattern === undefined || value.length > MAX_MATCHED_LENGTH || !pattern.test(value)) return false;
  }
  return true;
}
