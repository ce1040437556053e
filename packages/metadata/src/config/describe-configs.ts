import type { ConfigsImage } from "../configs-image.ts";
import type { BrokerConfig } from "./broker-config.ts";
import type { ConfigDefinition } from "./config-definition.ts";
import { ConfigTypeCode } from "./config-definition.ts";
import {
  BROKER_CONFIGS,
  brokerConfigDefinition,
  CLIENT_METRICS_CONFIGS,
  GROUP_CONFIG_DEFINITIONS,
  TOPIC_CONFIGS,
} from "./config-definitions.ts";
import { ConfigSource } from "./config-resource.ts";
import { canonicalConfigText, formatConfigValue } from "./config-value.ts";
import { DYNAMIC_BROKER_CONFIG_NAMES, listenerConfigBase } from "./dynamic-broker-configs.ts";
import type { GroupConfig } from "./effective-config.ts";
import { EffectiveBrokerConfig, groupConfigSynonym, TopicConfig } from "./effective-config.ts";
import { TOPIC_CONFIG_SYNONYMS } from "./topic-config-synonyms.ts";

const UNKNOWN_TYPE = 0;

export interface DescribedSynonym {
  readonly name: string;
  readonly value: string | null;
  readonly source: number;
}

/** One key as DescribeConfigs answers it. */
export interface DescribedConfig {
  readonly name: string;
  readonly value: string | null;
  readonly source: number;
  readonly isReadOnly: boolean;
  readonly isSensitive: boolean;
  readonly typeCode: number;
  readonly documentation: string;
  /** From the value that counts to the default. */
  readonly synonyms: readonly DescribedSynonym[];
}

/** @param names the keys that were asked for; all when undefined */
export function describeTopicConfigs(
  configs: ConfigsImage | undefined,
  topic: string,
  broker: BrokerConfig,
  names?: ReadonlySet<string>,
): DescribedConfig[] {
  return describeTopicConfig(TopicConfig.resolve(configs, topic, broker), names);
}

/** The same for a topic that may not exist yet: CreateTopics answers with what its configuration is. */
export function describeTopicConfig(config: TopicConfig, names?: ReadonlySet<string>): DescribedConfig[] {
  const described: DescribedConfig[] = [];
  for (const definition of TOPIC_CONFIGS.values()) {
    const { name } = definition;
    const override = config.overrides.get(name);
    if (names?.has(name) === false || (definition.isInternal && override === undefined)) continue;
    const value =
      override === undefined
        ? formatConfigValue(definition, config.defaultValue(name))
        : canonicalConfigText(definition, override);
    const synonyms = topicSynonyms(name, config.broker);
    if (override !== undefined) synonyms.unshift({ name, value, source: ConfigSource.DYNAMIC_TOPIC_CONFIG });
    described.push(describe(definition, value, synonyms, false));
  }
  return described;
}

/** @param names the keys that were asked for; all when undefined */
export function describeGroupConfigs(config: GroupConfig, names?: ReadonlySet<string>): DescribedConfig[] {
  const described: DescribedConfig[] = [];
  for (const definition of GROUP_CONFIG_DEFINITIONS.values()) {
    const { name } = definition;
    const override = config.overrides.get(name);
    if (names?.has(name) === false || (definition.isInternal && override === undefined)) continue;
    const value = formatConfigValue(definition, config.value(name));
    const synonym = groupConfigSynonym(name);
    const synonyms = synonym === undefined ? [] : brokerSynonyms(synonym, config.broker);
    if (override !== undefined) synonyms.unshift({ name, value, source: ConfigSource.GROUP_CONFIG });
    described.push(describe(definition, value, synonyms, false));
  }
  return described;
}

/** A subscription to the metrics of clients. */
export function describeClientMetricsConfigs(
  entries: ReadonlyMap<string, string>,
  names?: ReadonlySet<string>,
): DescribedConfig[] {
  const described: DescribedConfig[] = [];
  for (const definition of CLIENT_METRICS_CONFIGS.values()) {
    const { name } = definition;
    if (names?.has(name) === false) continue;
    const override = entries.get(name);
    const value = override ?? formatConfigValue(definition, definition.defaultValue ?? null);
    const source = override === undefined ? ConfigSource.DEFAULT_CONFIG : ConfigSource.CLIENT_METRICS_CONFIG;
    const synonyms = override === undefined ? [] : [{ name, value, source }];
    described.push({ ...describe(definition, value, synonyms, false), source });
  }
  return described;
}

export function describeBrokerConfigs(
  configs: ConfigsImage | undefined,
  broker: BrokerConfig,
  names?: ReadonlySet<string>,
): DescribedConfig[] {
  const effective = new EffectiveBrokerConfig(configs, broker);
  const described: DescribedConfig[] = [];
  for (const definition of BROKER_CONFIGS.values()) {
    const { name } = definition;
    const isSet = effective.dynamic.has(name) || effective.dynamicDefault.has(name) || broker.explicit.has(name);
    if (names?.has(name) === false || (definition.isInternal && !isSet)) continue;
    const value = formatConfigValue(definition, effective.value(name));
    described.push(describe(definition, value, brokerSynonyms(name, effective), isReadOnly(name)));
  }
  for (const name of namesBeyondDefinitions(effective)) {
    if (names?.has(name) === false) continue;
    const synonyms = brokerSynonyms(name, effective);
    described.push(describe(definitionOf(name), synonyms[0]?.value ?? null, synonyms, isReadOnly(name)));
  }
  return described;
}

