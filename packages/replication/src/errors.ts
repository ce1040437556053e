import { ErrorCode, KafkaError } from "@samsa/base";

/** This broker does not lead the partition (any more): the client refreshes its metadata and asks the leader. */
export class NotLeaderOrFollowerError extends KafkaError {
  override readonly name = "NotLeaderOrFollowerError";

  constructor(topic: string, partition: number) {
    super(ErrorCode.NOT_LEADER_OR_FOLLOWER, `this broker does not lead ${topic}-${partition}`);
  }
}

/** No such topic, or a topic without such a partition. */
export class UnknownTopicOrPartitionError extends KafkaError {
  override readonly name = "UnknownTopicOrPartitionError";

  constructor(topic: string, partition: number) {
    super(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, `there is no partition ${topic}-${partition}`);
  }
}

/** The caller's leader epoch is older than ours (KIP-320): it must refresh its metadata. */
export class FencedLeaderEpochError extends KafkaError {
  override readonly name = "FencedLeaderEpochError";
  readonly currentLeaderEpoch: number;

  constructor(requestedEpoch: number, currentLeaderEpoch: number) {
    super(ErrorCode.FENCED_LEADER_EPOCH, `leader epoch ${requestedEpoch} is behind ${currentLeaderEpoch}`);
    this.currentLeaderEpoch = currentLeaderEpoch;
  }
}

/** The caller knows a newer leader epoch than this broker (KIP-320): it retries until our metadata has caught up. */
export class UnknownLeaderEpochError extends KafkaError {
  override readonly name = "UnknownLeaderEpochError";
  readonly currentLeaderEpoch: number;

  constructor(requestedEpoch: number, currentLeaderEpoch: number) {
    super(ErrorCode.UNKNOWN_LEADER_EPOCH, `leader epoch ${requestedEpoch} is ahead of ${currentLeaderEpoch}`);
    this.currentLeaderEpoch = currentLeaderEpoch;
  }
}
