export type { DiskFault, DiskOperation, DiskOperationKind, PendingFault } from "./disk-fault.ts";
export { SeededRandom } from "./seeded-random.ts";
export type { ContentFate } from "./simulated-content.ts";
export { SimulatedDisk } from "./simulated-disk.ts";
export type { CrashOptions, SimulatedDiskOptions } from "./simulated-disk.ts";
export { VirtualClock } from "./virtual-clock.ts";