/** What is set for single listeners, what is dynamic only, and what nobody knows, which Kafka keeps for plugins. */
function namesBeyondDefinitions(broker: EffectiveBrokerConfig): readonly string[] {
  const set = [...broker.dynamic.keys(), ...broker.dynamicDefault.keys(), ...broker.static.explicit.keys()];
  return [...new Set([...set, ...broker.static.unknownKeys])].filter((name) => !BROKER_CONFIGS.has(name)).sort();
}

interface NamedType {
  readonly name: string;
  readonly type?: ConfigDefinition["type"];
  readonly documentation: string;
}

/** Of a listener's key that of the key itself, under its own name; of a key that nobody knows, no type. */
function definitionOf(name: string): NamedType {
  const known = brokerConfigDefinition(listenerConfigBase(name) ?? name);
  return known === undefined ? { name, documentation: "" } : { ...known, name };
}

/** The dynamic default of all brokers (the resource without a name): only what is set there. */
export function describeDefaultBrokerConfigs(
  configs: ConfigsImage | undefined,
  broker: BrokerConfig,
  names?: ReadonlySet<string>,
): DescribedConfig[] {
  const source = ConfigSource.DYNAMIC_DEFAULT_BROKER_CONFIG;
  const described: DescribedConfig[] = [];
  for (const [name, value] of new EffectiveBrokerConfig(configs, broker).dynamicDefault) {
    if (names?.has(name) === false) continue;
    described.push(describe(definitionOf(name), value, [{ name, value, source }], isReadOnly(name)));
  }
  return described;
}

/** A key without a type may be a secret, for all one knows. */
function describe(
  definition: NamedType,
  value: string | null,
  synonyms: readonly DescribedSynonym[],
  isReadOnly: boolean,
): DescribedConfig {
  const isSensitive = definition.type === undefined || definition.type === "password";
  return {
    name: definition.name,
    value: isSensitive ? null : value,
    source: synonyms[0]?.source ?? ConfigSource.DEFAULT_CONFIG,
    isReadOnly,
    isSensitive,
    typeCode: definition.type === undefined ? UNKNOWN_TYPE : ConfigTypeCode[definition.type],
    documentation: definition.documentation,
    synonyms: isSensitive ? synonyms.map((synonym) => ({ ...synonym, value: null })) : synonyms,
  };
}

function isReadOnly(name: string): boolean {
  return !DYNAMIC_BROKER_CONFIG_NAMES.has(name);
}

/**
 * Kafka names one broker key for a topic key and drops everything before that key's own first value. So `retention.ms` lists
 * nothing while only `log.retention.hours` counts, although that is where its value comes from.
 */
function topicSynonyms(topicKey: string, broker: EffectiveBrokerConfig): DescribedSynonym[] {
  const first = TOPIC_CONFIG_SYNONYMS.get(topicKey)?.[0];
  return first === undefined ? [] : brokerSynonyms(first.name, broker);
}

function brokerSynonyms(name: string, broker: EffectiveBrokerConfig): DescribedSynonym[] {
  const base = listenerConfigBase(name);
  const names = base === undefined ? (FALLBACKS.get(name) ?? [name]) : [name, base];
  const found: DescribedSynonym[] = [];
  const add = (source: number, valueOf: (name: string) => string | null | undefined): void => {
    for (const each of names) {
      const value = valueOf(each);
      if (value !== undefined && value !== null) found.push({ name: each, value, source });
    }
  };
  add(ConfigSource.DYNAMIC_BROKER_CONFIG, (each) => broker.dynamic.get(each));
  add(ConfigSource.DYNAMIC_DEFAULT_BROKER_CONFIG, (each) => broker.dynamicDefault.get(each));
  add(ConfigSource.STATIC_BROKER_CONFIG, (each) =>
    broker.static.unknownKeys.includes(each) ? "" : broker.static.explicit.get(each),
  );
  add(ConfigSource.DEFAULT_CONFIG, defaultText);
  const start = found.findIndex((synonym) => synonym.name === name);
  return start < 0 ? [] : found.slice(start);
}

function defaultText(name: string): string | null {
  const definition = BROKER_CONFIGS.get(name);
  return definition?.defaultValue === undefined ? null : formatConfigValue(definition, definition.defaultValue);
}

/** Broker keys that stand for one another, the strongest first. */
const FALLBACKS: ReadonlyMap<string, readonly string[]> = new Map(
  [
    ["log.roll.ms", "log.roll.hours"],
    ["log.roll.jitter.ms", "log.roll.jitter.hours"],
    ["log.flush.interval.ms", "log.flush.scheduler.interval.ms"],
    ["log.retention.ms", "log.retention.minutes", "log.retention.hours"],
  ].flatMap((names) => names.map((name) => [name, names] as const)),
);
