import assert from "node:assert/strict";
import { test } from "node:test";
import type { Uuid } from "@samsa/base";
import { ERRORS, ZERO_UUID } from "@samsa/base";
import { ConfigResourceType } from "@samsa/metadata";
import { AlterConfigsRequest } from "@samsa/protocol/messages/alter-configs-request";
import {
  CreatePartitionsRequest,
  createCreatePartitionsRequestCreatePartitionsAssignment as newAssignment,
  createCreatePartitionsRequestCreatePartitionsTopic as partitionsOf,
} from "@samsa/protocol/messages/create-partitions-request";
import {
  CreateTopicsRequest,
  createCreateTopicsRequestCreatableTopic as topicOf,
  createCreateTopicsRequestCreatableTopicConfig as configOf,
} from "@samsa/protocol/messages/create-topics-request";
import {
  createDeleteTopicsRequestDeleteTopicState as deletionOf,
  DeleteTopicsRequest,
} from "@samsa/protocol/messages/delete-topics-request";
import {
  createIncrementalAlterConfigsRequestAlterableConfig as operation,
  createIncrementalAlterConfigsRequestAlterConfigsResource as resourceOf,
  IncrementalAlterConfigsRequest,
} from "@samsa/protocol/messages/incremental-alter-configs-request";
import { alterConfigs, incrementalAlterConfigs } from "./config-alteration.ts";
import { createPartitions } from "./partition-creation.ts";
import { allocateProducerIds } from "./producer-ids.ts";
import { DecidedCluster, uuid } from "./testing/contexts.ts";
import { createTopics } from "./topic-creation.ts";
import { deleteTopics } from "./topic-deletion.ts";

function cluster(properties: Record<string, string> = {}): DecidedCluster {
  const cluster = new DecidedCluster(properties);
  cluster.addBroker(1);
  const configs = [configOf({ name: "cleanup.policy", value: "compact" })];
  const topics = [
    topicOf({ name: "golden", numPartitions: 5, replicationFactor: 1, configs }),
    topicOf({ name: "other", numPartitions: 1, replicationFactor: 1 }),
  ];
  cluster.apply((context) => createTopics(context, CreateTopicsRequest.create({ topics })));
  return cluster;
}

interface Answer {
  readonly errorCode: number;
  readonly errorMessage: string | null;
}

function say(answer: Answer | undefined): string {
  return `${ERRORS.get(answer?.errorCode as never)?.name}: ${answer?.errorMessage ?? ""}`;
}

// ---- DeleteTopics

function deletion(name: string | null, topicId: Uuid = ZERO_UUID) {
  return deletionOf({ name, topicId });
}

test("deletes by name and by id, and the configuration goes along", () => {
  const decided = cluster();
  const id = decided.image.topics.byName.get("golden")?.id;
  const request = DeleteTopicsRequest.create({ topics: [deletion(null, id), deletion("other")] });
  const { responses } = decided.apply((context) => deleteTopics(context, request));
  assert.deepEqual(
    responses.map(({ name, errorCode }) => [name, errorCode]),
    [
      ["golden", 0],
      ["other", 0],
    ],
  );
  assert.equal(responses[0]?.topicId, id);
  assert.equal(decided.image.topics.byName.size, 0);
  assert.equal(decided.image.configs.configFor(ConfigResourceType.TOPIC, "golden").size, 0);
});

test("a topic named by its name and by its id is not deleted, and answered once", () => {
  const decided = cluster();
  const id = decided.image.topics.byName.get("golden")?.id;
  const request = DeleteTopicsRequest.create({ topics: [deletion(null, id), deletion("golden")] });
  const { records, response } = deleteTopics(decided.context, request);
  assert.equal(records.length, 0);
  assert.deepEqual(
    response.responses.map((answer) => [answer.name, answer.topicId, say(answer)]),
    [["golden", id, "INVALID_REQUEST: The provided topic name maps to an ID that was already supplied."]],
  );
});

