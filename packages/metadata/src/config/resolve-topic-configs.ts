import type { ConfigDefinition } from "./config-definition.ts";
import { TOPIC_CONFIGS } from "./config-definitions.ts";
import { ConfigSource } from "./config-resource.ts";
import { formatConfigValue } from "./config-value.ts";
import type { TopicConfig } from "./effective-config.ts";
import type { TopicConfigSynonym } from "./topic-config-synonyms.ts";
import { TOPIC_CONFIG_SYNONYMS } from "./topic-config-synonyms.ts";

export interface ResolvedConfig {
  readonly name: string;
  readonly value: string | null;
  readonly source: number;
}

/**
 * The values that CreateTopics answers with, in order of their names. They are found otherwise than DescribeConfigs finds
 * them: a value from `log.retention.hours` has a source here.
 */
export function resolveTopicConfigs(config: TopicConfig): ResolvedConfig[] {
  const resolved: ResolvedConfig[] = [];
  for (const definition of TOPIC_CONFIGS.values()) {
    if (definition.isInternal && !config.overrides.has(definition.name)) continue;
    resolved.push({ name: definition.name, ...resolve(definition, config) });
  }
  return resolved;
}

function resolve(definition: ConfigDefinition, config: TopicConfig): { value: string | null; source: number } {
  const override = config.overrides.get(definition.name);
  if (override !== undefined) return { value: override, source: ConfigSource.DYNAMIC_TOPIC_CONFIG };
  const layers = [
    { source: ConfigSource.DYNAMIC_BROKER_CONFIG, values: config.broker.dynamic },
    { source: ConfigSource.DYNAMIC_DEFAULT_BROKER_CONFIG, values: config.broker.dynamicDefault },
    { source: ConfigSource.STATIC_BROKER_CONFIG, values: config.broker.static.explicit },
  ];
  const synonyms = TOPIC_CONFIG_SYNONYMS.get(definition.name) ?? [];
  for (const { source, values } of layers) {
    for (const synonym of synonyms) {
      const text = values.get(synonym.name);
      if (text !== undefined) return { value: convert(text, synonym), source };
    }
  }
  return { value: formatConfigValue(definition, definition.defaultValue ?? null), source: ConfigSource.DEFAULT_CONFIG };
}

/** Hours and minutes become milliseconds; a negative number of them means for ever. */
function convert(text: string, { unitMs }: TopicConfigSynonym): string {
  if (unitMs === 1) return text;
  const value = Number(text);
  return value < 0 ? "-1" : String(value * unitMs);
}
