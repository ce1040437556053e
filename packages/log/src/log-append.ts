import type { LocalLog } from "./local-log.ts";
import type { Written } from "./written.ts";

/** What an append came to. */
export interface LogAppendInfo {
  readonly firstOffset: number;
  readonly lastOffset: number; // inclusive; firstOffset - 1 when nothing was appended
  readonly maxTimestamp: number;
  readonly logAppendTime: number; // NO_TIMESTAMP where the producer's timestamps stay
  readonly logStartOffset: number;
  readonly leaderEpoch: number;
  readonly sizeInBytes: number;
  readonly recordCount: number;
  /** The producer had sent this before: offsets are those of then, and the log append time is the largest timestamp, as in Kafka. */
  readonly isDuplicate: boolean;
}

export interface LogAppendResult {
  readonly info: LogAppendInfo;
  /** Settles when the disk has taken it, synced where `flush.messages` asks. Rejects with KafkaStorageError; safe to ignore. */
  readonly written: Promise<void>;
  /**
   * For who appends nothing more in this callback: what waits is not gathered any longer, but written where the disk is quick about
   * it. Calls nobody back but `onWritten` of the log.
   * @returns true when the disk has it, and `written` need not be asked for; else that says what becomes of it
   */
  writeNow(): boolean;
}

/** One that was queued with the others of its log. */
export class Append implements LogAppendResult {
  readonly info: LogAppendInfo;
  readonly #written: Written;
  readonly #local: LocalLog;

  constructor(info: LogAppendInfo, written: Written, local: LocalLog) {
    this.info = info;
    this.#written = written;
    this.#local = local;
  }

  get written(): Promise<void> {
    return this.#written.promise;
  }

  writeNow(): boolean {
    if (!this.#written.isDone) this.#local.writeNow();
    return this.#written.isDone;
  }
}
