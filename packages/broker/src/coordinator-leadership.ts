import type { CoordinatorLog, GroupCoordinator } from "@samsa/coordinator";
import type { MetadataImage } from "@samsa/metadata";
import type { Partition, ReplicaManager } from "@samsa/replication";
import { whenCommitted } from "./when-committed.ts";

/** A coordinator, as far as leading partitions goes. */
type LeadsPartitions = Pick<GroupCoordinator, "setPartitionCount" | "partitions" | "load" | "unload">;

export interface CoordinatorLeadership {
  readonly topicName: string; // the internal topic of the coordinator
  readonly nodeId: number;
  readonly replicas: ReplicaManager;
  readonly loadBufferBytes: number;
}

/** Has a coordinator lead what the image gives to this broker of its topic, on the logs of the replica manager, and nothing else. */
export function leadPartitions(
  coordinator: LeadsPartitions,
  image: MetadataImage,
  { topicName, nodeId, replicas, loadBufferBytes }: CoordinatorLeadership,
): void {
  const partitions = image.topics.byName.get(topicName)?.partitions;
  coordinator.setPartitionCount(partitions?.size ?? 0);
  for (const index of coordinator.partitions) {
    if (partitions?.get(index)?.leader !== nodeId) coordinator.unload(index);
  }
  for (const [index, { leader, leaderEpoch }] of partitions ?? []) {
    if (leader !== nodeId) continue;
    const find = (): Partition => replicas.partition(topicName, index);
    coordinator.load(index, leaderEpoch, coordinatorLog(find, leaderEpoch, loadBufferBytes));
  }
}

function coordinatorLog(find: () => Partition, leaderEpoch: number, loadBufferBytes: number): CoordinatorLog {
  return {
    async load(onRecords) {
      const { log } = find();
      let offset = log.logStartOffset;
      const endOffset = log.logEndOffset; // nobody else writes to it
      while (offset < endOffset) {
        const { records, nextOffset } = await log.read(offset, loadBufferBytes, { upToOffset: endOffset });
        if (nextOffset <= offset) break; // compaction has left nothing up to the end
        for (const batches of records) onRecords(batches);
        offset = nextOffset;
      }
    },
    append(batch, transaction) {
      const partition = find();
      partition.checkLeader(leaderEpoch);
      const append = partition.appendRecordsToLeader(batch, "coordinator", transaction);
      const { lastOffset } = append.info;
      return {
        commitNow: () => append.writeNow() && partition.highWatermark > lastOffset,
        committed: () => whenCommitted(partition, lastOffset, append.written),
      };
    },
  };
}
