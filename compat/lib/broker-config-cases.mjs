// What may be changed of a broker while it runs: every key there is, for this broker and for all, with a value of its kind and with one
// that is low. Nothing is changed here; what changes come to is in settled-answers.mjs.
import { BROKER_CONFIGS } from "@samsa/metadata";

const [BROKER, LOGGER] = [4, 8];
const [SET, DELETE, APPEND, SUBTRACT] = [0, 1, 2, 3];

const VALUES = { boolean: ["true"], int: ["2", "-1"], long: ["2", "-1"], short: ["2", "-1"], double: ["0.5", "-1"] };
const PREFIXES = ["listener.name.plaintext.", "listener.name.nowhere."];
const OF_LISTENERS = [
  ["max.connections", "7"],
  ["max.connections", "0"],
  ["max.connections", "-1"],
  ["max.connections", "many"],
  ["max.connection.creation.rate", "7"],
  ["max.connection.creation.rate", "0"],
  ["max.connections.per.ip", "7"],
  ["num.network.threads", "4"],
  ["num.network.threads", "40"],
  ["num.network.threads", "0"],
  ["connections.max.idle.ms", "5000"],
  ["ssl.keystore.type", "PKCS12"],
  ["ssl.keystore.password", "secret"],
  ["ssl.client.auth", "required"],
  ["sasl.enabled.mechanisms", "PLAIN"],
  ["plain.sasl.jaas.config", "a"],
  ["log.retention.ms", "7"],
  ["broker.rack", "a"],
  ["no.such.key", "7"],
];
const ODD = [
  ["no.such.key", "1"],
  ["", "1"],
  ["num.io.threads", "16"],
  ["num.io.threads", "17"],
  ["num.io.threads", "4"],
  ["num.io.threads", "3"],
  ["log.cleaner.threads", "3"],
  ["log.cleaner.dedupe.buffer.size", "1000"],
  ["log.cleaner.io.buffer.load.factor", "2"],
  ["log.retention.ms", "0"],
  ["log.retention.ms", "-2"],
  ["log.local.retention.ms", "99999999999999"],
  ["log.local.retention.ms", "-1"],
  ["log.local.retention.bytes", "5"],
  ["log.local.retention.bytes", "-1"],
  ["log.cleanup.policy", "compact,delete"],
  ["log.cleanup.policy", "shred"],
  ["log.cleanup.policy", "none"],
  ["log.cleanup.policy", ""],
  ["log.message.timestamp.type", "LogAppendTime"],
  ["log.message.timestamp.type", "Never"],
  ["compression.type", "zstd"],
  ["compression.type", "best"],
  ["compression.gzip.level", "0"],
  ["compression.gzip.level", "9"],
  ["compression.zstd.level", "99"],
  ["compression.lz4.level", "0"],
  ["max.connections", "0"],
  ["max.connections", "2147483648"],
  ["max.connections.per.ip", "0"],
  ["max.connections.per.ip.overrides", "127.0.0.1:7"],
  ["max.connections.per.ip.overrides", "127.0.0.1"],
  ["max.connections.per.ip.overrides", "no such host!:7"],
  ["max.connections.per.ip.overrides", "127.0.0.1:many"],
  ["max.connection.creation.rate", "0"],
  ["message.max.bytes", "0"],
  ["min.insync.replicas", "0"],
  ["unclean.leader.election.enable", "maybe"],
  ["producer.id.expiration.ms", "0"],
  ["transaction.partition.verification.enable", "false"],
  ["leader.replication.throttled.rate", "1000"],
  ["follower.replication.throttled.rate", "-1"],
  ["replica.alter.log.dirs.io.max.bytes.per.second", "7"],
  ["advertised.listeners", "PLAINTEXT://127.0.0.1:1"],
  ["listeners", "PLAINTEXT://127.0.0.1:1"],
  ["listener.security.protocol.map", "PLAINTEXT:SSL"],
  ["remote.log.reader.threads", "11"],
  ["remote.log.reader.threads", "99"],
  ["cordoned.log.dirs", "*"],
  ["group.consumer.assignment.interval.ms", "99999999"],
  ["group.coordinator.cached.buffer.max.bytes", "1"],
];

const set = (name, value, configOperation = SET) => ({ name, value, configOperation });
const change = (resourceType, resourceName, configs) => ({
  resources: [{ resourceType, resourceName, configs }],
  validateOnly: true,
});
/** In one version: the versions do not differ in what is decided. */
const inOne = (fields) => (_ids, version) => (version === 1 ? fields : undefined);

