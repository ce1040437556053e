import { NO_PRODUCER_ID, recordBatches, RecordBatchBuilder } from "@samsa/protocol";
import { MemoryCoordinatorLog } from "./memory-coordinator-log.ts";

/** What compaction leaves of a log without transactions: of each key the last record, in order; tombstones as it happens. */
export function compacted(log: MemoryCoordinatorLog, keepsTombstone: () => boolean): MemoryCoordinatorLog {
  const last = new Map<string, { readonly key: Uint8Array; readonly value: Uint8Array | null }>();
  for (const bytes of log.batches) {
    for (const batch of recordBatches(bytes)) {
      for (const { key, value } of batch.records()) {
        if (key === null) continue;
        const name = key.join();
        last.delete(name); // what was written again moves to the end
        last.set(name, { key: key.slice(), value: value === null ? null : value.slice() });
      }
    }
  }
  const result = new MemoryCoordinatorLog();
  for (const { key, value } of last.values()) {
    if (value === null && !keepsTombstone()) continue;
    const batch = new RecordBatchBuilder({ compressionType: "none", producerId: NO_PRODUCER_ID });
    batch.append({ timestamp: 0, key, value });
    result.append(batch.build());
  }
  return result;
}
