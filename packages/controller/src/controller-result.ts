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
}

/**
 * A decision: the records that make it so, and what is said once they are committed. The records are written in one batch,
 * so all of them count or none.
 */
export interface ControllerResult<T> {
  readonly records: readonly MetadataRecord[];
  readonly response: T;
}
