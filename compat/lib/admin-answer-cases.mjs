// Requests of administrators at the edges of each API. They run before the cases that make and delete topics, and leave "alpha" with
// two partitions. Most only validate: Apache Kafka shows what it changed a moment later, and then the next answer depends on the moment.

const [TOPIC, BROKER, LOGGER, METRICS, GROUP] = [2, 4, 8, 16, 32];
const [SET, DELETE, APPEND, SUBTRACT] = [0, 1, 2, 3];

const set = (name, value, configOperation = SET) => ({ name, value, configOperation });
const resource = (resourceType, resourceName, configs) => ({ resourceType, resourceName, configs });
const change = (resources, more = {}) => ({ resources, validateOnly: true, ...more });
const topicsOf = (...names) => names.map((name) => ({ name }));
const ZERO = "AAAAAAAAAAAAAAAAAAAAAA";
const NOWHERE = "bm8tc3VjaC10b3BpYy1pZA"; // an id that nobody has
const NEW_VOTER = {
  clusterId: null,
  timeoutMs: 3000,
  voterId: 7,
  voterDirectoryId: NOWHERE,
  listeners: [{ name: "CONTROLLER", host: "127.0.0.1", port: 1 }],
  ackWhenCommitted: true,
};
const PUSH = {
  clientInstanceId: NOWHERE,
  subscriptionId: 1,
  terminating: false,
  compressionType: 0,
  metrics: new Uint8Array(0),
};
const IN_NO_TIME = { name: "in-no-time", numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] };
const grow = (name, count, assignments = null) => ({ name, count, assignments });

/** What is wrong with single entries, for both ways to change them. */
const ENTRIES = [
  ["a value", TOPIC, "alpha", [set("retention.ms", "60000")]],
  ["a value that is none", TOPIC, "alpha", [set("retention.ms", "soon")]],
  ["a value out of range", TOPIC, "alpha", [set("segment.bytes", "3")]],
  ["a key that is none", TOPIC, "alpha", [set("no.such.key", "1")]],
  ["a key twice", TOPIC, "alpha", [set("retention.ms", "1"), set("retention.ms", "2")]],
  ["no value", TOPIC, "alpha", [set("retention.ms", null)]],
  ["values that contradict", TOPIC, "alpha", [set("min.compaction.lag.ms", "9"), set("max.compaction.lag.ms", "3")]],
  ["tiered storage", TOPIC, "alpha", [set("remote.storage.enable", "true")]],
  ["an unknown topic", TOPIC, "unknown", [set("retention.ms", "1")]],
  ["an empty topic name", TOPIC, "", [set("retention.ms", "1")]],
  ["no entries", TOPIC, "alpha", []],
  ["this broker", BROKER, "1", [set("log.cleaner.threads", "2")]],
  ["this broker, a value that is none", BROKER, "1", [set("log.cleaner.threads", "many")]],
  ["this broker, a static key", BROKER, "1", [set("num.partitions", "3")]],
  ["all brokers", BROKER, "", [set("log.retention.ms", "60000")]],
  ["all brokers, a key of single brokers", BROKER, "", [set("ssl.keystore.type", "JKS")]],
  ["all brokers, a static key", BROKER, "", [set("broker.rack", "a")]],
  ["another broker", BROKER, "5", [set("log.cleaner.threads", "2")]],
  ["a broker that is no number", BROKER, "one", [set("log.cleaner.threads", "2")]],
  ["a type that is none", 99, "x", [set("a", "b")]],
  ["type 0", 0, "x", [set("a", "b")]],
  ["client metrics", METRICS, "mine", [set("interval.ms", "1000")]],
  ["client metrics, too often", METRICS, "mine", [set("interval.ms", "1")]],
  ["client metrics, a key that is none", METRICS, "mine", [set("no.such.key", "1")]],
  ["client metrics, a pattern that is none", METRICS, "mine", [set("match", "nothing")]],
  ["client metrics without a name", METRICS, "", [set("interval.ms", "1000")]],
  ["a group", GROUP, "mine", [set("consumer.session.timeout.ms", "50000")]],
  ["a group, out of range of the broker", GROUP, "mine", [set("consumer.session.timeout.ms", "5")]],
  ["a group, a key that is none", GROUP, "mine", [set("no.such.key", "1")]],
  ["a group, a value that is none", GROUP, "mine", [set("share.auto.offset.reset", "sometimes")]],
  ["a group without a name", GROUP, "", [set("consumer.session.timeout.ms", "50000")]],
];

