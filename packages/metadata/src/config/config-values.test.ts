import assert from "node:assert/strict";
import { test } from "node:test";
import { INT64_MAX } from "@samsa/base";
import { fixtureLines } from "../testing/fixtures.ts";
import { BrokerConfig } from "./broker-config.ts";
import { BROKER_CONFIGS, TOPIC_CONFIGS } from "./config-definitions.ts";
import type { ConfigDefinition } from "./config-definition.ts";
import { canonicalConfigText, formatConfigValue, parseConfigValue } from "./config-value.ts";
import { EffectiveBrokerConfig, TopicConfig } from "./effective-config.ts";
import { validateTopicConfigs } from "./topic-config-validation.ts";

interface Group {
  readonly scope: "broker" | "topic";
  readonly keys: readonly string[];
  /** By text ("null" for none): `=canonical form` or `!message`. */
  readonly results: Readonly<Record<string, string>>;
}

const groups = fixtureLines("config-values.jsonl").map((line) => JSON.parse(line) as Group);
const effective = new EffectiveBrokerConfig(undefined, new BrokerConfig());
const tiered = BrokerConfig.of({ "remote.log.storage.system.enable": "true" });

test("knows every key of broker and topic that Kafka knows, and no other", () => {
  for (const [scope, definitions] of [
    ["broker", BROKER_CONFIGS],
    ["topic", TOPIC_CONFIGS],
  ] as const) {
    const keys = groups.filter((group) => group.scope === scope).flatMap((group) => group.keys);
    assert.deepEqual([...definitions.keys()], keys.sort());
  }
});

test("accepts and refuses values of brokers as Kafka does, in its words", () => {
  for (const { key, text, result } of cases("broker")) {
    const definition = BROKER_CONFIGS.get(key);
    assert.ok(definition !== undefined);
    // Kafka looks for the class. We keep its name: there are no Java classes here to find.
    if (definition.type === "class" && result.endsWith(" could not be found.")) continue;
    assert.equal(outcome(definition, text), result, `${key} = ${JSON.stringify(text)}`);
  }
});

test("accepts and refuses values of topics as Kafka does, in its words", () => {
  for (const { key, text, result } of cases("topic")) {
    if (text === null) continue; // answered before it comes to the key
    const validate = (): string => {
      try {
        validateTopicConfigs(new Map([[key, text]]), new EffectiveBrokerConfig(undefined, tiered));
        return "=";
      } catch (error) {
        return `!${(error as Error).message}`;
      }
    };
    assert.equal(validate(), result, `${key} = ${JSON.stringify(text)}`);
  }
});

test("every key has a sentence of its own and a default of its type", () => {
  for (const definition of [...BROKER_CONFIGS.values(), ...TOPIC_CONFIGS.values()]) {
    assert.match(definition.documentation, /^[A-Z].*\.$/, definition.name);
    const { defaultValue } = definition;
    if (defaultValue === undefined || defaultValue === null) continue;
    const text = formatConfigValue(definition, defaultValue);
    assert.deepEqual(parseConfigValue({ ...definition, validator: undefined }, text), defaultValue, definition.name);
  }
});

test("the unlimited long is INT64_MAX, and longs beyond the safe range keep their text", () => {
  const definition = TOPIC_CONFIGS.get("flush.messages");
  assert.ok(definition !== undefined);
  assert.equal(parseConfigValue(definition, "9223372036854775807"), INT64_MAX);
  assert.equal(formatConfigValue(definition, INT64_MAX), "9223372036854775807");
  assert.equal(canonicalConfigText(definition, " +9007199254740993 "), "9007199254740993");
});

const together: { values: Record<string, string>; message: string }[] = [
  {
    values: { "min.compaction.lag.ms": "10", "max.compaction.lag.ms": "5" },
    message: "conflict topic config setting min.compaction.lag.ms (10) > max.compaction.lag.ms (5)",
  },
  {
    values: { "remote.storage.enable": "true" },
    message:
      "Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log storage.",
  },
  { values: { foo: "1", "retention.ms": "x" }, message: "Unknown topic config name: foo" },
  { values: { constructor: "1" }, message: "Unknown topic config name: constructor" },
];
for (const { values, message } of together) {
  test(`refuses ${JSON.stringify(values)} for a topic`, () => {
    const overrides = new Map(Object.entries(values));
    assert.throws(() => validateTopicConfigs(overrides, effective), { codeName: "INVALID_CONFIG", message });
  });
}

function outcome(definition: ConfigDefinition, text: string | null): string {
  try {
    if (text !== null) {
      // A password prints as stars in Kafka's own conversion to text.
      return definition.type === "password" ? "=[hidden]" : `=${canonicalConfigText(definition, text)}`;
    }
    return `=${formatConfigValue(definition, parseConfigValue(definition, null)) ?? "null"}`;
  } catch (error) {
    return `!${(error as Error).message}`;
  }
}

function* cases(scope: Group["scope"]): Iterable<{ key: string; text: string | null; result: string }> {
  for (const group of groups) {
    if (group.scope !== scope) continue;
    for (const key of group.keys) {
      for (const [text, result] of Object.entries(group.results)) {
        yield { key, text: text === "null" ? null : text, result: result.replaceAll("{key}", key) };
      }
    }
  }
}

for (const [what, properties, flushMs] of [
  ["is never, by default", {}, INT64_MAX],
  ["is log.flush.interval.ms", { "log.flush.interval.ms": "20", "log.flush.scheduler.interval.ms": "300" }, 20],
  ["is log.flush.scheduler.interval.ms where that is not set", { "log.flush.scheduler.interval.ms": "300" }, 300],
] as const) {
  test(`flush.ms of a topic ${what}`, () => {
    const broker = BrokerConfig.of({ ...properties });
    assert.equal(TopicConfig.resolve(undefined, "t", broker).number("flush.ms"), flushMs);
  });
}
