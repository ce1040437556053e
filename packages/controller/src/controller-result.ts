import type { BrokerConfig, MetadataImage, MetadataRecord } from "@samsa/metadata";
import type { Random } from "@samsa/base";

/** What a decision may look at. */
export interface ControllerContext {
  /** The metadata with every decision before this one, committed or not. */
  readonly image: MetadataImage;
  /** The static configuration of the node that decides. */
  readonly config: BrokerConfig;
  readonly random: Random;
  /** The offset that the first record of this decision gets. */
  readonly nextOffset: number;
  /**
   * Counts partitions that are about to be made or removed against the quota of the client (KIP-599).
   * @throws KafkaError THROTTLING_QUOTA_EXCEEDED
   */
  readonly applyPartitionChangeQuota?: PartitionChangeQuota | undefined;
}

export type PartitionChangeQuota = (partitions: number) => void;

/** A decision: the records that make it so, and what is said once they are committed. */
export interface ControllerResult<T> {
  readonly records: readonly MetadataRecord[];
  readonly response: T;
  /**
   * Each record counts on its own, in order, so that as many batches may hold them as they need: what a broker's coming or
   * going changes has no bound. Otherwise they are written in one batch, and all of them count or none.
   */
  readonly maySplit?: boolean;
}
