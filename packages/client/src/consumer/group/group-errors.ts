import { ErrorCode, KafkaError } from "@samsa/base";
import type { TopicPartition } from "../../cluster/topic-metadata.ts";
import type { HeldRecord } from "../in-hand.ts";
import { partitionName } from "./partition-sets.ts";

/** Nothing is committed, and `autoOffsetReset` is "none". A `seek` says where to begin. */
export class NoOffsetForPartitionError extends KafkaError {
  override readonly name = "NoOffsetForPartitionError";
  readonly partitions: readonly TopicPartition[];

  constructor(groupId: string, partitions: readonly TopicPartition[]) {
    const names = partitions.map((one) => partitionName(one)).join(", ");
    super(
      ErrorCode.OFFSET_OUT_OF_RANGE,
      `group ${groupId} has committed nothing of ${names}, and autoOffsetReset is "none"`,
    );
    this.partitions = partitions;
  }
}

/** Nobody asked for records for so long that the group has gone on without this member. It joins again when somebody does. */
export class MaxPollIntervalExceededError extends KafkaError {
  override readonly name = "MaxPollIntervalExceededError";
  /** What was being worked on, or was last. */
  readonly records: readonly HeldRecord[];

  constructor(maxPollIntervalMs: number, records: readonly HeldRecord[]) {
    super(
      ErrorCode.UNKNOWN_MEMBER_ID,
      `left the group: no record was asked for within ${maxPollIntervalMs} ms (maxPollIntervalMs)${atWork(records)}`,
    );
    this.records = records;
  }

  override get isRetriable(): boolean {
    return true;
  }
}

/** The event loop stood still, and with it the heartbeats: something computes without awaiting. */
export class EventLoopBlockedError extends KafkaError {
  override readonly name = "EventLoopBlockedError";
  readonly blockedMs: number;
  /** What was being worked on, or was last. */
  readonly records: readonly HeldRecord[];

  constructor(blockedMs: number, records: readonly HeldRecord[]) {
    super(
      ErrorCode.REQUEST_TIMED_OUT,
      `the event loop was blocked for ${Math.round(blockedMs)} ms, and no heartbeat could be sent${atWork(records)}`,
    );
    this.blockedMs = blockedMs;
    this.records = records;
  }
}

function atWork(records: readonly HeldRecord[]): string {
  if (records.length === 0) return "";
  const named = records.slice(0, 5).map((one) => `${partitionName(one)} at offset ${one.offset}`);
  return `; at work on ${named.join(", ")}${records.length > 5 ? ` and ${records.length - 5} more` : ""}`;
}
