import type { DiskFile } from "@samsa/base";
import { KafkaError } from "@samsa/base";
import { RECORD_BATCH_OVERHEAD } from "@samsa/protocol";
import { readBatchHeader } from "../batch-header.ts";

const WINDOW_BYTES = 64 * 1024;
const RECORD_COUNT_AT = 57;

/** What the headers of the batches of a file say, without the records. */
export interface HeaderSummary {
  readonly batches: number;
  readonly records: number;
  readonly firstOffset: number | undefined;
  readonly lastOffset: number | undefined;
  /** The largest of the first batch: the time of the first record is inside it. */
  readonly firstTimestamp: number | undefined;
  readonly maxTimestamp: number | undefined;
  readonly validBytes: number;
  readonly problem?: string;
}

/** Goes from header to header; of large batches the records are not read. */
export async function summarizeHeaders(file: DiskFile): Promise<HeaderSummary> {
  const size = await file.size();
  const window = new Uint8Array(WINDOW_BYTES);
  let windowAt = 0;
  let windowBytes = 0;
  let batches = 0;
  let records = 0;
  let firstOffset: number | undefined;
  let lastOffset: number | undefined;
  let firstTimestamp: number | undefined;
  let maxTimestamp: number | undefined;
  let position = 0;
  let problem: string | undefined;
  while (position < size) {
    if (position + RECORD_BATCH_OVERHEAD > size) {
      problem = `${size - position} bytes at position ${position} are no batch`;
      break;
    }
    if (position < windowAt || position + RECORD_BATCH_OVERHEAD > windowAt + windowBytes) {
      windowAt = position;
      windowBytes = await file.read(position, window);
      if (windowBytes < RECORD_BATCH_OVERHEAD) break;
    }
    try {
      const header = readBatchHeader(window, position - windowAt, position);
      if (header.sizeInBytes > size - position) {
        problem = `the batch at position ${position} ends beyond the file`;
        break;
      }
      batches++;
      records += new DataView(window.buffer).getInt32(position - windowAt + RECORD_COUNT_AT);
      firstOffset ??= header.baseOffset;
      firstTimestamp ??= header.maxTimestamp;
      lastOffset = header.lastOffset;
      maxTimestamp = Math.max(maxTimestamp ?? header.maxTimestamp, header.maxTimestamp);
      position += header.sizeInBytes;
    } catch (error) {
      if (!(error instanceof KafkaError)) throw error;
      problem = `position ${position}: ${error.message}`;
      break;
    }
  }
  return {
    batches,
    records,
    firstOffset,
    lastOffset,
    firstTimestamp,
    maxTimestamp,
    validBytes: position,
    ...(problem === undefined ? {} : { problem }),
  };
}
