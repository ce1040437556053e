import type { ConfigValue } from "./config-definition.ts";
import { BROKER_CONFIGS, knownDefinition } from "./config-definitions.ts";
import { listenerConfigBase } from "./dynamic-broker-configs.ts";
import { parseConfigValue } from "./config-value.ts";
import { TypedValues } from "./typed-values.ts";

/** The static configuration of this node: what was set (server.properties, options), over Kafka's defaults. */
export class BrokerConfig extends TypedValues {
  /** What was set, of the keys that exist, those with the prefix of a listener included. */
  readonly explicit: ReadonlyMap<string, string>;
  /** Keys that were set and do not exist; Kafka hands them to plugins and warns. */
  readonly unknownKeys: readonly string[];
  readonly #values: ReadonlyMap<string, ConfigValue>;

  /** @throws InvalidConfigError in Kafka's words, for the first value that may not be */
  constructor(properties: ReadonlyMap<string, string> = new Map()) {
    super();
    const explicit = new Map<string, string>();
    const values = new Map<string, ConfigValue>();
    const unknownKeys: string[] = [];
    for (const [name, text] of withNodeIdSynonym(properties)) {
      const definition = BROKER_CONFIGS.get(listenerConfigBase(name) ?? name);
      if (definition === undefined) {
        unknownKeys.push(name);
        continue;
      }
      const value = parseConfigValue(definition, text);
      if (definition.name === name) values.set(name, value);
      explicit.set(name, text);
    }
    this.explicit = explicit;
    this.unknownKeys = unknownKeys;
    this.#values = values;
  }

  static of(properties: Readonly<Record<string, string>>): BrokerConfig {
    return new BrokerConfig(new Map(Object.entries(properties)));
  }

  /** The parsed value, the default where none was set, null where there is neither. */
  override value(name: string): ConfigValue {
    return this.#values.get(name) ?? knownDefinition(BROKER_CONFIGS, name).defaultValue ?? null;
  }
}

/** `broker.id` and `node.id` are one: where only one is set, it is both. */
function withNodeIdSynonym(properties: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const nodeId = properties.get("node.id") ?? properties.get("broker.id");
  return nodeId === undefined ? properties : new Map([["broker.id", nodeId], ["node.id", nodeId], ...properties]);
}
