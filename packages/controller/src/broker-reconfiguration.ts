import { ErrorCode, KafkaError } from "@samsa/base";
import type { BrokerConfig, ConfigsImage } from "@samsa/metadata";
import { ConfigResourceType, EffectiveBrokerConfig } from "@samsa/metadata";

const CLEANER_THREADS = "log.cleaner.threads";
const NETWORK_THREADS = "num.network.threads";
const REPORTERS = "metric.reporters";
const MEBIBYTE = 1024 * 1024;
const CORDONED = "cordoned.log.dirs";
const THREAD_COUNTS = [
  "background.threads",
  "num.io.threads",
  "num.network.threads",
  "num.recovery.threads.per.data.dir",
  "num.replica.fetchers",
  "remote.log.manager.copier.thread.pool.size",
  "remote.log.manager.expiration.thread.pool.size",
  "remote.log.manager.follower.thread.pool.size",
  "remote.log.reader.threads",
];

interface BrokerChange {
  readonly resourceName: string; // empty: of all brokers
  readonly next: ReadonlyMap<string, string>;
}

/**
 * What a broker refuses of a configuration though each value is one of its kind: keys that contradict each other, numbers of
 * threads that change too much at once, directories that it does not have, listeners other than those it has. What counts is
 * what holds in the end: a value of the broker's own hides that of all. Kafka asks the broker that has the request; its words,
 * the wrapping included (KafkaConfig.validateValues, DynamicBrokerConfig.validate).
 *
 * @throws KafkaError INVALID_REQUEST
 */
export function checkReconfiguration(configs: ConfigsImage, config: BrokerConfig, change: BrokerChange): void {
  const before = new EffectiveBrokerConfig(configs, config);
  const after = new EffectiveBrokerConfig(
    configs.with({ type: ConfigResourceType.BROKER, name: change.resourceName }, change.next),
    config,
  );
  refuseContradictions(after);
  refuseConnectionLimits(after);
  refuseUnknownDirectories(before, after);
  refuseOtherListeners(before, after);
  refuseUnknownReporters(before, after);
  refuseLocalRetention(after, "log.local.retention.ms", "log.retention.ms", retentionMs(after));
  refuseLocalRetention(after, "log.local.retention.bytes", "log.retention.bytes", after.number("log.retention.bytes"));
  for (const name of THREAD_COUNTS) refuseThreads(name, before.number(name), after.number(name));
  for (const listenerName of listenerNames(config)) refuseThreadsOfListener(listenerName, before, after);
  refuseCleanerThreads(before.number(CLEANER_THREADS), after.number(CLEANER_THREADS));
}

/** What Kafka requires of a configuration as a whole, of the keys that may change. */
function refuseContradictions(config: EffectiveBrokerConfig): void {
  const isAtLeast = (name: string, least: number) => config.value(name) === null || config.number(name) >= least;
  const retention = config.value("log.retention.ms");
  const dedupePerThread = config.number("log.cleaner.dedupe.buffer.size") / config.number(CLEANER_THREADS);
  require(isAtLeast("log.roll.ms", 1), "log.roll.ms must be greater than or equal to 1");
  require(isAtLeast("log.roll.jitter.ms", 0), "log.roll.jitter.ms must be greater than or equal to 0");
  // What is below zero is for ever, as -1.
  require(retention !== 0, "log.retention.ms must be unlimited (-1) or, equal or greater than 1");
  require(config.number(CLEANER_THREADS) === 0 ||
    dedupePerThread > MEBIBYTE, "log.cleaner.dedupe.buffer.size must be at least 1MB per cleaner thread.");
  for (const kind of ["consumer", "share", "streams"]) {
    const name = `group.${kind}.assignment.interval.ms`;
    const [least, most] = [`group.${kind}.min.assignment.interval.ms`, `group.${kind}.max.assignment.interval.ms`];
    if (config.number(name) > config.number(most))
      throw invalidRequest(`${name} must be less than or equal to ${most}`);
    if (config.number(name) < config.number(least)) {
      throw invalidRequest(`${name} must be greater than or equal to ${least}`);
    }
  }
}

function refuseConnectionLimits(config: EffectiveBrokerConfig): void {
  const overrides = config.string("max.connections.per.ip.overrides");
  for (const entry of overrides === "" ? [] : overrides.split(",")) {
    const at = entry.lastIndexOf(":");
    const [host, most] = [entry.slice(0, at).trim(), entry.slice(at + 1).trim()];
    if (at < 0) {
      throw invalidRequest(
        `Error parsing configuration property 'max.connections.per.ip.overrides': no count in ${entry}`,
      );
    }
    if (!/^[+-]?\d+$/.test(most)) throw invalidRequest(`For input string: "${most}"`);
    if (!/^[a-zA-Z0-9.\-:[\]%_]+$/.test(host)) {
      throw invalidRequest(`max.connections.per.ip.overrides contains invalid addresses : ${host}`);
    }
  }
  require(config.number("max.connections.per.ip") > 0 ||
    overrides !==
      "", "max.connections.per.ip can be set to zero only if max.connections.per.ip.overrides property is set.");
  for (const name of ["max.connections", "max.connection.creation.rate"]) {
    const values = listenerNames(config.static).map((listener) => config.ofListener(listener, name));
    if ([config.number(name), ...values].includes(0)) throw invalidDynamicConfig(`Invalid ${name} 0`);
  }
}

