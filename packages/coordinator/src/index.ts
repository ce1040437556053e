export type { JoinContext } from "./group/classic-group-manager.ts";
export type { ClassicGroupState } from "./group/classic-group.ts";
export type {
  DescribedConsumerGroup,
  DescribedConsumerGroupMember,
  DescribedTopicPartitions,
} from "./group/consumer/describe-consumer-group.ts";
export { SERVER_ASSIGNORS } from "./group/consumer/consumer-group-updater.ts";
export type { ConsumerGroupConfig, ConsumerGroupMigrationPolicy, GroupConfig } from "./group/group-config.ts";
export type { GroupTopic, GroupTopics, GroupTopicsChange } from "./group/group-topics.ts";
export { GroupCoordinator } from "./group/group-coordinator.ts";
export type {
  DescribedGroup,
  DescribedMember,
  FetchedOffsets,
  GroupCoordinatorOptions,
  ListedGroup,
} from "./group/group-coordinator.ts";
export type { OffsetCommit, OffsetToCommit, TransactionalOffsetCommit } from "./group/group-coordinator-shard.ts";
export type { CommittedOffset, TopicOffsets, TopicPartitionName } from "./group/offset-manager.ts";
export { CoordinatorRuntime } from "./runtime/coordinator-runtime.ts";
export type { Command, CoordinatorRuntimeOptions } from "./runtime/coordinator-runtime.ts";
export type {
  CoordinatorLog,
  CoordinatorShard,
  RecordSerde,
  Reply,
  Step,
  StoredRecord,
  TransactionalWrite,
  TransactionMarker,
  WriteOutcome,
} from "./runtime/coordinator-shard.ts";
export { partitionForKey } from "./runtime/partition-for-key.ts";
export type { TopicPartitions } from "./transaction/topic-partitions.ts";
export { topicPartitions } from "./transaction/topic-partitions.ts";
export type { TransactionConfig } from "./transaction/transaction-config.ts";
export { TransactionCoordinator } from "./transaction/transaction-coordinator.ts";
export type {
  DescribedTransaction,
  PartitionErrors,
  TransactionCoordinatorOptions,
} from "./transaction/transaction-coordinator.ts";
export type { TransactionAnswer } from "./transaction/transaction-coordinator-shard.ts";
export type { AddPartitions, EndTxn, InitProducerId, ProducerIdAndEpoch } from "./transaction/transaction-decisions.ts";
export type { TransactionMetadata } from "./transaction/transaction-metadata.ts";
export type { MarkerResults, TransactionPorts } from "./transaction/transaction-ports.ts";
export { transactionalIdPattern } from "./transaction/transactional-id-pattern.ts";
export type { TransactionState } from "./transaction/transaction-state.ts";
export { isTransactionState } from "./transaction/transaction-state.ts";