const deletions = [
  { state: deletion("nosuch"), says: "UNKNOWN_TOPIC_OR_PARTITION: This server does not host this topic-partition." },
  { state: deletion(null, uuid(77)), says: "UNKNOWN_TOPIC_ID: This server does not host this topic ID." },
  { state: deletion(null), says: "INVALID_REQUEST: Neither topic name nor id were specified." },
  { state: deletion("golden", uuid(77)), says: "INVALID_REQUEST: You may not specify both topic name and topic id." },
];
for (const { state, says } of deletions) {
  test(`refuses to delete: ${says}`, () => {
    const decided = cluster();
    const { records, response } = deleteTopics(decided.context, DeleteTopicsRequest.create({ topics: [state] }));
    assert.equal(say(response.responses[0]), says);
    assert.equal(records.length, 0);
  });
}

test("what stands twice in a request is not deleted", () => {
  const request = DeleteTopicsRequest.create({ topicNames: ["golden", "other", "golden"] });
  const { records, response } = deleteTopics(cluster().context, request);
  assert.equal(records.length, 1);
  assert.deepEqual(
    response.responses.map((answer) => say(answer)),
    ["INVALID_REQUEST: Duplicate topic name.", "NONE: "],
  );
});

test("nothing is deleted where deletion is disabled", () => {
  const decided = cluster({ "delete.topic.enable": "false" });
  const { records, response } = deleteTopics(decided.context, DeleteTopicsRequest.create({ topicNames: ["golden"] }));
  assert.equal(say(response.responses[0]), "TOPIC_DELETION_DISABLED: Topic deletion is disabled.");
  assert.equal(records.length, 0);
});

// ---- CreatePartitions

function more(name: string, count: number, assignments: number[][] | null = null) {
  const brokers = assignments?.map((brokerIds) => newAssignment({ brokerIds })) ?? null;
  return partitionsOf({ name, count, assignments: brokers });
}

const additions = [
  { topic: more("nosuch", 3), says: "UNKNOWN_TOPIC_OR_PARTITION: " },
  { topic: more("golden", 5), says: "INVALID_PARTITIONS: Topic already has 5 partition(s)." },
  {
    topic: more("golden", 1),
    says: "INVALID_PARTITIONS: The topic golden currently has 5 partition(s); 1 would not be an increase.",
  },
  {
    topic: more("golden", 20_000),
    says: "POLICY_VIOLATION: Excessively large number of additional partitions per request.",
  },
  {
    topic: more("golden", 7, [[1]]),
    says: "INVALID_REPLICA_ASSIGNMENT: Attempted to add 2 additional partition(s), but only 1 assignment(s) were specified.",
  },
  {
    topic: more("golden", 6, [[9]]),
    says: "INVALID_REPLICA_ASSIGNMENT: The manual partition assignment includes broker 9, but no such broker is registered.",
  },
  {
    topic: more("golden", 6, [[]]),
    says: "INVALID_REPLICA_ASSIGNMENT: The manual partition assignment includes an empty replica list.",
  },
];
for (const { topic, says } of additions) {
  test(`refuses to add partitions: ${says}`, () => {
    const { records, response } = createPartitions(
      cluster().context,
      CreatePartitionsRequest.create({ topics: [topic] }),
    );
    assert.equal(say(response.results[0]), says);
    assert.equal(records.length, 0);
  });
}

test("a topic that stands twice gets no partitions, and one answer", () => {
  const request = CreatePartitionsRequest.create({ topics: [more("golden", 6), more("golden", 7)] });
  const { records, response } = createPartitions(cluster().context, request);
  assert.deepEqual(
    [records.length, response.results.map((answer) => say(answer))],
    [0, ["INVALID_REQUEST: Duplicate topic name."]],
  );
});

test("adds partitions behind those there are", () => {
  const decided = cluster();
  const request = CreatePartitionsRequest.create({ topics: [more("golden", 7, [[1], [1]]), more("other", 3)] });
  assert.equal(createPartitions(decided.context, { ...request, validateOnly: true }).records.length, 0);
  const { results } = decided.apply((context) => createPartitions(context, request));
  assert.deepEqual(
    results.map(({ errorCode }) => errorCode),
    [0, 0],
  );
  assert.deepEqual([...(decided.image.topics.byName.get("golden")?.partitions.keys() ?? [])], [0, 1, 2, 3, 4, 5, 6]);
  assert.equal(decided.image.topics.byName.get("other")?.partitions.size, 3);
});