function refuseThreads(name: string, current: number, next: number): void {
  const failed = `Dynamic thread count update validation failed for ${name}=${next}`;
  if (next < Math.floor(current / 2)) {
    throw invalidDynamicConfig(`${failed}, value should be at least half the current value ${current}`);
  }
  if (next > current * 2) {
    throw invalidDynamicConfig(`${failed}, value should not be greater than double the current value ${current}`);
  }
}

function refuseThreadsOfListener(listener: string, before: EffectiveBrokerConfig, after: EffectiveBrokerConfig): void {
  const of = (config: EffectiveBrokerConfig) => config.ofListener(listener, NETWORK_THREADS);
  const next = of(after);
  if (next === undefined) return;
  refuseThreads(NETWORK_THREADS, Number(of(before) ?? before.number(NETWORK_THREADS)), Number(next));
}

function refuseCleanerThreads(current: number, next: number): void {
  if (next === current) return;
  if (next < 1) throw invalidDynamicConfig("Log cleaner threads should be at least 1");
  if (next < Math.floor(current / 2)) {
    throw invalidDynamicConfig(`Log cleaner threads cannot be reduced to less than half the current value ${current}`);
  }
  if (next > current * 2) {
    throw invalidDynamicConfig(
      `Log cleaner threads cannot be increased to more than double the current value ${current}`,
    );
  }
}

/** Tiered logs keep a part of what is kept here. -1 is for ever, -2 of the local part is as much as of the whole. */
function refuseLocalRetention(config: EffectiveBrokerConfig, localName: string, name: string, whole: number): void {
  const local = config.number(localName);
  if (whole < 0 || local === -2) return;
  const invalid = `Invalid value ${local} for configuration ${localName}`;
  if (local === -1) throw invalidDynamicConfig(`${invalid}: Value must not be -1 as ${name} value is set as ${whole}.`);
  if (local > whole) {
    throw invalidDynamicConfig(`${invalid}: Value must not be more than ${name} property value: ${whole}`);
  }
}

function retentionMs(config: EffectiveBrokerConfig): number {
  if (config.value("log.retention.ms") !== null) return config.number("log.retention.ms");
  if (config.value("log.retention.minutes") !== null) return config.number("log.retention.minutes") * 60_000;
  return config.number("log.retention.hours") * 3_600_000;
}

/** Kafka refuses most changes of listeners with one reason or another; here they stay as they are. */
function refuseOtherListeners(before: EffectiveBrokerConfig, after: EffectiveBrokerConfig): void {
  for (const name of ["listeners", "listener.security.protocol.map"]) {
    if (String(before.value(name)) !== String(after.value(name))) {
      throw invalidRequest(`${name} cannot be changed while the broker runs`);
    }
  }
}

/** No class can be loaded: what is there already stays, and may go. */
function refuseUnknownReporters(before: EffectiveBrokerConfig, after: EffectiveBrokerConfig): void {
  const known = before.list(REPORTERS);
  if (after.list(REPORTERS).every((name) => known.includes(name) || name.startsWith("org.apache.kafka."))) return;
  throw invalidDynamicConfig(`Validation of dynamic config update of Set(${REPORTERS}) failed: no such class`);
}

function listenerNames(config: BrokerConfig): readonly string[] {
  return config.list("listeners").map((listener) => listener.slice(0, Math.max(0, listener.indexOf("://"))));
}

function refuseUnknownDirectories(before: EffectiveBrokerConfig, after: EffectiveBrokerConfig): void {
  const cordoned = after.value(CORDONED);
  if (!Array.isArray(cordoned) || String(cordoned) === String(before.value(CORDONED))) return;
  const known = after.value("log.dirs") === null ? after.list("log.dir") : after.list("log.dirs");
  const missing = cordoned.filter((path) => path !== "*" && !known.includes(String(path)));
  if (missing.length === 0) return;
  throw new KafkaError(
    ErrorCode.INVALID_REQUEST,
    `requirement failed: All entries in ${CORDONED} must be present in log.dirs or log.dir. Missing entries : ${missing.join(", ")}`,
  );
}

function require(isMet: boolean, message: string): void {
  if (!isMet) throw invalidRequest(`requirement failed: ${message}`);
}

function invalidRequest(message: string): KafkaError {
  return new KafkaError(ErrorCode.INVALID_REQUEST, message);
}

function invalidDynamicConfig(message: string): KafkaError {
  const cause = `org.apache.kafka.common.config.ConfigException: ${message}`;
  return new KafkaError(
    ErrorCode.INVALID_REQUEST,
    `Invalid value ${cause} for configuration Invalid dynamic configuration`,
  );
}
