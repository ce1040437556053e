import type { ConfigsImage } from "../configs-image.ts";
import type { BrokerConfig } from "./broker-config.ts";
import { ConfigResourceType } from "./config-resource.ts";
import type { ConfigDefinition, ConfigValue } from "./config-definition.ts";
import {
  BROKER_CONFIGS,
  brokerConfigDefinition,
  GROUP_CONFIG_DEFINITIONS,
  knownDefinition,
  TOPIC_CONFIGS,
} from "./config-definitions.ts";
import { parseConfigValue } from "./config-value.ts";
import {
  DYNAMIC_BROKER_CONFIG_NAMES,
  isPerBrokerConfig,
  LISTENER_ONLY_CONFIG_NAMES,
  listenerConfigBase,
  listenerConfigPrefix,
} from "./dynamic-broker-configs.ts";
import { InvalidConfigError } from "./invalid-config-error.ts";
import { TOPIC_CONFIG_SYNONYMS } from "./topic-config-synonyms.ts";
import { TypedValues } from "./typed-values.ts";

const NOTHING: ReadonlyMap<string, string> = new Map();

/** The configuration of a broker as it counts now: its dynamic values, those of all brokers, the static ones, the defaults. */
export class EffectiveBrokerConfig extends TypedValues {
  readonly dynamic: ReadonlyMap<string, string>;
  readonly dynamicDefault: ReadonlyMap<string, string>;
  readonly static: BrokerConfig;

  constructor(configs: ConfigsImage | undefined, staticConfig: BrokerConfig) {
    super();
    const nodeId = staticConfig.value("node.id");
    this.dynamic = usable(configs?.configFor(ConfigResourceType.BROKER, String(nodeId)) ?? NOTHING, OF_ONE);
    this.dynamicDefault = usable(configs?.configFor(ConfigResourceType.BROKER, "") ?? NOTHING, OF_ALL);
    this.static = staticConfig;
  }

  override value(name: string): ConfigValue {
    const text = this.dynamic.get(name) ?? this.dynamicDefault.get(name);
    const definition = brokerConfigDefinition(name);
    if (text === undefined || definition === undefined) return this.static.value(name);
    return parseConfigValue(definition, text);
  }

  /** What a listener has under its prefix; undefined where it is as all are. */
  ofListener(listenerName: string, name: string): ConfigValue | undefined {
    const key = `${listenerConfigPrefix(listenerName)}${name}`;
    const text = this.dynamic.get(key) ?? this.dynamicDefault.get(key) ?? this.static.explicit.get(key);
    return text === undefined ? undefined : parseConfigValue(knownDefinition(BROKER_CONFIGS, name), text);
  }
}

type Entries = ReadonlyMap<string, string>;
const OF_ONE: UsableEntries = { known: new WeakMap(), isUsable: isUsableBrokerConfig };
const OF_ALL: UsableEntries = {
  known: new WeakMap(),
  isUsable: (name, value) => !isPerBrokerConfig(name) && isUsableBrokerConfig(name, value),
};

/** A dynamic value that a broker goes by: of a key that is dynamic, or of one that it does not know. */
export function isUsableBrokerConfig(name: string, value: string): boolean {
  const definition = brokerConfigDefinition(listenerConfigBase(name) ?? name);
  if (definition === undefined) return true;
  if (definition.name === name && (!DYNAMIC_BROKER_CONFIG_NAMES.has(name) || LISTENER_ONLY_CONFIG_NAMES.has(name))) {
    return false;
  }
  try {
    parseConfigValue(definition, value);
    return true;
  } catch (error) {
    if (error instanceof InvalidConfigError) return false;
    throw error;
  }
}

interface UsableEntries {
  readonly known: WeakMap<Entries, Entries>;
  readonly isUsable: (name: string, value: string) => boolean;
}

/** Without what a broker does not go by, which another version may have written, as Kafka; found once for each map of entries. */
function usable(entries: Entries, { known, isUsable }: UsableEntries): Entries {
  let found = known.get(entries);
  if (found === undefined) {
    const all = [...entries];
    const kept = all.filter(([name, value]) => isUsable(name, value));
    found = kept.length === all.length ? entries : new Map(kept);
    known.set(entries, found);
  }
  return found;
}

/** What a resource sets itself, over what the broker has for all resources of its kind. */
abstract class ResourceConfigValues extends TypedValues {
  readonly overrides: ReadonlyMap<string, string>;
  readonly broker: EffectiveBrokerConfig;
  protected abstract readonly definitions: ReadonlyMap<string, ConfigDefinition>;

  constructor(overrides: ReadonlyMap<string, string>, broker: EffectiveBrokerConfig) {
    super();
    this.overrides = overrides;
    this.broker = broker;
  }

  /** The value without the resource's own. */
  abstract defaultValue(name: string): ConfigValue;

  override value(name: string): ConfigValue {
    const definition = knownDefinition(this.definitions, name);
    const text = this.overrides.get(name);
    return text === undefined ? this.defaultValue(name) : parseConfigValue(definition, text);
  }
}

/** The configuration of a topic as it counts now: its own values, then those of the broker under their names there. */
export class TopicConfig extends ResourceConfigValues {
  protected override readonly definitions = TOPIC_CONFIGS;

  static resolve(configs: ConfigsImage | undefined, topic: string, staticConfig: BrokerConfig): TopicConfig {
    const overrides = configs?.configFor(ConfigResourceType.TOPIC, topic) ?? NOTHING;
    return new TopicConfig(overrides, new EffectiveBrokerConfig(configs, staticConfig));
  }

  override defaultValue(name: string): ConfigValue {
    for (const synonym of TOPIC_CONFIG_SYNONYMS.get(name) ?? []) {
      const value = this.broker.value(synonym.name);
      if (value === null) continue;
      if (typeof value !== "number" || synonym.unitMs === 1) return value;
      return value < 0 ? -1 : value * synonym.unitMs; // -1 hours are for ever, as -1 milliseconds are
    }
    return knownDefinition(TOPIC_CONFIGS, name).defaultValue ?? null;
  }
}

/** The configuration of a group as it counts now: its own values, then the broker's. */
export class GroupConfig extends ResourceConfigValues {
  protected override readonly definitions = GROUP_CONFIG_DEFINITIONS;

  static resolve(configs: ConfigsImage | undefined, group: string, staticConfig: BrokerConfig): GroupConfig {
    const overrides = configs?.configFor(ConfigResourceType.GROUP, group) ?? NOTHING;
    return new GroupConfig(overrides, new EffectiveBrokerConfig(configs, staticConfig));
  }

  override defaultValue(name: string): ConfigValue {
    if (name === "streams.assignor.name") return this.broker.list("group.streams.assignors")[0] ?? null;
    const synonym = groupConfigSynonym(name);
    if (synonym !== undefined) return this.broker.value(synonym);
    return knownDefinition(GROUP_CONFIG_DEFINITIONS, name).defaultValue ?? null;
  }
}

/** The broker's key that counts for a group which has no value of its own. */
export function groupConfigSynonym(name: string): string | undefined {
  return BROKER_CONFIGS.has(`group.${name}`) ? `group.${name}` : undefined;
}
