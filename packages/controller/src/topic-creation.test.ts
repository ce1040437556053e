import assert from "node:assert/strict";
import { test } from "node:test";
import { ERRORS } from "@samsa/base";
import { ConfigSource } from "@samsa/metadata";
import {
  CreateTopicsRequest,
  createCreateTopicsRequestCreatableReplicaAssignment as assignment,
  createCreateTopicsRequestCreatableTopic as topicOf,
  createCreateTopicsRequestCreatableTopicConfig as configOf,
} from "@samsa/protocol/messages/create-topics-request";
import type { CreateTopicsRequestCreatableTopic as CreatableTopic } from "@samsa/protocol/messages/create-topics-request";
import type { CreateTopicsResponse } from "@samsa/protocol/messages/create-topics-response";
import { registerBroker } from "./broker-lifecycle.ts";
import { DecidedCluster, registration } from "./testing/contexts.ts";
import { createTopics } from "./topic-creation.ts";

function topic(name: string, fields: Partial<CreatableTopic> = {}): CreatableTopic {
  return topicOf({ name, numPartitions: 1, replicationFactor: 1, ...fields });
}

/** Partition by partition, the brokers that a request names. */
function assigned(
  name: string,
  partitions: Record<number, number[]>,
  fields: Partial<CreatableTopic> = {},
): CreatableTopic {
  const assignments = Object.entries(partitions).map(([index, brokerIds]) =>
    assignment({ partitionIndex: Number(index), brokerIds }),
  );
  return topicOf({ name, numPartitions: -1, replicationFactor: -1, assignments, ...fields });
}

function configured(configs: Record<string, string | null>): CreatableTopic {
  return topic("t", { configs: Object.entries(configs).map(([name, value]) => configOf({ name, value })) });
}

function create(
  cluster: DecidedCluster,
  topics: readonly CreatableTopic[],
  validateOnly = false,
): CreateTopicsResponse {
  return cluster.apply((context) => createTopics(context, CreateTopicsRequest.create({ topics, validateOnly })));
}

function outcome({ topics: [result] }: CreateTopicsResponse): string {
  return `${ERRORS.get(result?.errorCode as never)?.name}: ${result?.errorMessage}`;
}

function oneBroker(): DecidedCluster {
  const cluster = new DecidedCluster();
  cluster.addBroker(1);
  create(cluster, [topic("golden"), topic("bad.one")]);
  return cluster;
}

