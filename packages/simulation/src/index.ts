export type { DiskFault, DiskOperation, DiskOperationKind, PendingFault } from "./disk-fault.ts";
export { SeededRandom } from "./seeded-random.ts";
export type { ContentFate } from "./simulated-content.ts";
export { SimulatedDisk } from "./simulated-disk.ts";
export type { CrashOptions, SimulatedDiskOptions } from "./simulated-disk.ts";
export { VirtualClock } from "./virtual-clock.ts";
export { RaftViolation } from "./raft/raft-invariants.ts";
export { simulateRaft } from "./raft/raft-simulation.ts";
export type { FaultKind, RaftSimulationOptions, RaftSimulationReport } from "./raft/raft-simulation.ts";
export type { DriverMutations } from "./raft/simulated-replica.ts";
export type { Anomaly, AnomalyKind } from "./history/anomaly.ts";
export { checkHistory } from "./history/check-history.ts";
export type {
  Assigned,
  Drained,
  History,
  HistoryEvent,
  LogName,
  OffsetCommitted,
  OffsetFetched,
  OffsetsSeen,
  Operation,
  Outcome,
  Owned,
  PolledRecord,
  PollStep,
  ReadAgain,
  SendStep,
  Value,
} from "./history/history.ts";
export { checkCompaction, checkExactlyOnce } from "./history/state-anomalies.ts";
export type { KeyedRecord } from "./history/state-anomalies.ts";