const everyKey = [...BROKER_CONFIGS.values()].flatMap(({ name, type }) =>
  (VALUES[type] ?? ["a"]).map((value) => [name, value]),
);

const changes = [
  ...everyKey,
  ...ODD,
  ...PREFIXES.flatMap((p) => OF_LISTENERS.map(([name, value]) => [p + name, value])),
];

const ofBrokers = changes.flatMap(([name, value]) =>
  [
    ["this broker", "1"],
    ["all brokers", ""],
  ].map(([whose, resourceName]) => [
    "IncrementalAlterConfigs",
    `${name}=${value} of ${whose}`,
    inOne(change(BROKER, resourceName, [set(name, value)])),
  ]),
);

const several = [
  ["a static and a dynamic key", "1", [set("log.retention.ms", "7"), set("num.partitions", "2")]],
  ["a static key taken back", "1", [set("num.partitions", null, DELETE)]],
  ["a dynamic key taken back", "1", [set("log.retention.ms", null, DELETE)]],
  ["a key of single brokers taken back of all", "", [set("ssl.keystore.type", null, DELETE)]],
  ["a key that is none taken back", "1", [set("no.such.key", null, DELETE)]],
  ["an unknown key appended to", "1", [set("no.such.key", "a", APPEND)]],
  ["a listener's key appended to", "1", [set("listener.name.plaintext.ssl.cipher.suites", "a", APPEND)]],
  ["a number appended to", "1", [set("log.retention.ms", "7", APPEND)]],
  ["a number subtracted from", "", [set("log.retention.ms", "7", SUBTRACT)]],
  ["an operation that is none, of a broker", "1", [set("log.retention.ms", "7", 9)]],
  ["local retention within the whole", "1", [set("log.local.retention.ms", "7"), set("log.retention.ms", "8")]],
  ["local retention above the whole", "1", [set("log.local.retention.ms", "9"), set("log.retention.ms", "8")]],
].map(([what, resourceName, configs]) => [
  "IncrementalAlterConfigs",
  what,
  inOne(change(BROKER, resourceName, configs)),
]);

// The two have other loggers, but for the one above them all. Its level is the same in both once it has been set.
const ofLoggers = [
  ["a level", "1", [set("root", "ERROR")]],
  ["a level that is none", "1", [set("root", "LOUD")]],
  ["a level in small letters", "1", [set("root", "info")]],
  ["no level", "1", [set("root", null)]],
  ["a logger that is none", "1", [set("no.such.logger", "INFO")]],
  ["a logger without a name", "1", [set("", "INFO")]],
  ["a logger twice", "1", [set("root", "INFO"), set("root", "WARN")]],
  ["the root's level taken back", "1", [set("root", null, DELETE)]],
  ["a level appended", "1", [set("root", "INFO", APPEND)]],
  ["a level subtracted", "1", [set("root", "INFO", SUBTRACT)]],
  ["an operation on loggers that is none", "1", [set("root", "INFO", 9)]],
  ["loggers of another broker", "5", [set("root", "INFO")]],
  ["loggers of no broker", "", [set("root", "INFO")]],
  ["loggers of a broker that is no number", "one", [set("root", "INFO")]],
  ["no loggers", "1", []],
].flatMap(([what, resourceName, configs]) => [
  ["IncrementalAlterConfigs", what, () => change(LOGGER, resourceName, configs)],
  [
    "AlterConfigs",
    what,
    () =>
      change(
        LOGGER,
        resourceName,
        configs.map(({ name, value }) => ({ name, value })),
      ),
  ],
]);

const rootLogger = (resourceName) => ({
  resources: [{ resourceType: LOGGER, resourceName, configurationKeys: ["root", "no.such.logger"] }],
  includeSynonyms: true,
});

export const BROKER_CONFIG_CASES = [
  ...ofBrokers,
  ...several,
  ...ofLoggers,
  [
    "IncrementalAlterConfigs",
    "the root's level, for good",
    () => ({ ...change(LOGGER, "1", [set("root", "WARN")]), validateOnly: false }),
  ],
  ...["1", "", "7", "one"].map((name) => [
    "DescribeConfigs",
    `the root logger of broker "${name}"`,
    () => rootLogger(name),
  ]),
];