const refused: { topic: CreatableTopic; outcome: string }[] = [
  { topic: topic(""), outcome: "INVALID_TOPIC_EXCEPTION: Topic name is invalid: the empty string is not allowed" },
  { topic: topic(".."), outcome: "INVALID_TOPIC_EXCEPTION: Topic name is invalid: '..' is not allowed" },
  { topic: topic("golden"), outcome: "TOPIC_ALREADY_EXISTS: Topic 'golden' already exists." },
  { topic: topic("bad.one"), outcome: "TOPIC_ALREADY_EXISTS: Topic 'bad.one' already exists." },
  {
    topic: topic("bad_one"),
    outcome: "INVALID_TOPIC_EXCEPTION: Topic 'bad_one' collides with existing topic: bad.one",
  },
  {
    topic: topic("__cluster_metadata"),
    outcome: "INVALID_REQUEST: Creation of internal topic __cluster_metadata is prohibited.",
  },
  {
    topic: topic("t", { numPartitions: 0 }),
    outcome: "INVALID_PARTITIONS: Number of partitions was set to an invalid non-positive value.",
  },
  {
    topic: topic("t", { numPartitions: -2 }),
    outcome: "INVALID_PARTITIONS: Number of partitions was set to an invalid non-positive value.",
  },
  {
    topic: topic("t", { replicationFactor: 0 }),
    outcome: "INVALID_REPLICATION_FACTOR: Replication factor must be larger than 0, or -1 to use the default value.",
  },
  {
    topic: topic("t", { replicationFactor: 2 }),
    outcome:
      "INVALID_REPLICATION_FACTOR: Unable to replicate the partition 2 time(s): The target replication factor of 2 cannot be " +
      "reached because only 1 broker(s) are registered or some brokers have all their log directories cordoned.",
  },
  {
    topic: topic("t", { numPartitions: 10_001 }),
    outcome: "POLICY_VIOLATION: Excessively large number of partitions per request.",
  },
  {
    topic: assigned("t", { 0: [1], 2: [1] }),
    outcome: "INVALID_REPLICA_ASSIGNMENT: partitions should be a consecutive 0-based integer sequence",
  },
  {
    topic: assigned("t", { 0: [7] }),
    outcome:
      "INVALID_REPLICA_ASSIGNMENT: The manual partition assignment includes broker 7, but no such broker is registered.",
  },
  {
    topic: assigned("t", { 0: [-3] }),
    outcome:
      "INVALID_REPLICA_ASSIGNMENT: The manual partition assignment includes broker -3, but no such broker is registered.",
  },
  {
    topic: assigned("t", { 0: [1, 1] }),
    outcome: "INVALID_REPLICA_ASSIGNMENT: The manual partition assignment includes the broker 1 more than once.",
  },
  {
    topic: assigned("t", { 0: [] }),
    outcome: "INVALID_REPLICA_ASSIGNMENT: The manual partition assignment includes an empty replica list.",
  },
  {
    topic: assigned("t", { 0: [1] }, { numPartitions: 1 }),
    outcome: "INVALID_REQUEST: A manual partition assignment was specified, but numPartitions was not set to -1.",
  },
  {
    topic: assigned("t", { 0: [1] }, { replicationFactor: 1 }),
    outcome: "INVALID_REQUEST: A manual partition assignment was specified, but replication factor was not set to -1.",
  },
  { topic: configured({ foo: "1" }), outcome: "INVALID_CONFIG: Unknown topic config name: foo" },
  { topic: configured({ __proto__x: "1" }), outcome: "INVALID_CONFIG: Unknown topic config name: __proto__x" },
  {
    topic: configured({ "retention.ms": null, foo: null }),
    outcome: "INVALID_CONFIG: Null value not supported for topic configs: retention.ms,foo",
  },
  {
    topic: configured({ "retention.ms": "abc" }),
    outcome: "INVALID_CONFIG: Invalid value abc for configuration retention.ms: Not a number of type LONG",
  },
  {
    topic: configured({ "min.compaction.lag.ms": "10", "max.compaction.lag.ms": "5" }),
    outcome: "INVALID_CONFIG: conflict topic config setting min.compaction.lag.ms (10) > max.compaction.lag.ms (5)",
  },
];
for (const { topic, outcome: expected } of refused) {
  test(`refuses to create a topic: ${expected.slice(0, 110)}`, () => {
    const cluster = oneBroker();
    const before = cluster.records.length;
    assert.equal(outcome(create(cluster, [topic])), expected);
    assert.equal(cluster.records.length, before);
  });
}

test("creates with the defaults of the broker", () => {
  const cluster = new DecidedCluster({ "num.partitions": "3", "default.replication.factor": "2" });
  cluster.addBroker(1);
  cluster.addBroker(2);
  const [result] = create(cluster, [topic("t", { numPartitions: -1, replicationFactor: -1 })]).topics;
  assert.deepEqual([result?.numPartitions, result?.replicationFactor, result?.errorCode], [3, 2, 0]);
  const created = cluster.image.topics.byName.get("t");
  assert.equal(created?.id, result?.topicId);
  assert.equal(created?.partitions.size, 3);
  for (const partition of created?.partitions.values() ?? []) {
    assert.deepEqual(partition.isr, partition.replicas);
    assert.equal(partition.leader, partition.replicas[0]);
    assert.equal(new Set(partition.replicas).size, 2);
  }
});

