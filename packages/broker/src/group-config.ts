import type { ConsumerGroupConfig, ConsumerGroupMigrationPolicy, GroupConfig } from "@samsa/coordinator";
import { SERVER_ASSIGNORS } from "@samsa/coordinator";
import type { BrokerConfig, ConfigsImage } from "@samsa/metadata";
import { GroupConfig as GroupResourceConfig } from "@samsa/metadata";
import type { MetadataCache } from "./metadata-cache.ts";

const MINUTE_MS = 60_000;
const RANGE_AND_UNIFORM_CLASSES: ReadonlyMap<string, string> = new Map([
  ["org.apache.kafka.coordinator.group.assignor.UniformAssignor", "uniform"],
  ["org.apache.kafka.coordinator.group.assignor.RangeAssignor", "range"],
]);

/** The keys of groups: those of the broker as it was started, those of single groups as they are now. */
export function groupConfigOf(config: BrokerConfig, metadata: MetadataCache): GroupConfig {
  const consumerGroups = new ConsumerGroupConfigs(config);
  return {
    minSessionTimeoutMs: config.number("group.min.session.timeout.ms"),
    maxSessionTimeoutMs: config.number("group.max.session.timeout.ms"),
    initialRebalanceDelayMs: config.number("group.initial.rebalance.delay.ms"),
    maxSize: config.number("group.max.size"),
    offsetMetadataMaxBytes: config.number("offset.metadata.max.bytes"),
    offsetsRetentionMs: config.number("offsets.retention.minutes") * MINUTE_MS,
    offsetsRetentionCheckIntervalMs: config.number("offsets.retention.check.interval.ms"),
    consumerMaxSize: config.number("group.consumer.max.size"),
    consumerAssignors: consumerAssignors(config),
    consumerMigrationPolicy: config
      .string("group.consumer.migration.policy")
      .toLowerCase() as ConsumerGroupMigrationPolicy, // the only values that the key may have
    consumerRegexRefreshIntervalMs: config.number("group.consumer.regex.refresh.interval.ms"),
    consumerGroup: (groupId) => consumerGroups.of(metadata.image.configs, groupId),
  };
}

/** Ours of those that are named; a class of somebody else's cannot be loaded here. */
function consumerAssignors(config: BrokerConfig): readonly string[] {
  const named = config
    .list("group.consumer.assignors")
    .map((name) => RANGE_AND_UNIFORM_CLASSES.get(name) ?? name)
    .filter((name) => SERVER_ASSIGNORS.includes(name));
  return named.length > 0 ? [...new Set(named)] : SERVER_ASSIGNORS;
}

/** Read once for each group and image of the configurations: they are asked for with every heartbeat. */
class ConsumerGroupConfigs {
  readonly #broker: BrokerConfig;
  #configs: ConfigsImage | undefined;
  #groups = new Map<string, ConsumerGroupConfig>();

  constructor(broker: BrokerConfig) {
    this.#broker = broker;
  }

  of(configs: ConfigsImage, groupId: string): ConsumerGroupConfig {
    if (this.#configs !== configs) {
      this.#configs = configs;
      this.#groups = new Map();
    }
    const known = this.#groups.get(groupId);
    if (known !== undefined) return known;
    const values = GroupResourceConfig.resolve(configs, groupId, this.#broker);
    // The broker's limits may have been drawn closer since the group's value was set.
    const within = (key: string, min: string, max: string): number =>
      Math.max(values.broker.number(min), Math.min(values.number(key), values.broker.number(max)));
    const found = {
      sessionTimeoutMs: within(
        "consumer.session.timeout.ms",
        "group.consumer.min.session.timeout.ms",
        "group.consumer.max.session.timeout.ms",
      ),
      heartbeatIntervalMs: within(
        "consumer.heartbeat.interval.ms",
        "group.consumer.min.heartbeat.interval.ms",
        "group.consumer.max.heartbeat.interval.ms",
      ),
      assignmentIntervalMs: within(
        "consumer.assignment.interval.ms",
        "group.consumer.min.assignment.interval.ms",
        "group.consumer.max.assignment.interval.ms",
      ),
    };
    this.#groups.set(groupId, found);
    return found;
  }
}
