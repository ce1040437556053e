import type { DiskFile } from "@samsa/base";
import { KafkaError } from "@samsa/base";
import {
  LOG_OVERHEAD,
  peekBatchSize,
  RECORD_BATCH_OVERHEAD,
  RecordBatch,
  UnsupportedMagicError,
} from "@samsa/protocol";

const CHUNK_BYTES = 1024 * 1024;
/** Larger than any topic allows; a length that says more is damage, and no reason to take so much memory. */
const MOST_BATCH_BYTES = 256 * 1024 * 1024;
/** Kafka looks at nothing shorter: up to the magic. */
const HEADER_UP_TO_MAGIC = 17;

export interface ScannedBatch {
  readonly position: number; // in the file
  readonly batch: RecordBatch;
}

/** Where and why the walk ended. */
export interface ScanEnd {
  /** Of whole batches from the start of the file. */
  readonly validBytes: number;
  /** Of the file, as far as it was to be read. */
  readonly sizeInBytes: number;
  /** `torn`: a batch was begun and not finished. `zeros`: nothing was written from here on. `bad`: no batch begins like this. */
  readonly state: "complete" | "torn" | "zeros" | "bad";
  readonly problem?: string;
}

/**
 * The batches of a `.log` or `.checkpoint` file from its start, some at a time, in memory for the largest batch at most. CRCs
 * are not looked at. Batches are views that hold until the next step.
 */
export async function* scanSegment(
  file: DiskFile,
  { from = 0, maxBytes = Infinity }: { readonly from?: number; readonly maxBytes?: number } = {},
): AsyncGenerator<readonly ScannedBatch[], ScanEnd> {
  const sizeInBytes = Math.min(await file.size(), from + maxBytes);
  let position = from;
  let wanted = CHUNK_BYTES;
  for (;;) {
    const left = sizeInBytes - position;
    if (left === 0) return { validBytes: position, sizeInBytes, state: "complete" };
    const bytes = new Uint8Array(Math.min(wanted, left));
    const length = await file.read(position, bytes);
    const step = cut(bytes.subarray(0, length), position);
    if (step.batches.length > 0) yield step.batches;
    position += step.bytes;
    if (step.problem !== undefined) {
      const isBlank = await isZero(file, position, sizeInBytes);
      const state = isBlank ? "zeros" : "bad";
      return { validBytes: position, sizeInBytes, state, problem: isBlank ? "zeros" : step.problem };
    }
    wanted = Math.max(CHUNK_BYTES, step.nextSize);
    if (step.nextSize > MOST_BATCH_BYTES && step.nextSize <= sizeInBytes - position) {
      const problem = `a batch of ${step.nextSize} bytes is announced, more than the ${MOST_BATCH_BYTES} that are read`;
      return { validBytes: position, sizeInBytes, state: "bad", problem };
    }
    const rest = sizeInBytes - position;
    if (rest > 0 && (step.nextSize > rest || length < Math.min(wanted, left))) {
      const isBlank = await isZero(file, position, sizeInBytes);
      const problem = isBlank
        ? "zeros"
        : rest < LOG_OVERHEAD
          ? `${rest} bytes where a batch begins`
          : `a batch of ${step.nextSize} bytes is announced where ${rest} are left`;
      return { validBytes: position, sizeInBytes, state: isBlank ? "zeros" : "torn", problem };
    }
  }
}

interface Cut {
  readonly batches: readonly ScannedBatch[];
  readonly bytes: number; // that they take
  readonly nextSize: number; // bytes it takes to see the next batch whole
  readonly problem?: string;
}

function cut(bytes: Uint8Array, position: number): Cut {
  const batches: ScannedBatch[] = [];
  let at = 0;
  for (;;) {
    if (bytes.length - at < HEADER_UP_TO_MAGIC) return { batches, bytes: at, nextSize: RECORD_BATCH_OVERHEAD };
    try {
      const size = peekBatchSize(bytes, at) ?? RECORD_BATCH_OVERHEAD;
      if (size > bytes.length - at) return { batches, bytes: at, nextSize: size };
      batches.push({ position: position + at, batch: new RecordBatch(bytes, at) });
      at += size;
    } catch (error) {
      if (!(error instanceof KafkaError)) throw error;
      const problem =
        error instanceof UnsupportedMagicError
          ? "a batch in a format from before Kafka 0.11, which is not read"
          : error.message;
      return { batches, bytes: at, nextSize: 0, problem };
    }
  }
}

async function isZero(file: DiskFile, from: number, end: number): Promise<boolean> {
  for (let position = from; position < end;) {
    const bytes = new Uint8Array(Math.min(CHUNK_BYTES, end - position));
    const length = await file.read(position, bytes);
    if (length === 0 || bytes.subarray(0, length).some((byte) => byte !== 0)) return false;
    position += length;
  }
  return true;
}
