/** What the group coordinator is configured with, from Kafka's keys. Asked for at every use: some change while the broker runs. */
export interface GroupConfig {
  readonly minSessionTimeoutMs: number; // group.min.session.timeout.ms
  readonly maxSessionTimeoutMs: number; // group.max.session.timeout.ms
  readonly initialRebalanceDelayMs: number; // group.initial.rebalance.delay.ms
  readonly maxSize: number; // group.max.size
  readonly offsetMetadataMaxBytes: number; // offset.metadata.max.bytes
  readonly offsetsRetentionMs: number; // offsets.retention.minutes
  readonly offsetsRetentionCheckIntervalMs: number; // offsets.retention.check.interval.ms
  readonly consumerMaxSize: number; // group.consumer.max.size
  readonly consumerAssignors: readonly string[]; // group.consumer.assignors, the default first
  readonly consumerMigrationPolicy: ConsumerGroupMigrationPolicy; // group.consumer.migration.policy
  readonly consumerRegexRefreshIntervalMs: number; // group.consumer.regex.refresh.interval.ms
  /** What counts for one group: its own values, then the broker's. */
  consumerGroup(groupId: string): ConsumerGroupConfig;
}

export type ConsumerGroupMigrationPolicy = "disabled" | "downgrade" | "upgrade" | "bidirectional";

export interface ConsumerGroupConfig {
  readonly sessionTimeoutMs: number; // consumer.session.timeout.ms
  readonly heartbeatIntervalMs: number; // consumer.heartbeat.interval.ms
  readonly assignmentIntervalMs: number; // consumer.assignment.interval.ms
}
