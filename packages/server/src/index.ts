export type { ClientMetricsPayload, ClientMetricsReceiver } from "@samsa/broker";
export { jsonText } from "@samsa/protocol";
export type { Json } from "@samsa/protocol";
export { canDump, dumpItemText } from "@samsa/log";
export type {
  DumpItem,
  DumpOptions,
  DumpSink,
  Finding,
  PartitionDescription,
  RecordDecoder,
  SegmentDescription,
} from "@samsa/log";
export { brokerConfigNames, topicConfigNames } from "./broker-config-names.ts";
export type { TopicOptions } from "./broker-topics.ts";
export { ManualClock, manualClock } from "@samsa/io";
export type { ManualClockOptions } from "@samsa/io";
export { dataDirectoryHolder } from "./data-directory-lock.ts";
export type { InjectedError, Injection } from "./embedding/injected-errors.ts";
export type { ApiName, LoggedRequest, RequestFilter } from "./embedding/request-log.ts";
export type { BrokerSnapshot } from "./embedding/snapshots.ts";
export { checkDataDirectory, checkFsync, checkLock, checkSpace } from "./doctor/data-directory-checks.ts";
export type { Diagnosis } from "./doctor/diagnosis.ts";
export { checkClock, checkCodecs, checkDescriptors, checkMemory, checkNode } from "./doctor/machine-checks.ts";
export { portState } from "./doctor/port-check.ts";
export type { PortState } from "./doctor/port-check.ts";
export { dumpFiles } from "./offline/dump-files.ts";
export { formatStorage, randomClusterId, storageInfo } from "./offline/format-storage.ts";
export type { FormatStorageOptions, InitialControllers, StorageInfo } from "./offline/format-storage.ts";
export { listPartitions } from "./offline/list-partitions.ts";
export { verifyDataDirectory } from "./offline/verify-data-directory.ts";
export type { VerifyOptions, VerifyProgress, VerifySummary } from "./offline/verify-data-directory.ts";
export { StartError } from "./server-error.ts";
export { startBroker } from "./start-broker.ts";
export type { RunningBroker, StartBrokerOptions } from "./start-broker.ts";