const OPERATIONS = [
  ["append to a list", TOPIC, "alpha", [set("cleanup.policy", "compact", APPEND)]],
  ["append what is there", TOPIC, "alpha", [set("cleanup.policy", "delete", APPEND)]],
  ["subtract from a list", TOPIC, "alpha", [set("cleanup.policy", "delete", SUBTRACT)]],
  ["append to a number", TOPIC, "alpha", [set("retention.ms", "5", APPEND)]],
  ["subtract from a number", TOPIC, "alpha", [set("retention.ms", "5", SUBTRACT)]],
  ["append to a key that is none", TOPIC, "alpha", [set("no.such.key", "5", APPEND)]],
  ["delete what is not set", TOPIC, "alpha", [set("retention.ms", null, DELETE)]],
  ["delete a key that is none", TOPIC, "alpha", [set("no.such.key", null, DELETE)]],
  ["an operation that is none", TOPIC, "alpha", [set("retention.ms", "5", 9)]],
  ["append to a list of a broker", BROKER, "", [set("log.cleanup.policy", "compact", APPEND)]],
  ["subtract from a list of a broker", BROKER, "1", [set("log.cleanup.policy", "delete", SUBTRACT)]],
];

const withoutOperations = (entries) => entries.map(({ name, value }) => ({ name, value }));

