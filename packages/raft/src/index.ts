export { BatchAccumulator } from "./batch-accumulator.ts";
export type { CompletedBatch } from "./batch-accumulator.ts";
export type { Destination, FetchAnswer, RaftEffect, RaftInput, RaftTime, SnapshotAnswer } from "./effects.ts";
export { decodeQuorumState, encodeQuorumState } from "./election-state.ts";
export type { ElectionState } from "./election-state.ts";
export { KafkaRaft } from "./kafka-raft.ts";
export { locatedControlRecords, NOT_IN_LOG } from "./partition-state.ts";
export type { LocatedControlRecord } from "./partition-state.ts";
export type { EpochState } from "./quorum-state.ts";
export { DEFAULT_RAFT_CONFIG } from "./raft-config.ts";
export type { RaftConfig } from "./raft-config.ts";
export type { KafkaRaftOptions, RecoveredRaft } from "./raft-core.ts";
export { compareLogEnds } from "./raft-log.ts";
export type { EpochStart, OffsetAndEpoch, RecoveredRaftLog, SnapshotInfo } from "./raft-log.ts";
export { fetchRequestForVersion, responseForVersion } from "./raft-messages.ts";
export type { RaftApi, RaftRequest, RaftResponse } from "./raft-messages.ts";
export { NO_MUTATIONS } from "./raft-mutations.ts";
export type { RaftMutations } from "./raft-mutations.ts";
export { VoterSet } from "./voter-set.ts";
export type { Endpoint, ReplicaKey, SupportedKRaftVersions, VoterNode } from "./voter-set.ts";
export {
  checkpointFileName,
  isLogBehindSnapshot,
  parseCheckpointFileName,
  readRecordsSnapshot,
  RecordsSnapshotWriter,
} from "./records-snapshot.ts";
export type { RecordsSnapshot, RecordsSnapshotOptions } from "./records-snapshot.ts";
export { RaftDriver } from "./raft-driver.ts";
export type { InstalledSnapshot, RaftChannel, RaftDriverOptions, RaftListener, ReplicatedLog } from "./raft-driver.ts";
