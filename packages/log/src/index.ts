export { readWholeFile, writeFileAtomically } from "./atomic-file.ts";
export { CleanShutdownFile, NO_BROKER_EPOCH } from "./clean-shutdown-file.ts";
export { CorruptFileError, KafkaStorageError, OffsetOutOfRangeError, RecordValidationError } from "./errors.ts";
export type { RecordError } from "./errors.ts";
export type { TimestampAndOffset } from "./file-records.ts";
export { IndexCache } from "./index-cache.ts";
export { LeaderEpochCache, LeaderEpochCheckpointFile, NO_EPOCH_OFFSET, NO_LEADER_EPOCH } from "./leader-epoch-cache.ts";
export type { EpochEndOffset, EpochEntry } from "./leader-epoch-cache.ts";
export type { LogAppendInfo, LogAppendResult } from "./log-append.ts";
export { DEFAULT_LOG_CLEANER_CONFIG } from "./log-cleaner-config.ts";
export type { LogCleanerConfig } from "./log-cleaner-config.ts";
export { defaultLogConfig } from "./log-config.ts";
export type { LogConfig } from "./log-config.ts";
export { LogDirs } from "./log-dirs.ts";
export type { DataDirectory, LogDir, LogDirsOptions } from "./log-dirs.ts";
export { LogManager } from "./log-manager.ts";
export { defaultLogCaches, loadLog } from "./load-log.ts";
export type { LogManagerOptions, LogProblem } from "./log-manager.ts";
export type { LoadLogOptions, LogCaches } from "./load-log.ts";
export type { LogReadOptions, LogReadResult, PromisedRecords } from "./log-reader.ts";
export type { AppendOrigin } from "./log-validator.ts";
export { OpenFiles } from "./open-files.ts";
export {
  CLEANER_OFFSET_CHECKPOINT,
  LOG_START_OFFSET_CHECKPOINT,
  OffsetCheckpointFile,
  RECOVERY_POINT_CHECKPOINT,
  REPLICATION_OFFSET_CHECKPOINT,
} from "./offset-checkpoint-file.ts";
export type { OffsetCheckpoint } from "./offset-checkpoint-file.ts";
export { PartitionMetadataFile } from "./partition-metadata-file.ts";
export { PooledDisk } from "./pooled-disk.ts";
export { canDump, dumpFile } from "./inspect/dump-file.ts";
export type { DumpOptions } from "./inspect/dump-file.ts";
export { dumpItemText } from "./inspect/dump-item.ts";
export type { DumpItem, DumpSink } from "./inspect/dump-item.ts";
export type { RecordDecoder } from "./inspect/dump-log.ts";
export { describePartition } from "./inspect/describe-partition.ts";
export type { CheckpointedPartition, PartitionDescription, SegmentDescription } from "./inspect/describe-partition.ts";
export type { Finding, Report } from "./inspect/finding.ts";
export { scanSegment } from "./inspect/segment-scan.ts";
export { metadataRecordToJson } from "./inspect/stored-record-json.ts";
export { verifyPartition } from "./inspect/verify-partition.ts";
export type { PartitionVerified } from "./inspect/verify-partition.ts";
export type { TransactionChecks } from "./producer-state-manager.ts";
export { readBuffers } from "./read-buffers.ts";
export { TailCacheBudget } from "./tail-cache.ts";
export { isFutureLogDir, logDirName, parseLogDirName } from "./topic-partition.ts";
export type { LogDirName, TopicPartition } from "./topic-partition.ts";
export { UnifiedLog } from "./unified-log.ts";
export { VerificationGuard } from "./verification-guard.ts";
export type { VerificationStart } from "./verification-guard.ts";
