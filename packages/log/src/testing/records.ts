import { RecordBatchBuilder, recordBatches } from "@samsa/protocol";
import type { RecordBatchBuilderOptions } from "@samsa/protocol";
import type { LogReadResult } from "../log-reader.ts";
import type { UnifiedLog } from "../unified-log.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export const NOW_MS = 1_700_000_000_000;

/** A batch as a producer sends it, one record for each value. */
export function batchOf(
  values: readonly string[],
  options: RecordBatchBuilderOptions & { readonly timestamps?: readonly number[]; readonly key?: string | null } = {},
): Uint8Array {
  const builder = new RecordBatchBuilder(options);
  const key = options.key === undefined || options.key === null ? null : encoder.encode(options.key);
  for (const [index, value] of values.entries()) {
    builder.append({ timestamp: options.timestamps?.[index] ?? NOW_MS, key, value: encoder.encode(value) });
  }
  return builder.build().slice();
}

export interface TextRecord {
  readonly offset: number;
  readonly value: string;
}

/** The records of these batches, as text. */
export function textRecords(chunks: readonly Uint8Array[]): TextRecord[] {
  const records: TextRecord[] = [];
  for (const chunk of chunks) {
    for (const batch of recordBatches(chunk)) {
      for (const { offset, value } of batch.records())
        records.push({ offset, value: decoder.decode(value ?? undefined) });
    }
  }
  return records;
}

/** Everything from an offset on, read in steps of `maxBytes`. */
export async function readAll(log: UnifiedLog, from = log.logStartOffset, maxBytes = 1 << 20): Promise<TextRecord[]> {
  const records: TextRecord[] = [];
  let offset = from;
  while (offset < log.logEndOffset) {
    const result: LogReadResult = await log.read(offset, maxBytes);
    if (result.nextOffset === offset) throw new Error(`nothing to read at ${offset} of ${log.logEndOffset}`);
    for (const record of textRecords(result.records)) if (record.offset >= offset) records.push(record);
    offset = result.nextOffset;
  }
  return records;
}

export function valuesOf(records: readonly TextRecord[]): string[] {
  return records.map((record) => record.value);
}
