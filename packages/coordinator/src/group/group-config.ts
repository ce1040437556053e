/** What the group coordinator is configured with, from Kafka's keys. Asked for at every use: some change while the broker runs. */
export interface GroupConfig {
  readonly minSessionTimeoutMs: number; // group.min.session.timeout.ms
  readonly maxSessionTimeoutMs: number; // group.max.session.timeout.ms
  readonly initialRebalanceDelayMs: number; // group.initial.rebalance.delay.ms
  readonly maxSize: number; // group.max.size
  readonly offsetMetadataMaxBytes: number; // offset.metadata.max.bytes
  readonly offsetsRetentionMs: number; // offsets.retention.minutes
  readonly offsetsRetentionCheckIntervalMs: number; // offsets.retention.check.interval.ms
}
