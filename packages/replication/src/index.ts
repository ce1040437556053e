export { logCleanerConfigOf } from "./broker-log-config.ts";
export {
  FencedLeaderEpochError,
  NotLeaderOrFollowerError,
  UnknownLeaderEpochError,
  UnknownTopicOrPartitionError,
} from "./errors.ts";
export { NO_LEADER_EPOCH, Partition } from "./partition.ts";
export type { EpochEndOffset, FetchParameters, IsolationLevel, PartitionFetch, PartitionWatcher } from "./partition.ts";
export { ReplicaManager } from "./replica-manager.ts";
export type {
  DirectoryAssignment,
  LogDirDescription,
  LogDirReplica,
  ReplicaManagerOptions,
} from "./replica-manager.ts";
