// Requests at the edges of each API, put together by hand. Two brokers that were prepared in the same way must answer them in
// the same way.
import { setTimeout as sleep } from "node:timers/promises";
import { RecordBatchBuilder } from "@samsa/protocol";
import { ADMIN_CASES } from "./admin-answer-cases.mjs";
import { BROKER_CONFIG_CASES } from "./broker-config-cases.mjs";

/** Long ago, which `message.timestamp.before.max.ms` allows. */
const TIME = 1_700_000_000_000;
const ZERO = "AAAAAAAAAAAAAAAAAAAAAA";
const NOWHERE = "bm8tc3VjaC10b3BpYy1pZA"; // an id that no topic has
export const API_KEYS = {
  Produce: 0,
  Fetch: 1,
  ListOffsets: 2,
  Metadata: 3,
  FindCoordinator: 10,
  ApiVersions: 18,
  CreateTopics: 19,
  DeleteTopics: 20,
  InitProducerId: 22,
  DeleteRecords: 21,
  OffsetForLeaderEpoch: 23,
  AlterReplicaLogDirs: 34,
  DescribeLogDirs: 35,
  DescribeConfigs: 32,
  AlterConfigs: 33,
  CreatePartitions: 37,
  ElectLeaders: 43,
  IncrementalAlterConfigs: 44,
  AlterPartitionReassignments: 45,
  ListPartitionReassignments: 46,
  DescribeClientQuotas: 48,
  AlterClientQuotas: 49,
  DescribeUserScramCredentials: 50,
  AlterUserScramCredentials: 51,
  DescribeQuorum: 55,
  UpdateFeatures: 57,
  DescribeCluster: 60,
  DescribeProducers: 61,
  GetTelemetrySubscriptions: 71,
  PushTelemetry: 72,
  AddRaftVoter: 80,
  RemoveRaftVoter: 81,
  UnregisterBroker: 64,
  ListConfigResources: 74,
  DescribeTopicPartitions: 75,
};

/** Timestamps of the records of alpha-0, batch by batch: the highest is in the middle. */
const BATCHES = [[TIME, TIME + 10], [TIME + 500], [TIME + 20, TIME + 30]];

function batch(timestamps, options = {}) {
  const builder = new RecordBatchBuilder(options);
  for (const timestamp of timestamps) builder.append({ timestamp, value: new TextEncoder().encode(`at ${timestamp}`) });
  return builder.build();
}

/** Tries until the error code is 0. */
async function until(attempt) {
  for (let tries = 0; ; tries++) {
    const errorCode = await attempt();
    if (errorCode === 0) return;
    if (tries === 100) throw new Error(`still error ${errorCode} after ${tries} attempts`);
    await sleep(50);
  }
}

function changed(bytes, change) {
  const copy = bytes.slice();
  change(copy);
  return copy;
}

const topicOf = (name, more = {}) => ({
  name,
  numPartitions: 1,
  replicationFactor: 1,
  assignments: [],
  configs: [],
  ...more,
});
const create = (topics, more = {}) => ({ timeoutMs: 20_000, topics, ...more });

/** Topics and records that the cases are about. `ask(api, version, fields)` resolves with the answer. */
export async function prepare(ask) {
  const topics = [
    topicOf("alpha", { numPartitions: 2 }),
    topicOf("be.ta", {
      configs: [
        { name: "retention.ms", value: "3600000" },
        { name: "message.timestamp.type", value: "LogAppendTime" },
      ],
    }),
    topicOf("empty"),
    topicOf("gone"),
    topicOf("__transaction_state"),
    topicOf("compacted", { configs: [{ name: "cleanup.policy", value: "compact" }] }),
    topicOf("kept", { configs: [{ name: "cleanup.policy", value: "" }] }),
  ];
  const { topics: made } = await ask("CreateTopics", 7, create(topics));
  for (const { name, errorCode, errorMessage } of made) {
    if (errorCode !== 0) throw new Error(`${name}: ${errorCode} ${errorMessage}`);
  }
  const ids = Object.fromEntries(made.map(({ name, topicId }) => [name, topicId]));
  for (const timestamps of BATCHES) {
    await until(async () => {
      const { responses } = await ask("Produce", 12, produce("alpha", 0, batch(timestamps)));
      return responses[0].partitionResponses[0].errorCode;
    });
  }
  await ask("DeleteTopics", 5, { topicNames: ["gone"], timeoutMs: 20_000 });
  // Apache Kafka publishes what it decided a moment after it answered.
  const leads = (name, partition) => () =>
    ask("ListOffsets", 6, offsets(name, [{ partitionIndex: partition, timestamp: -1 }])).then(
      (answer) => answer.topics[0].partitions[0].errorCode,
    );
  for (const [name, partition] of [
    ["alpha", 1],
    ["be.ta", 0],
    ["empty", 0],
    ["__transaction_state", 0],
    ["compacted", 0],
    ["kept", 0],
  ])
    await until(leads(name, partition));
  await until(async () => ((await leads("gone", 0)()) === 3 ? 0 : -1));
  const askProducerId = () => ask("InitProducerId", 4, { transactionalId: null, transactionTimeoutMs: 60_000 });
  await until(async () => (await askProducerId()).errorCode); // it loads its first block of ids when it is asked for one
  const { results } = await ask("DescribeLogDirs", 5, { topics: null });
  ids.$logDir = results[0].logDir;
  const quorum = { topics: [{ topicName: "__cluster_metadata", partitions: [{ partitionIndex: 0 }] }] };
  const { topics: described } = await ask("DescribeQuorum", 2, quorum);
  ids.$voterDirectory = described[0].partitions[0].currentVoters[0].replicaDirectoryId;
  return ids;
}

