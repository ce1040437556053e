export type { JoinContext } from "./group/classic-group-manager.ts";
export type { ClassicGroupState } from "./group/classic-group.ts";
export type { GroupConfig } from "./group/group-config.ts";
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
