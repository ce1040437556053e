import type { ConfigDefinition } from "./config-definition.ts";
import { long } from "./config-definition.ts";
import { INT64_MAX } from "@samsa/base";
import { atLeast } from "./config-validator.ts";

/** Keys that may change while brokers run (KIP-226), for one broker only: the default of all brokers may not hold them. */
const PER_BROKER: readonly string[] = [
  "cordoned.log.dirs",
  "listener.security.protocol.map",
  "listeners",
  "principal.builder.class",
  "sasl.enabled.mechanisms",
  "sasl.jaas.config",
  "sasl.kerberos.kinit.cmd",
  "sasl.kerberos.min.time.before.relogin",
  "sasl.kerberos.principal.to.local.rules",
  "sasl.kerberos.service.name",
  "sasl.kerberos.ticket.renew.jitter",
  "sasl.kerberos.ticket.renew.window.factor",
  "sasl.login.refresh.buffer.seconds",
  "sasl.login.refresh.min.period.seconds",
  "sasl.login.refresh.window.factor",
  "sasl.login.refresh.window.jitter",
  "sasl.mechanism.inter.broker.protocol",
  "ssl.cipher.suites",
  "ssl.client.auth",
  "ssl.enabled.protocols",
  "ssl.endpoint.identification.algorithm",
  "ssl.engine.factory.class",
  "ssl.key.password",
  "ssl.keymanager.algorithm",
  "ssl.keystore.certificate.chain",
  "ssl.keystore.key",
  "ssl.keystore.location",
  "ssl.keystore.password",
  "ssl.keystore.type",
  "ssl.protocol",
  "ssl.provider",
  "ssl.secure.random.implementation",
  "ssl.trustmanager.algorithm",
  "ssl.truststore.certificates",
  "ssl.truststore.location",
  "ssl.truststore.password",
  "ssl.truststore.type",
];

/** Keys that may change while brokers run, for one broker or for all. */
const CLUSTER_WIDE: readonly string[] = [
  "background.threads",
  "compression.gzip.level",
  "compression.lz4.level",
  "compression.type",
  "compression.zstd.level",
  "config.providers",
  "errors.deadletterqueue.auto.create.topics.enable",
  "errors.deadletterqueue.topic.name.prefix",
  "follower.fetch.last.tiered.offset.enable",
  "follower.replication.throttled.rate",
  "group.consumer.assignment.interval.ms",
  "group.consumer.assignor.offload.enable",
  "group.coordinator.cached.buffer.max.bytes",
  "group.share.assignment.interval.ms",
  "group.share.assignor.offload.enable",
  "group.streams.assignment.interval.ms",
  "group.streams.assignor.offload.enable",
  "leader.replication.throttled.rate",
  "log.cleaner.backoff.ms",
  "log.cleaner.dedupe.buffer.size",
  "log.cleaner.delete.retention.ms",
  "log.cleaner.io.buffer.load.factor",
  "log.cleaner.io.buffer.size",
  "log.cleaner.io.max.bytes.per.second",
  "log.cleaner.max.compaction.lag.ms",
  "log.cleaner.min.cleanable.ratio",
  "log.cleaner.min.compaction.lag.ms",
  "log.cleaner.threads",
  "log.cleanup.policy",
  "log.flush.interval.messages",
  "log.flush.interval.ms",
  "log.index.interval.bytes",
  "log.index.size.max.bytes",
  "log.local.retention.bytes",
  "log.local.retention.ms",
  "log.message.timestamp.after.max.ms",
  "log.message.timestamp.before.max.ms",
  "log.message.timestamp.type",
  "log.preallocate",
  "log.remote.copy.lag.bytes",
  "log.remote.copy.lag.ms",
  "log.retention.bytes",
  "log.retention.ms",
  "log.roll.jitter.ms",
  "log.roll.ms",
  "log.segment.bytes",
  "log.segment.delete.delay.ms",
  "max.connection.creation.rate",
  "max.connections",
  "max.connections.per.ip",
  "max.connections.per.ip.overrides",
  "max.decompressed.message.bytes",
  "message.max.bytes",
  "metric.reporters",
  "min.insync.replicas",
  "num.io.threads",
  "num.network.threads",
  "num.recovery.threads.per.data.dir",
  "num.replica.fetchers",
  "producer.id.expiration.ms",
  "remote.fetch.max.wait.ms",
  "remote.list.offsets.request.timeout.ms",
  "remote.log.index.file.cache.total.size.bytes",
  "remote.log.manager.copier.thread.pool.size",
  "remote.log.manager.copy.max.bytes.per.second",
  "remote.log.manager.expiration.thread.pool.size",
  "remote.log.manager.fetch.max.bytes.per.second",
  "remote.log.manager.follower.thread.pool.size",
  "remote.log.reader.threads",
  "replica.alter.log.dirs.io.max.bytes.per.second",
  "share.coordinator.cached.buffer.max.bytes",
  "transaction.partition.verification.enable",
  "unclean.leader.election.enable",
];

const PER_BROKER_CONFIG_NAMES: ReadonlySet<string> = new Set(PER_BROKER);
export const DYNAMIC_BROKER_CONFIG_NAMES: ReadonlySet<string> = new Set([...PER_BROKER, ...CLUSTER_WIDE]);

/** Keys of encryption change for one listener at a time: under its prefix only. */
export const LISTENER_ONLY_CONFIG_NAMES: ReadonlySet<string> = new Set([
  "ssl.key.password",
  "ssl.keystore.certificate.chain",
  "ssl.keystore.key",
  "ssl.keystore.location",
  "ssl.keystore.password",
  "ssl.keystore.type",
  "ssl.truststore.certificates",
  "ssl.truststore.location",
  "ssl.truststore.password",
  "ssl.truststore.type",
]);

/** What may be set for a listener of all brokers. */
const CLUSTER_WIDE_OF_LISTENERS: readonly string[] = [
  "max.connection.creation.rate",
  "max.connections",
  "num.network.threads",
];

/** `listener.name.internal.`: the keys of one listener; names of listeners are in lower case there. */
export function listenerConfigPrefix(listenerName: string): string {
  return `listener.name.${listenerName.toLowerCase()}.`;
}

/** The key behind the prefix of a listener; undefined for a key without one. */
export function listenerConfigBase(name: string): string | undefined {
  return /^listener\.name\.[^.]*\.(.*)$/.exec(name)?.[1];
}

/** A key that the default of all brokers may not hold. */
export function isPerBrokerConfig(name: string): boolean {
  const base = listenerConfigBase(name);
  return base === undefined ? PER_BROKER_CONFIG_NAMES.has(name) : !CLUSTER_WIDE_OF_LISTENERS.includes(base);
}

/** Keys that exist as dynamic configuration only: a server.properties does not hold them. */
export const DYNAMIC_ONLY_CONFIGS: readonly ConfigDefinition[] = [
  long(
    "leader.replication.throttled.rate",
    INT64_MAX,
    "medium",
    "Bytes per second that leaders send to followers for throttled replicas.",
    atLeast(0),
  ),
  long(
    "follower.replication.throttled.rate",
    INT64_MAX,
    "medium",
    "Bytes per second that followers fetch for throttled replicas.",
    atLeast(0),
  ),
  long(
    "replica.alter.log.dirs.io.max.bytes.per.second",
    INT64_MAX,
    "medium",
    "Bytes per second that moves between the directories of a broker may take.",
    atLeast(0),
  ),
];