// ---- IncrementalAlterConfigs

const SET = 0;
const DELETE = 1;
const APPEND = 2;
const SUBTRACT = 3;
const { TOPIC, BROKER } = ConfigResourceType;
type Step = readonly [name: string, configOperation: number, value: string | null];

function alter(decided: DecidedCluster, resourceType: number, resourceName: string, ...steps: Step[]): string {
  const configs = steps.map(([name, configOperation, value]) => operation({ name, configOperation, value }));
  const request = IncrementalAlterConfigsRequest.create({
    resources: [resourceOf({ resourceType, resourceName, configs })],
  });
  return say(decided.apply((context) => incrementalAlterConfigs(context, request)).responses[0]);
}

const alterations: { resource: readonly [number, string]; steps: Step[]; says: string }[] = [
  {
    resource: [TOPIC, "nosuch"],
    steps: [["retention.ms", SET, "1"]],
    says: "UNKNOWN_TOPIC_OR_PARTITION: The topic 'nosuch' does not exist.",
  },
  { resource: [TOPIC, "golden"], steps: [["foo", SET, "1"]], says: "INVALID_CONFIG: Unknown topic config name: foo" },
  {
    resource: [TOPIC, "golden"],
    steps: [["retention.ms", SET, "x"]],
    says: "INVALID_CONFIG: Invalid value x for configuration retention.ms: Not a number of type LONG",
  },
  {
    resource: [TOPIC, "golden"],
    steps: [["retention.ms", APPEND, "1"]],
    says: "INVALID_CONFIG: Can't APPEND to key retention.ms because its type is not LIST.",
  },
  {
    resource: [TOPIC, "golden"],
    steps: [["retention.ms", SUBTRACT, "1"]],
    says: "INVALID_CONFIG: Can't SUBTRACT to key retention.ms because its type is not LIST.",
  },
  {
    resource: [TOPIC, "golden"],
    steps: [["cleanup.policy", APPEND, "foo"]],
    says: "INVALID_CONFIG: Invalid value foo for configuration cleanup.policy: String must be one of: compact, delete",
  },
  {
    resource: [TOPIC, "golden"],
    steps: [["retention.ms", SET, null]],
    says: "INVALID_REQUEST: Null value not supported for : retention.ms",
  },
  {
    resource: [TOPIC, "golden"],
    steps: [
      ["retention.ms", SET, "1"],
      ["retention.ms", SET, "2"],
    ],
    says: "INVALID_REQUEST: Error due to duplicate config keys",
  },
  {
    resource: [BROKER, "1"],
    steps: [["log.dirs", SET, "x"]],
    says: "INVALID_REQUEST: Cannot update these configs dynamically: [log.dirs]",
  },
  {
    resource: [BROKER, "1"],
    steps: [["log.retention.ms", SET, "x"]],
    says: "INVALID_REQUEST: Invalid value x for configuration log.retention.ms: Not a number of type LONG",
  },
  {
    resource: [BROKER, ""],
    steps: [["listeners", SET, "PLAINTEXT://:1"]],
    says: "INVALID_REQUEST: Cannot update these configs at default cluster level, broker id must be specified: [listeners]",
  },
  {
    resource: [BROKER, ""],
    steps: [["min.insync.replicas", DELETE, null]],
    says: "INVALID_CONFIG: Cluster-level min.insync.replicas cannot be removed while ELR is enabled.",
  },
  {
    resource: [BROKER, "1"],
    steps: [["min.insync.replicas", SET, "1"]],
    says: "INVALID_CONFIG: Broker-level min.insync.replicas cannot be altered while ELR is enabled.",
  },
  {
    resource: [BROKER, "1"],
    steps: [["log.cleaner.threads", SET, "3"]],
    says: "INVALID_REQUEST: Invalid value org.apache.kafka.common.config.ConfigException: Log cleaner threads cannot be increased to more than double the current value 1 for configuration Invalid dynamic configuration",
  },
  {
    resource: [BROKER, ""],
    steps: [["log.cleaner.threads", SET, "3"]],
    says: "INVALID_REQUEST: Invalid value org.apache.kafka.common.config.ConfigException: Log cleaner threads cannot be increased to more than double the current value 1 for configuration Invalid dynamic configuration",
  },
  {
    resource: [BROKER, ""],
    steps: [["num.io.threads", SET, "17"]],
    says: "INVALID_REQUEST: Invalid value org.apache.kafka.common.config.ConfigException: Dynamic thread count update validation failed for num.io.threads=17, value should not be greater than double the current value 8 for configuration Invalid dynamic configuration",
  },
  {
    resource: [BROKER, ""],
    steps: [["num.io.threads", SET, "3"]],
    says: "INVALID_REQUEST: Invalid value org.apache.kafka.common.config.ConfigException: Dynamic thread count update validation failed for num.io.threads=3, value should be at least half the current value 8 for configuration Invalid dynamic configuration",
  },
  {
    resource: [BROKER, "1"],
    steps: [["cordoned.log.dirs", SET, "/nowhere"]],
    says: "INVALID_REQUEST: requirement failed: All entries in cordoned.log.dirs must be present in log.dirs or log.dir. Missing entries : /nowhere",
  },
  {
    resource: [BROKER, "7"],
    steps: [["log.retention.ms", SET, "1"]],
    says: "INVALID_REQUEST: Unexpected broker id, expected 1 or empty string, but received 7",
  },
];
for (const { resource, steps, says } of alterations) {
  test(`refuses to configure: ${says}`, () => {
    const decided = cluster();
    const before = decided.records.length;
    assert.equal(alter(decided, ...resource, ...steps), says);
    assert.equal(decided.records.length, before);
  });
}

