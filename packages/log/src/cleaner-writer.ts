import type { RecordBatch } from "@samsa/protocol";
import type { AbortedTxn } from "@samsa/protocol/messages/aborted-txn";
import type { LogSegment } from "./log-segment.ts";
import type { UnifiedLog } from "./unified-log.ts";

/** More pieces than these are copied into one: a system call's list of them costs more than their bytes. */
const MOST_PIECES = 32;

/** Fills the `.cleaned` segment that is to take the place of others. Batches that lie side by side are written as one piece. */
export class CleanedSegmentWriter {
  readonly segment: LogSegment;
  readonly #log: UnifiedLog;
  #pieces: Uint8Array[] = [];
  #waitingBytes = 0;
  #writing: Promise<void> = Promise.resolve();

  constructor(log: UnifiedLog, baseOffset: number) {
    this.#log = log;
    this.segment = log.newCleanedSegment(baseOffset);
  }

  /** Bytes that were added since the last `write`. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  async begin(): Promise<void> {
    await this.#log.readSegments(async () => {
      await this.segment.remove(); // what a cleaning that was broken off could not remove
      await this.segment.transactionIndex.clear();
      await this.segment.createFiles();
    });
  }

  /** Takes the next batch; its bytes must not change until the `write` after the next one. */
  add(batch: RecordBatch): void {
    this.segment.append(batch);
    const { bytes } = batch;
    this.#waitingBytes += bytes.length;
    const last = this.#pieces.at(-1);
    if (last !== undefined && last.buffer === bytes.buffer && last.byteOffset + last.length === bytes.byteOffset) {
      this.#pieces[this.#pieces.length - 1] = new Uint8Array(last.buffer, last.byteOffset, last.length + bytes.length);
    } else {
      this.#pieces.push(bytes);
    }
  }

  /** An aborted transaction of which the marker stays. */
  retainAborted(transaction: AbortedTxn): void {
    const { transactionIndex } = this.segment;
    if (transaction.lastOffset > (transactionIndex.entries.at(-1)?.lastOffset ?? -1))
      transactionIndex.append(transaction);
  }

  /** Begins to write what was added, when what was added before has been written. */
  async write(): Promise<void> {
    await this.#writing;
    if (this.#pieces.length === 0) return;
    const pieces = this.#pieces.length > MOST_PIECES ? [concatenate(this.#pieces)] : this.#pieces;
    const end = this.segment.size;
    const start = end - this.#waitingBytes;
    this.#pieces = [];
    this.#waitingBytes = 0;
    this.#writing = this.#log.readSegments(async () => {
      await this.segment.records.file.write(start, pieces);
      this.segment.records.markWritten(end);
    });
    this.#writing.catch(() => undefined); // the next one tells
  }

  /** Brings all to the platter, with the indexes. */
  async finish(): Promise<void> {
    await this.write();
    await this.#writing;
    await this.#log.readSegments(async () => {
      this.segment.seal();
      await this.segment.flush();
    });
  }

  /** Removes the files. What stays, as after a crash, goes with the next start. */
  async discard(): Promise<void> {
    await this.#writing.catch(() => undefined);
    if (this.#log.isUsable) await this.segment.remove().catch(() => undefined);
    else await this.segment.close().catch(() => undefined);
  }
}

function concatenate(chunks: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(chunks.reduce((size, chunk) => size + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}
