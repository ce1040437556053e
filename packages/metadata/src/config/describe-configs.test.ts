import assert from "node:assert/strict";
import { test } from "node:test";
import { fixtureLines, imageOf } from "../testing/fixtures.ts";
import { BrokerConfig } from "./broker-config.ts";
import { ConfigTypeCode } from "./config-definition.ts";
import { ConfigResourceType, ConfigSource } from "./config-resource.ts";
import type { DescribedConfig } from "./describe-configs.ts";
import { describeBrokerConfigs, describeDefaultBrokerConfigs, describeTopicConfigs } from "./describe-configs.ts";
import { EffectiveBrokerConfig, TopicConfig } from "./effective-config.ts";
import { resolveTopicConfigs } from "./resolve-topic-configs.ts";

const { configs } = imageOf("cluster-metadata.log");
const properties = new Map(
  fixtureLines("server.properties").map((line): [string, string] => {
    const at = line.indexOf("=");
    return [line.slice(0, at), line.slice(at + 1)];
  }),
);
const broker = new BrokerConfig(properties);

const resources = [
  { name: "topic:golden", described: describeTopicConfigs(configs, "golden", broker) },
  { name: "topic:assigned", described: describeTopicConfigs(configs, "assigned", broker) },
  { name: "broker:1", described: describeBrokerConfigs(configs, broker) },
  { name: "broker:", described: describeDefaultBrokerConfigs(configs, broker) },
];
for (const { name, described } of resources) {
  test(`describes ${name} as Kafka did: values, sources and synonyms`, () => {
    const theirs = fixtureLines("describe-configs.tsv").filter((line) => line.startsWith(`${name}\t`));
    assert.deepEqual(described.map((config) => printed(name, config)).sort(), theirs.sort());
  });
}

test("describes only the keys that were asked for", () => {
  const names = new Set(["retention.ms", "no.such.key"]);
  assert.deepEqual(
    describeTopicConfigs(configs, "golden", broker, names).map(({ name }) => name),
    ["retention.ms"],
  );
});

test("an internal key shows only where it is set", () => {
  const [config] = describeTopicConfigs(
    configs.with({ type: 2, name: "t" }, new Map([["internal.segment.bytes", "5"]])),
    "t",
    broker,
    new Set(["internal.segment.bytes"]),
  );
  assert.equal(config?.value, "5");
  assert.equal(describeTopicConfigs(configs, "t", broker, new Set(["internal.segment.bytes"])).length, 0);
});

test("a password is never shown, also not among synonyms", () => {
  const secret = BrokerConfig.of({ "node.id": "1", "ssl.key.password": "hush" });
  const [described] = describeBrokerConfigs(configs, secret, new Set(["ssl.key.password"]));
  assert.equal(described?.isSensitive, true);
  assert.ok(!JSON.stringify(described).includes("hush"));
});

test("hours of retention become milliseconds, and have a source in the answer of CreateTopics alone", () => {
  const hours = BrokerConfig.of({
    "node.id": "1",
    "log.retention.hours": "5",
    "log.roll.ms": "600000",
    "log.cleanup.policy": "delete",
  });
  const withoutDynamic = configs.with({ type: ConfigResourceType.BROKER, name: "1" }, new Map());
  const topicConfig = TopicConfig.resolve(withoutDynamic, "new", hours);
  assert.equal(topicConfig.number("retention.ms"), 18_000_000);
  const resolved = resolveTopicConfigs(topicConfig).filter(({ source }) => source !== ConfigSource.DEFAULT_CONFIG);
  const SET = ConfigSource.STATIC_BROKER_CONFIG;
  assert.deepEqual(resolved, [
    { name: "cleanup.policy", value: "delete", source: SET },
    { name: "min.insync.replicas", value: "1", source: ConfigSource.DYNAMIC_DEFAULT_BROKER_CONFIG },
    { name: "retention.ms", value: "18000000", source: SET },
    { name: "segment.ms", value: "600000", source: SET },
  ]);
  const [described] = describeTopicConfigs(withoutDynamic, "new", hours, new Set(["retention.ms"]));
  assert.deepEqual(
    [described?.value, described?.source, described?.synonyms],
    ["18000000", ConfigSource.DEFAULT_CONFIG, []],
  );
});

test("-1 hours are for ever", () => {
  const forever = BrokerConfig.of({ "node.id": "1", "log.retention.hours": "-1" });
  assert.equal(TopicConfig.resolve(undefined, "t", forever).number("retention.ms"), -1);
});

function printed(resource: string, config: DescribedConfig): string {
  const type = Object.entries(ConfigTypeCode)
    .find(([, code]) => code === config.typeCode)?.[0]
    .toUpperCase();
  const synonyms = config.synonyms.map(({ name, value, source }) => `${name}=${value}@${sourceName(source)}`);
  const readOnly = config.isReadOnly ? "ro" : "rw";
  return [resource, config.name, String(config.value), sourceName(config.source), readOnly, type, ...synonyms].join(
    "\t",
  );
}

function sourceName(source: number): string | undefined {
  return Object.entries(ConfigSource).find(([, code]) => code === source)?.[0];
}

test("a key of one listener is described as the key itself, behind it what holds for all; an unknown one is kept secret", () => {
  const set = new Map([
    ["listener.name.plaintext.max.connections", "9"],
    ["listener.name.plaintext.ssl.keystore.password", "hush"],
    ["my.own", "hush"],
  ]);
  const changed = configs
    .with({ type: 4, name: "1" }, set)
    .with({ type: 4, name: "" }, new Map([["max.connections", "5"]]));
  const described = describeBrokerConfigs(changed, BrokerConfig.of({ "node.id": "1" }), new Set(set.keys()));
  assert.deepEqual(
    described.map(({ name, value, typeCode, synonyms }) => [
      name,
      value,
      typeCode,
      synonyms.map(({ value: of }) => of),
    ]),
    [
      ["listener.name.plaintext.max.connections", "9", ConfigTypeCode.int, ["9", "5", "2147483647"]],
      ["listener.name.plaintext.ssl.keystore.password", null, ConfigTypeCode.password, [null]],
      ["my.own", null, 0, [null]],
    ],
  );
});

test("what a broker does not go by hides nothing: values of another version, keys that are not dynamic", () => {
  const set = new Map([
    ["log.retention.ms", "soon"],
    ["num.partitions", "7"],
    ["ssl.keystore.type", "JKS"],
  ]);
  const effective = new EffectiveBrokerConfig(
    configs.with({ type: 4, name: "1" }, set),
    BrokerConfig.of({ "node.id": "1" }),
  );
  assert.deepEqual([...effective.dynamic], []);
  assert.deepEqual([effective.value("log.retention.ms"), effective.number("num.partitions")], [null, 1]);
});