test("sets, deletes, appends and subtracts", () => {
  const decided = cluster();
  const config = (): Record<string, string> => Object.fromEntries(decided.image.configs.configFor(TOPIC, "golden"));
  assert.equal(
    alter(decided, TOPIC, "golden", ["retention.ms", SET, " 77 "], ["cleanup.policy", APPEND, "delete"]),
    "NONE: ",
  );
  assert.deepEqual(config(), { "cleanup.policy": "compact,delete", "retention.ms": " 77 " });
  alter(decided, TOPIC, "golden", ["cleanup.policy", SUBTRACT, "compact"], ["retention.ms", DELETE, null]);
  assert.deepEqual(config(), { "cleanup.policy": "delete" });
  alter(decided, TOPIC, "other", ["cleanup.policy", APPEND, "compact"]);
  assert.equal(decided.image.configs.configFor(TOPIC, "other").get("cleanup.policy"), "delete,compact");
});

test("the number of threads changes by half and double at a time, of what counts now", () => {
  const decided = cluster();
  const set = (name: string, value: string, resource = "1"): string | undefined =>
    alter(decided, BROKER, resource, [name, SET, value])?.replace(/: .*/, "");
  assert.deepEqual(
    ["2", "4", "1", "2", "9"].map((value) => set("log.cleaner.threads", value)),
    ["NONE", "NONE", "INVALID_REQUEST", "NONE", "INVALID_REQUEST"],
  );
  assert.deepEqual(
    ["16", "4", "8", "17"].map((value) => set("num.io.threads", value)),
    ["NONE", "INVALID_REQUEST", "NONE", "INVALID_REQUEST"],
  );
  // What a broker has of its own hides what all have.
  assert.equal(set("log.cleaner.threads", "100", ""), "NONE");
  // A broker that is told to forget them goes back to what it was started with: not at once.
  assert.equal(set("num.io.threads", "16"), "NONE");
  assert.equal(alter(decided, BROKER, "1", ["num.io.threads", DELETE, null]), "NONE: ");
});

test("a value that is there already writes nothing for a topic, and again for a broker", () => {
  const decided = cluster();
  const written = (act: () => unknown): string[] => {
    const before = decided.records.length;
    act();
    return decided.records.slice(before).map(({ type }) => type);
  };
  assert.deepEqual(
    written(() => alter(decided, TOPIC, "golden", ["cleanup.policy", SET, "compact"])),
    [],
  );
  assert.deepEqual(
    written(() => alter(decided, TOPIC, "golden", ["segment.ms", DELETE, null])),
    [],
  );
  assert.deepEqual(
    written(() => alter(decided, BROKER, "", ["min.insync.replicas", SET, "1"])),
    ["ConfigRecord", "ClearElrRecord"],
  );
});