function produce(name, index, records, more = {}) {
  const { topicId = ZERO, ...rest } = more;
  return { acks: -1, timeoutMs: 5000, topicData: [{ name, topicId, partitionData: [{ index, records }] }], ...rest };
}

function wish(partition, fetchOffset, more = {}) {
  return {
    partition,
    currentLeaderEpoch: -1,
    fetchOffset,
    lastFetchedEpoch: -1,
    logStartOffset: -1,
    partitionMaxBytes: 1 << 20,
    replicaDirectoryId: ZERO,
    highWatermark: Number.MAX_SAFE_INTEGER,
    ...more,
  };
}

function fetch(topics, more = {}) {
  return { maxWaitMs: 0, minBytes: 1, maxBytes: 1 << 20, topics, ...more };
}

const offsets = (name, partitions, more = {}) => ({
  topics: [
    { name, partitions: partitions.map((partition) => ({ partitionIndex: 0, currentLeaderEpoch: -1, ...partition })) },
  ],
  ...more,
});

const moves = (path, ...topics) => ({
  dirs: [{ path, topics: topics.map(([name, ...partitions]) => ({ name, partitions })) }],
});
const logDirsOf = (...topics) => ({ topics: topics.map(([topic, ...partitions]) => ({ topic, partitions })) });
const deletions = (name, ...partitions) => ({
  topics: [{ name, partitions: partitions.map(([partitionIndex, offset]) => ({ partitionIndex, offset })) }],
  timeoutMs: 5000,
});

const epochs = (topic, partitions) => ({
  replicaId: -1,
  topics: [{ topic, partitions: partitions.map((wish) => ({ currentLeaderEpoch: -1, ...wish })) }],
});

const resource = (resourceType, resourceName, configurationKeys = null) => ({
  resourceType,
  resourceName,
  configurationKeys,
});

/**
 * [API, what is asked, fields by the ids of the topics and the version]. Asked in this order, in every version. A Produce without
 * records (null) is not among them: Apache Kafka never answers it.
 */
