import { ErrorCode, refusal } from "@samsa/base";
import { BROKER_CONFIGS, CLIENT_METRICS_CONFIGS, GROUP_CONFIG_DEFINITIONS } from "./config-definitions.ts";
import { parseConfigValue } from "./config-value.ts";
import type { EffectiveBrokerConfig } from "./effective-config.ts";
import { GroupConfig } from "./effective-config.ts";
import { InvalidConfigError } from "./invalid-config-error.ts";

const KINDS: readonly string[] = ["consumer", "share", "streams"];

/**
 * Whether a group may have these values: that each key exists, each value is one of its kind, and within what the broker allows.
 * @throws InvalidConfigError
 */
export function validateGroupConfigs(overrides: ReadonlyMap<string, string>, broker: EffectiveBrokerConfig): void {
  for (const name of overrides.keys()) {
    if (!GROUP_CONFIG_DEFINITIONS.has(name)) throw new InvalidConfigError(`Unknown group config name: ${name}`);
  }
  const config = new GroupConfig(overrides, broker);
  for (const name of overrides.keys()) {
    const value = config.value(name);
    if (typeof value !== "number") continue;
    const least = limit(name, "min", broker);
    const most = limit(name, "max", broker);
    if (least !== undefined && value < least.value) {
      throw new InvalidConfigError(`${name} must be greater than or equal to ${least.key}`);
    }
    if (most !== undefined && value > most.value) {
      throw new InvalidConfigError(`${name} must be less than or equal to ${most.key}`);
    }
  }
  for (const kind of KINDS) {
    const [heartbeat, session] = [`${kind}.heartbeat.interval.ms`, `${kind}.session.timeout.ms`];
    if (config.number(session) <= config.number(heartbeat)) {
      throw new InvalidConfigError(`${session} must be greater than ${heartbeat}`);
    }
  }
}

/** @throws KafkaError INVALID_REQUEST, or INVALID_CONFIG for a pattern that is none, as Kafka has it */
export function validateClientMetricsConfigs(entries: ReadonlyMap<string, string>): void {
  for (const [name, text] of entries) {
    const definition = CLIENT_METRICS_CONFIGS.get(name);
    if (definition === undefined) {
      throw refusal(ErrorCode.INVALID_REQUEST, `Unknown client metrics configuration: ${name}`);
    }
    parseConfigValue(definition, text);
  }
}

/** The broker's limit of a group's key: `group.consumer.min.session.timeout.ms` of `consumer.session.timeout.ms`. */
function limit(name: string, which: "min" | "max", broker: EffectiveBrokerConfig) {
  const [kind = "", ...rest] = name.split(".");
  // The number of replicas is limited as `max.standby.replicas`.
  const keys = [`group.${kind}.${which}.${rest.join(".")}`, `group.${kind}.${which}.${rest.slice(1).join(".")}`];
  const key = keys.find((each, index) => BROKER_CONFIGS.has(each) && (index === 0 || rest[0] === "num"));
  return key === undefined ? undefined : { key, value: broker.number(key) };
}
