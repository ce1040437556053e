/** Features whose levels the cluster agrees on (KIP-584), by Kafka's names. */
export const METADATA_VERSION_FEATURE = "metadata.version";
export const KRAFT_VERSION_FEATURE = "kraft.version";
export const ELIGIBLE_LEADER_REPLICAS_FEATURE = "eligible.leader.replicas.version";

export interface SupportedVersionRange {
  readonly min: number;
  readonly max: number;
}

/** 4.4-IV2, the level of Kafka 4.4. */
export const LATEST_METADATA_VERSION = 33;
/** 3.3-IV3: what a cluster must have reached before. */
const MINIMUM_METADATA_VERSION = 7;

/** What this version of Samsa supports, as a node of Kafka 4.4 registers it. */
export const SUPPORTED_FEATURES: ReadonlyMap<string, SupportedVersionRange> = new Map([
  ["group.version", { min: 0, max: 1 }],
  [KRAFT_VERSION_FEATURE, { min: 0, max: 1 }],
  [METADATA_VERSION_FEATURE, { min: MINIMUM_METADATA_VERSION, max: LATEST_METADATA_VERSION }],
  ["share.version", { min: 0, max: 2 }],
  ["streams.version", { min: 0, max: 1 }],
  ["transaction.version", { min: 0, max: 2 }],
  [ELIGIBLE_LEADER_REPLICAS_FEATURE, { min: 0, max: 1 }],
]);

/** The levels of a fresh cluster, in the order in which formatting writes them. `kraft.version` lives in the quorum instead. */
export const BOOTSTRAP_FEATURE_LEVELS: readonly (readonly [name: string, level: number])[] = [
  [METADATA_VERSION_FEATURE, LATEST_METADATA_VERSION],
  [ELIGIBLE_LEADER_REPLICAS_FEATURE, 1],
  ["group.version", 1],
  ["share.version", 2],
  ["streams.version", 1],
  ["transaction.version", 2],
];

type FeatureRequirement = readonly [feature: string, atLeast: number];

/** What a level of a feature needs of other features, by feature and level. */
export const FEATURE_DEPENDENCIES: ReadonlyMap<string, ReadonlyMap<number, readonly FeatureRequirement[]>> = new Map<
  string,
  ReadonlyMap<number, readonly FeatureRequirement[]>
>([
  [KRAFT_VERSION_FEATURE, new Map([[1, [[METADATA_VERSION_FEATURE, 21]]]])],
  [ELIGIBLE_LEADER_REPLICAS_FEATURE, new Map([[1, [[METADATA_VERSION_FEATURE, 23]]]])],
]);

/** Levels of metadata.version that brought new records or fields: going back over one of them might lose what they hold. */
const LEVELS_WITH_NEW_METADATA: readonly number[] = [LATEST_METADATA_VERSION];

/** What a level of metadata.version allows to be written, so that the oldest node of the cluster can read it. */
export class MetadataVersion {
  readonly level: number;

  constructor(level: number) {
    this.level = level;
  }

  /** Whether records that the higher level may have written cannot be kept at the lower one. */
  static isMetadataChanged(lower: number, higher: number): boolean {
    return LEVELS_WITH_NEW_METADATA.some((level) => level > lower && level <= higher);
  }

  /** Credentials for SCRAM (KIP-900, 3.5-IV2). */
  get isScramSupported(): boolean {
    return this.level >= 11;
  }

  /** Brokers tell in which directory a replica lies (KIP-858, 3.7-IV2). */
  get isDirectoryAssignmentSupported(): boolean {
    return this.level >= 17;
  }

  /** Eligible leader replicas (KIP-966, 4.0-IV1). */
  get isElrSupported(): boolean {
    return this.level >= 23;
  }

  /** Directories that get no new replicas (KIP-1066, 4.3-IV0). */
  get isCordonedLogDirsSupported(): boolean {
    return this.level >= 30;
  }

  get registerBrokerRecordVersion(): number {
    if (this.isCordonedLogDirsSupported) return 4;
    if (this.isDirectoryAssignmentSupported) return 3;
    return this.level >= 8 ? 2 : 1;
  }

  /** Of PartitionRecord and of PartitionChangeRecord. */
  get partitionRecordVersion(): number {
    if (this.isElrSupported) return 2;
    return this.isDirectoryAssignmentSupported ? 1 : 0;
  }
}
