import assert from "node:assert/strict";
import { test } from "node:test";
import { BrokerConfig, ConfigResourceType, EMPTY_IMAGE, MetadataDelta } from "@samsa/metadata";
import { groupConfigOf } from "./group-config.ts";
import { MetadataCache } from "./metadata-cache.ts";

const SECONDS = 1000;

function configured(properties: Record<string, string>) {
  const metadata = new MetadataCache();
  let configs = EMPTY_IMAGE.configs;
  const set = (type: number, name: string, values: Record<string, string>): void => {
    configs = configs.with({ type, name }, new Map(Object.entries(values)));
    metadata.onMetadataUpdate(new MetadataDelta(EMPTY_IMAGE), { ...EMPTY_IMAGE, configs });
  };
  const config = groupConfigOf(BrokerConfig.of(properties), metadata);
  return { set, of: (groupId: string) => config.consumerGroup(groupId) };
}

test("a group has the broker's values, Kafka's defaults where there are none", () => {
  const { of } = configured({ "group.consumer.session.timeout.ms": "50000" });
  assert.deepEqual(of("g"), {
    sessionTimeoutMs: 50 * SECONDS,
    heartbeatIntervalMs: 5 * SECONDS,
    assignmentIntervalMs: 1 * SECONDS,
  });
});

test("a group's own values win, from one heartbeat to the next", () => {
  const { of, set } = configured({});
  assert.equal(of("g").heartbeatIntervalMs, 5 * SECONDS);
  set(ConfigResourceType.GROUP, "g", {
    "consumer.heartbeat.interval.ms": "7000",
    "consumer.session.timeout.ms": "46000",
    "consumer.assignment.interval.ms": "0",
  });
  assert.deepEqual(of("g"), {
    sessionTimeoutMs: 46 * SECONDS,
    heartbeatIntervalMs: 7 * SECONDS,
    assignmentIntervalMs: 0,
  });
  assert.equal(of("other").heartbeatIntervalMs, 5 * SECONDS);
});

test("a value that brokers are given while they run counts for the groups without one", () => {
  const { of, set } = configured({});
  set(ConfigResourceType.GROUP, "own", { "consumer.assignment.interval.ms": "3000" });
  set(ConfigResourceType.BROKER, "", { "group.consumer.assignment.interval.ms": "2000" });
  assert.deepEqual(
    [of("g"), of("own")].map(({ assignmentIntervalMs }) => assignmentIntervalMs),
    [2000, 3000],
  );
});

test("a group keeps within limits that were drawn closer since its values were set", () => {
  const { of, set } = configured({
    "group.consumer.max.heartbeat.interval.ms": "6000",
    "group.consumer.min.session.timeout.ms": "44000",
    "group.consumer.max.assignment.interval.ms": "1500",
  });
  set(ConfigResourceType.GROUP, "g", {
    "consumer.heartbeat.interval.ms": "7000",
    "consumer.session.timeout.ms": "43000",
    "consumer.assignment.interval.ms": "9000",
  });
  assert.deepEqual(of("g"), { sessionTimeoutMs: 44_000, heartbeatIntervalMs: 6_000, assignmentIntervalMs: 1_500 });
});
