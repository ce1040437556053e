export { activate, registerController } from "./activation.ts";
export type { ControllerRegistrationRequest } from "./activation.ts";
export {
  assignReplicasToDirs,
  beginControlledShutdown,
  fenceBroker,
  handleDirectoriesOffline,
  registerBroker,
  unfenceBroker,
} from "./broker-lifecycle.ts";
export type { BrokerRegistrationRequest, DirectoryAssignment } from "./broker-lifecycle.ts";
export type { ControllerContext, ControllerResult, PartitionChangeQuota } from "./controller-result.ts";
export { prepareDataDirectories } from "./data-directories.ts";
export type { DataDirectoriesOptions, PreparedDirectories, PreparedDirectory } from "./data-directories.ts";
export { formatDataDirectory } from "./format-data-directory.ts";
export type { FormatOptions } from "./format-data-directory.ts";
export type { LeaderAndEpoch, MetadataLog, MetadataLogListener } from "./metadata-log.ts";
export type { MetadataLogLocation } from "./metadata-log-recovery.ts";
export { PRODUCER_ID_BLOCK_SIZE } from "./producer-ids.ts";
export type { ProducerIdsBlock } from "./producer-ids.ts";
export { QuorumController } from "./quorum-controller.ts";
export type { QuorumControllerOptions } from "./quorum-controller.ts";
export { raftConfigOf } from "./raft-config-of.ts";
export { SingleVoterQuorum } from "./single-voter-quorum.ts";
export type { SingleVoterQuorumOptions } from "./single-voter-quorum.ts";
