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
}
