import type { Clock } from "@samsa/base";
import { ErrorCode } from "@samsa/base";
import type { MarkerResults, TopicPartitionName, TopicPartitions, TransactionMarker } from "@samsa/coordinator";
import type { WriteTxnMarkersRequestWritableTxnMarker as WritableTxnMarker } from "@samsa/protocol/messages/write-txn-markers-request";
import type { WriteTxnMarkersResponseWritableTxnMarkerResult as WritableTxnMarkerResult } from "@samsa/protocol/messages/write-txn-markers-response";
import type { MetadataCache } from "./metadata-cache.ts";

/** Has a broker write markers into partitions that it leads. A result for each marker, in order. */
export type MarkerWriter = (markers: readonly WritableTxnMarker[]) => Promise<readonly WritableTxnMarkerResult[]>;

export interface TransactionMarkerChannelOptions {
  readonly metadata: Pick<MetadataCache, "topic">;
  /** Undefined for a broker that cannot be reached now: the coordinator tries again a little later. */
  readonly writerOf: (brokerId: number) => MarkerWriter | undefined;
  readonly clock: Clock;
}

type PartitionsByTopic = Map<string, number[]>;

/**
 * Brings the marker of a transaction to the leaders of its partitions (KIP-98).
 *
 * Markers leave in the next turn of the event loop. What a turn answers goes to its clients when it ends, so the producer hears of its
 * commit before the markers are made; and nothing that it or a reader asks for after that is heard before they are. Those of one turn that
 * go to the same log share a write.
 */
export class TransactionMarkerChannel {
  readonly #options: TransactionMarkerChannelOptions;
  #nextTurn: Promise<void> | undefined;

  constructor(options: TransactionMarkerChannelOptions) {
    this.#options = options;
  }

  /** See TransactionPorts.writeMarkers. A partition whose leader does not answer is missing from the results. */
  async writeMarkers(marker: TransactionMarker, partitions: TopicPartitions): Promise<MarkerResults> {
    await this.#inNextTurn();
    const results = new Map<string, Map<number, ErrorCode>>();
    const note = (topic: string, partition: number, code: ErrorCode): void => {
      const codes = results.get(topic) ?? new Map<number, ErrorCode>();
      results.set(topic, codes.set(partition, code));
    };
    const { byLeader, deleted } = this.#leadersOf(partitions);
    // What is no more needs no marker: its topic was deleted while the transaction was open.
    for (const { topic, partition } of deleted) note(topic, partition, ErrorCode.NONE);
    await Promise.all(
      Array.from(byLeader, async ([leader, topics]) => {
        const written = await this.#options.writerOf(leader)?.([writable(marker, topics)]);
        for (const { name, partitions: codes } of written?.[0]?.topics ?? []) {
          for (const { partitionIndex, errorCode } of codes) note(name, partitionIndex, errorCode as ErrorCode);
        }
      }),
    );
    return results;
  }

  /** One promise for all that ask in a turn, so that they go on side by side. */
  #inNextTurn(): Promise<void> {
    this.#nextTurn ??= new Promise((resolve) => {
      this.#options.clock.setTimer(0, () => {
        this.#nextTurn = undefined;
        resolve();
      });
    });
    return this.#nextTurn;
  }

  #leadersOf(partitions: TopicPartitions): {
    readonly byLeader: ReadonlyMap<number, PartitionsByTopic>;
    readonly deleted: readonly TopicPartitionName[];
  } {
    const byLeader = new Map<number, PartitionsByTopic>();
    const deleted: TopicPartitionName[] = [];
    for (const [topic, indexes] of partitions) {
      const image = this.#options.metadata.topic(topic);
      for (const partition of indexes) {
        const leader = image?.partitions.get(partition)?.leader;
        if (leader === undefined) {
          deleted.push({ topic, partition });
          continue;
        }
        const topics = byLeader.get(leader) ?? new Map<string, number[]>();
        byLeader.set(leader, topics);
        const led = topics.get(topic) ?? [];
        topics.set(topic, led);
        led.push(partition);
      }
    }
    return { byLeader, deleted };
  }
}

function writable(marker: TransactionMarker, topics: ReadonlyMap<string, readonly number[]>): WritableTxnMarker {
  const { producerId, producerEpoch, coordinatorEpoch, transactionVersion } = marker;
  return {
    producerId,
    producerEpoch,
    coordinatorEpoch,
    transactionVersion,
    transactionResult: marker.isCommitted,
    topics: Array.from(topics, ([name, partitionIndexes]) => ({ name, partitionIndexes })),
  };
}