// ---- producer ids

test("blocks of producer ids follow each other, and only a registered broker gets one", () => {
  const decided = new DecidedCluster();
  const epoch = decided.addBroker(1);
  const allocate = () => decided.apply((context) => allocateProducerIds(context, 1, epoch));
  assert.deepEqual(allocate(), { firstProducerId: 0, length: 1000 });
  assert.deepEqual(allocate(), { firstProducerId: 1000, length: 1000 });
  assert.throws(() => allocateProducerIds(decided.context, 1, epoch - 1), { codeName: "STALE_BROKER_EPOCH" });
  assert.throws(() => allocateProducerIds(decided.context, 2, epoch), { codeName: "STALE_BROKER_EPOCH" });
});

test("a resource that stands twice is not altered", () => {
  const resource = resourceOf({ resourceType: TOPIC, resourceName: "golden", configs: [] });
  const request = IncrementalAlterConfigsRequest.create({ resources: [resource, resource] });
  const { responses } = cluster().apply((context) => incrementalAlterConfigs(context, request));
  const says = "INVALID_REQUEST: Each resource must appear at most once.";
  assert.deepEqual(
    responses.map((answer) => say(answer)),
    [says, says],
  );
});

// ---- AlterConfigs

function replaceAll(decided: DecidedCluster, resourceType: number, resourceName: string, values: object): string {
  const configs = Object.entries(values).map(([name, value]) => ({ name, value: String(value) }));
  const request = AlterConfigsRequest.create({ resources: [{ resourceType, resourceName, configs }] });
  return say(decided.apply((context) => alterConfigs(context, request)).responses[0]);
}

test("replaces all entries of a topic: what is not named goes", () => {
  const decided = cluster();
  const entries = () => Object.fromEntries(decided.image.configs.configFor(TOPIC, "golden"));
  assert.equal(replaceAll(decided, TOPIC, "golden", { "retention.ms": 5, "segment.ms": 7 }), "NONE: ");
  assert.equal(replaceAll(decided, TOPIC, "golden", { "segment.ms": 8 }), "NONE: ");
  assert.deepEqual(entries(), { "segment.ms": "8" });
  assert.equal(
    replaceAll(decided, TOPIC, "golden", { "segment.ms": "soon", "retention.ms": 1 }).split(":")[0],
    "INVALID_CONFIG",
  );
  assert.deepEqual(entries(), { "segment.ms": "8" });
});

test("the least ISR of the cluster does not go with what is not named", () => {
  const decided = cluster();
  assert.equal(alter(decided, BROKER, "", ["min.insync.replicas", SET, "1"]), "NONE: ");
  assert.equal(
    replaceAll(decided, BROKER, "", { "log.retention.ms": 5 }),
    "INVALID_CONFIG: Cluster-level min.insync.replicas cannot be removed while ELR is enabled.",
  );
});

const groupEntries = [
  { values: { "consumer.session.timeout.ms": 50_000 }, says: "NONE: " },
  {
    values: { "consumer.session.timeout.ms": 5 },
    says: "INVALID_CONFIG: consumer.session.timeout.ms must be greater than or equal to group.consumer.min.session.timeout.ms",
  },
  {
    values: { "consumer.heartbeat.interval.ms": 99_000 },
    says: "INVALID_CONFIG: consumer.heartbeat.interval.ms must be less than or equal to group.consumer.max.heartbeat.interval.ms",
  },
  { values: { "no.such.key": 5 }, says: "INVALID_CONFIG: Unknown group config name: no.such.key" },
  { values: { "share.auto.offset.reset": "by_duration:P1DT2H" }, says: "NONE: " },
];
for (const { values, says } of groupEntries) {
  test(`a group with ${JSON.stringify(values)} is answered with ${says.split(":")[0]}`, () => {
    const decided = cluster();
    assert.equal(replaceAll(decided, ConfigResourceType.GROUP, "mine", values), says);
    const isKept = decided.image.configs.configFor(ConfigResourceType.GROUP, "mine").size === 1;
    assert.equal(isKept, says === "NONE: ");
  });
}

