import type { ErrorCode } from "@samsa/base";
import type { TransactionMarker } from "../runtime/coordinator-shard.ts";
import type { TopicPartitions } from "./topic-partitions.ts";

/** The errors by topic and partition; what is not in it has not been written. */
export type MarkerResults = ReadonlyMap<string, ReadonlyMap<number, ErrorCode>>;

/** What the transaction coordinator has done by others. */
export interface TransactionPorts {
  /** An id that no producer of the cluster has had. Rejects with what the controller answered. */
  generateProducerId(): Promise<number>;
  /**
   * Writes the marker to partitions, wherever they are led. NONE means that it is below the high watermark there, or that there
   * is no such partition any more. May be asked again for what has been written: that changes nothing.
   */
  writeMarkers(marker: TransactionMarker, partitions: TopicPartitions): Promise<MarkerResults>;
  /** The level of `transaction.version` that the cluster has agreed on, now. */
  transactionVersion(): number;
}
