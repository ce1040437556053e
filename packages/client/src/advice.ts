import type { KafkaError } from "@samsa/base";
import { ErrorCode } from "@samsa/base";

const ADVICE: ReadonlyMap<number, string> = new Map<ErrorCode, string>([
  [ErrorCode.OFFSET_OUT_OF_RANGE, "Begin at the start or the end of the partition, or at an offset between the two."],
  [ErrorCode.CORRUPT_MESSAGE, "Send it again; if it stays, something between client and broker changes bytes."],
  [ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, "Check the name, list the topics, or create the topic first."],
  [
    ErrorCode.LEADER_NOT_AVAILABLE,
    "An election is under way or all replicas are down: try again, then look at the brokers.",
  ],
  [ErrorCode.NOT_LEADER_OR_FOLLOWER, "The partition moved; the client looks for its new leader by itself."],
  [
    ErrorCode.REQUEST_TIMED_OUT,
    "Look at the broker's load, or allow more time (requestTimeoutMs, deliveryTimeoutMs, defaultApiTimeoutMs).",
  ],
  [
    ErrorCode.BROKER_NOT_AVAILABLE,
    "Check that a broker runs at the bootstrap servers and that host and port are right.",
  ],
  [
    ErrorCode.NETWORK_EXCEPTION,
    "Check the address, the firewall, and what the broker announces as advertised.listeners.",
  ],
  [
    ErrorCode.MESSAGE_TOO_LARGE,
    "Send smaller records, or raise the topic's max.message.bytes and the producer's maxRequestSize.",
  ],
  [ErrorCode.RECORD_LIST_TOO_LARGE, "Send smaller batches (batchSize), or raise the topic's segment.bytes."],
  [ErrorCode.INVALID_TOPIC_EXCEPTION, "A topic name has 1 to 249 letters, digits, dots, underscores and hyphens."],
  [ErrorCode.NOT_ENOUGH_REPLICAS, "Bring replicas back, or lower the topic's min.insync.replicas."],
  [ErrorCode.NOT_ENOUGH_REPLICAS_AFTER_APPEND, "The record was written on too few replicas: bring replicas back."],
  [ErrorCode.INVALID_REQUIRED_ACKS, "acks is 0, 1 or all."],
  [ErrorCode.TOPIC_AUTHORIZATION_FAILED, "This user needs an ACL for the topic."],
  [ErrorCode.CLUSTER_AUTHORIZATION_FAILED, "This user needs an ACL for the cluster."],
  [ErrorCode.GROUP_AUTHORIZATION_FAILED, "This user needs an ACL for the group."],
  [
    ErrorCode.INVALID_TIMESTAMP,
    "The record's timestamp is too far from the broker's clock (message.timestamp.before.max.ms, .after.max.ms).",
  ],
  [ErrorCode.UNSUPPORTED_VERSION, "Broker and client have no version of the request in common: upgrade the older one."],
  [ErrorCode.TOPIC_ALREADY_EXISTS, "Use it as it is, choose another name, or delete it first."],
  [ErrorCode.INVALID_PARTITIONS, "A topic has one partition or more, and never fewer than before."],
  [ErrorCode.INVALID_REPLICATION_FACTOR, "The replication factor is at most the number of brokers."],
  [ErrorCode.INVALID_CONFIG, "Correct the key or the value; Kafka's documentation lists both."],
  [ErrorCode.NOT_CONTROLLER, "The controller moved; the client looks for the new one by itself."],
  [ErrorCode.INVALID_REQUEST, "The broker takes the request to be wrong; its log may say more."],
  [ErrorCode.POLICY_VIOLATION, "The cluster has a rule against this; ask who runs it."],
  [ErrorCode.KAFKA_STORAGE_ERROR, "The broker's disk failed: look at its log and its free space."],
  [ErrorCode.SASL_AUTHENTICATION_FAILED, "Check user name, password and mechanism."],
  [ErrorCode.TOPIC_DELETION_DISABLED, "Set delete.topic.enable=true on the brokers."],
  [
    ErrorCode.UNSUPPORTED_COMPRESSION_TYPE,
    "Choose another compressionType, or upgrade the broker (zstd needs Kafka 2.1).",
  ],
  [
    ErrorCode.PRODUCER_FENCED,
    "Give each producer that runs at the same time a transactionalId of its own, or raise transactionTimeoutMs; close this one.",
  ],
  [
    ErrorCode.INVALID_PRODUCER_EPOCH,
    "Abort the transaction; the abort tells whether another producer has taken the transactionalId.",
  ],
  [ErrorCode.INVALID_GROUP_ID, "A group has a name that is not empty (groupId)."],
  [ErrorCode.GROUP_ID_NOT_FOUND, "Check the name, or list the groups."],
  [ErrorCode.NON_EMPTY_GROUP, "Stop the members of the group first."],
  [ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC, "Stop the members that read the topic first."],
  [
    ErrorCode.UNKNOWN_MEMBER_ID,
    "The group has gone on without this member: let handlers finish within maxPollIntervalMs, and processes within the session.",
  ],
  [
    ErrorCode.ILLEGAL_GENERATION,
    "The partitions may be another member's by now: what was not committed is read again there.",
  ],
  [ErrorCode.FENCED_INSTANCE_ID, "Give each member that runs at the same time a groupInstanceId of its own."],
  [
    ErrorCode.TRANSACTIONAL_ID_NOT_FOUND,
    "Check the name, or list the transactions: ids that are long unused are forgotten.",
  ],
  [ErrorCode.TRANSACTION_ABORTABLE, "Abort the transaction and begin it again."],
  [ErrorCode.INVALID_TXN_STATE, "Begin a transaction before, and end it once."],
  [ErrorCode.INVALID_TRANSACTION_TIMEOUT, "transactionTimeoutMs is at most the broker's transaction.max.timeout.ms."],
  [ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED, "This user needs an ACL for the transactionalId."],
  [ErrorCode.INVALID_RECORD, "The broker refuses the record itself; a compacted topic, for one, wants keys."],
  [ErrorCode.UNKNOWN_TOPIC_ID, "The topic was deleted, and perhaps made anew: refresh and try again."],
  [ErrorCode.THROTTLING_QUOTA_EXCEEDED, "Slow down, or raise the quota."],
]);

/** What to do about an error, in a sentence; undefined where only the message can say. */
export function adviceFor(error: KafkaError): string | undefined {
  return ADVICE.get(error.code);
}