test("the records come in Kafka's order: the topic, its configuration, its partitions", () => {
  const cluster = oneBroker();
  const before = cluster.records.length;
  create(cluster, [topic("t", { numPartitions: 2, configs: [configOf({ name: "retention.ms", value: " 5 " })] })]);
  const written = cluster.records.slice(before);
  assert.deepEqual(
    written.map(({ type, version }) => [type, version]),
    [
      ["TopicRecord", 0],
      ["ConfigRecord", 0],
      ["PartitionRecord", 2],
      ["PartitionRecord", 2],
    ],
  );
  assert.deepEqual([...cluster.image.configs.configFor(2, "t")], [["retention.ms", " 5 "]]);
});

test("the answer holds the whole configuration, with the source of each value", () => {
  const cluster = new DecidedCluster({ "log.retention.hours": "5" });
  cluster.addBroker(1);
  const [result] = create(cluster, [
    topic("t", { configs: [configOf({ name: "max.message.bytes", value: "70000" })] }),
  ]).topics;
  assert.equal(result?.configs?.length, 37);
  const interesting = result?.configs
    ?.filter(({ configSource }) => configSource !== ConfigSource.DEFAULT_CONFIG)
    .map(({ name, value, configSource }) => [name, value, configSource]);
  assert.deepEqual(interesting, [
    ["max.message.bytes", "70000", ConfigSource.DYNAMIC_TOPIC_CONFIG],
    ["min.insync.replicas", "1", ConfigSource.DYNAMIC_DEFAULT_BROKER_CONFIG],
    ["retention.ms", "18000000", ConfigSource.STATIC_BROKER_CONFIG],
  ]);
});

test("a name that stands twice in a request is refused once, behind the others", () => {
  const cluster = oneBroker();
  const { topics } = create(cluster, [topic("twice"), topic("once"), topic("twice", { numPartitions: 5 })]);
  assert.deepEqual(
    topics.map(({ name, errorCode, errorMessage }) => [name, errorCode, errorMessage]),
    [
      ["once", 0, null],
      ["twice", 42, "Duplicate topic name."],
    ],
  );
});

test("two new names of one request may collide, as in Kafka", () => {
  const { topics } = create(oneBroker(), [topic("x.y"), topic("x_y")]);
  assert.deepEqual(
    topics.map(({ errorCode }) => errorCode),
    [0, 0],
  );
});

test("one bad topic does not stand in the way of the others", () => {
  const cluster = oneBroker();
  const { topics } = create(cluster, [topic("golden"), topic("fine")]);
  assert.deepEqual(
    topics.map(({ name, errorCode }) => [name, errorCode]),
    [
      ["golden", 36],
      ["fine", 0],
    ],
  );
  assert.ok(cluster.image.topics.byName.has("fine"));
});

test("validateOnly answers as if, and writes nothing", () => {
  const cluster = oneBroker();
  const before = cluster.records.length;
  const [result] = create(cluster, [topic("t", { numPartitions: 3 })], true).topics;
  assert.deepEqual([result?.errorCode, result?.numPartitions], [0, 3]);
  assert.equal(cluster.records.length, before);
});

test("nothing is created while every broker is fenced", () => {
  const cluster = new DecidedCluster();
  assert.match(
    outcome(create(cluster, [topic("t")])),
    /INVALID_REPLICATION_FACTOR: .* All brokers are currently fenced, or have all their log directories cordoned\.$/,
  );
  cluster.apply((context) => registerBroker(context, registration(1)));
  assert.match(
    outcome(create(cluster, [topic("t")])),
    /All brokers are currently fenced, or have all their log directories cordoned\.$/,
  );
  assert.equal(
    outcome(create(cluster, [assigned("t", { 0: [1] })])),
    "INVALID_REPLICA_ASSIGNMENT: All brokers specified in the manual partition assignment for partition 0 are fenced or in " +
      "controlled shutdown.",
  );
});

test("names that objects treat specially are topics like others", () => {
  const cluster = oneBroker();
  const names = ["__proto__", "constructor", "toString"];
  const { topics } = create(
    cluster,
    names.map((name) => topic(name)),
  );
  assert.deepEqual(
    topics.map(({ errorCode }) => errorCode),
    [0, 0, 0],
  );
  for (const name of names) assert.equal(cluster.image.topics.byName.get(name)?.name, name);
});
