import type { BrokerConfig, MetadataImage } from "@samsa/metadata";
import { EffectiveBrokerConfig } from "@samsa/metadata";
import type { ClientQuotaLimits } from "./client-quota-limits.ts";
import type { ConnectionLimits, ListenerLimits } from "./connection-quotas.ts";

/** Kafka's default of what has no bound: Integer.MAX_VALUE. */
const UNBOUNDED = 2_147_483_647;

/**
 * The limits as they count now. They may change while the broker runs, so they are read anew when the configuration is another.
 * @param mostConnections counts where `max.connections` is not set, because what a process may open does have a bound
 */
export class BrokerConnectionLimits {
  readonly #config: BrokerConfig;
  readonly #mostConnections: number;
  #configs: MetadataImage["configs"] | undefined;
  #current: Omit<ConnectionLimits, "creationRateOf"> | undefined;
  #listeners = new Map<string, ListenerLimits>();

  constructor(config: BrokerConfig, mostConnections: number) {
    this.#config = config;
    this.#mostConnections = mostConnections;
  }

  current({ configs }: MetadataImage, quotas: ClientQuotaLimits): ConnectionLimits {
    if (this.#current === undefined || configs !== this.#configs) {
      const config = new EffectiveBrokerConfig(configs, this.#config);
      const maxConnections = config.number("max.connections");
      this.#configs = configs;
      this.#listeners = new Map();
      this.#current = {
        maxConnections: maxConnections === UNBOUNDED ? this.#mostConnections : maxConnections,
        maxConnectionsPerIp: config.number("max.connections.per.ip"),
        maxConnectionsPerIpOverrides: parseOverrides(config.string("max.connections.per.ip.overrides")),
        maxCreationRate: rateOf(config.number("max.connection.creation.rate")),
        ofListener: (name) => {
          const known = this.#listeners.get(name) ?? listenerLimits(config, name);
          this.#listeners.set(name, known);
          return known;
        },
      };
    }
    return { ...this.#current, creationRateOf: (ip) => quotas.connectionRateOf(ip) };
  }
}

/** What `listener.name.internal.max.connections` and its like say (KIP-402, KIP-612). */
function listenerLimits(config: EffectiveBrokerConfig, listenerName: string): ListenerLimits {
  return {
    maxConnections: Number(config.ofListener(listenerName, "max.connections") ?? UNBOUNDED),
    maxCreationRate: rateOf(Number(config.ofListener(listenerName, "max.connection.creation.rate") ?? UNBOUNDED)),
  };
}

function rateOf(value: number): number {
  return value === UNBOUNDED ? Infinity : value;
}

/** `10.0.0.1:100,::1:200`: the count is behind the last colon. What is no count is passed over. */
export function parseOverrides(text: string): ReadonlyMap<string, number> {
  const overrides = new Map<string, number>();
  for (const entry of text.split(",")) {
    const at = entry.lastIndexOf(":");
    const most = Number(entry.slice(at + 1));
    if (at > 0 && Number.isInteger(most) && most >= 0) overrides.set(entry.slice(0, at).trim(), most);
  }
  return overrides;
}
