import type { Anomaly } from "./anomaly.ts";
import type { History, Value } from "./history.ts";

/** The last stable offset stays behind the high watermark although no transaction is open. */
export function stuckLastStableOffsets(history: History): Anomaly[] {
  return history.flatMap((event): Anomaly[] => {
    if (event.kind !== "offsets-seen" || event.openTransactions > 0) return [];
    if (event.lastStableOffset >= event.highWatermark) return [];
    const detail = `${event.lastStableOffset} of ${event.highWatermark} is stable, and no transaction is open`;
    return [{ kind: "stuck-last-stable-offset", log: event.log, values: [], detail }];
  });
}

export interface KeyedRecord {
  readonly key: string;
  readonly value: Value | null; // null deletes the key
}

/** After a cleaning each key has the value that was written last, and deleted keys do not come back. */
export function checkCompaction(written: readonly KeyedRecord[], left: readonly KeyedRecord[]): Anomaly[] {
  const wanted = latest(written);
  const found = latest(left);
  return [...new Set([...wanted.keys(), ...found.keys()])].flatMap((key): Anomaly[] => {
    const [want, have] = [wanted.get(key) ?? null, found.get(key) ?? null];
    if (want === have) return [];
    const detail = `${key} is ${have ?? "deleted"} and should be ${want ?? "deleted"}`;
    return [{ kind: "wrong-compaction", values: [want, have].filter((value) => value !== null), detail }];
  });
}

/** What a pipeline wrote is what it read: nothing missing, nothing twice, nothing else. */
export function checkExactlyOnce(input: readonly Value[], output: readonly Value[]): Anomaly[] {
  const counts = new Map<Value, number>();
  for (const value of input) counts.set(value, (counts.get(value) ?? 0) - 1);
  for (const value of output) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts].flatMap(([value, surplus]): Anomaly[] => {
    if (surplus === 0) return [];
    const detail = surplus < 0 ? `${value} is missing` : `${value} is there ${surplus} times too often`;
    return [{ kind: "wrong-exactly-once-output", values: [value], detail }];
  });
}

function latest(records: readonly KeyedRecord[]): Map<string, Value | null> {
  return new Map(records.map(({ key, value }) => [key, value]));
}
