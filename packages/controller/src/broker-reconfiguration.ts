import { ErrorCode, KafkaError } from "@samsa/base";
import type { BrokerConfig, ConfigsImage } from "@samsa/metadata";
import { ConfigResourceType, EffectiveBrokerConfig } from "@samsa/metadata";

const CLEANER_THREADS = "log.cleaner.threads";
const CORDONED = "cordoned.log.dirs";
const THREAD_COUNTS = [
  "background.threads",
  "num.io.threads",
  "num.network.threads",
  "num.recovery.threads.per.data.dir",
  "num.replica.fetchers",
];

interface BrokerChange {
  readonly resourceName: string; // empty: of all brokers
  readonly next: ReadonlyMap<string, string>;
}

/**
 * What a broker refuses of a configuration though each value is one of its kind: numbers of threads that change too much at
 * once, and directories that it does not have. What counts is what holds in the end: a value of the broker's own hides that of
 * all. Kafka asks the broker that has the request; its words, the wrapping included (DynamicBrokerConfig.validate).
 *
 * @throws KafkaError INVALID_REQUEST
 */
export function checkReconfiguration(configs: ConfigsImage, config: BrokerConfig, change: BrokerChange): void {
  const before = new EffectiveBrokerConfig(configs, config);
  const after = new EffectiveBrokerConfig(
    configs.with({ type: ConfigResourceType.BROKER, name: change.resourceName }, change.next),
    config,
  );
  refuseUnknownDirectories(before, after);
  for (const name of THREAD_COUNTS) {
    const [current, next] = [before.number(name), after.number(name)];
    const failed = `Dynamic thread count update validation failed for ${name}=${next}`;
    if (next < Math.floor(current / 2)) {
      throw invalidDynamicConfig(`${failed}, value should be at least half the current value ${current}`);
    }
    if (next > current * 2) {
      throw invalidDynamicConfig(`${failed}, value should not be greater than double the current value ${current}`);
    }
  }
  const [current, next] = [before.number(CLEANER_THREADS), after.number(CLEANER_THREADS)];
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

function invalidDynamicConfig(message: string): KafkaError {
  const cause = `org.apache.kafka.common.config.ConfigException: ${message}`;
  return new KafkaError(
    ErrorCode.INVALID_REQUEST,
    `Invalid value ${cause} for configuration Invalid dynamic configuration`,
  );
}