export const CASES = [
  ["ApiVersions", "without a name", () => ({})],
  ["ApiVersions", "with a name", () => ({ clientSoftwareName: "compat", clientSoftwareVersion: "1.0" })],
  ["ApiVersions", "with a name that is none", () => ({ clientSoftwareName: "-compat", clientSoftwareVersion: "1.0" })],

  ["Metadata", "all topics", () => ({ topics: null, allowAutoTopicCreation: false })],
  ["Metadata", "an empty list", () => ({ topics: [], allowAutoTopicCreation: false })],
  ["Metadata", "topics, one twice", () => metadata([{ name: "alpha" }, { name: "be.ta" }, { name: "alpha" }])],
  ["Metadata", "an unknown topic", () => metadata([{ name: "unknown" }])],
  ["Metadata", "an unknown topic twice", () => metadata([{ name: "unknown" }, { name: "unknown" }])],
  [
    "Metadata",
    "names that are none",
    () => metadata([{ name: "" }, { name: ".." }, { name: "no/name" }, { name: "n".repeat(250) }]),
  ],
  [
    "Metadata",
    "names that are none, to be created",
    () => metadata([{ name: "" }, { name: "no/name" }], { allowAutoTopicCreation: true }),
  ],
  ["Metadata", "with operations", () => metadata([{ name: "alpha" }], { includeTopicAuthorizedOperations: true })],
  ["Metadata", "with operations of the cluster", () => metadata([], { includeClusterAuthorizedOperations: true })],
  ["Metadata", "a topic by id", (ids) => metadata([{ topicId: ids.alpha, name: null }])],
  [
    "Metadata",
    "a topic by id, twice",
    (ids) =>
      metadata([
        { topicId: ids.alpha, name: null },
        { topicId: ids.alpha, name: null },
      ]),
  ],
  ["Metadata", "a topic by id and by name", (ids) => metadata([{ topicId: ids.alpha, name: null }, { name: "alpha" }])],
  ["Metadata", "a topic by both", (ids) => metadata([{ topicId: ids.alpha, name: "alpha" }])],
  ["Metadata", "an unknown id", () => metadata([{ topicId: NOWHERE, name: null }])],
  ["Metadata", "neither name nor id", () => metadata([{ name: null }])],
  ["Metadata", "__cluster_metadata", () => metadata([{ name: "__cluster_metadata" }])],

  ["ListOffsets", "latest", () => offsets("alpha", [{ timestamp: -1 }])],
  ["ListOffsets", "latest, committed", () => offsets("alpha", [{ timestamp: -1 }], { isolationLevel: 1 })],
  [
    "ListOffsets",
    "an isolation level that is none",
    () => offsets("alpha", [{ timestamp: -1 }], { isolationLevel: 7 }),
  ],
  ["ListOffsets", "earliest", () => offsets("alpha", [{ timestamp: -2 }])],
  ["ListOffsets", "maximum timestamp", () => offsets("alpha", [{ timestamp: -3 }])],
  ["ListOffsets", "earliest local", () => offsets("alpha", [{ timestamp: -4 }])],
  ["ListOffsets", "latest tiered", () => offsets("alpha", [{ timestamp: -5 }])],
  ["ListOffsets", "earliest pending upload", () => offsets("alpha", [{ timestamp: -6 }])],
  ["ListOffsets", "timestamps that are none", () => offsets("alpha", [{ timestamp: -7 }])],
  ["ListOffsets", "the lowest timestamp", () => offsets("alpha", [{ timestamp: -1_000_000_000 }])],
  ["ListOffsets", "timestamp 0", () => offsets("alpha", [{ timestamp: 0 }])],
  ["ListOffsets", "within a batch", () => offsets("alpha", [{ timestamp: TIME + 5 }])],
  ["ListOffsets", "the highest", () => offsets("alpha", [{ timestamp: TIME + 500 }])],
  ["ListOffsets", "beyond the highest", () => offsets("alpha", [{ timestamp: TIME + 501 }])],
  ["ListOffsets", "an empty partition, earliest", () => offsets("empty", [{ timestamp: -2 }])],
  ["ListOffsets", "an empty partition, latest", () => offsets("empty", [{ timestamp: -1 }])],
  ["ListOffsets", "an empty partition, maximum", () => offsets("empty", [{ timestamp: -3 }])],
  ["ListOffsets", "an empty partition, earliest local", () => offsets("empty", [{ timestamp: -4 }])],
  ["ListOffsets", "a partition twice", () => offsets("alpha", [{ timestamp: -1 }, { timestamp: -2 }])],
  [
    "ListOffsets",
    "a partition twice, another once",
    () => offsets("alpha", [{ timestamp: -1 }, { timestamp: -2 }, { partitionIndex: 1, timestamp: -1 }]),
  ],
  [
    "ListOffsets",
    "unknown partitions",
    () =>
      offsets("alpha", [
        { partitionIndex: 9, timestamp: -1 },
        { partitionIndex: -1, timestamp: -1 },
      ]),
  ],
  ["ListOffsets", "an unknown topic", () => offsets("unknown", [{ timestamp: -1 }])],
  ["ListOffsets", "the current leader epoch", () => offsets("alpha", [{ timestamp: -1, currentLeaderEpoch: 0 }])],
  ["ListOffsets", "a later leader epoch", () => offsets("alpha", [{ timestamp: -1, currentLeaderEpoch: 5 }])],
  ["ListOffsets", "as a debugging consumer", () => offsets("alpha", [{ timestamp: -1 }], { replicaId: -2 })],
  ["ListOffsets", "nothing", () => ({ topics: [] })],

  ["DescribeLogDirs", "all", () => ({ topics: null })],
  ["DescribeLogDirs", "nothing", () => ({ topics: [] })],
  ["DescribeLogDirs", "one, twice", () => logDirsOf(["alpha", 0, 0], ["alpha", 0])],
  ["DescribeLogDirs", "unknown ones", () => logDirsOf(["alpha", 0, 9, -1], ["unknown", 0])],
  ["AlterReplicaLogDirs", "a directory that is none", () => moves("/no/such/directory", ["alpha", 0, 1])],
  ["AlterReplicaLogDirs", "an empty path", () => moves("", ["alpha", 0])],
  ["AlterReplicaLogDirs", "where it is", (ids) => moves(ids.$logDir, ["alpha", 0, 0])],
  ["AlterReplicaLogDirs", "unknown ones", (ids) => moves(ids.$logDir, ["alpha", 9, -1], ["unknown", 0])],
  ["AlterReplicaLogDirs", "a topic whose name is too long", (ids) => moves(ids.$logDir, ["n".repeat(240), 0])],
  ["AlterReplicaLogDirs", "the metadata log", (ids) => moves(ids.$logDir, ["__cluster_metadata", 0])],
  [
    "AlterReplicaLogDirs",
    "one in two directories",
    (ids) => ({ dirs: [...moves(ids.$logDir, ["alpha", 0]).dirs, ...moves("/no/such/directory", ["alpha", 0]).dirs] }),
  ],
  ["AlterReplicaLogDirs", "nothing", () => ({ dirs: [] })],

  ["OffsetForLeaderEpoch", "the epoch", () => epochs("alpha", [{ partition: 0, leaderEpoch: 0 }])],
  ["OffsetForLeaderEpoch", "of an empty partition", () => epochs("empty", [{ partition: 0, leaderEpoch: 0 }])],
  ["OffsetForLeaderEpoch", "an epoch to come", () => epochs("alpha", [{ partition: 0, leaderEpoch: 9 }])],
  ["OffsetForLeaderEpoch", "no epoch", () => epochs("alpha", [{ partition: 0, leaderEpoch: -1 }])],
  [
    "OffsetForLeaderEpoch",
    "the current leader epoch",
    () => epochs("alpha", [{ partition: 0, leaderEpoch: 0, currentLeaderEpoch: 0 }]),
  ],
  [
    "OffsetForLeaderEpoch",
    "a later leader epoch",
    () => epochs("alpha", [{ partition: 0, leaderEpoch: 0, currentLeaderEpoch: 5 }]),
  ],
  [
    "OffsetForLeaderEpoch",
    "a partition twice, and unknown ones",
    () =>
      epochs("alpha", [
        { partition: 0, leaderEpoch: 0 },
        { partition: 0, leaderEpoch: 3 },
        { partition: 9, leaderEpoch: 0 },
        { partition: -1, leaderEpoch: 0 },
      ]),
  ],
  ["OffsetForLeaderEpoch", "an unknown topic", () => epochs("unknown", [{ partition: 0, leaderEpoch: 0 }])],
  ["OffsetForLeaderEpoch", "nothing", () => ({ topics: [] })],

  ["Fetch", "from the start", (ids) => fetch([{ topic: "alpha", topicId: ids.alpha, partitions: [wish(0, 0)] }])],
  [
    "Fetch",
    "committed",
    (ids) => fetch([{ topic: "alpha", topicId: ids.alpha, partitions: [wish(0, 0)] }], { isolationLevel: 1 }),
  ],
  [
    "Fetch",
    "one byte",
    (ids) => fetch([{ topic: "alpha", topicId: ids.alpha, partitions: [wish(0, 0, { partitionMaxBytes: 1 })] }]),
  ],
  [
    "Fetch",
    "zero bytes",
    (ids) => fetch([{ topic: "alpha", topicId: ids.alpha, partitions: [wish(0, 0)] }], { maxBytes: 0 }),
  ],
  ["Fetch", "the end", (ids) => fetch([{ topic: "alpha", topicId: ids.alpha, partitions: [wish(0, 5)] }])],
  ["Fetch", "beyond the end", (ids) => fetch([{ topic: "alpha", topicId: ids.alpha, partitions: [wish(0, 6)] }])],
  ["Fetch", "below the start", (ids) => fetch([{ topic: "alpha", topicId: ids.alpha, partitions: [wish(0, -1)] }])],
  ["Fetch", "an empty partition", (ids) => fetch([{ topic: "empty", topicId: ids.empty, partitions: [wish(0, 0)] }])],
  [
    "Fetch",
    "a partition twice",
    (ids) => fetch([{ topic: "alpha", topicId: ids.alpha, partitions: [wish(0, 0), wish(0, 3)] }]),
  ],
  [
    "Fetch",
    "two topics",
    (ids) =>
      fetch([
        { topic: "empty", topicId: ids.empty, partitions: [wish(0, 0)] },
        { topic: "alpha", topicId: ids.alpha, partitions: [wish(1, 0), wish(0, 0)] },
      ]),
  ],
  ["Fetch", "an unknown partition", (ids) => fetch([{ topic: "alpha", topicId: ids.alpha, partitions: [wish(9, 0)] }])],
  ["Fetch", "an unknown topic", () => fetch([{ topic: "unknown", topicId: NOWHERE, partitions: [wish(0, 0)] }])],
  [
    "Fetch",
    "a topic that was deleted",
    (ids) => fetch([{ topic: "gone", topicId: ids.gone, partitions: [wish(0, 0)] }]),
  ],
  ["Fetch", "no topic id", () => fetch([{ topic: "alpha", topicId: ZERO, partitions: [wish(0, 0)] }])],
  [
    "Fetch",
    "the current leader epoch",
    (ids) => fetch([{ topic: "alpha", topicId: ids.alpha, partitions: [wish(0, 0, { currentLeaderEpoch: 0 })] }]),
  ],
  [
    "Fetch",
    "a later leader epoch",
    (ids) => fetch([{ topic: "alpha", topicId: ids.alpha, partitions: [wish(0, 0, { currentLeaderEpoch: 5 })] }]),
  ],
  [
    "Fetch",
    "the last fetched epoch",
    (ids) => fetch([{ topic: "alpha", topicId: ids.alpha, partitions: [wish(0, 3, { lastFetchedEpoch: 0 })] }]),
  ],
  [
    "Fetch",
    "a last fetched epoch that is to come",
    (ids) => fetch([{ topic: "alpha", topicId: ids.alpha, partitions: [wish(0, 3, { lastFetchedEpoch: 4 })] }]),
  ],
  [
    "Fetch",
    "beyond the end of the last fetched epoch",
    (ids) => fetch([{ topic: "alpha", topicId: ids.alpha, partitions: [wish(0, 9, { lastFetchedEpoch: 0 })] }]),
  ],
  ["Fetch", "nothing", () => fetch([])],
  ["Fetch", "sessions: one that is not there", () => fetch([], { sessionId: 77, sessionEpoch: 1 })],
  ["Fetch", "sessions: none, but an epoch", () => fetch([], { sessionId: 0, sessionEpoch: 3 })],
  [
    "Fetch",
    "sessions: another full one",
    (ids) =>
      fetch([{ topic: "alpha", topicId: ids.alpha, partitions: [wish(0, 5)] }], { sessionId: 77, sessionEpoch: 0 }),
  ],
  [
    "Fetch",
    "sessions: the end of one",
    (ids) =>
      fetch([{ topic: "alpha", topicId: ids.alpha, partitions: [wish(0, 5)] }], { sessionId: 77, sessionEpoch: -1 }),
  ],
  [
    "Fetch",
    "an isolation level that is none",
    (ids) => fetch([{ topic: "alpha", topicId: ids.alpha, partitions: [wish(0, 5)] }], { isolationLevel: 9 }),
  ],

  ["FindCoordinator", "a key type that is none", () => ({ key: "a", coordinatorKeys: ["a"], keyType: 9 })],
  ["FindCoordinator", "a negative key type", () => ({ key: "a", coordinatorKeys: ["a", "b"], keyType: -1 })],

  ["InitProducerId", "no transaction", () => ({ transactionalId: null, transactionTimeoutMs: 60_000 })],
  [
    "InitProducerId",
    "an id without an epoch",
    () => ({ transactionalId: null, transactionTimeoutMs: 60_000, producerId: 5 }),
  ],
  [
    "InitProducerId",
    "an epoch without an id",
    () => ({ transactionalId: null, transactionTimeoutMs: 60_000, producerEpoch: 5 }),
  ],
  [
    "InitProducerId",
    "an id and an epoch",
    () => ({ transactionalId: null, transactionTimeoutMs: 60_000, producerId: 5, producerEpoch: 3 }),
  ],
  ["InitProducerId", "an empty transactional id", () => ({ transactionalId: "", transactionTimeoutMs: 60_000 })],
  ["InitProducerId", "a negative time-out", () => ({ transactionalId: null, transactionTimeoutMs: -1 })],

  ["DescribeConfigs", "a topic", () => ({ resources: [resource(2, "alpha")] })],
  ["DescribeConfigs", "a topic with configs", () => ({ resources: [resource(2, "be.ta")], includeSynonyms: true })],
  ["DescribeConfigs", "with documentation", () => ({ resources: [resource(2, "alpha")], includeDocumentation: true })],
  [
    "DescribeConfigs",
    "keys of a topic",
    () => ({ resources: [resource(2, "be.ta", ["retention.ms", "no.such.key", "retention.ms"])] }),
  ],
  ["DescribeConfigs", "no keys of a topic", () => ({ resources: [resource(2, "alpha", [])] })],
  [
    "DescribeConfigs",
    "a topic twice",
    () => ({ resources: [resource(2, "alpha", ["retention.ms"]), resource(2, "alpha", ["segment.bytes"])] }),
  ],
  ["DescribeConfigs", "an unknown topic", () => ({ resources: [resource(2, "unknown")] })],
  [
    "DescribeConfigs",
    "topics with names that are none",
    () => ({ resources: [resource(2, ""), resource(2, "no/name")] }),
  ],
  ["DescribeConfigs", "this broker", () => ({ resources: [resource(4, "1")] })],
  [
    "DescribeConfigs",
    "keys of this broker",
    () => ({
      resources: [resource(4, "1", ["num.partitions", "log.retention.hours", "no.such.key"])],
      includeSynonyms: true,
    }),
  ],
  ["DescribeConfigs", "the default of brokers", () => ({ resources: [resource(4, "")] })],
  ["DescribeConfigs", "another broker", () => ({ resources: [resource(4, "2")] })],
  ["DescribeConfigs", "a broker that is no number", () => ({ resources: [resource(4, "one")] })],
  [
    "DescribeConfigs",
    "resource types that are none",
    () => ({ resources: [resource(0, "x"), resource(1, "x"), resource(3, "x"), resource(99, "x"), resource(-1, "x")] }),
  ],
  ["DescribeConfigs", "client metrics", () => ({ resources: [resource(16, "x"), resource(16, "")] })],
  ["DescribeConfigs", "groups", () => ({ resources: [resource(32, "x"), resource(32, "")] })],
  ["DescribeConfigs", "nothing", () => ({ resources: [] })],

  ["DescribeCluster", "brokers", () => ({})],
  ["DescribeCluster", "operations", () => ({ includeClusterAuthorizedOperations: true })],
  ["DescribeCluster", "controllers", () => ({ endpointType: 2 })],
  ["DescribeCluster", "neither", () => ({ endpointType: 7 })],
  ["DescribeCluster", "fenced brokers, too", () => ({ includeFencedBrokers: true })],

  ...ADMIN_CASES,
  ...BROKER_CONFIG_CASES,

  [
    "CreateTopics",
    "only to validate",
    () => create([topicOf("fresh", { configs: [{ name: "retention.ms", value: "5" }] })], { validateOnly: true }),
  ],
  ["CreateTopics", "one that is there", () => create([topicOf("alpha")])],
  ["CreateTopics", "one that is there, only to validate", () => create([topicOf("alpha")], { validateOnly: true })],
  [
    "CreateTopics",
    "one twice",
    () => create([topicOf("twice"), topicOf("twice"), topicOf("once", { numPartitions: 0 })]),
  ],
  ["CreateTopics", "a name that collides", () => create([topicOf("be_ta")])],
  [
    "CreateTopics",
    "names that are none",
    () => create([topicOf(""), topicOf("."), topicOf("no/name"), topicOf("n".repeat(250))]),
  ],
  ["CreateTopics", "__cluster_metadata", () => create([topicOf("__cluster_metadata")])],
  [
    "CreateTopics",
    "counts that are none",
    () =>
      create([
        topicOf("a", { numPartitions: 0 }),
        topicOf("b", { numPartitions: -2 }),
        topicOf("c", { replicationFactor: 0 }),
        topicOf("d", { replicationFactor: -2 }),
        topicOf("e", { replicationFactor: 2 }),
      ]),
  ],
  ["CreateTopics", "too many partitions", () => create([topicOf("many", { numPartitions: 10_001 })])],
  [
    "CreateTopics",
    "defaults",
    () => create([topicOf("fresh", { numPartitions: -1, replicationFactor: -1 })], { validateOnly: true }),
  ],
  ["CreateTopics", "an unknown key", () => create([topicOf("f", { configs: [{ name: "no.such.key", value: "1" }] })])],
  [
    "CreateTopics",
    "a value that is none",
    () => create([topicOf("f", { configs: [{ name: "retention.ms", value: "x" }] })]),
  ],
  ["CreateTopics", "no value", () => create([topicOf("f", { configs: [{ name: "retention.ms", value: null }] })])],
  [
    "CreateTopics",
    "a key twice",
    () =>
      create(
        [
          topicOf("f", {
            configs: [
              { name: "retention.ms", value: "1" },
              { name: "retention.ms", value: "2" },
            ],
          }),
        ],
        { validateOnly: true },
      ),
  ],
  [
    "CreateTopics",
    "an assignment",
    () =>
      create(
        [
          topicOf("f", {
            numPartitions: -1,
            replicationFactor: -1,
            assignments: [{ partitionIndex: 0, brokerIds: [1] }],
          }),
        ],
        { validateOnly: true },
      ),
  ],
  [
    "CreateTopics",
    "assignments that are none",
    () =>
      create([
        topicOf("f", {
          numPartitions: -1,
          replicationFactor: -1,
          assignments: [{ partitionIndex: 1, brokerIds: [1] }],
        }),
        topicOf("g", {
          numPartitions: -1,
          replicationFactor: -1,
          assignments: [{ partitionIndex: 0, brokerIds: [2] }],
        }),
        topicOf("h", {
          numPartitions: -1,
          replicationFactor: -1,
          assignments: [{ partitionIndex: 0, brokerIds: [1, 1] }],
        }),
        topicOf("i", { numPartitions: -1, replicationFactor: -1, assignments: [{ partitionIndex: 0, brokerIds: [] }] }),
        topicOf("j", { numPartitions: 1, replicationFactor: -1, assignments: [{ partitionIndex: 0, brokerIds: [1] }] }),
      ]),
  ],
  ["CreateTopics", "nothing", () => create([])],

  ["Produce", "acks that are none", () => produce("alpha", 1, batch([TIME]), { acks: 2 })],
  ["Produce", "an unknown topic", () => produce("unknown", 0, batch([TIME]), { topicId: NOWHERE })],
  ["Produce", "an unknown partition", (ids) => produce("alpha", 9, batch([TIME]), { topicId: ids.alpha })],
  ["Produce", "a negative partition", (ids) => produce("alpha", -1, batch([TIME]), { topicId: ids.alpha })],
  ["Produce", "no topic id", () => produce("alpha", 9, batch([TIME]))],
  ["Produce", "an empty set of records", (ids) => produce("alpha", 1, new Uint8Array(0), { topicId: ids.alpha })],
  ["Produce", "half a batch", (ids) => produce("alpha", 1, batch([TIME]).subarray(0, 50), { topicId: ids.alpha })],
  [
    "Produce",
    "two batches",
    (ids) => produce("alpha", 1, Buffer.concat([batch([TIME]), batch([TIME])]), { topicId: ids.alpha }),
  ],
  [
    "Produce",
    "a wrong CRC",
    (ids) =>
      produce(
        "alpha",
        1,
        changed(batch([TIME]), (b) => (b[17] ^= 1)),
        { topicId: ids.alpha },
      ),
  ],
  [
    "Produce",
    "magic 1",
    (ids) =>
      produce(
        "alpha",
        1,
        changed(batch([TIME]), (b) => (b[16] = 1)),
        { topicId: ids.alpha },
      ),
  ],
  [
    "Produce",
    "magic 9",
    (ids) =>
      produce(
        "alpha",
        1,
        changed(batch([TIME]), (b) => (b[16] = 9)),
        { topicId: ids.alpha },
      ),
  ],
  ["Produce", "a timestamp too far ahead", (ids) => produce("alpha", 1, batch([TIME + 1e12]), { topicId: ids.alpha })],
  [
    "Produce",
    "a record without a key, where keys are needed",
    (ids) => produce("compacted", 0, batch([TIME]), { topicId: ids.compacted }),
  ],
  [
    "Produce",
    "an internal topic",
    (ids) => produce("__transaction_state", 0, batch([TIME]), { topicId: ids.__transaction_state }),
  ],
  ["Produce", "nothing", () => ({ acks: -1, timeoutMs: 5000, topicData: [] })],
  ["Produce", "a batch", (ids) => produce("alpha", 1, batch([TIME]), { topicId: ids.alpha })],
  ["Produce", "a batch, time of the broker", (ids) => produce("be.ta", 0, batch([TIME]), { topicId: ids["be.ta"] })],
  [
    "Produce",
    "a batch, no time to wait",
    (ids) => produce("alpha", 1, batch([TIME]), { topicId: ids.alpha, acks: 1, timeoutMs: 0 }),
  ],

  ["DeleteRecords", "an offset", () => deletions("alpha", [0, 1])],
  ["DeleteRecords", "an offset below the start", () => deletions("alpha", [0, 0])],
  ["DeleteRecords", "beyond the high watermark", () => deletions("alpha", [0, 1000])],
  ["DeleteRecords", "a negative offset", () => deletions("alpha", [0, -2])],
  ["DeleteRecords", "a partition twice", () => deletions("alpha", [0, 2], [0, 3])],
  ["DeleteRecords", "a partition twice, once refused", () => deletions("alpha", [0, 3], [0, 1000])],
  ["DeleteRecords", "a compacted topic", () => deletions("compacted", [0, 0])],
  ["DeleteRecords", "a topic that keeps everything", () => deletions("kept", [0, 0])],
  ["DeleteRecords", "an empty partition, all", () => deletions("empty", [0, -1])],
  ["DeleteRecords", "an internal topic", () => deletions("__transaction_state", [0, 0])],
  ["DeleteRecords", "unknown ones", () => deletions("alpha", [9, 0], [-1, 0])],
  ["DeleteRecords", "an unknown topic", () => deletions("unknown", [0, 0])],
  ["DeleteRecords", "no time to wait", () => ({ ...deletions("alpha", [0, 3]), timeoutMs: 0 })],
  ["DeleteRecords", "all there is", () => deletions("alpha", [0, -1])],
  ["DeleteRecords", "nothing", () => ({ topics: [], timeoutMs: 5000 })],

  ["DeleteTopics", "an unknown topic", (_ids, version) => remove(version, ["unknown"])],
  ["DeleteTopics", "an unknown topic twice", (_ids, version) => remove(version, ["unknown", "unknown"])],
  [
    "DeleteTopics",
    "an unknown topic three times, and another",
    (_ids, version) => remove(version, ["unknown", "unknown", "unknown", "other"]),
  ],
  ["DeleteTopics", "a topic twice", (_ids, version) => remove(version, ["alpha", "alpha"])],
  ["DeleteTopics", "a name that is none", (_ids, version) => remove(version, [""])],
  ["DeleteTopics", "an unknown id", (_ids, version) => remove(version, [{ name: null, topicId: NOWHERE }])],
  [
    "DeleteTopics",
    "an unknown id twice",
    (_ids, version) =>
      remove(version, [
        { name: null, topicId: NOWHERE },
        { name: null, topicId: NOWHERE },
      ]),
  ],
  [
    "DeleteTopics",
    "an id twice",
    (ids, version) =>
      remove(version, [
        { name: null, topicId: ids.alpha },
        { name: null, topicId: ids.alpha },
      ]),
  ],
  ["DeleteTopics", "a topic by both", (ids, version) => remove(version, [{ name: "alpha", topicId: ids.alpha }])],
  [
    "DeleteTopics",
    "a topic by its name and by its id",
    (ids, version) =>
      remove(version, [
        { name: "compacted", topicId: ZERO },
        { name: null, topicId: ids.compacted },
      ]),
  ],
  ["DeleteTopics", "neither name nor id", (_ids, version) => remove(version, [{ name: null, topicId: ZERO }])],
  ["DeleteTopics", "nothing", (_ids, version) => remove(version, [])],
];

function metadata(topics, more = {}) {
  return { allowAutoTopicCreation: false, topics: topics.map((topic) => ({ topicId: ZERO, ...topic })), ...more };
}

/** By name in the versions that have names only. */
function remove(version, topics) {
  const states = topics.map((topic) => (typeof topic === "string" ? { name: topic, topicId: ZERO } : topic));
  const topicNames = states.every(({ name, topicId }) => name !== null && topicId === ZERO)
    ? states.map(({ name }) => name)
    : undefined;
  if (version >= 6) return { topics: states, timeoutMs: 20_000 };
  return topicNames && { topicNames, timeoutMs: 20_000 };
}