test("a subscription to metrics of clients is kept, one that asks too often is not", () => {
  const decided = cluster();
  const type = ConfigResourceType.CLIENT_METRICS;
  assert.equal(replaceAll(decided, type, "mine", { "interval.ms": 1000, match: "client_id=a.*" }), "NONE: ");
  assert.equal(replaceAll(decided, type, "mine", { "interval.ms": 9 }).split(":")[0], "INVALID_REQUEST");
  assert.equal(replaceAll(decided, type, "mine", { match: "nothing" }).split(":")[0], "INVALID_CONFIG");
  assert.equal(decided.image.configs.configFor(type, "mine").get("interval.ms"), "1000");
});

// ---- Configurations of brokers

const BROKER_REFUSALS: readonly (readonly [broker: string, name: string, value: string, why: RegExp])[] = [
  ["1", "num.partitions", "3", /Cannot update these configs dynamically: \[num\.partitions\]/],
  ["1", "ssl.keystore.type", "JKS", /only per-listener using the listener prefix/],
  ["", "listener.name.plaintext.ssl.keystore.type", "JKS", /at default cluster level, broker id must be specified/],
  ["1", "listener.name.plaintext.max.connections", "many", /Not a number of type INT/],
  ["1", "listener.name.plaintext.max.connections", "0", /Invalid max\.connections 0/],
  ["", "max.connection.creation.rate", "0", /Invalid max\.connection\.creation\.rate 0/],
  ["1", "listener.name.plaintext.num.network.threads", "40", /not be greater than double the current value 3/],
  ["1", "max.connections.per.ip", "0", /can be set to zero only if/],
  ["1", "max.connections.per.ip.overrides", "127.0.0.1", /Error parsing/],
  ["1", "max.connections.per.ip.overrides", "127.0.0.1:many", /For input string: "many"/],
  ["1", "max.connections.per.ip.overrides", "no such host!:1", /contains invalid addresses : no such host!/],
  ["", "log.retention.ms", "0", /must be unlimited/],
  ["", "log.roll.ms", "-1", /log\.roll\.ms must be greater/],
  ["", "log.cleaner.dedupe.buffer.size", "1000", /at least 1MB per cleaner thread/],
  ["", "log.local.retention.ms", "-1", /must not be -1 as log\.retention\.ms value is set as 604800000/],
  ["", "group.consumer.assignment.interval.ms", "99999999", /must be less than or equal to/],
  ["1", "listeners", "PLAINTEXT://:1", /cannot be changed while the broker runs/],
  ["1", "metric.reporters", "my.Reporter", /no such class/],
  ["1", "remote.log.reader.threads", "99", /double the current value 10/],
];
test("a retention below zero is for ever, and no reason to refuse", () => {
  const configs = [operation({ name: "log.retention.ms", value: "-2" })];
  const resources = [resourceOf({ resourceType: ConfigResourceType.BROKER, resourceName: "", configs })];
  const { responses } = cluster().apply((context) =>
    incrementalAlterConfigs(context, IncrementalAlterConfigsRequest.create({ resources })),
  );
  assert.equal(say(responses[0]), "NONE: ");
});

for (const [resourceName, name, value, why] of BROKER_REFUSALS) {
  test(`${name}=${value} of ${resourceName === "" ? "all brokers" : "a broker"} is refused`, () => {
    const listeners = "PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093";
    const decided = cluster({ "node.id": "1", listeners });
    const configs = [operation({ name, value })];
    const resources = [resourceOf({ resourceType: ConfigResourceType.BROKER, resourceName, configs })];
    const { responses } = decided.apply((context) =>
      incrementalAlterConfigs(context, IncrementalAlterConfigsRequest.create({ resources })),
    );
    assert.match(say(responses[0]), why);
    assert.match(say(responses[0]), /^INVALID_REQUEST/);
  });
}
