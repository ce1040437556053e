import type { Partition, PartitionWatcher } from "@samsa/replication";
import { NotLeaderOrFollowerError } from "@samsa/replication";

/** For what has just been appended: settles when the record is below the high watermark, or when that can no longer be said of this leader. */
export async function whenCommitted(partition: Partition, offset: number, written: Promise<void>): Promise<void> {
  const { leaderEpoch } = partition;
  await written;
  if (partition.highWatermark > offset) return;
  await new Promise<void>((resolve, reject) => {
    const watcher: PartitionWatcher = {
      onPartitionChanged: () => {
        const isLost = !partition.isLeader || partition.leaderEpoch !== leaderEpoch;
        if (!isLost && partition.highWatermark <= offset) return;
        partition.unwatch(watcher);
        const { topic, partition: index } = partition.topicPartition;
        if (isLost) reject(new NotLeaderOrFollowerError(topic, index));
        else resolve();
      },
    };
    partition.watch(watcher);
    watcher.onPartitionChanged(partition);
  });
}