export const ADMIN_CASES = [
  ...[...ENTRIES, ...OPERATIONS].map(([what, type, name, entries]) => [
    "IncrementalAlterConfigs",
    what,
    () => change([resource(type, name, entries)]),
  ]),
  ["IncrementalAlterConfigs", "nothing", () => change([])],
  [
    "IncrementalAlterConfigs",
    "a resource twice",
    () =>
      change([
        resource(TOPIC, "alpha", [set("retention.ms", "1")]),
        resource(TOPIC, "alpha", [set("segment.ms", "9")]),
      ]),
  ],
  [
    "IncrementalAlterConfigs",
    "for good",
    () => change([resource(TOPIC, "empty", [set("retention.ms", "777777")])], { validateOnly: false }),
  ],
  ...ENTRIES.map(([what, type, name, entries]) => [
    "AlterConfigs",
    what,
    () => change([resource(type, name, withoutOperations(entries))]),
  ]),
  [
    "AlterConfigs",
    "for good",
    () => change([resource(TOPIC, "empty", [{ name: "segment.ms", value: "888888" }])], { validateOnly: false }),
  ],

  ["CreatePartitions", "more", () => ({ topics: [grow("alpha", 5)], timeoutMs: 9000, validateOnly: true })],
  ["CreatePartitions", "as many", () => ({ topics: [grow("alpha", 2)], timeoutMs: 9000, validateOnly: true })],
  ["CreatePartitions", "fewer", () => ({ topics: [grow("alpha", 1)], timeoutMs: 9000, validateOnly: true })],
  ["CreatePartitions", "none", () => ({ topics: [grow("alpha", 0)], timeoutMs: 9000, validateOnly: true })],
  ["CreatePartitions", "too many", () => ({ topics: [grow("alpha", 50_000)], timeoutMs: 9000, validateOnly: true })],
  [
    "CreatePartitions",
    "an unknown topic",
    () => ({ topics: [grow("unknown", 5)], timeoutMs: 9000, validateOnly: true }),
  ],
  [
    "CreatePartitions",
    "a topic twice",
    () => ({ topics: [grow("alpha", 5), grow("alpha", 6)], timeoutMs: 9000, validateOnly: true }),
  ],
  ...[
    ["assigned", [[1]]],
    ["assigned, to too few", []],
    ["assigned, to a broker that is none", [[9]]],
    ["assigned, to a broker twice", [[1, 1]]],
    ["assigned, to nobody", [[]]],
  ].map(([what, assignment]) => [
    "CreatePartitions",
    what,
    () => ({
      topics: [
        grow(
          "alpha",
          3,
          assignment.map((brokerIds) => ({ brokerIds })),
        ),
      ],
      timeoutMs: 9000,
      validateOnly: true,
    }),
  ]),

  ["DescribeTopicPartitions", "all topics", () => ({ topics: [], responsePartitionLimit: 2000 })],
  ["DescribeTopicPartitions", "a topic", () => ({ topics: topicsOf("alpha"), responsePartitionLimit: 2000 })],
  [
    "DescribeTopicPartitions",
    "topics, one twice",
    () => ({ topics: topicsOf("empty", "alpha", "alpha"), responsePartitionLimit: 2000 }),
  ],
  ["DescribeTopicPartitions", "one partition", () => ({ topics: topicsOf("alpha"), responsePartitionLimit: 1 })],
  ["DescribeTopicPartitions", "no partition", () => ({ topics: topicsOf("alpha"), responsePartitionLimit: 0 })],
  [
    "DescribeTopicPartitions",
    "as many as the first topic has",
    () => ({ topics: topicsOf("alpha", "empty"), responsePartitionLimit: 2 }),
  ],
  [
    "DescribeTopicPartitions",
    "unknown names",
    () => ({ topics: topicsOf("unknown", "__cluster_metadata"), responsePartitionLimit: 2000 }),
  ],
  [
    "DescribeTopicPartitions",
    "impossible names",
    () => ({ topics: topicsOf("", "no/name"), responsePartitionLimit: 2000 }),
  ],
  [
    "DescribeTopicPartitions",
    "from a cursor",
    () => ({
      topics: topicsOf("alpha", "empty"),
      responsePartitionLimit: 9,
      cursor: { topicName: "alpha", partitionIndex: 1 },
    }),
  ],
  [
    "DescribeTopicPartitions",
    "from a cursor beyond the end",
    () => ({
      topics: topicsOf("alpha", "empty"),
      responsePartitionLimit: 9,
      cursor: { topicName: "alpha", partitionIndex: 7 },
    }),
  ],
  [
    "DescribeTopicPartitions",
    "all from a cursor",
    () => ({ topics: [], responsePartitionLimit: 9, cursor: { topicName: "b", partitionIndex: 3 } }),
  ],
  [
    "DescribeTopicPartitions",
    "from a cursor that is not asked for",
    () => ({ topics: topicsOf("alpha"), responsePartitionLimit: 9, cursor: { topicName: "b", partitionIndex: 0 } }),
  ],
  [
    "DescribeTopicPartitions",
    "from a negative cursor",
    () => ({
      topics: topicsOf("alpha"),
      responsePartitionLimit: 9,
      cursor: { topicName: "alpha", partitionIndex: -1 },
    }),
  ],

  ["ListConfigResources", "all", () => ({})],
  ...[TOPIC, BROKER, LOGGER, METRICS, GROUP, 0, 3, 99].map((type) => [
    "ListConfigResources",
    `type ${type}`,
    (_ids, version) => (version === 0 ? undefined : { resourceTypes: [type] }),
  ]),
  [
    "ListConfigResources",
    "a type and one that is none",
    (_ids, version) => (version === 0 ? undefined : { resourceTypes: [TOPIC, 77] }),
  ],

  ["ElectLeaders", "all, preferred", () => elect(0, null)],
  ["ElectLeaders", "preferred, one that leads", () => elect(0, [{ topic: "alpha", partitions: [0, 1] }])],
  ["ElectLeaders", "unclean, one that has a leader", () => elect(1, [{ topic: "alpha", partitions: [0] }])],
  [
    "ElectLeaders",
    "unknown partitions",
    () =>
      elect(0, [
        { topic: "alpha", partitions: [9, -1] },
        { topic: "unknown", partitions: [0] },
      ]),
  ],
  ["ElectLeaders", "a kind that is none", () => elect(7, [{ topic: "alpha", partitions: [0] }])],
  ["ElectLeaders", "nothing", () => elect(0, [])],

  ...[
    ["to where it is", "alpha", 0, [1]],
    ["to a broker that is none", "alpha", 0, [2]],
    ["to one more", "alpha", 0, [1, 2]],
    ["to a broker twice", "alpha", 0, [1, 1]],
    ["to nobody", "alpha", 0, []],
    ["back, where nothing moves", "alpha", 0, null],
    ["an unknown partition", "alpha", 9, [1]],
    ["an unknown topic", "unknown", 0, [1]],
  ].flatMap(([what, name, partitionIndex, replicas]) =>
    [true, false].map((allowReplicationFactorChange) => [
      "AlterPartitionReassignments",
      `${what}${allowReplicationFactorChange ? "" : ", as many"}`,
      () => ({
        timeoutMs: 9000,
        allowReplicationFactorChange,
        topics: [{ name, partitions: [{ partitionIndex, replicas }] }],
      }),
    ]),
  ),
  ["AlterPartitionReassignments", "nothing", () => ({ timeoutMs: 9000, topics: [] })],

  ["ListPartitionReassignments", "all", () => ({ timeoutMs: 9000, topics: null })],
  [
    "ListPartitionReassignments",
    "some, known and not",
    () => ({
      timeoutMs: 9000,
      topics: [
        { name: "alpha", partitionIndexes: [0, 9] },
        { name: "unknown", partitionIndexes: [0] },
      ],
    }),
  ],

  ...[
    ["nothing new", "group.version", 1, 1],
    ["lower, as an upgrade", "group.version", 0, 1],
    ["lower, safely", "group.version", 0, 2],
    ["lower, unsafely", "group.version", 0, 3],
    ["higher than supported", "group.version", 9, 1],
    ["higher, as a downgrade", "group.version", 9, 2],
    ["a negative level", "group.version", -1, 2],
    ["a kind of change that is none", "group.version", 1, 9],
    ["a feature that is none", "no.such.feature", 1, 1],
    ["no feature", "", 1, 1],
    ["the quorum's", "kraft.version", 1, 1],
    ["the quorum's, lower", "kraft.version", 0, 2],
    ...[34, 33, 32, 31, 30, 29, 28, 27, 26, 25, 20, 7, 6, 0].flatMap((level) => [
      [`metadata ${level}`, "metadata.version", level, level > 33 ? 1 : 2],
      [`metadata ${level}, unsafely`, "metadata.version", level, 3],
    ]),
  ].map(([what, feature, maxVersionLevel, upgradeType]) => [
    "UpdateFeatures",
    what,
    (_ids, version) =>
      version === 0
        ? undefined // it cannot only validate
        : { timeoutMs: 9000, validateOnly: true, featureUpdates: [{ feature, maxVersionLevel, upgradeType }] },
  ]),
  ["UpdateFeatures", "nothing", () => ({ timeoutMs: 9000, featureUpdates: [] })],

  ["DescribeProducers", "a partition", () => ({ topics: [{ name: "alpha", partitionIndexes: [0] }] })],
  [
    "DescribeProducers",
    "known and unknown",
    () => ({
      topics: [
        { name: "alpha", partitionIndexes: [0, 9, -1, 0] },
        { name: "unknown", partitionIndexes: [0] },
      ],
    }),
  ],
  ["DescribeProducers", "names that are none", () => ({ topics: [{ name: "no/name", partitionIndexes: [0] }] })],

  ...[
    ["a client id", [["client-id", "one"]], "producer_byte_rate", 1000],
    ["the default client id", [["client-id", null]], "consumer_byte_rate", 1000],
    [
      "a user and a client id",
      [
        ["user", "me"],
        ["client-id", "one"],
      ],
      "request_percentage",
      12.5,
    ],
    ["a user", [["user", "me"]], "controller_mutation_rate", 0.5],
    ["an address", [["ip", "10.0.0.1"]], "connection_creation_rate", 5],
    ["the default address", [["ip", null]], "connection_creation_rate", 5],
    ["no address", [["ip", "no such host!"]], "connection_creation_rate", 5],
    [
      "an address with a user",
      [
        ["ip", "10.0.0.1"],
        ["user", "me"],
      ],
      "connection_creation_rate",
      5,
    ],
    ["an address, a key of clients", [["ip", "10.0.0.1"]], "producer_byte_rate", 5],
    ["a user, a key of addresses", [["user", "me"]], "connection_creation_rate", 5],
    ["nobody", [], "producer_byte_rate", 5],
    ["an empty name", [["user", ""]], "producer_byte_rate", 5],
    ["an entity that is none", [["group", "me"]], "producer_byte_rate", 5],
    ["an empty entity", [["", "me"]], "producer_byte_rate", 5],
    [
      "an entity twice",
      [
        ["user", "me"],
        ["user", "you"],
      ],
      "producer_byte_rate",
      5,
    ],
    ["a key that is none", [["user", "me"]], "no.such.key", 5],
    ["zero", [["user", "me"]], "producer_byte_rate", 0],
    ["less than zero", [["user", "me"]], "producer_byte_rate", -5],
    ["a fraction of a byte", [["user", "me"]], "producer_byte_rate", 1.5],
    ["no number", [["user", "me"]], "request_percentage", Number.NaN],
    ["no end", [["user", "me"]], "request_percentage", Number.POSITIVE_INFINITY],
  ].flatMap(([what, entity, key, value]) =>
    [false, true].map((remove) => [
      "AlterClientQuotas",
      `${what}${remove ? ", removed" : ""}`,
      () => quotas([entityOf(entity)], [{ key, value, remove }]),
    ]),
  ),
  ["AlterClientQuotas", "nothing", () => quotas([], [])],
  ["AlterClientQuotas", "no change", () => quotas([entityOf([["user", "me"]])], [])],
  [
    "AlterClientQuotas",
    "an entity in two entries",
    () =>
      quotas(
        [entityOf([["user", "me"]]), entityOf([["user", "me"]])],
        [{ key: "producer_byte_rate", value: 5, remove: false }],
      ),
  ],

  ...[
    ["any", [], false],
    ["any, strictly", [], true],
    ["a user", [["user", 0, "me"]], false],
    ["the default user", [["user", 1, null]], true],
    ["any user", [["user", 2, null]], false],
    ["no name", [["user", 0, null]], false],
    ["the default with a name", [["user", 1, "me"]], false],
    ["any with a name", [["user", 2, "me"]], false],
    ["a match that is none", [["user", 7, "me"]], false],
    ["an entity that is none", [["group", 0, "me"]], false],
    ["an empty entity", [["", 0, "me"]], false],
    [
      "an entity twice",
      [
        ["user", 0, "me"],
        ["user", 0, "you"],
      ],
      false,
    ],
    [
      "an address with a user",
      [
        ["user", 0, "me"],
        ["ip", 0, "10.0.0.1"],
      ],
      false,
    ],
  ].map(([what, components, strict]) => [
    "DescribeClientQuotas",
    what,
    () => ({
      strict,
      components: components.map(([entityType, matchType, match]) => ({ entityType, matchType, match })),
    }),
  ]),

  ...[
    ["a user", [credential("ann")], []],
    ["another mechanism", [credential("ann", 2, { iterations: 8192, bytes: 64 })], []],
    ["no name", [credential("")], []],
    ["a mechanism that is none", [credential("bob", 7)], []],
    ["mechanism 0", [credential("bob", 0)], []],
    ["too few iterations", [credential("bob", 1, { iterations: 4095 })], []],
    ["too many iterations", [credential("bob", 1, { iterations: 16_385 })], []],
    ["a user twice", [credential("bob"), credential("bob", 2)], []],
    ["a user twice, the first in vain", [credential("bob", 7), credential("bob")], []],
    ["one to set and to remove", [credential("bob")], [{ name: "bob", mechanism: 1 }]],
    ["no salt", [credential("cat", 1, { salt: Buffer.alloc(0) })], []],
    ["one that is not there", [], [{ name: "nobody", mechanism: 1 }]],
    ["one without the mechanism", [], [{ name: "cat", mechanism: 2 }]],
    ["removal of a mechanism that is none", [], [{ name: "cat", mechanism: 9 }]],
    ["removal of no name", [], [{ name: "", mechanism: 1 }]],
    ["nothing", [], []],
  ].map(([what, upsertions, deletions]) => ["AlterUserScramCredentials", what, () => ({ upsertions, deletions })]),
  ...[
    ["a user", [{ name: "nobody" }]],
    ["a user twice", [{ name: "bob" }, { name: "bob" }]],
    ["no name", [{ name: "" }]],
  ].map(([what, users]) => ["DescribeUserScramCredentials", what, () => ({ users })]),

  ...[
    ["a new one that cannot be reached", {}],
    ["the only one", { voterId: 1 }],
    ["of another cluster", { clusterId: "another" }],
    ["without a directory", { voterDirectoryId: ZERO }],
    ["without an address", { listeners: [] }],
    ["with an address for another listener", { listeners: [{ name: "OTHER", host: "localhost", port: 1 }] }],
    ["with a negative id", { voterId: -1 }],
  ].map(([what, more]) => ["AddRaftVoter", what, () => ({ ...NEW_VOTER, ...more })]),
  ...[
    ["one that is none", {}],
    ["of another cluster", { clusterId: "another" }],
    ["without a directory", { voterDirectoryId: ZERO }],
    ["with a negative id", { voterId: -1 }],
    ["the only one, with another directory", { voterId: 1 }],
    ["the only one", { voterId: 1 }, true],
  ].map(([what, more, isSelf]) => [
    "RemoveRaftVoter",
    what,
    (ids) => ({
      clusterId: null,
      voterId: 7,
      voterDirectoryId: isSelf === true ? ids.$voterDirectory : NOWHERE,
      ...more,
    }),
  ]),

  [
    "DescribeQuorum",
    "another topic",
    () => ({ topics: [{ topicName: "alpha", partitions: [{ partitionIndex: 0 }] }] }),
  ],

  ["GetTelemetrySubscriptions", "an id that is told", () => ({ clientInstanceId: NOWHERE })],
  ["GetTelemetrySubscriptions", "the same at once", () => ({ clientInstanceId: NOWHERE })],
  ...[
    ["no id", { clientInstanceId: ZERO }],
    ["another subscription than was told", {}],
    ["the same at once", {}],
    ["the last one, of another subscription", { terminating: true }],
  ].map(([what, more]) => ["PushTelemetry", what, () => ({ ...PUSH, ...more })]),

  ...[0, -1].flatMap((timeoutMs) => [
    ["CreateTopics", `in ${timeoutMs} ms`, () => ({ timeoutMs, topics: [IN_NO_TIME] })],
    ["DeleteTopics", `in ${timeoutMs} ms`, (_ids, version) => inNoTime(version, timeoutMs)],
    [
      "CreatePartitions",
      `in ${timeoutMs} ms`,
      () => ({ timeoutMs, topics: [{ name: "alpha", count: 9, assignments: null }] }),
    ],
    ["ElectLeaders", `in ${timeoutMs} ms`, () => ({ timeoutMs, electionType: 0, topicPartitions: null })],
  ]),

  ["UnregisterBroker", "one that is none", () => ({ brokerId: 9 })],
  ["UnregisterBroker", "a negative one", () => ({ brokerId: -1 })],
];

function inNoTime(version, timeoutMs) {
  if (version >= 6) return { timeoutMs, topics: [{ name: "alpha", topicId: ZERO }] };
  return { timeoutMs, topicNames: ["alpha"] };
}

function elect(electionType, topicPartitions) {
  return { electionType, topicPartitions, timeoutMs: 9000 };
}

function entityOf(parts) {
  return parts.map(([entityType, entityName]) => ({ entityType, entityName }));
}

function credential(name, mechanism = 1, { iterations = 4096, bytes = 32, salt = Buffer.from("salt") } = {}) {
  return { name, mechanism, iterations, salt, saltedPassword: Buffer.alloc(bytes, 7) };
}

function quotas(entities, ops) {
  return { validateOnly: true, entries: entities.map((entity) => ({ entity, ops })) };
}
