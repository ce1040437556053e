import { TOPIC_CONFIGS } from "./config-definitions.ts";
import type { EffectiveBrokerConfig } from "./effective-config.ts";
import { TopicConfig } from "./effective-config.ts";
import { InvalidConfigError } from "./invalid-config-error.ts";

/**
 * Whether a topic may have these values: that each key exists, each value is one of its kind, and they agree with each other.
 * @throws InvalidConfigError in Kafka's words
 */
export function validateTopicConfigs(overrides: ReadonlyMap<string, string>, broker: EffectiveBrokerConfig): void {
  for (const name of overrides.keys()) {
    if (!TOPIC_CONFIGS.has(name)) throw new InvalidConfigError(`Unknown topic config name: ${name}`);
  }
  const config = new TopicConfig(overrides, broker);
  for (const name of TOPIC_CONFIGS.keys()) if (overrides.has(name)) config.value(name);

  const minLagMs = config.number("min.compaction.lag.ms");
  const maxLagMs = config.number("max.compaction.lag.ms");
  if (minLagMs > maxLagMs) {
    throw new InvalidConfigError(
      `conflict topic config setting min.compaction.lag.ms (${minLagMs}) > max.compaction.lag.ms (${maxLagMs})`,
    );
  }
  if (config.boolean("remote.storage.enable") && broker.value("remote.log.storage.system.enable") !== true) {
    throw new InvalidConfigError(
      "Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log storage.",
    );
  }
}
