import { ErrorCode, KafkaError } from "@samsa/base";

/**
 * The log was cut behind what this consumer has read, by an unclean election say, and `autoOffsetReset` is "none" (KIP-320). What was
 * read from `divergentOffset` on is not there any more.
 */
export class LogTruncationError extends KafkaError {
  override readonly name = "LogTruncationError";
  readonly topic: string;
  readonly partition: number;
  readonly position: number;
  readonly divergentOffset: number | undefined; // undefined when the broker cannot say

  constructor(topic: string, partition: number, position: number, divergentOffset: number | undefined) {
    const since = divergentOffset === undefined ? "" : ` since offset ${divergentOffset}`;
    super(
      ErrorCode.OFFSET_OUT_OF_RANGE,
      `${topic}-${partition} was truncated before offset ${position}: the log is another${since}`,
    );
    this.topic = topic;
    this.partition = partition;
    this.position = position;
    this.divergentOffset = divergentOffset;
  }
}
